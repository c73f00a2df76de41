"""Media to measure with: any number of pictures, texts and sounds, each of its own content, the same in every run."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.assets.demo.media import demo_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image

PICTURES = 0.4
"""Share of the items; half of them have a caption."""
SOUNDS = 12
"""Clips at most, of about four seconds: understanding speech takes longer than all the rest together."""

_DRAWINGS = (
    *("octopus", "red apple", "umbrella", "guitar", "sailboat", "bicycle"),
    *("birthday cake", "cactus", "elephant", "rocket", "penguin", "sunflower"),
)
"""What the demo's drawings 1 to 12 show."""
_PLACES = "Arnhem Bergen Cadiz Dundee Evora Florence Ghent Halifax Iquique Jaipur Kyoto Lisbon Malmo Oslo".split()
_PEOPLE = "captain baker gardener clockmaker teacher surgeon painter postman shepherd violinist printer diver".split()
_THINGS = (
    "lantern anchor kettle compass ladder bridge telescope orchard tunnel ferry piano mill archive harbour glacier "
    "quarry loom engine garden well clock statue canal tower bakery library theatre market furnace greenhouse"
).split()
_DOINGS = "repaired painted sold measured photographed inherited restored described lost rebuilt catalogued".split()
_SENTENCES = (
    "In {year} the {person} of {place} {did} a {thing} that had stood beside the {other} for {number} years.",
    "Nobody in {place} remembers who {did} the {thing}, but the {person} kept {number} letters about it.",
    "The {thing} weighs {number} kilograms and is shown on Sundays between the {other} and the old {third}.",
    "A {person} from {place} wrote that every {thing} needs {number} days of work before the first frost.",
    "When the {other} closed in {year}, its {thing} was carried by {number} people to the station at {place}.",
    "Visitors ask the {person} about the {thing} more often than about the {third} or the {other}.",
    "The town of {place} paid {number} coins for the {thing} and forgot to pay the {person} who {did} it.",
)
_QUESTIONS = (
    "who {did} the {thing} of {place}?",
    "which picture shows a {drawing}?",
    "when does the model ship workshop start?",
    "what did the {person} say about the {thing} in {place}?",
    "is there a photo of a {drawing} in {place}?",
    "how many people carried the {thing} to the station in {year}?",
    "where will there be heavy rain and strong winds?",
)


def sources(items: int, folder: Path, *, seed: int = 0) -> list[dict[str, Any]]:
    """Write ``items`` files into ``folder`` and return them as sources: ``path`` and metadata."""
    rng = np.random.default_rng(seed)
    clips = min(SOUNDS, -(-items // 50))
    pictures = round(items * PICTURES)
    made = [_picture(rng, n, folder) for n in range(pictures)]
    made += sounds(clips, folder)
    made += [_text(rng, n, folder) for n in range(items - pictures - clips)]
    return made


def questions(n: int, *, seed: int = 1) -> list[str]:
    """``n`` questions of which a third each ask for texts, for pictures and for what is said."""
    rng = np.random.default_rng(seed)
    return [_filled(_QUESTIONS[i % len(_QUESTIONS)], rng) for i in range(n)]


def photograph(rng: np.random.Generator, width: int, height: int) -> Image:
    """A picture without a subject that has what photographs have: colours, soft shapes, and detail at every scale.

    Random fields from coarse to fine, each a little weaker than the one before: the falling spectrum of natural scenes
    (Field, "Relations between the statistics of natural images", 1987). It compresses as badly as detailed photographs:
    their thumbnails have 30 to 60 kB, this one's 40 to 50.
    """
    from PIL import Image

    total = np.zeros((height, width, 3), np.float32)
    cells, strength = 3, 1.0
    while cells < max(width, height) // 2:
        grid = rng.normal(size=(max(2, cells * height // width), max(2, cells), 3)) @ (np.eye(3) + 1.5)
        field = np.clip(grid * 24 + 128, 0, 255).astype(np.uint8)
        smooth = Image.fromarray(field).resize((width, height), Image.Resampling.BICUBIC)
        total += (np.asarray(smooth, np.float32) - 128) * strength
        cells, strength = cells * 2, strength * 0.85
    return Image.fromarray(np.clip(total * (50 / total.std()) + 120, 0, 255).astype(np.uint8))


def _picture(rng: np.random.Generator, n: int, folder: Path) -> dict[str, Any]:
    from PIL import Image

    which = int(rng.integers(len(_DRAWINGS)))
    picture = photograph(rng, 480, 360)
    drawing = Image.open(demo_folder() / "emoji" / f"drawing_{which + 1:02}.png").convert("RGB")
    side = int(rng.integers(150, 300))
    corner = (int(rng.integers(480 - side)), int(rng.integers(360 - side)))
    picture.paste(drawing.resize((side, side)), corner)
    path = folder / f"IMG_{n:04}.jpg"
    picture.save(path, quality=88)
    caption = _filled(f"A {_DRAWINGS[which]} near the {{thing}} of {{place}}", rng)
    return {"path": str(path), "camera": "drawn by code"} | ({"caption": caption} if n % 2 else {})


def _text(rng: np.random.Generator, n: int, folder: Path) -> dict[str, Any]:
    chosen = rng.choice(len(_SENTENCES), size=int(rng.integers(2, 6)), replace=False)
    path = folder / f"note_{n:04}.txt"
    path.write_text(" ".join(_filled(_SENTENCES[i], rng) for i in chosen), encoding="utf-8")
    return {"path": str(path)}


def _filled(sentence: str, rng: np.random.Generator) -> str:
    def one(of: Sequence[str]) -> str:
        return of[int(rng.integers(len(of)))]

    return sentence.format(
        year=int(rng.integers(1780, 2020)),
        number=int(rng.integers(2, 900)),
        place=one(_PLACES),
        person=one(_PEOPLE),
        did=one(_DOINGS),
        thing=one(_THINGS),
        other=one(_THINGS),
        third=one(_THINGS),
        drawing=one(_DRAWINGS),
    )


def sounds(n: int, folder: Path) -> list[dict[str, Any]]:
    """Utterances of the demo's recordings; where more are wanted than they have, the same ones softer."""
    from mmrag_nb.loaders.resampling import RATE
    from mmrag_nb.loaders.sound import decode
    from mmrag_nb.loaders.utterances import utterances

    spoken: list[NDArray[np.int16]] = []
    for recording in sorted(demo_folder().glob("*.mp3")):
        with recording.open("rb") as handle:
            pcm = decode(handle, max_seconds=600).pcm
        spoken += [pcm[round(a * RATE) : round(b * RATE)] for a, b in utterances(pcm, RATE)]
    made = []
    for i in range(n):
        path = folder / f"talk_{i:02}.wav"
        softer = spoken[i % len(spoken)] // (1 + i // len(spoken))
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(softer.astype("<i2").tobytes())
        made.append({"path": str(path), "speaker": "the demo's voices"})
    return made
