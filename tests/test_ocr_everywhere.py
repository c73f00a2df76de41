"""What is written in pictures finds them in every strategy, where the user has it read; else nothing is read."""

from __future__ import annotations

import io

import pytest

pytest.importorskip("rapidocr", reason="rapidocr is not installed (extra ocr)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra ocr)")

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmrag_nb import MultimodalRAG
from mmrag_nb.models.rapid_ocr import RapidOCRReader
from mmrag_nb.notebook.render import besides
from mmrag_nb.registry import find
from mmrag_nb.types import LoadedChunk, LoadedItem

SLIDES = {
    "harp": ("Tuning a concert harp", "Seven pedals", "Retune daily"),
    "ferry": ("Island ferry timetable", "Leaves Stromness at noon"),
    "bees": ("How bees dance", "Angle to the sun"),
}


def slide(lines) -> Image.Image:
    picture = Image.new("RGB", (640, 360), "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((40, 40 + 70 * number), line, fill="black", font=ImageFont.load_default(size=34))
    return picture


def chart() -> Image.Image:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    axes.bar(["Barley", "Lentils", "Sorghum"], [5, 2, 4])
    axes.set(title="Harvest by crop", ylabel="Tonnes per hectare")
    out = io.BytesIO()
    figure.savefig(out, format="png")
    plt.close(figure)
    return Image.open(out)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Three slides and a chart, by names that say nothing."""
    folder = tmp_path_factory.mktemp("slides")
    for place, lines in enumerate(SLIDES.values(), 1):
        slide(lines).save(folder / f"IMG_{place}.png")
    chart().save(folder / "IMG_4.png")
    return folder


@pytest.fixture(scope="session")
def known(pictures):
    """What is written in each picture; a slide and the chart are read, once for all tests."""
    written = {f"IMG_{place}.png": "\n".join(lines) for place, lines in enumerate(SLIDES.values(), 1)}
    names = ("IMG_1.png", "IMG_4.png")
    read = find("ocr", "rapidocr")().describe([Image.open(pictures / name) for name in names])
    return written | dict(zip(names, read, strict=True))


@pytest.fixture
def read(monkeypatch, known):
    """Pictures that are read while a test runs; what is in them is known by their ink."""
    read = []
    by_ink = {}

    def ink(picture):
        return float(np.asarray(picture.convert("L"), float).mean())

    def describe(self, some):
        read.extend(some)
        return [by_ink[min(by_ink, key=lambda known: abs(known - ink(one)))] for one in some]

    monkeypatch.setattr(RapidOCRReader, "__init__", lambda self: setattr(self, "description", "known"))
    monkeypatch.setattr(RapidOCRReader, "describe", describe)

    def prepare(folder):
        for name, text in known.items():
            by_ink[ink(Image.open(folder / name).convert("RGB"))] = text
        return read

    return prepare


def rag(**choices):
    return MultimodalRAG(preset="offline", captioner="none", speech="none", **choices)


def first(index, question, **how):
    return index.search(question, k=1, **how)[0]


@pytest.mark.parametrize("strategy", ["shared", "separate", "grounded"])
def test_slides_and_charts_are_found_by_their_words(pictures, read, strategy):
    read(pictures)
    with rag(ocr="rapidocr", strategy=strategy) as index:
        index.index(pictures)
        index.index([{"text": "Pedals of a bicycle should be greased."}, {"text": "Crops need rain."}])
        for question, name in [
            ("how is a concert harp tuned?", "IMG_1.png"),
            ("ferry from Stromness", "IMG_2.png"),
            ("dance of bees", "IMG_3.png"),
            ("tonnes of lentils per hectare", "IMG_4.png"),
        ]:
            assert first(index, question).item.name == name


def test_what_is_read_is_what_is_written(known):
    assert known["IMG_1.png"].split("\n") == list(SLIDES["harp"])
    assert "Lentils" in known["IMG_4.png"]


def test_a_hit_says_what_it_reads_and_marks_the_words_asked_for(pictures, read):
    read(pictures)
    with rag(ocr="rapidocr") as index:
        index.index(pictures)
        hit = first(index, "concert harp pedals")
        (start, end), *_ = hit.described_matches["ocr"]
        assert hit.described["ocr"][start:end] == "concert harp"
        assert besides.text(hit, 500) == ["reads: Tuning a «concert harp» Seven «pedals» Retune daily"]
        assert "<mark>concert harp</mark>" in besides.html(hit, 500)
        assert hit.lexical > 0
        assert not hit.alike, "slides of one design that say different things are no near-duplicates"


def test_a_strategy_that_sees_reads_nothing_unless_the_user_says_so(pictures, read):
    done = read(pictures)
    with rag() as index:
        index.index(pictures)
        assert not done
        assert not first(index, "concert harp").described
    with rag(ocr="none") as index:
        index.index(pictures)
        assert not done


def test_ocr_chosen_later_reads_what_is_there_once(pictures, read):
    done = read(pictures)
    with rag() as index:
        index.index(pictures)
        index.settings.ocr = "rapidocr"
        assert str(index.lacking("shared")) == "shared lacks 4 pictures to describe, 4 image chunks to embed"
        assert first(index, "lentils per hectare").item.name == "IMG_4.png"
        assert len(done) == 4
        report = index.index(pictures)
        assert (report.reused, len(done)) == (4, 4), "nothing is read or embedded again"
        index.search("lentils", strategy="separate")
        assert len(done) == 4


def test_pictures_named_again_are_read_from_their_files(pictures, read):
    done = read(pictures)
    with rag() as index:
        index.index(pictures)
        index.settings.ocr = "rapidocr"
        report = index.index(pictures)
        assert (report.embedded, len(done)) == (4, 4)
        assert first(index, "lentils per hectare").item.name == "IMG_4.png"


def test_what_another_strategy_read_counts_only_where_it_is_wished(pictures, read):
    done = read(pictures)
    with rag() as index:
        index.index(pictures)
        index.search("harp", strategy="grounded")  # the preset's reader
        assert len(done) == 4
        assert not index.lacking("shared"), "shared stays as it is"
        index.settings.ocr = "rapidocr"
        assert index.lacking("shared").embedded == {"image": 4}, "embedded again with their words"
        assert not index.lacking("shared").described, "they are known"
        assert first(index, "lentils per hectare").item.name == "IMG_4.png"
        assert len(done) == 4
        index.settings.ocr = "none"
        index.search("harp")
        assert not first(index, "lentils per hectare").described
        assert not index.lacking("shared")


def test_pages_whose_words_are_text_are_not_read(pictures, read, monkeypatch, tmp_path):
    done = read(pictures)
    picture = slide(SLIDES["harp"])
    pages = (
        LoadedChunk("image", page=1, pixels=picture),
        LoadedChunk("text", "Tuning a concert harp", page=1),
        LoadedChunk("image", page=2, pixels=picture),
    )
    monkeypatch.setattr(find("loader", "pdf"), "sections", lambda *_: iter([LoadedItem(pages)]))
    (tmp_path / "pages.pdf").write_bytes(b"%PDF-1.7")
    with rag(ocr="rapidocr") as index:
        index.index(tmp_path / "pages.pdf")
        assert len(done) == 1, "page 2 has no text"
        assert not index.lacking("shared").described


def test_beside_the_words_of_a_notebook_its_charts_are_read(pictures, read, monkeypatch, tmp_path):
    done = read(pictures)
    cells = (LoadedChunk("text", "We plot the harvest.", page=1), LoadedChunk("image", page=1, pixels=chart()))
    monkeypatch.setattr(find("loader", "notebook"), "load", lambda *_: LoadedItem(cells))
    (tmp_path / "harvest.ipynb").write_text("{}")
    with rag(ocr="rapidocr") as index:
        index.index(tmp_path / "harvest.ipynb")
        assert len(done) == 1
        assert "Lentils" in first(index, "lentils per hectare").described["ocr"]


def test_small_print_in_the_middle_of_a_tall_screenshot_is_found(tmp_path):
    font, shot = ImageFont.load_default(size=14), Image.new("RGB", (1080, 6000), "white")
    for place in range(120, 6000, 120):
        said = "The ferry to Stromness leaves at noon" if place == 3000 else f"Message {place} was read by all"
        ImageDraw.Draw(shot).text((60, place), said, fill="black", font=font)
    shot.save(tmp_path / "IMG_1.png")
    with rag(ocr="rapidocr", strategy="shared") as index:
        index.index(tmp_path)
        index.index([{"text": "Messages are read by all who leave at five."}])
        hit = first(index, "ferry to Stromness")
        assert hit.item.name == "IMG_1.png"
        assert "The ferry to Stromness leaves at noon" in hit.described["ocr"].splitlines()
