"""The offline preset looks at pictures, with the model that ships in the package."""

import pytest

pytest.importorskip("torch")

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import InvalidSetting, MissingVectors, MMRagError

DEMO = demo_folder()
DRAWINGS = DEMO / "emoji"


@pytest.fixture(scope="module")
def rag():
    rag = MultimodalRAG(preset="offline")
    rag.index([DRAWINGS, demo_folder() / "tuning_a_harp.md", demo_folder() / "tide_tables.txt"])
    yield rag
    rag.close()


@pytest.mark.parametrize(
    ("question", "drawing"),
    [
        ("which picture shows a red apple?", 2),
        ("is there a guitar?", 4),
        ("a bicycle", 6),
        ("a birthday cake", 7),
        ("where is the elephant?", 9),
        ("a rocket", 10),
        ("which one shows a penguin?", 11),
        ("a sunflower", 12),
    ],
)
def test_drawings_without_caption_or_telling_name_are_found_by_looking(rag, question, drawing):
    first = rag.search(question)[0]
    assert first.item.name == f"drawing_{drawing:02d}.png"
    assert first.seen_as == "image"
    assert first.space == "clip:emoji"


def test_texts_are_found_beside_them_in_their_own_space(rag):
    first = rag.search("how many pedals does a concert harp have?")[0]
    assert first.item.name == "tuning_a_harp.md"
    assert first.space.startswith("words:")


def test_a_picture_finds_itself_and_its_like(rag):
    from PIL import Image, ImageOps

    hits = rag.search(image=DRAWINGS / "drawing_02.png")
    assert hits[0].item.name == "drawing_02.png"
    assert hits[0].cosine == pytest.approx(1, abs=1e-3)
    with Image.open(DRAWINGS / "drawing_09.png") as elephant:
        turned = ImageOps.mirror(elephant.convert("RGB"))
    assert rag.search(image=turned)[0].item.name == "drawing_09.png"


def test_what_cannot_be_asked_is_told(rag):
    for asked in [{}, {"question": "  "}]:
        with pytest.raises(MMRagError, match="nothing was asked"):
            rag.search(**asked)
    with pytest.raises(MMRagError, match="in words or by voice"):
        rag.search("an apple", audio=DEMO / "lighthouse_talk.mp3")
    with pytest.raises(InvalidSetting, match="'smell' is no modality"):
        rag.search("an apple", modalities=["smell"])
    with MultimodalRAG(preset="offline", clip="none") as blind:
        blind.index([{"text": "a harp"}])
        blind.settings.ocr = "none"
        with pytest.raises(InvalidSetting, match="emoji"):
            blind.search(image=DRAWINGS / "drawing_02.png")


def test_an_index_of_texts_alone_does_not_load_torch():
    import subprocess
    import sys

    code = """
import sys
from mmrag_nb import MultimodalRAG
rag = MultimodalRAG(preset="offline")
rag.index([{"text": "A harp has forty-seven strings."}])
assert rag.ask("how many strings?").hits
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_picture_finds_texts_by_what_can_be_said_of_it():
    with MultimodalRAG(preset="offline", ocr="none") as texts:
        texts.index([{"text": "A harp."}, {"text": "The ferry leaves at noon."}, {"text": "She ate a red apple."}])
        found = texts.search(image=DRAWINGS / "drawing_02.png")
        assert found[0].chunk.text == "She ate a red apple."
        assert any(fact.startswith("picture put into words:") and "apple" in fact for fact in found.facts)
        texts.settings.captioner = "none"
        with pytest.raises(MissingVectors, match="has no pictures, and a picture finds only these"):
            texts.search(image=DRAWINGS / "drawing_02.png")
