"""Shared by the tests that look at what we show: the browser."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless Chromium; the test is skipped where there is none."""
    import chromium

    kept = os.environ.get("MMRAG_SCREENSHOTS")
    screenshots = Path(kept) if kept else tmp_path_factory.mktemp("screenshots")
    screenshots.mkdir(parents=True, exist_ok=True)
    with chromium.started(screenshots.resolve()) as browser:
        yield browser
