"""A PDF from file to answer: its pages are found by their words, scanned ones through OCR, and shown with marks."""

import importlib.util
import re
from collections.abc import Sequence
from typing import ClassVar

import pdfs
import pytest
from PIL import Image

from mmrag_nb import MultimodalRAG, registry
from mmrag_nb.catalog.entries import BEGUN

PAGES = (
    "The harbour was built in 1890 by two brothers who traded in timber and tar.",
    "Ferries to the outer islands leave every hour, in winter only twice a day.",
    "The crane operator is called Marta Ek. She works at night and sleeps by day.",
)
NEEDS_OCR = pytest.mark.skipif(importlib.util.find_spec("rapidocr") is None, reason="rapidocr is not installed")


class Read(str):
    """A text that tells where its lines are."""

    __slots__ = ("boxes",)


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


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "harbour.pdf"
    path.write_bytes(pdfs.pdf([pdfs.text_page(pdfs.paragraph(page, 60, 760, 60, size=14)) for page in PAGES]))
    return path


@pytest.fixture
def scanned(tmp_path):
    path = tmp_path / "scan.pdf"
    sheets = [Image.new("RGB", (620, 877), (255 - 40 * n, 255, 255)) for n in range(3)]
    for n, sheet in enumerate(sheets):
        sheet.paste((0, 0, 0), (50, 50, 300, 60 + 10 * n))
    path.write_bytes(pdfs.scans(sheets))
    return path


def offline(**settings):
    return MultimodalRAG(preset="offline", **settings)


def chunks(rag):
    return rag._catalog._rows("SELECT modality, page, text FROM chunks ORDER BY ordinal")


def test_a_question_finds_its_page(document):
    with offline() as rag:
        report = rag.index([document])
        assert report.items == {"text": 1}
        for page, question in enumerate(
            ("who built the harbour?", "when do ferries leave?", "who operates the crane?"), 1
        ):
            best = rag.search(question)[0]
            assert (best.chunk.page, best.chunk.modality) == (page, "text")


def test_a_document_that_is_there_is_not_read_again(document, monkeypatch):
    with offline() as rag:
        rag.index([document])
        monkeypatch.setattr("mmrag_nb.loaders.pdf.PdfLoader.sections", None)
        assert rag.index([document]).reused == 1


def test_a_hit_brings_its_page_and_the_places_of_its_words(document):
    with offline() as rag:
        rag.index([document])
        best = rag.search("who operates the crane?")[0]
        assert {"page", "words"} <= set(best.previews)
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
    text = Read("\n".join(part for row in rows for part in row))
    text.boxes = [
        (0.1 + 0.5 * side, 0.1 + 0.03 * n, 0.45 + 0.5 * side, 0.12 + 0.03 * n) for n in range(3) for side in (0, 1)
    ]
    fake_ocr.pages = [text]
    with offline(ocr="fake") as rag:
        rag.index([scanned])
        read = chunks(rag)[1][2]
        assert read.index("weather") < read.index("Cranes")
        best = rag.search("herrings")[0]
        assert 'class="mm-hit" style="left:10.00%;top:10.00%' in best._repr_html_()


def test_a_page_without_words_is_told(scanned, fake_ocr):
    fake_ocr.pages = [""]
    with offline(ocr="fake") as rag:
        report = rag.index([scanned])
        assert ("scan.pdf", "no words read on 3 of 3 scanned pages") in report.notes


@NEEDS_OCR
def test_a_real_scan_is_read(tmp_path):
    path = tmp_path / "scan.pdf"
    path.write_bytes(
        pdfs.scans([pdfs.scan_picture(["Invoice 4711 of the Harbour", "Twelve barrels of tar"], size=(900, 500))])
    )
    with offline() as rag:
        rag.index([path])
        assert (
            rag.search("how many barrels of tar?")[0].chunk.text == "Invoice 4711 of the Harbour\nTwelve barrels of tar"
        )
