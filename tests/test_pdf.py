"""A PDF from file to answer: its pages are found by their words, scanned ones through OCR, and shown with marks."""

import importlib.util
import re
from collections.abc import Sequence
from typing import ClassVar

import pdfs
import pytest
from PIL import Image, ImageDraw, ImageFont

from mmrag_nb import MultimodalRAG, registry
from mmrag_nb.catalog.entries import BEGUN
from mmrag_nb.types import Written

PAGES = (
    "The harbour was built in 1890 by two brothers who traded in timber and tar.",
    "Ferries to the outer islands leave every hour, in winter only twice a day.",
    "The crane operator is called Marta Ek. She works at night and sleeps by day.",
)
NEEDS_OCR = pytest.mark.skipif(importlib.util.find_spec("rapidocr") is None, reason="rapidocr is not installed")


class FakeOCR:
    """Reads what the test says is on the pages, one after the other."""

    description = "fake ocr"
    fingerprint: ClassVar = {"model": "fake"}
    read: ClassVar[list[tuple[int, int]]] = []
    pages: ClassVar[Sequence[str]] = ()

    def describe(self, pictures):
        said = []
        for picture in pictures:
            FakeOCR.read.append(picture.size)
            said.append(FakeOCR.pages[(len(FakeOCR.read) - 1) % len(FakeOCR.pages)])
        return said


@pytest.fixture
def fake_ocr(monkeypatch):
    monkeypatch.setitem(registry._ENTRIES, ("ocr", "fake"), registry.Entry(f"{__name__}:FakeOCR"))
    monkeypatch.setitem(registry._ENTRIES, ("ocr", "other"), registry.Entry(f"{__name__}:FakeOCR"))
    FakeOCR.read, FakeOCR.pages = [], PAGES
    return FakeOCR


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    path = tmp_path_factory.mktemp("document") / "harbour.pdf"
    path.write_bytes(pdfs.pdf([pdfs.text_page(pdfs.paragraph(page, 60, 760, 60, size=14)) for page in PAGES]))
    return path


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    path = tmp_path_factory.mktemp("scanned") / "scan.pdf"
    sheets = [Image.new("RGB", (620, 877), (255 - 40 * n, 255, 255)) for n in range(3)]
    for n, sheet in enumerate(sheets):
        sheet.paste((0, 0, 0), (50, 50, 300, 60 + 10 * n))
    path.write_bytes(pdfs.scans(sheets))
    return path


@pytest.fixture(scope="module")
def indexed(document):
    """The document, indexed for those that only ask."""
    with offline() as rag:
        assert rag.index([document]).items == {"text": 1}
        yield rag


def offline(**settings):
    return MultimodalRAG(preset="offline", **settings)


def chunks(rag):
    return rag._catalog._rows("SELECT modality, page, text FROM chunks ORDER BY ordinal")


@pytest.mark.parametrize(
    ("page", "question"),
    [(1, "who built the harbour?"), (2, "when do ferries leave?"), (3, "who operates the crane?")],
)
def test_a_question_finds_its_page(indexed, page, question):
    best = indexed.search(question)[0]
    assert (best.chunk.page, best.chunk.modality) == (page, "text")


def test_a_document_that_is_there_is_not_read_again(document, monkeypatch):
    with offline() as rag:
        rag.index([document])
        monkeypatch.setattr("mmrag_nb.loaders.pdf.PdfLoader.sections", None)
        assert rag.index([document]).reused == 1


def test_a_hit_brings_its_page_and_the_places_of_its_words(indexed):
    best = indexed.search("who operates the crane?")[0]
    assert {"page", "placed"} <= set(best.previews)
    shown = best._repr_html_()
    assert "page 3 of 3" in shown
    assert 'class="mm-hit"' in shown
    assert "marked: crane operator" in shown


def test_an_encrypted_document_is_skipped_and_the_others_are_not(cases, document):
    with offline() as rag:
        report = rag.index([cases / "hostile" / "doc_password.pdf", document])
        assert report.items == {"text": 1}
        assert "encrypted" in report.skipped[0].reason


def test_scanned_pages_are_found_by_what_ocr_reads(scanned, fake_ocr):
    with offline(ocr="fake") as rag:
        report = rag.index([scanned])
        assert "fake ocr" in report.models
        assert [(kind, page) for kind, page, _ in chunks(rag)] == [
            (kind, page) for page in (1, 2, 3) for kind in ("image", "text")
        ]
        assert rag.search("who operates the crane?")[0].chunk.page == 3
        assert min(max(size) for size in fake_ocr.read) >= 1600, "large enough to be read"


def test_pages_with_text_are_not_read_by_ocr(document, fake_ocr):
    with offline(ocr="fake") as rag:
        rag.index([document])
        assert fake_ocr.read == []


def test_scanned_pages_are_read_once(scanned, fake_ocr):
    with offline(ocr="fake") as rag:
        rag.index([scanned])
        assert rag.index([scanned]).reused == 1
        assert len(fake_ocr.read) == 3


def test_what_an_interrupted_run_read_is_not_read_again(scanned, fake_ocr):
    with offline(ocr="fake") as rag:
        rag.index([scanned])
        before = chunks(rag)
        with rag._catalog._write() as db:
            db.execute("UPDATE items SET recipe = recipe || ?", (BEGUN,))
        rag.index([scanned])
        assert len(fake_ocr.read) == 3
        assert chunks(rag) == before


def test_another_ocr_reads_again(scanned, fake_ocr):
    with offline(ocr="fake") as rag:
        rag.index([scanned])
        rag.settings.ocr = "other"
        rag.index([scanned])
        assert len(fake_ocr.read) == 6


def test_without_ocr_the_pages_are_pictures_and_it_is_told_once(scanned, fake_ocr):
    with offline(ocr="none") as rag:
        report = rag.index([scanned])
        assert [kind for kind, *_ in chunks(rag)] == ["image"] * 3
        (note,) = (note for name, note in report.notes if name == "scan.pdf")
        assert "pictures alone" in note
        assert "ocr is set to none" in note
        assert rag.index([scanned]).reused == 1
        rag.settings.ocr = "fake"
        rag.index([scanned])
        assert len(fake_ocr.read) == 3, "once there is one, it reads"
        rag.settings.ocr = "none"
        assert rag.index([scanned]).reused == 1, "what was read stays, where nobody could read it now"
        assert len(chunks(rag)) == 6


def test_a_missing_library_is_named_with_its_extra(scanned, monkeypatch):
    absent = registry.Entry("no_such_library:OCR", "ocr")
    monkeypatch.setitem(registry._ENTRIES, ("ocr", "rapidocr"), absent)
    monkeypatch.setattr("mmrag_nb.parts.find_spec", lambda name: None)
    with offline() as rag:
        report = rag.index([scanned])
        assert any(re.search(r"pictures alone: .*\[ocr\]", note) for _, note in report.notes)


def test_where_ocr_tells_places_columns_are_read_in_order_and_words_are_marked(scanned, fake_ocr):
    rows = [
        ("Herrings swim in the cold sea", "Cranes lift barrels on to quays"),
        ("and boats go out for them", "where merchants weigh them all"),
        ("at dawn in any weather at all", "and buy what they can sell on"),
    ]
    boxes = [
        (0.1 + 0.5 * side, 0.1 + 0.03 * n, 0.45 + 0.5 * side, 0.12 + 0.03 * n) for n in range(3) for side in (0, 1)
    ]
    fake_ocr.pages = [Written("\n".join(part for row in rows for part in row), boxes)]
    with offline(ocr="fake") as rag:
        rag.index([scanned])
        read = chunks(rag)[1][2]
        assert read.index("weather") < read.index("Cranes")
        best = rag.search("herrings")[0]
        assert 'class="mm-hit" style="left:10.00%;top:10.00%' in best._repr_html_()


def test_chinese_lines_are_joined_without_blanks_and_each_character_has_its_place(scanned, fake_ocr):
    lines = ["港口由两兄弟建于一八九零年他们", "经营木材和焦油每小时都有渡轮前", "往外岛冬季每天只有两班"]
    fake_ocr.pages = [Written("\n".join(lines), [(0.1, 0.1 + 0.03 * n, 0.9, 0.12 + 0.03 * n) for n in range(3)])]
    with offline(ocr="fake") as rag:
        rag.index([scanned])
        assert chunks(rag)[1][2] == "".join(lines)
        marked = rag.search("焦油")[0]._repr_html_().count('class="mm-hit"')
        assert 1 <= marked <= 4, "characters, not whole lines"


def test_what_stands_upright_has_the_place_of_its_line(scanned, fake_ocr):
    fake_ocr.pages = [Written("Tonnes per hectare\nHarvest by crop", [(0.1, 0.2, 0.13, 0.6), (0.2, 0.1, 0.6, 0.13)])]
    with offline(ocr="fake") as rag:
        rag.index([scanned])
        shown = rag.search("tonnes")[0]._repr_html_()
        assert 'class="mm-hit" style="left:10.00%;top:20.00%;width:3.00%;height:40.00%"' in shown


@pytest.mark.parametrize("strategy", ["shared", "grounded"])
def test_a_page_without_words_is_told_and_looked_at_once(scanned, fake_ocr, strategy):
    fake_ocr.pages = [""]
    with offline(ocr="fake", strategy=strategy, captioner="none") as rag:
        report = rag.index([scanned])
        assert ("scan.pdf", "no words read on 3 of 3 scanned pages") in report.notes
        assert len(fake_ocr.read) == 3
        assert not rag.lacking(strategy).described


HERRINGS = """
Herrings swim in the cold sea and the boats go out for them at dawn, in any weather at all. Their nets are mended on the
quay. In winter, when ice closes the harbour, the fishermen carve spoons and tell of storms.
"""
CRANES = """
Cranes lift barrels on to the quays, where merchants weigh them and buy what they can sell on. The largest crane was
built by two brothers. Its operator is called Marta Ek, who works at night and sleeps by day.
"""
WIDTH, HEIGHT = 1000, 700


@pytest.fixture(scope="module")
def columns():
    """A sheet of two columns, and where on it each word is: left, top, right, bottom in pixels."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.truetype("DejaVuSans.ttf", 22)
    places = []
    for x, text in ((60, HERRINGS), (540, CRANES)):
        lines = [line for _, _, line, _ in pdfs.paragraph(text, 0, 0, 32)]
        for n, line in enumerate(lines):
            y = 80 + 34 * n
            draw.text((x, y), line, fill="black", font=font)
            for word in re.finditer(r"\S+", line):
                left, right = (x + font.getlength(line[:at]) for at in word.span())
                places.append((word[0], (left, y, right, y + 26)))
    return sheet, places


@pytest.fixture(scope="module")
def read_columns(columns, tmp_path_factory):
    """The sheet as a scanned PDF, indexed."""
    path = tmp_path_factory.mktemp("columns") / "columns.pdf"
    path.write_bytes(pdfs.scans([columns[0]]))
    with offline() as rag:
        rag.index([path])
        yield rag


@NEEDS_OCR
def test_a_real_scan_is_read_column_by_column(read_columns):
    said = [text for kind, _, text in chunks(read_columns) if kind == "text"]
    assert " ".join(" ".join(said).split()) == " ".join((HERRINGS + CRANES).split())


@NEEDS_OCR
@pytest.mark.parametrize("question", ["herrings", "barrels", "Marta Ek", "spoons", "brothers"])
def test_matching_words_are_marked_on_the_scan(read_columns, columns, question):
    wanted = [box for word, box in columns[1] if word.strip(".,").lower() in question.lower().split()]
    best = read_columns.search(question)[0]
    style = r'class="mm-hit" style="left:([\d.]+)%;top:([\d.]+)%;width:([\d.]+)%;height:([\d.]+)%"'
    marked = []
    for match in re.finditer(style, best._repr_html_()):
        left, top, width, height = (float(share) / 100 for share in match.groups())
        marked.append((WIDTH * left, HEIGHT * top, WIDTH * (left + width), HEIGHT * (top + height)))
    assert len(marked) == len(wanted)
    for found, box in zip(sorted(marked), sorted(wanted), strict=True):
        assert all(abs(a - b) < 14 for a, b in zip(found, box, strict=True)), "about a letter"
