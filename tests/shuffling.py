"""Indexes of the same good files, among others and in another order: what must be the same in each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fuzz_loading
import numpy as np
from numpy.typing import NDArray

from mmrag_nb import MultimodalRAG
from mmrag_nb.registry import loader_of
from mmrag_nb.types import Source

QUESTIONS = (
    "a red apple",
    "people standing on a beach",
    "a girl with a hat",
    "all human beings are born free and equal in dignity",
    "recht auf leben und freiheit",
    "assessment of the offensive campaign",
    "what is the name of the product",
    "a portrait photograph",
    "a letter with an umlaut",
    "entity bomb",
    "summary of the news",
    "an animated drawing",
)
ROUNDING = 1e-5
"""Vectors may differ by as much: sums of floats depend on what is in the batch beside."""
DEEP = 60
"""Hits that are compared."""


def metadata(path: Path) -> dict[str, Any]:
    """What is said of a file: its own name is in it, so that it cannot be another's unnoticed."""
    return {"said": f"of {path.name}", "length": path.stat().st_size}


def indexed(paths: Sequence[Path], **choices: Any) -> MultimodalRAG:
    """An index of ``paths`` in that order, by an encoder of pictures and one of words."""
    rag = MultimodalRAG(preset="offline", **choices)
    rag.index([Source(str(path), metadata(path)) for path in paths])
    return rag


def rankings(rag: MultimodalRAG, strategies: Sequence[str]) -> list[tuple[Any, ...]]:
    """Every hit of every question by every strategy, in order, with all that a reader sees of it."""
    return [
        (
            strategy,
            question,
            hit.rank,
            hit.item.uri,
            dict(hit.item.metadata),
            hit.chunk.ordinal,
            hit.chunk.text,
            hit.score,
        )
        for strategy in strategies
        for question in QUESTIONS
        for hit in rag.search(question, DEEP, strategy=strategy)
    ]


def vectors(rag: MultimodalRAG) -> dict[tuple[str, int, str], NDArray[np.float32]]:
    """The vectors of every chunk by its item's name, its place and the vectors' space, as they are stored."""
    found = {}
    for space in rag._catalog.spaces():
        for view in ("text", "image", "titled", "grounded"):
            ids, matrix = rag._catalog.matrix(space, view)
            stored = rag._catalog.records(ids.tolist())
            for one, vector in zip(ids.tolist(), matrix, strict=True):
                chunk, item = stored[one].chunk, stored[one].item
                found[item.name, chunk.ordinal, f"{space} {view}"] = vector
    return found


def misaligned(rag: MultimodalRAG, paths: Sequence[Path]) -> list[str]:
    """Items whose stored vectors are not those of their own content, embedded again one by one."""
    wrong = []
    stored = vectors(rag)
    ways = rag._parts.ways(None, pictures=True, sounds=False)
    by_name = {path.name: path for path in paths}
    for (name, ordinal, place), vector in stored.items():
        space, view = place.rsplit(" ", 1)
        encoder = next((way.encoder for way in ways if way.encoder.space == space), None)
        if encoder is None or view not in {"text", "image"}:
            continue
        if view == "image":
            loader = fuzz_loading.make(loader_of(name))
            again = encoder.embed_images([loader.load(by_name[name], name).chunks[ordinal].pixels])[0]
        else:
            again = encoder.embed_texts([rag.chunks(str(by_name[name]))[ordinal].text])[0]
        if np.abs(vector - again).max() > ROUNDING:
            wrong.append(f"{name}[{ordinal}] in {place}")
    return wrong


def differences(before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]) -> tuple[list[str], float]:
    """Hits that differ in anything but their scores, and the largest difference of a score."""
    if len(before) != len(after):
        return [f"{len(after)} hits instead of {len(before)}"], float("inf")
    told = [f"{a[:4]} became {b[:4]}" for a, b in zip(before, after, strict=True) if a[:-1] != b[:-1]]
    return told, max((abs(a[-1] - b[-1]) for a, b in zip(before, after, strict=True)), default=0.0)


def displaced(before: dict[Any, NDArray[np.float32]], after: dict[Any, NDArray[np.float32]]) -> list[str]:
    """Chunks that have another vector, or none, or should have none."""
    told = [f"{key} is in one index only" for key in before.keys() ^ after.keys()]
    both = before.keys() & after.keys()
    return told + [f"{key} has another vector" for key in both if np.abs(before[key] - after[key]).max() > ROUNDING]
