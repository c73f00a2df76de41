"""Shared by all tests: the folder of real cases, where it is there; generators of the tests' own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmrag_nb import MultimodalRAG, registry

TEXTS = (
    "Paradise Lost is a poem of twelve books. John Milton wrote it, and it was printed in 1667.",
    "A concert harp has forty-seven strings and seven pedals.",
    "The ferry to the island leaves at noon.",
)
ROOT = Path(__file__).parents[1]
CASES = Path(os.environ.get("MMRAG_CASES", ROOT.parent / "shared" / "cases"))


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder of real media with known truth; the test is skipped where it is absent."""
    if not CASES.is_dir():
        pytest.skip(f"no folder of cases at {CASES} (set MMRAG_CASES)")
    return CASES


@pytest.fixture(scope="module")
def _indexed_texts() -> Iterator[MultimodalRAG]:
    with MultimodalRAG(preset="offline", clip="none") as rag:
        rag.index([{"text": text} for text in TEXTS])
        yield rag


@pytest.fixture
def rag_of_texts(_indexed_texts: MultimodalRAG) -> Iterator[MultimodalRAG]:
    """``TEXTS``, indexed once a module; what a test sets is set back."""
    settings = _indexed_texts.settings
    before = {name: getattr(settings, name) for name in settings.trait_names(config=True)}
    yield _indexed_texts
    for name, value in before.items():
        setattr(settings, name, value)


@pytest.fixture
def writers_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let settings name what :func:`writers.writing` is given."""
    entry = registry.Entry("writers:chosen", takes_model=True)
    monkeypatch.setitem(registry._ENTRIES, ("generator", "local"), entry)


def pytest_sessionfinish(session, exitstatus):
    session.config._mmrag_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """End without the interpreter's farewell: with every engine's library loaded at once, it can crash in theirs."""
    if (status := getattr(config, "_mmrag_status", None)) is not None:
        import os
        import sys

        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
