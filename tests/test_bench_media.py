"""What speed is measured with, what it is held against, and the commands that do it."""

import io
import json
import re

import numpy as np
import pytest
from checkpoints import checkpoint  # noqa: F401 - a fixture
from PIL import Image

from mmrag_nb.bench import fidelity, limits, media
from mmrag_nb.cli import main
from mmrag_nb.errors import MMRagError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Nothing is kept in the user's cache, and no threads of OpenMP wait for each other on a busy machine."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MMRAG_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# -- fidelity ----------------------------------------------------------------------------------------------------------


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_same_vectors_are_wholly_faithful_and_shuffled_ones_are_not():
    vectors = unit(np.random.default_rng(0).normal(size=(60, 32)))
    same = fidelity.compare(vectors, vectors.copy())
    assert (same.mean, same.least, same.agreement) == pytest.approx((1, 1, 1))
    assert same.identical
    assert same.kept
    shuffled = fidelity.compare(vectors, vectors[::-1])
    assert abs(shuffled.mean) < 0.2
    assert shuffled.agreement < 0.5
    assert not shuffled.kept


def test_one_wrong_row_is_seen():
    vectors = unit(np.random.default_rng(0).normal(size=(60, 32)))
    wrong = vectors.copy()
    wrong[7] = vectors[8]
    found = fidelity.compare(vectors, wrong)
    assert found.mean > 0.95
    assert found.least < 0.7
    assert not found.kept
    assert not found.identical


def test_in_a_narrow_cone_the_centred_cosine_shows_what_the_plain_one_hides():
    rng = np.random.default_rng(0)
    cone = unit(20 * np.eye(32)[0] + rng.normal(size=(60, 32)))
    found = fidelity.compare(cone, cone[::-1])
    assert found.least > 0.8
    assert found.centred < 0.3


def test_the_neighbours_are_as_a_slow_search_finds_them():
    rng = np.random.default_rng(1)
    right, ours = unit(rng.normal(size=(30, 8))), unit(rng.normal(size=(30, 8)))

    def nearest(vectors, row):
        others = sorted(
            (other for other in range(30) if other != row), key=lambda at: -float(vectors[at] @ vectors[row])
        )
        return set(others[:10])

    slow = np.mean([len(nearest(right, row) & nearest(ours, row)) / 10 for row in range(30)])
    assert fidelity.compare(right, ours).agreement == pytest.approx(slow)
    assert fidelity.compare(right[:5], ours[:5]).k == 2, "of few, not all others count as the nearest"


def test_two_limits_on_the_same_cores():
    assert limits.both(100, 100) == pytest.approx(50)
    assert limits.both(64, 169) == pytest.approx(46.4, abs=0.1)
    assert limits.both(0, 100) == 0


# -- media -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("which", "least", "most"), [("0.3mp", 60, 130), ("png512", 420, 540)])
def test_pictures_are_as_large_as_cameras_make_them_and_each_its_own(which, least, most, tmp_path):
    folder = media.pictures(which, 4, tmp_path)
    files = sorted(folder.iterdir())
    contents = [file.read_bytes() for file in files]
    assert len(set(contents)) == 4
    assert least < np.mean([len(content) for content in contents]) / 1000 < most
    kind = media.KINDS[which]
    assert {Image.open(io.BytesIO(content)).size for content in contents} == {(kind.width, kind.height)}


def test_pictures_are_made_once(tmp_path):
    first = media.made("0.3mp", 2)
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in first]
    assert media.made("0.3mp", 3)[:2] == first
    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in first] == before


def test_somebodys_own_folder_is_a_set_of_pictures(tmp_path):
    own = tmp_path / "holiday"
    own.mkdir()
    with pytest.raises(MMRagError, match="there are no pictures"):
        media.pictures(str(own), 3, tmp_path)
    with pytest.raises(MMRagError, match="12mp"):
        media.pictures("13mp", 3, tmp_path)


def test_passages_are_as_long_as_fits_and_no_longer():
    def count(texts):
        return [2 + sum(-(-len(word) // 4) for word in text.split()) for text in texts]

    made = media.passages(50, count, 77)
    lengths = count(made)
    assert max(lengths) <= 77
    assert np.mean(lengths) > 73
    assert len(set(made)) > 45


# -- commands ----------------------------------------------------------------------------------------------------------


def rate(printed, engine, task):
    row = rf"^  {re.escape(task)}, round 1, {re.escape(engine)}: ([\d.,]+) "
    return float(re.search(row, printed, re.MULTILINE)[1].replace(",", ""))


def test_images_are_measured_beside_the_limits_and_held_against_the_reference(checkpoint, tmp_path, capsys):  # noqa: F811
    figures = tmp_path / "figures.json"
    how = ["--pictures", "5", "--sets", "0.3mp", "--rounds", "1", "--model", str(checkpoint("clip"))]
    assert main(["bench", "images", *how, "--json", str(figures)]) == 0
    printed = capsys.readouterr().out
    assert "LEFT OUT" not in printed
    assert "FAILED" not in printed
    assert "0.3mp: 20 JPEGs of 640 x 480" in printed
    engines = ["mmrag_nb", "mmrag_nb, precision='exact'", "limit: decoding alone, scaled", "limit: forward alone"]
    rates = [rate(printed, engine, "0.3mp") for engine in [*engines, "transformers, one at a time, float32"]]
    assert min(rates) > 0
    assert rates[0] < rates[2], "indexing cannot be faster than decoding alone"
    assert re.search(r"mmrag_nb, precision='exact' .* bit for bit; 0\.3mp, 20 vectors", printed)
    told = json.loads(figures.read_text(encoding="utf-8"))
    ours = told["fidelity"]["0.3mp"]["mmrag_nb"]
    assert ours["least"] > 0.999
    assert ours["n"] == 20
    share = told["limits"]["0.3mp"]
    assert share["both"] < min(share["decoding"], share["forward"])
    assert share["of_both"] == pytest.approx(told["summary"]["0.3mp"]["mmrag_nb"]["rate"] / share["both"])
    assert told["best_peer"]["0.3mp"] == "", "the reference alone is no peer"
    assert told["summary"]["0.3mp"]["mmrag_nb"]["peak_mb"] > 100


def test_texts_are_measured_and_repeated_ones_embedded_once(checkpoint, tmp_path, capsys):  # noqa: F811
    figures = tmp_path / "figures.json"
    how = ["--texts", "40", "--rounds", "2", "--model", str(checkpoint("clip")), "--json", str(figures)]
    assert main(["bench", "text", *how]) == 0
    printed = capsys.readouterr().out
    assert "LEFT OUT" not in printed
    assert "FAILED" not in printed
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert {task["name"]: task["n"] for task in told["tasks"]} == {
        "passages": 40,
        "sentences": 40,
        "sentences, each twice": 80,
        "one query at a time": 4,
    }
    for task in ("passages", "sentences", "sentences, each twice"):
        exact = told["fidelity"][task]["mmrag_nb, precision='exact'"]
        assert exact["identical"], task
        assert told["fidelity"][task]["mmrag_nb"]["least"] > 0.999, task
    assert set(told["limits"]) == {"passages", "sentences"}
    ones = [run for run in told["runs"] if run["task"] == "one query at a time" and run["engine"] == "mmrag_nb"]
    assert [run["round"] for run in ones] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["images", "--pictures", "0"], "--pictures 96"),
        (["images", "--rounds", "0"], "--rounds 3"),
        (["images", "--model", "/no/such/folder"], "cannot load '/no/such/folder'"),
        (["text", "--texts", "0"], "--texts 400"),
        (["text", "--json", "/no/such/folder/a.json"], "there is no folder"),
    ],
)
def test_what_cannot_be_measured_is_told_in_one_line(arguments, said, capsys):
    assert main(["bench", *arguments]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
