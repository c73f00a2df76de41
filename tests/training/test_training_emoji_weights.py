"""The shipped model: small enough, loads as OpenAI's CLIP does, and finds drawings by what they show."""

from importlib.resources import files
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

FOLDER = Path(str(files("mmrag_nb.assets"))) / "emoji_clip"
DRAWINGS = Path(str(files("mmrag_nb.assets"))) / "demo" / "emoji"
SHOWN = (
    "octopus",
    "red apple",
    "umbrella with rain drops",
    "guitar",
    "sailboat",
    "bicycle",
    "birthday cake",
    "cactus",
    "elephant",
    "rocket",
    "penguin",
    "sunflower",
)


@pytest.fixture(scope="module")
def shipped():
    from transformers import AutoModel, AutoProcessor

    return AutoModel.from_pretrained(FOLDER).float().eval(), AutoProcessor.from_pretrained(FOLDER)


def unit(output):
    return torch.nn.functional.normalize(getattr(output, "pooler_output", output), dim=1)


@pytest.fixture(scope="module")
def pictures(shipped):
    from PIL import Image

    model, processor = shipped
    drawings = [Image.open(path).convert("RGB") for path in sorted(DRAWINGS.glob("drawing_*.png"))]
    assert len(drawings) == len(SHOWN)
    with torch.inference_mode():
        return unit(model.get_image_features(**processor(images=drawings, return_tensors="pt")))


def text_vectors(shipped, texts):
    model, processor = shipped
    with torch.inference_mode():
        return unit(model.get_text_features(**processor(text=texts, return_tensors="pt", padding=True)))


def test_the_classes_are_transformers_own(shipped):
    model, processor = shipped
    assert type(model).__name__ == "CLIPModel"
    assert type(processor).__name__ == "CLIPProcessor"
    assert type(processor.tokenizer).__name__.startswith("CLIPTokenizer")
    assert type(processor.image_processor).__name__.startswith("CLIPImageProcessor")


def test_everything_shipped_is_12_mb_at_most_and_weights_are_safetensors():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 12e6
    assert {path.name for path in FOLDER.iterdir()} >= {
        "model.safetensors",
        "config.json",
        "MODEL_CARD.md",
        "split.json",
    }
    assert not [path for path in FOLDER.rglob("*") if path.suffix in {".bin", ".pt", ".pkl"}]


def test_drawings_are_found_by_name(shipped, pictures):
    best = (text_vectors(shipped, list(SHOWN)) @ pictures.T).argmax(dim=1)
    assert (best == torch.arange(len(SHOWN))).sum() >= 11


def test_drawings_are_found_by_phrases(shipped, pictures):
    phrases = [f"a picture of a {name}" for name in SHOWN]
    best = (text_vectors(shipped, phrases) @ pictures.T).argmax(dim=1)
    assert (best == torch.arange(len(SHOWN))).sum() >= 10


def test_a_picture_finds_itself_turned_and_in_grey(shipped, pictures):
    from PIL import Image

    model, processor = shipped
    changed = [
        Image.open(path).convert("RGB").rotate(12, fillcolor="white").convert("L").convert("RGB")
        for path in sorted(DRAWINGS.glob("drawing_*.png"))
    ]
    with torch.inference_mode():
        queries = unit(model.get_image_features(**processor(images=changed, return_tensors="pt")))
    best = (queries @ pictures.T).argmax(dim=1)
    assert (best == torch.arange(len(SHOWN))).sum() >= 10


def test_the_card_says_what_a_user_must_know():
    card = (FOLDER / "MODEL_CARD.md").read_text("utf-8")
    for word in ("OpenMoji", "Twemoji", "Noto Emoji", "CC-BY-4.0", "Apache-2.0", "photograph", "R@10", "seed"):
        assert word in card, word
