"""How large an evidence card is: five hits of five kinds, a large photograph among them."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import MMRagError

from . import corpus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmrag_nb.results import Answer

LIMIT = 400_000
"""Bytes that a card with five hits of all kinds may have."""

QUESTION = "what is there to see and to hear at the old harbour?"
_PASSAGE = (
    "The old harbour has a lighthouse, a small museum and a kitchen where tea is served. From the wall one sees the "
    "ferry leave for the islands at noon, and hears its horn twice: when the ropes are cast off, and when it has "
    "passed the last buoy. On clear evenings the lamp is lit before sunset."
)
"""As long as a passage is with the offline preset."""
_CAPTION = "A lighthouse on a rock shines over the sea under a starry sky. " + " ".join(
    f"Behind it lies the old harbour, with a {thing} on the quay." for thing in ("lantern", "kettle", "ladder", "clock")
)

_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_MEDIA = re.compile(r'"data:([\w/+.-]+);base64,[A-Za-z0-9+/=]*"')


def measure(page: Path | None = None) -> Iterator[str]:
    """Make the card with the offline preset and tell its bytes, by what they are for; ``page`` gets it to look at.

    Yields lines to be printed.
    """
    if page is not None and not page.absolute().parent.is_dir():
        raise MMRagError(f"there is no folder {page.parent} to write {page.name} to")
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        answer = made(Path(name))
    html = answer._repr_html_()
    yield f"evidence card, {len(answer.hits)} hits:"
    for hit in answer.hits:
        width, height = hit.facts.get("width"), hit.facts.get("height")
        size = f"{width} x {height} pixels, " if width else ""
        shown = " + ".join(f"{kind} {len(preview.data):,}" for kind, preview in hit.previews.items())
        yield (
            f"  [{hit.rank}] {hit.item.name:26} {hit.chunk.modality:6} {size}{len(hit.chunk.text):,} characters"
            f"{f'; previews: {shown} bytes' if shown else ''}"
        )
    yield ""
    for part, n in sizes(html).items():
        yield f"{part:34}{n:10,}"
    total = len(html.encode())
    yield f"{'bytes':34}{total:10,}   promised: under {LIMIT:,}; {'kept' if total < LIMIT else 'NOT KEPT'}"
    yield f"{'(and as plain text':34}{len(repr(answer).encode()):10,})"
    if page is not None:
        page.write_text(f'<!doctype html><meta charset="utf-8"><title>card</title>{html}', encoding="utf-8")
        yield f"to look at: {page}"


def sizes(html: str) -> dict[str, int]:
    """Bytes of a card by what they are for."""
    found = {"style": sum(len(one.encode()) for one in _STYLE.findall(html))}
    for media in _MEDIA.finditer(html):
        kind = {"image": "pictures", "audio": "sounds"}[media[1].split("/")[0]]
        found[kind] = found.get(kind, 0) + len(media[0])
    return found | {"text, markup and waveforms": len(html.encode()) - sum(found.values())}


def made(folder: Path) -> Answer:
    """An answer whose five hits are a recording, a photograph, a captioned picture, a drawing and a long passage."""
    from mmrag_nb.rag import MultimodalRAG

    with MultimodalRAG(preset="offline") as rag:
        rag.index(_sources(folder))
        return rag.ask(QUESTION, k=5)


def _sources(folder: Path) -> list[dict[str, Any]]:
    """One chunk each, so that all five are found."""
    photograph = folder / "photograph.jpg"
    corpus.photograph(np.random.default_rng(0), 3000, 2000).save(photograph, quality=90)
    (speech,) = corpus.sounds(1, folder)
    passage = folder / "harbour.txt"
    passage.write_text(_PASSAGE, encoding="utf-8")
    return [
        speech,
        {"path": str(photograph), "camera": "drawn by code"},
        {"path": str(demo_folder() / "lighthouse_at_night.png"), "caption": _CAPTION},
        {"path": str(demo_folder() / "emoji" / "drawing_05.png")},
        {"path": str(passage)},
    ]
