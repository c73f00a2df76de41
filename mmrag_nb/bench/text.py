"""How fast texts are embedded: passages, sentences, one question at a time; the limits, and the peers, in one run."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import MMRagError

from . import fidelity, media, rounds, weights
from .peers import texts as peers
from .rounds import Entrant, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .rounds import Outcome

TEXTS, QUERIES, MOST = 400, 40, 77
OURS, EXACT = "mmrag_nb", "mmrag_nb, precision='exact'"
INDEXED = "mmrag_nb, rag.index"
FORWARD = "limit: forward alone"
PASSAGES, SENTENCES, TWICE, ONE = "passages", "sentences", "sentences, each twice", "one query at a time"


def measure(
    texts: int = TEXTS,
    n_rounds: int = rounds.ROUNDS,
    *,
    against: bool = False,
    plain: bool = False,
    model: str = "",
    json_file: Path | None = None,
) -> Iterator[str]:
    """Embed passages as long as CLIP takes, sentences, and queries one at a time, and tell how many a second.

    Yields lines to be printed, most of them before it is done.

    Parameters
    ----------
    texts
        Passages, and sentences; a tenth as many queries a round.
    n_rounds
        Rounds of each.
    against, plain
        With the peers that are installed; with loops over transformers alone.
    model
        Hub id or folder of a CLIP.
    json_file
        File for every figure.

    Raises
    ------
    MMRagError
        There is nothing to measure, or nowhere to write.
    """
    if texts < 1 or n_rounds < 1:
        raise MMRagError("at least one text and one round: --texts 400 --rounds 3")
    rounds.checked_file(json_file)
    folder, said = weights.clip(model)
    yield f"CLIP: {said}"
    with TemporaryDirectory(dir=media.cache(), prefix="run-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        tasks = _tasks(texts, n_rounds, _tokens(str(folder)), place)
        for task in tasks:
            yield f"  {task.name}: {task.n:,.0f}, {task.about}"
        warm = {"texts": tasks[0].work["texts"][:40]}
        entrants = _entrants(str(folder), against=against, plain=plain)
        outcome = yield from rounds.compete(entrants, tasks, rounds=n_rounds, warm=warm)
        found = fidelity.saved(outcome, place)
    yield from rounds.table(outcome, OURS)
    yield from _limits(outcome)
    yield from fidelity.table(found, peers.REFERENCE)
    figures = {"clip": said, **outcome.figures(), "limits": _shares(outcome), "fidelity": fidelity.figures(found)}
    yield from rounds.closing(figures, json_file)


def _tokens(model: str) -> Callable[[list[str]], list[int]]:
    """A function that counts what the checkpoint's tokenizer makes of texts."""
    from mmrag_nb.weights.reading import part

    tokenizer: Any = part(Path(model), "AutoTokenizer")
    return lambda texts: [len(ids) for ids in tokenizer(texts, verbose=False)["input_ids"]]


def _tasks(n: int, n_rounds: int, count: Callable[[list[str]], list[int]], place: Path) -> list[Task]:
    lines = media.english()
    fitting = [line for line, length in zip(lines, count(lines), strict=True) if length <= MOST]
    sentences = [fitting[at % len(fitting)] for at in range(n)]
    passages = media.passages(n, count, MOST)
    each = max(3, n // 10)
    asked = [" ".join(fitting[-1 - at % len(fitting)].split()[:8]) for at in range(each * n_rounds)]

    def task(name: str, texts: list[str], told: str, **how: Any) -> Task:
        lengths = count(texts)
        about = f"{told}{statistics.mean(lengths):.0f} tokens each"
        saved = place / "vectors" / name
        saved.mkdir(parents=True)
        return Task(
            name, {"texts": texts, "save": str(saved), **how}, how.get("one_by_one", len(texts)), "texts/s", about
        )

    return [
        task(PASSAGES, passages, "as long as CLIP takes: "),
        task(SENTENCES, sentences, ""),
        task(TWICE, [*sentences, *sentences], "the same ones, so that half need no work: "),
        task(ONE, asked, "the median's rate: ", one_by_one=each),
    ]


def _entrants(model: str, *, against: bool, plain: bool) -> list[Entrant]:
    exact = {"model": model, "precision": "exact", "save_as": "exact.npy"}
    ours = [
        Entrant(OURS, "mmrag_nb.bench.ours:Texts", {"model": model, "save_as": "ours.npy"}),
        Entrant(EXACT, "mmrag_nb.bench.ours:Texts", exact),
        Entrant(INDEXED, "mmrag_nb.bench.ours:IndexedTexts", {"model": model}, only=(PASSAGES, SENTENCES, TWICE)),
        Entrant(FORWARD, "mmrag_nb.bench.limits:ForwardTexts", {"model": model}, only=(PASSAGES, SENTENCES)),
    ]
    loops = peers.plain(model) if plain or against else [replace(peers.reference(model), rounds=1, peer=False)]
    return [*ours, *loops, *(peers.others(model) if against else ())]


def _shares(outcome: Outcome) -> dict[str, dict[str, float]]:
    """By task: the limit, and what share of it is reached."""
    return {
        task.name: {
            "forward": outcome.rate(task.name, FORWARD),
            "of_forward": outcome.ratio(task.name, OURS, FORWARD),
        }
        for task in outcome.tasks
        if outcome.rate(task.name, FORWARD) and outcome.rate(task.name, OURS)
    }


def _limits(outcome: Outcome) -> Iterator[str]:
    yield ""
    for name, one in _shares(outcome).items():
        reached = f"{one['of_forward']:.0%} reached, tokenising and all"
        yield f"limit, {name}: forward alone {rounds.rounded(one['forward'])} texts/s; {reached}"
    once, twice = outcome.rate(SENTENCES, INDEXED), outcome.rate(TWICE, INDEXED)
    if once and twice:
        yield f"texts that are there twice are embedded once: indexed at {twice / once:.2f} times the rate of others"
