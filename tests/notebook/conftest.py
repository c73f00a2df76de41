"""Shared by the tests that look at what we show: the browser."""

import builtins
import os
from pathlib import Path

import pytest
import shells
from IPython.core.interactiveshell import InteractiveShell

# A shell registers itself to be reset when Python ends, which keeps it, its index and its models until then, and takes
# a collection of all garbage for each. Tests make hundreds of shells.
InteractiveShell.atexit_operations = lambda _: None


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless Chromium; the test is skipped where there is none."""
    import chromium

    kept = os.environ.get("MMRAG_SCREENSHOTS")
    screenshots = Path(kept) if kept else tmp_path_factory.mktemp("screenshots")
    screenshots.mkdir(parents=True, exist_ok=True)
    with chromium.started(screenshots.resolve()) as browser:
        yield browser


@pytest.fixture
def shell(tmp_path, tmp_path_factory, monkeypatch):
    """A shell with the magics, offline, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    monkeypatch.delattr(builtins, "_", raising=False)  # doctest leaves one, and a shell then keeps off its own
    with shells.started() as shell:
        yield shell
        if (session := getattr(shell, "_mmrag_session", None)) is not None:
            session._rag = None  # IPython keeps every shell there was; the models need not stay with them
