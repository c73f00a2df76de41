"""A few items indexed for good measure, and what they took.

The items go the very way that :mod:`mmrag_nb.indexing` takes, into an index in memory that is thrown away.
"""

from __future__ import annotations

import time
from bisect import bisect
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from .catalog.catalog import Catalog
from .errors import LoadError
from .indexing import Indexing
from .loaders.excerpt import as_segment, first_bytes, first_seconds, size, sound_seconds
from .loaders.resampling import RATE
from .loaders.utterances import utterances
from .parts import loader_name
from .presets import NONE
from .registry import entry
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .parts import Parts
    from .reports import Skipped
    from .types import Resolved

_MOST = {"text": 6, "image": 6, "audio": 2, "notebook": 3, "pdf": 2, "video": 1}
"""Items that are tried, by loader."""
_TEXT = 1 << 15
"""Bytes of a text that are tried."""
_LISTENED = 60.0
"""Seconds of a sound that are cut into utterances: decoding is cheap."""
_HEARD = 3.0
"""Seconds of its speech that are transcribed: recognition is not."""
_PATIENCE = 1.0
"""Seconds after which no further sound is tried."""


@dataclass
class Trial:
    """What the tried items took, and would have taken as wholes where only their beginnings were tried."""

    tried: int = 0
    weight: float = 0.0
    """What was tried: pictures, seconds of sounds, bytes of all else."""
    chunks: float = 0.0
    growth: float = 0.0
    """Bytes in the index."""
    vectors: dict[str, float] = field(default_factory=dict)
    """Bytes of vectors by space."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage."""
    skipped: list[Skipped] = field(default_factory=list)
    """Items that indexing would skip, too."""


def try_out(
    loader: str, items: Sequence[Resolved], weights: Sequence[float], parts: Parts, settings: Settings
) -> Trial:
    """Index some of ``items``, all of them read by ``loader``, and throw the result away.

    Parameters
    ----------
    weights
        By which each item is to be counted: 1 for a picture, seconds of a sound, bytes of all else.
    """
    chosen = _of_all_sizes([size(one.content) for one in items], weights, _MOST.get(loader, 1))
    trial = Trial()
    if entry("loader", loader).long:
        if "audio" in entry("loader", loader).makes:
            _warm(parts)
        start = time.perf_counter()
        for number in chosen:
            if loader == "audio":
                _listen(items[number], weights[number], trial, parts, settings)
            else:
                _begin(items[number], weights[number], trial, parts, settings)
            if time.perf_counter() - start > _PATIENCE:
                break
        return trial
    some = [_beginning(items[number]) if loader == "text" else items[number] for number in chosen]
    tried = [min(weights[number], _TEXT) if loader == "text" else weights[number] for number in chosen]
    _run(some[:1], Trial(), parts, settings, weight=1)  # what is slow only once is not counted
    _run(some, trial, parts, settings, weight=sum(tried))
    cut = {part.item.uri for part, number in zip(some, chosen, strict=True) if part is not items[number]}
    trial.skipped = [one for one in trial.skipped if one.source not in cut]  # the whole may be sound
    return trial


def _warm(parts: Parts) -> None:
    """Embed a word: what is slow only once is not counted, and a sound is too slow to be tried twice."""
    for way in parts.ways(pictures=False):
        way.encoder.embed_texts(["warm"])


def _of_all_sizes(sizes: Sequence[int], weights: Sequence[float], most: int) -> list[int]:
    """Places of up to ``most`` items: in the middles of as many parts, of equal weight, of the items by size."""
    by_size = sorted(range(len(sizes)), key=lambda place: (weights[place], sizes[place]))
    reached = list(accumulate(weights[place] for place in by_size))
    middles = [(2 * part + 1) * reached[-1] / (2 * most) for part in range(most)]
    return list(dict.fromkeys(by_size[bisect(reached, middle)] for middle in middles))


def _run(
    items: list[Resolved],
    trial: Trial,
    parts: Parts,
    settings: Settings,
    *,
    weight: float,
    times: float = 1.0,
    first_section: bool = False,
) -> None:
    """Index ``items`` and count what it took ``times`` times, where they are the beginning of more."""
    scratch = Catalog()
    empty = scratch.used()
    run = Indexing(parts, scratch, settings, None, first_section=first_section)
    run.batch(items)
    times *= run.share
    trial.tried += len(items)
    trial.skipped += run.tally.skipped
    trial.weight += weight
    trial.chunks += times * run.tally.chunks
    trial.growth += times * (scratch.used() - empty)
    for space, bytes_ in scratch.vector_bytes().items():
        trial.vectors[space] = trial.vectors.get(space, 0) + times * bytes_
    for stage, seconds in run.tally.seconds.items():
        if stage != "models":  # they are in memory by now, and stay
            trial.seconds[stage] = trial.seconds.get(stage, 0) + times * seconds
    scratch.close()


def _begin(resolved: Resolved, weight: float, trial: Trial, parts: Parts, settings: Settings) -> None:
    """Try the first section of what is long, for all of it; of the sound of a video some seconds are transcribed."""
    told = {name: getattr(settings, name) for name in Settings.class_own_traits()}  # of a session there are more traits
    deaf = Settings(**{**told, "speech": NONE})
    _run([resolved], trial, parts.under(deaf), deaf, weight=weight, first_section=True)
    hears = "audio" in entry("loader", loader_name(resolved)).makes and settings.chosen("speech") != NONE
    with suppress(LoadError):  # it has no sound
        if hears and (seconds := sound_seconds(resolved.content)):
            heard = Trial()
            _listen(resolved, seconds, heard, parts, settings)
            share = seconds / heard.weight if heard.weight else 0.0
            trial.seconds["transcribe"] = trial.seconds.get("transcribe", 0) + share * heard.seconds.get(
                "transcribe", 0
            )


def _beginning(resolved: Resolved) -> Resolved:
    """As much of a text as is tried."""
    if size(resolved.content) <= _TEXT:
        return resolved
    return replace(resolved, content=first_bytes(resolved.content, _TEXT))


def _listen(resolved: Resolved, seconds: float, trial: Trial, parts: Parts, settings: Settings) -> None:
    """Try a sound: some seconds of speech are indexed, and counted for all that its first minute holds."""
    start = time.perf_counter()
    try:
        pcm = first_seconds(resolved.content, _LISTENED)
    except LoadError:
        if seconds <= _LISTENED:  # the loader may step over the damage, or will say what it is
            _run([resolved], trial, parts, settings, weight=seconds)
        return
    decoding = time.perf_counter() - start
    spans = utterances(pcm, RATE)
    if not spans:
        if len(pcm) >= 0.95 * RATE * seconds:
            _run([resolved], trial, parts, settings, weight=seconds)
        return  # else silent at first, and nothing is known of the rest
    speech = sum(until - since for since, until in spans)
    first, last = spans[0]
    heard = min(_HEARD, last - first)
    excerpt = replace(resolved, content=as_segment(pcm[round(first * RATE) : round((first + heard) * RATE)]))
    chunks, skipped = trial.chunks, list(trial.skipped)
    _run([excerpt], trial, parts, settings, weight=len(pcm) / RATE, times=speech / heard)
    trial.chunks, trial.skipped = chunks + len(spans), skipped
    trial.seconds["load"] = trial.seconds.get("load", 0) + decoding
