"""Names are told where they stand out, best first; the drawings that ship get theirs."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmrag_nb.errors import InvalidSetting
from mmrag_nb.models.emoji import EmojiEncoder
from mmrag_nb.models.tags import MOST, TagCaptioner, shipped_names
from mmrag_nb.models.words import WordsEncoder

DRAWN = (
    "octopus,red apple,umbrella with rain drops,guitar,sailboat,bicycle,birthday cake,cactus,elephant,rocket,penguin,"
    "sunflower"
).split(",")


@pytest.fixture(scope="module")
def emoji() -> EmojiEncoder:
    return EmojiEncoder(device="cpu")


def drawings() -> list[Image.Image]:
    folder = Path(str(files("mmrag_nb.assets.demo"))) / "emoji"
    return [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))]


def test_most_drawings_of_the_demo_are_named(emoji):
    """The model takes the apple for a tomato first, and says nothing of the octopus rather than call it a ribbon."""
    texts = TagCaptioner(emoji).describe(drawings())
    named = [drawn in text.split(", ") for drawn, text in zip(DRAWN, texts, strict=True)]
    assert sum(named) >= 11
    assert sum(text.startswith(drawn) for drawn, text in zip(DRAWN, texts, strict=True)) >= 9
    assert all(len(text.split(", ")) <= MOST for text in texts)


def test_it_is_the_slow_and_obvious_rule(emoji):
    names = ["elephant", "guitar", "a bowl of soup", "rocket", "yellow flower"]
    vectors = emoji.embed_texts(names)
    for drawing, text in zip(drawings(), TagCaptioner(emoji, names).describe(drawings()), strict=True):
        cosines = [float(v @ emoji.embed_images([drawing])[0]) for v in vectors]
        deviations = [(c - np.mean(cosines)) / np.std(cosines) for c in cosines]
        least = max(0.777 * np.sqrt(2 * np.log(5)), max(deviations) - 0.4)
        expected = sorted((n for n in range(5) if deviations[n] >= least), key=lambda n: -deviations[n])
        assert text == ", ".join(names[n] for n in expected)


def test_a_picture_like_nothing_gets_no_name(emoji):
    class Vague:
        """Sees each picture somewhere between all names."""

        modalities = frozenset({"text", "image"})
        space, description, fingerprint = "clip:vague", "vague", {}

        def embed_texts(self, texts):
            return np.eye(len(texts), dtype=np.float32)

        def embed_images(self, images):
            vectors = np.resize([1.0, 1.01], (len(images), 40)).astype(np.float32)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    assert TagCaptioner(Vague(), [f"name {n}" for n in range(40)]).describe(drawings()[:2]) == ["", ""]
    assert TagCaptioner(Vague(), [f"name {n}" for n in range(40)]).describe([]) == []


def test_names_are_embedded_once_and_on_first_use(emoji, monkeypatch):
    asked = []
    embed = emoji.embed_texts
    monkeypatch.setattr(emoji, "embed_texts", lambda texts: asked.append(len(texts)) or embed(texts))
    captioner = TagCaptioner(emoji)
    assert not asked
    captioner.describe(drawings()[:1])
    captioner.describe(drawings()[1:2])
    assert sum(asked) == len(shipped_names())


def test_a_list_of_ones_own(emoji):
    own = TagCaptioner(emoji, ["cactus", " cactus ", "", "teapot"])
    assert own.describe(drawings()[7:8]) == ["cactus"]
    assert own.description.startswith("2 names by emoji")
    assert own.fingerprint["vocabulary"] != TagCaptioner(emoji).fingerprint["vocabulary"]
    assert own.fingerprint["model"] == "mmrag_nb/emoji-clip"
    assert TagCaptioner(emoji, ["cactus"]).describe(drawings()[:1]) == ["cactus"], "the only one there is"


def test_what_cannot_tag_is_refused_in_one_line(emoji):
    with pytest.raises(InvalidSetting, match="'words:hashed-1024' embeds only text: set clip to 'emoji'") as refusal:
        TagCaptioner(WordsEncoder())
    assert "\n" not in str(refusal.value)
    with pytest.raises(InvalidSetting, match="no names to choose from"):
        TagCaptioner(emoji, ["", " "])


def test_the_shipped_names_are_one_a_line_and_guess_nobodys_sex():
    names = shipped_names()
    assert len(names) == len(set(names)) == 1713
    assert set(DRAWN) <= set(names)
    assert {"pilot", "student", "woman", "man"} <= set(names)
    assert not {"woman pilot", "man student", "family: man, woman, boy"} & set(names)
    size = files("mmrag_nb.assets").joinpath("emoji_clip", "names.txt").read_bytes()
    assert len(size) < 60_000
