"""Damaged, lying and hostile files: each is indexed or skipped as its manifest says, and one line says why."""

import csv
import os
import time
from pathlib import Path

import pytest

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.audio import AudioLoader
from mmrag_nb.loaders.image import ImageLoader
from mmrag_nb.loaders.text import TextLoader

FOLDER = Path(os.environ.get("MMRAG_CASES", Path(__file__).parents[3] / "shared" / "cases")) / "hostile"


def rows():
    if not FOLDER.is_dir():
        return [
            pytest.param(None, None, marks=pytest.mark.skip(reason=f"no folder of cases at {FOLDER} (set MMRAG_CASES)"))
        ]
    with (FOLDER / "manifest.tsv").open(encoding="utf-8", newline="") as table:
        return [
            pytest.param(row["file"], row["sensible_behaviour"], id=row["file"])
            for row in csv.DictReader(table, delimiter="\t")
            if not row["file"].endswith(".pdf")
        ]


@pytest.fixture
def loaders(count_tokens):
    text = TextLoader(77, count_tokens)
    return {"img": ImageLoader(), "aud": AudioLoader(), "doc": text, "xml": text, "inj": text}


EXPECTED = {
    "img_hopper_bad_exif.jpg": "damaged EXIF ignored",
    "img_iss634.gif": "first of 42 frames",
    "img_mode_16bit.png": "first of 3 frames",
    "doc_umlauts-non-utf8.md": "decoded as cp1252",
    "doc_iso8859.txt": "decoded as cp1252",
}
REASONS = {
    "img_1.eps": "not on the list of safe formats",
    "img_bee.heic": "pillow-heif",
    "img_hopper.heif": "pillow-heif",
    "img_broken_data_stream.png": "damaged",
    "img_decompression_bomb.ico": "too large",
    "img_reallybig.bmp": "too large",
    "img_truncated_image.png": "truncated",
    "aud_scipy_48000Hz-2ch-64bit-float-le-wavex.wav": "too short: 0.01 s",
    "aud_pydub_empty.wav": "zero samples",
    "aud_sphinx_null.wav": "zero samples",
    "doc_empty.txt": "empty",
    "doc_fake-text-all-whitespace.txt": "empty",
}


@pytest.mark.parametrize(("name", "verdict"), rows())
def test_the_manifests_verdict(loaders, name, verdict):
    loader = loaders[name[:3]]
    content = FOLDER / name
    begin = time.process_time()
    if verdict.startswith("SKIP"):
        for attempt in (content, content.read_bytes(), content):
            with pytest.raises(LoadError) as caught:
                loader.load(attempt, name)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200
        assert REASONS.get(name, "") in str(caught.value)
    else:
        item = loader.load(content, name)
        assert item.chunks
        assert EXPECTED.get(name, "") in "".join(item.notes)
        assert bool(item.notes) >= (name in EXPECTED)
    assert time.process_time() - begin < 10


def test_orientation_and_size(cases):
    for name, size in (("img_Landscape_6.jpg", (1800, 1200)), ("img_hopper_orientation_6.jpg", (128, 128))):
        item = ImageLoader().load(cases / "hostile" / name, name)
        assert (item.facts["width"], item.facts["height"]) == size
        assert item.chunks[0].pixels.size == size


def test_scripts_of_a_page_are_not_in_its_text(cases, loaders):
    item = loaders["doc"].load(cases / "hostile" / "doc_example-with-scripts.html", "doc_example-with-scripts.html")
    text = " ".join(chunk.text for chunk in item.chunks)
    assert "Russian Offensive Campaign Assessment" in text
    assert not any(trace in text for trace in ("jQuery", "function(", "<div", "text/javascript", "&nbsp;"))


def test_entities_of_xml_stay_unexpanded(cases, loaders):
    for name in ("xml_external_file.xml", "xml_xmlbomb.xml"):
        raw = (cases / "hostile" / name).read_text(encoding="utf-8")
        text = "".join(chunk.text for chunk in loaders["xml"].load(cases / "hostile" / name, name).chunks)
        assert "<!ENTITY" in text
        assert len(text) <= len(raw)


def test_umlauts_and_utf_16_read_right(cases, loaders):
    umlauts = loaders["doc"].load(cases / "hostile" / "doc_umlauts-non-utf8.md", "x.md")
    assert "können" in umlauts.chunks[0].text
    wide = loaders["doc"].load(cases / "hostile" / "doc_fake-text-utf-16.txt", "x.txt")
    assert "Dogs are the best" in " ".join(chunk.text for chunk in wide.chunks)
