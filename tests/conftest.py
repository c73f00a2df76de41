"""Shared by all tests: the folder of real cases, where it is there."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CASES = Path(os.environ.get("MMRAG_CASES", ROOT.parent / "shared" / "cases"))


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder of real media with known truth; the test is skipped where it is absent."""
    if not CASES.is_dir():
        pytest.skip(f"no folder of cases at {CASES} (set MMRAG_CASES)")
    return CASES
