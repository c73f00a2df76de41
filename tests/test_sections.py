"""What is long is read, committed and let go section by section."""

import gc
import weakref

import pytest

from mmrag_nb import MultimodalRAG, registry
from mmrag_nb.errors import LoadError
from mmrag_nb.registry import Entry
from mmrag_nb.types import LoadedChunk, LoadedItem, Preview

SUFFIXES = frozenset({".pages"})
MEDIA_TYPES = frozenset()

PAGES = ["The harp has strings. A tuner sets them.", "The ferry leaves at noon.", "Kites rise in the wind. Bells ring."]


class PagesLoader:
    """Sections at form feeds; each sentence is a chunk."""

    modality = "text"
    version = "pages-1"
    fails_before = ""
    error = LoadError("damaged from here on")
    most_alive = 0

    def __init__(self, max_tokens, count_tokens):
        pass

    def load(self, content, name):
        sections = list(self.sections(content, name))
        return LoadedItem(tuple(chunk for section in sections for chunk in section.chunks))

    def sections(self, content, name):
        read = []
        for number, page in enumerate(content.read_text().split("\f"), 1):
            if self.fails_before and self.fails_before in page:
                raise self.error
            chunks = tuple(LoadedChunk("text", f"{said.strip(' .')}.", page=number) for said in page.split(". "))
            shown = Preview("text/plain", f"page {number}".encode())
            section = LoadedItem(chunks, facts={"pages": number}, previews={"thumbnail": shown}, reached=number, of=3)
            read.append(weakref.ref(section))
            gc.collect()
            type(self).most_alive = max(self.most_alive, sum(one() is not None for one in read))
            yield section
            del section


@pytest.fixture
def loader(monkeypatch):
    entry = Entry(f"{__name__}:PagesLoader", modality="text", makes=("text",), long=True)
    monkeypatch.setitem(registry._ENTRIES, ("loader", "pages"), entry)
    monkeypatch.setattr(
        registry, "find", lambda kind, name, find=registry.find: PagesLoader if name == "pages" else find(kind, name)
    )
    monkeypatch.setitem(registry._formats(), ".pages", "pages")
    for name in ("fails_before", "error", "version", "most_alive"):
        monkeypatch.setattr(PagesLoader, name, getattr(PagesLoader, name))
    return PagesLoader


@pytest.fixture
def rag():
    with MultimodalRAG(preset="offline") as rag:
        yield rag


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "book.pages"
    file.write_text("\f".join(PAGES))
    return file


def chunks(rag):
    return [(chunk.ordinal, chunk.page, chunk.text) for chunk in rag.chunks("book.pages")]


WHOLE = [
    (0, 1, "The harp has strings."),
    (1, 1, "A tuner sets them."),
    (2, 2, "The ferry leaves at noon."),
    (3, 3, "Kites rise in the wind."),
    (4, 3, "Bells ring."),
]


def test_sections_make_one_item_in_order(loader, rag, file):
    report = rag.index(file)
    assert (report.items, report.chunks, report.embedded) == ({"text": 1}, 5, 1)
    assert chunks(rag) == WHOLE
    assert rag.facts("book.pages") == {"pages": 3}
    assert rag.previews("book.pages")["thumbnail"].data == b"page 3", "the last section's"
    assert rag.search("when does the ferry leave?")[0].chunk.page == 2


def test_the_whole_is_known_the_next_time(loader, rag, file):
    rag.index(file)
    assert rag.index(file).reused == 1


def test_a_caption_is_one_more_passage_behind_the_last_section(loader, rag, file):
    rag.index([{"path": str(file), "caption": "An almanac."}])
    assert chunks(rag) == [*WHOLE, (5, None, "An almanac.")]


@pytest.mark.parametrize("error", [LoadError("damaged from here on"), KeyboardInterrupt()], ids=["damage", "Ctrl-C"])
def test_what_came_before_an_end_is_kept_and_the_next_run_goes_on(loader, rag, file, error):
    loader.fails_before, loader.error = "Kites", error
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            rag.index(file)
    else:
        report = rag.index(file)
        assert [one.reason for one in report.skipped] == ["damaged from here on; what comes before is indexed"]
    assert chunks(rag) == WHOLE[:3]
    assert rag.search("when does the ferry leave?")[0].chunk.page == 2
    loader.fails_before = ""
    report = rag.index(file)
    assert (report.embedded, report.skipped) == (1, ())
    assert chunks(rag) == WHOLE
    assert rag.index(file).reused == 1


def test_an_item_that_fails_at_once_is_skipped(loader, rag, file):
    loader.fails_before = "harp"
    report = rag.index(file)
    assert (report.items, report.chunks) == ({}, 0)
    assert [one.reason for one in report.skipped] == ["damaged from here on"]


def test_nothing_of_a_longer_reading_is_left(loader, rag, file):
    rag.index(file)
    loader.version = "pages-2"
    all_of_them = loader.sections

    def fewer(self, content, name):
        sections = all_of_them(self, content, name)
        yield next(sections)
        sections.close()

    loader.sections = fewer
    try:
        rag._parts._loaders.clear()
        rag.index(file)
    finally:
        loader.sections = all_of_them
    assert chunks(rag) == WHOLE[:2]
    assert not rag._catalog._rows("SELECT 1 FROM words WHERE words MATCH 'ferry'")


def test_one_section_is_in_memory_at_a_time(loader, rag, file):
    file.write_text("\f".join(f"Page number {n} says {n * 7}." for n in range(40)))
    loader.most_alive = 0
    rag.index(file)
    assert loader.most_alive <= 2, "the one being read, and at most the one before"


def test_a_dry_run_tries_the_first_section_for_all(loader, rag, file):
    file.write_text("\f".join(f"Page number {n} says {n * 7}." for n in (1, 2, 3)))
    plan = rag.plan(file)
    assert (plan.new, plan.chunks) == (1, 3)
