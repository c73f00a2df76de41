"""How fast sound is indexed: decoded, turned to features, written down; the limits of this machine, and the peers."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import MMRagError

from . import growth, hearing, sounds
from . import rounds as harness
from .peers import sound as peers
from .rounds import Entrant, Task

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from .rounds import Outcome

MINUTES = 10.0
OURS, EXACT = "mmrag_nb", "mmrag_nb, precision='exact'"
DECODING, FORWARD = "limit: decoding alone", "limit: encoder and decoder alone"
UNIT = "x real time"
GROWING = (1.0, 10.0, 60.0)
TOKENS = 40
"""New tokens a clip where weights are random, and know no end: what ten seconds of English take."""
SPOKEN = 1.0
"""Minutes at most that are written down: that takes longest by far."""
CLOSE = 1e-4
"""Largest difference of features that is promised."""
_HERE = "mmrag_nb.bench.hearing"


def measure(
    minutes: float = MINUTES,
    rounds: int = harness.ROUNDS,
    *,
    against: bool = False,
    model: str = "",
    json_file: Path | None = None,
    plot: Path | None = None,
) -> Iterator[str]:
    """Decode, compute features of, write down and index an MP3, again and again, and tell how many times real time.

    Yields lines to be printed, most of them before it is done.

    Parameters
    ----------
    minutes
        Of the recording; at most one of them is written down.
    rounds
        Of each task.
    against
        With the peers that are installed.
    model
        Hub id or folder of a Speech2Text.
    json_file, plot
        Files for every figure, and for a plot of how cost grows (PNG, SVG or PDF).

    Raises
    ------
    MMRagError
        There is nothing to measure, or nowhere to write.
    """
    if minutes < 0.2 or rounds < 1:
        raise MMRagError("at least 12 seconds of sound and one round: --minutes 10 --rounds 3")
    harness.checked_file(json_file)
    harness.checked_file(plot)
    folder, said, random = sounds.speech(model)
    tokens = TOKENS if random else 0
    yield f"Speech2Text: {said}"
    if tokens:
        yield f"  ({tokens} new tokens a clip for all: random weights know no end)"
    yield "Making what is not there yet of the recordings ..."
    file, spoken = sounds.recording(minutes), sounds.recording(min(minutes, SPOKEN))
    sizes = sorted({size for size in (*GROWING, minutes) if size <= max(minutes, 1.0) * 6})
    parts: dict[str, Outcome] = {}
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        for part, entrants, task in _tasks(folder, tokens, against, file, spoken, minutes, name):
            yield f"{part} ..."
            warm = {**task.work, "file": str(spoken)}
            parts[part] = yield from harness.compete(entrants, [task], rounds=rounds, warm=warm)
        far = _difference(Path(name))
    grown = yield from _growth(sizes, spoken)
    for outcome in parts.values():
        yield from harness.table(outcome, OURS)
    yield from _limits(parts)
    if far is not None:
        yield f"features: at most {far:.1e} from transformers' (promised: {CLOSE:g}; {_kept(far <= CLOSE)})"
    yield from growth.table(grown, "minutes of sound, indexed, nothing written down", plot)
    told = {part: outcome.figures() for part, outcome in parts.items()}
    figures: Mapping[str, Any] = {
        "speech": said,
        "minutes": minutes,
        "tokens": tokens,
        "parts": told,
        "features_difference": far,
        "growth": growth.figures(grown),
    }
    yield from harness.closing(figures, json_file)


def _tasks(  # noqa: PLR0917
    model: str,
    tokens: int,
    against: bool,
    file: Path,
    spoken: Path,
    minutes: float,
    saved: str,
) -> Iterator[tuple[str, list[Entrant], Task]]:
    """Each part with who takes part and what is done."""
    seconds, heard = minutes * 60, min(minutes, SPOKEN) * 60
    decoding = [Entrant(OURS, f"{_HERE}:Decode"), Entrant(DECODING, f"{_HERE}:DecodeAlone")]
    yield (
        "decoding",
        [*decoding, *(peers.decoding() if against else ())],
        Task("decoding", {"file": str(file)}, seconds, UNIT, f"{minutes:g} minutes of MP3 to 16 kHz mono"),
    )
    yield (
        "features",
        [Entrant(OURS, f"{_HERE}:Features", {"save_as": "ours.npy"}), *peers.features()],
        Task("features", {"file": str(file), "save": saved}, seconds, UNIT, "utterances to log-mel features"),
    )
    how = {"model": model, "tokens": tokens}
    writing = [Entrant(OURS, f"{_HERE}:Transcribe", how)]
    if tokens:  # of real weights nobody knows beforehand when they end
        writing.append(Entrant(FORWARD, f"{_HERE}:Forward", {**how, "beams": sounds.BEAMS}))
    if against:
        writing.append(Entrant(EXACT, f"{_HERE}:Transcribe", {**how, "precision": "exact"}))
        writing += peers.transcribing(model, tokens)
    yield "transcribing", writing, Task("transcribing", {"file": str(spoken)}, heard, UNIT, "utterances to text")
    yield (
        "indexing",
        [Entrant(OURS, f"{_HERE}:Index", how)],
        Task("indexing", {"file": str(spoken)}, heard, UNIT, "an MP3 to a searchable index"),
    )


def _growth(sizes: list[float], warm: Path) -> Generator[str, None, list[growth.Point]]:
    yield "How cost grows, indexing with speech = none ..."
    tasks = [Task(f"{size:g} min", {"file": str(sounds.recording(size))}, size, "minutes/s") for size in sizes]
    entrant = Entrant(OURS, f"{_HERE}:Index")
    outcome = yield from harness.compete([entrant], tasks, rounds=1, warm={"file": str(warm)})
    return [
        growth.Point(task.n, run.seconds, run.facts["peak_mb"])
        for task in tasks
        for run in outcome.done(task.name, OURS)
    ]


def _limits(parts: Mapping[str, Outcome]) -> Iterator[str]:
    for part, limit in (("decoding", DECODING), ("transcribing", FORWARD)):
        if share := parts[part].ratio(part, OURS, limit):
            yield f"{part}: {share:.0%} of {limit}"


def _difference(folder: Path) -> float | None:
    files = [folder / "ours.npy", folder / "theirs.npy"]
    return hearing.difference(files) if all(file.exists() for file in files) else None


def _kept(promise: bool) -> str:
    return "kept" if promise else "NOT KEPT"
