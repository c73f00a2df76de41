"""Engines side by side: each in a process of its own, ratios within a round, and none ends the others."""

import json
from importlib import metadata

import pytest

from mmrag_nb.bench import growth, rounds
from mmrag_nb.bench.growth import Point
from mmrag_nb.bench.rounds import Entrant, Task
from mmrag_nb.errors import MMRagError


def competed(entrants, tasks=None, **how):
    """Lines, and what came of it."""
    outcomes = []

    def competing():
        outcomes.append((yield from rounds.compete(entrants, tasks or [Task("sums", {}, 10, "sums/s")], **how)))

    return "\n".join(competing()), outcomes[0]


def engine(name, kind="Sleeping", **how):
    return Entrant(name, f"bench_engines:{kind}", how, peer=name != "ours")


def test_ratios_are_taken_within_a_round_and_the_medians_over_them():
    # The machine gets slower; both do, so that the ratio of each round is the same and that of the extremes is not.
    _, outcome = competed(
        [engine("ours", seconds=0.5, slower=4.0), engine("theirs", seconds=1.5, slower=4.0)], rounds=3
    )
    assert [run.rate for run in outcome.done("sums", "ours")] == pytest.approx([20, 5, 1.25])
    assert outcome.rate("sums", "ours") == pytest.approx(5)
    assert outcome.ratio("sums", "ours", "theirs") == pytest.approx(3)
    assert outcome.ratio("sums", "theirs", "ours") == pytest.approx(1 / 3)
    assert [(run.round, run.engine) for run in outcome.runs] == [
        (n, name) for n in (1, 2, 3) for name in ("ours", "theirs")
    ]
    assert outcome.setups["ours"]["colour"] == "blue"


def test_the_best_peer_is_the_fastest_of_them_and_not_ours():
    _, outcome = competed([engine("ours", seconds=0.5), engine("a", seconds=4), engine("b", seconds=2)], rounds=1)
    assert outcome.best("sums") == "b"
    told = "\n".join(rounds.table(outcome, "ours"))
    assert "ours: 4.00 times the best peer, b" in told
    assert outcome.figures()["summary"]["sums"]["ours"]["of_best_peer"] == pytest.approx(4)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("setup", "OSError: no weights"),
        ("run", "ValueError: the third picture"),
        ("death", "its process ended with status 7: terminate called after throwing"),
        ("silence", "not done in 1 s: given up"),
    ],
)
def test_an_engine_that_fails_is_told_and_the_others_go_on(where, said):
    limit = 1.0 if where == "silence" else 60.0
    entrants = [engine("broken", "Failing", where=where), engine("ours", seconds=0.5)]
    printed, outcome = competed(entrants, rounds=2, limit=limit)
    (line,) = [line for line in printed.splitlines() if "broken" in line and line.endswith(said)]
    assert ("LEFT OUT" in line) == (where == "setup")
    assert len(outcome.done("sums", "ours")) == 2
    assert not outcome.done("sums", "broken")
    assert outcome.ratio("sums", "ours", "broken") == 0
    told = "\n".join(rounds.table(outcome, "ours"))
    assert ("failed" in told) == (where != "setup")


def test_what_is_not_installed_is_left_out_saying_so():
    absent = Entrant("A library", "bench_engines:Sleeping", needs=("no-such-distribution",), peer=True)
    with_version = Entrant("Numbers", "bench_engines:Sleeping", {"seconds": 1}, ("numpy",))
    printed, outcome = competed([absent, with_version], rounds=1)
    assert "A library: left out, no-such-distribution not installed" in printed
    assert outcome.absent == {"A library": "no-such-distribution not installed"}
    assert f"Numbers {metadata.version('numpy')}: set up" in printed


def test_seconds_memory_and_surroundings_are_the_engines_own():
    task = Task("holding", {"bytes": 300_000_000}, 1, "times/s")
    few = Task("little", {"bytes": 1_000}, 1, "times/s")
    _, outcome = competed([engine("ours", "Clocked")], [task, few], rounds=1)
    (run,), (less,) = outcome.done("holding", "ours"), outcome.done("little", "ours")
    assert 0.2 <= run.seconds < 5
    assert 300 < run.facts["peak_mb"] < 600
    assert run.facts["cpu_seconds"] < run.seconds, "asleep it takes no cores"
    assert less.facts["peak_mb"] < 200 or not rounds._STAT.exists(), "a peak is counted anew for each task"
    assert run.facts["offline"] == "1"
    assert int(run.facts["threads"]) >= 1


def test_an_entrant_may_take_part_in_some_rounds_and_tasks_only():
    tasks = [Task("a", {}, 1, "x/s"), Task("b", {}, 1, "x/s")]
    once = Entrant("once", "bench_engines:Sleeping", {"seconds": 1}, rounds=1)
    only = Entrant("only", "bench_engines:Sleeping", {"seconds": 1}, only=("b",))
    _, outcome = competed([once, only], tasks, rounds=2)
    assert [(run.task, run.round, run.engine) for run in outcome.runs] == [
        *[("a", 1, "once"), ("b", 1, "once"), ("b", 1, "only"), ("b", 2, "only")]
    ]


def test_every_figure_is_written(tmp_path):
    _, outcome = competed([engine("ours", seconds=0.5)], rounds=2)
    file = tmp_path / "figures.json"
    *_, told = rounds.closing({"more": 1, **outcome.figures()}, file)
    assert str(file) in told
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert figures["more"] == 1
    assert figures["machine"]["cores"]
    assert [run["seconds"] for run in figures["runs"]] == [0.5, 0.5]
    with pytest.raises(MMRagError, match="there is no folder"):
        rounds.checked_file(tmp_path / "nowhere" / "figures.json")


# -- growth ------------------------------------------------------------------------------------------------------------


def test_a_straight_line_is_told_from_a_steeper_one(tmp_path):
    straight = [Point(100, 1.0, 50), Point(1000, 9.0, 60), Point(10_000, 95.0, 70)]
    bent = [Point(100, 1.0), Point(1000, 20.0), Point(10_000, 400.0)]
    assert growth.to_linear(straight) == pytest.approx([1, 0.9, 0.95])
    assert growth.to_linear(bent) == pytest.approx([1, 2, 4])
    plot = tmp_path / "growth.svg"
    told = "\n".join(growth.table(straight, "pictures", plot))
    assert "a straight line, or better" in told
    assert "STEEPER" in "\n".join(growth.table(bent, "pictures"))
    assert plot.read_text(encoding="utf-8").count("<svg") == 1
    lengths = [line.count("#") for line in told.splitlines() if "#" in line]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]
    with pytest.raises(MMRagError, match=r"name a \.png"):
        growth.draw({"pictures": straight}, tmp_path / "growth.nothing")
