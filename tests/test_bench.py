"""What is measured is what is promised: `mmrag-nb bench` prints it, and cards stay small whatever they hold."""

import json
import re
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

from mmrag_nb import registry
from mmrag_nb.bench import card, corpus, nearest, search, synthetic
from mmrag_nb.bench.ask import REST, TOTAL
from mmrag_nb.bench.peers.stores import OURS, PRODUCT, READING
from mmrag_nb.bench.stages import Stages
from mmrag_nb.bench.stopwatch import HTML, TEXT
from mmrag_nb.cli import main
from mmrag_nb.results import Answer, Hit, Hits
from mmrag_nb.types import Chunk, Item, Preview

LIMIT = 400_000
STAGES = ["embed the question", "search", "write the answer", "check the answer", HTML, TEXT, REST]


@pytest.fixture
def no_sounds(monkeypatch):
    """Recordings are left out: understanding them takes seconds."""
    monkeypatch.setattr(corpus, "SOUNDS", 0)


# -- from Enter to the card ------------------------------------------------------------------------------------------


@pytest.mark.skipif(find_spec("ipykernel") is None, reason="ipykernel is not installed")
def test_ask_prints_each_stage_and_writes_the_figures(tmp_path, capsys, no_sounds):
    figures = tmp_path / "figures.json"
    assert main(["bench", "ask", "--items", "10", "--questions", "4", "--json", str(figures)]) == 0
    printed = capsys.readouterr().out
    assert "indexed 10 items (4 images, 6 text)" in printed
    assert "a kernel of its own" in printed
    for stage in [*STAGES, TOTAL]:
        assert re.search(rf"^{stage} +\d+\.\d ms +\d+\.\d ms$", printed, re.MULTILINE), stage
    assert re.search(r"promised: a median under 300 ms; (kept|NOT KEPT)\n", printed)
    assert re.search(r"^on cores \d+ · .*python 3\.\d+.*torch", printed, re.MULTILINE)

    told = json.loads(figures.read_text(encoding="utf-8"))
    assert (told["items"], told["limit_seconds"]) == (10, 0.3)
    assert told["chunks"] >= 10
    assert told["machine"]["cores"]
    assert set(told["seconds"]) == {*STAGES, TOTAL}
    assert len(told["questions"]) == 4
    for one in told["questions"]:
        stages = [one["seconds"][stage] for stage in STAGES]
        assert min(stages) >= 0
        assert sum(stages) == pytest.approx(one["seconds"][TOTAL]), "nothing between Enter and the card is left out"
        assert all(one["seconds"][stage] > 0 for stage in (HTML, TEXT)), "drawing is in it"
        assert 10_000 < one["card_bytes"] < LIMIT
    assert told["seconds"][TOTAL]["median"] <= told["seconds"][TOTAL]["p90"]


def test_without_ipykernel_it_measures_in_this_process_and_says_so():
    code = """
import sys
sys.modules["ipykernel"] = None
from mmrag_nb.bench import corpus
from mmrag_nb.cli import main
corpus.SOUNDS = 0
sys.exit(main(["bench", "ask", "--items", "4", "--questions", "2"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ipykernel is not installed" in done.stdout
    assert re.search(rf"^{TOTAL} +\d+\.\d ms", done.stdout, re.MULTILINE)


def test_what_cannot_be_measured_is_told_before_anything_is_done(tmp_path, capsys):
    assert main(["bench", "ask", "--items", "0"]) == 1
    assert "--items 1000" in capsys.readouterr().err
    assert main(["bench", "ask", "--json", str(tmp_path / "nowhere" / "figures.json")]) == 1
    assert "there is no folder" in capsys.readouterr().err


# -- a search by stage -----------------------------------------------------------------------------------------------


def test_search_prints_a_table_of_stages_by_size_and_leaves_nothing_behind(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(nearest, "SECONDS", 0)
    how = ["--sizes", "50,200", "--dimension", "16", "--questions", "3", "--folder", str(tmp_path)]
    assert main(["bench", "search", *how]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^\| \| \d\d vectors \| 2\d\d vectors \|$", printed, re.MULTILINE)
    for stage in [*(stage for *_, stage in search._EACH), search.CALIBRATED, *search.FILTERS, search.PRODUCT]:
        row = rf"^\| {re.escape(stage)}( \| [\d.]+ \([\d.]+\)){{2}} \|$"
        assert re.search(row, printed, re.MULTILINE), stage
    assert re.search(r"^\| \*\*a search\*\* \|", printed, re.MULTILINE)
    for engine in (OURS, PRODUCT):
        row = rf"^\| {re.escape(engine)}( \| [\d,]+\.\d\d \| \d+\.\d\d){{2}} \| 1\.0000( \| [\d.]*)+ \|$"
        assert len(re.findall(row, printed, re.MULTILINE)) == 2, engine
    assert re.search(rf"^\| {re.escape(READING)} \|", printed, re.MULTILINE)
    assert len(re.findall(r"times a straight line \| 1\.00 \| \d", printed)) == 2
    assert re.search(r"^on cores \d+ · .*numpy", printed, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []
    assert ("encoder", synthetic.NAME) not in registry._ENTRIES


def test_the_nearest_are_found_by_every_library_that_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(nearest, "SECONDS", 0)
    monkeypatch.setattr(nearest, "_LARGE", 300)  # Chroma takes seconds to start
    figures = tmp_path / "figures.json"
    drawn = tmp_path / "growth.png"
    lines = list(search.measure([300], 16, 1, tmp_path, against=True, json_file=figures, plot=drawn))
    assert drawn.read_bytes().startswith(b"\x89PNG")
    told = json.loads(figures.read_text())
    summary = told["nearest"]["300"]["summary"]["300 vectors, 64 queries at once"]
    runs = told["nearest"]["300"]["runs"]
    assert {OURS, PRODUCT, "scikit-learn cosine", "scikit-learn Euclidean"} <= set(summary)
    for name, library in {"FAISS flat": "faiss", "usearch exact": "usearch"}.items():
        assert (name in summary) == (find_spec(library) is not None)
        assert (name in told["nearest"]["300"]["absent"]) == (find_spec(library) is None)
        assert any(line.startswith(f"left out: {name}") for line in lines) == (find_spec(library) is None)
    for run in runs:
        assert not run["error"]
        assert run["facts"]["recall"] == 1, run["engine"]
    assert told["stages"][0]["chunks"] > 200


def test_the_stages_of_a_search_are_all_of_it(tmp_path):
    synthetic.fill(tmp_path / "a.mmrag", 300, 16)
    found = search._measured(tmp_path / "a.mmrag", 16, synthetic.questions(search.WARM_UP + 4))
    whole = found.each[search.TOTAL]
    beside = {search.TOTAL, search.PRODUCT, *search.FILTERS}
    parts = [seconds for stage, seconds in found.each.items() if stage not in beside]
    assert np.sum(parts, axis=0) == pytest.approx(whole)
    assert all(min(found.each[stage]) > 0 for stage in ("nearest neighbours (store)", "raw ranks", "words (BM25)"))
    assert found.once["read the vectors"] > 0
    assert found.vectors == pytest.approx(300, rel=0.2)


def test_what_is_watched_is_as_it_was_afterwards():
    class Slow:
        def outer(self):
            time.sleep(0.01)
            return self.inner()

        def inner(self):
            time.sleep(0.03)
            return "done"

    before = Slow.outer, Slow.inner
    with Stages([(Slow, "outer", "out"), (Slow, "inner", "in")]) as stages:
        assert Slow().outer() == "done"
        taken = stages.take()
        assert set(stages.take().values()) == {0}
    assert taken["in"] >= 0.03
    assert 0.01 <= taken["out"] < 0.03, "what the inner one takes is not the outer one's"
    assert (Slow.outer, Slow.inner) == before


def test_the_words_are_as_frequent_as_words_are_and_the_same_in_every_run():
    assert synthetic.questions(5) == synthetic.questions(5)
    assert len({synthetic._word(number) for number in range(synthetic._WORDS)}) == synthetic._WORDS
    vectors = synthetic.drawn(np.random.default_rng(0), 500, 32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    nearest = np.sort(vectors @ vectors.T, axis=1)[:, -2]
    assert np.median(nearest) > 0.5, "there are clusters"


@pytest.mark.parametrize("how", [["--sizes", "0"], ["--dimension", "1"], ["--questions", "0"]])
def test_a_search_of_nothing_is_refused(capsys, how):
    assert main(["bench", "search", *how]) == 1
    assert "--sizes 1000,10000" in capsys.readouterr().err


def test_sizes_are_numbers(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "search", "--sizes", "1000,many"])
    assert "'1000,many' is no list of numbers: 1000,10000" in capsys.readouterr().err


# -- what it is measured with ----------------------------------------------------------------------------------------


def test_the_items_are_of_all_kinds_each_of_its_own_and_the_same_in_every_run(tmp_path):
    made = []
    for run in ("a", "b"):
        folder = tmp_path / run
        folder.mkdir()
        sources = corpus.sources(100, folder)
        made.append([(source["path"].removeprefix(str(folder)), source.get("caption")) for source in sources])
    assert made[0] == made[1]
    contents = [path.read_bytes() for path in sorted((tmp_path / "a").iterdir())]
    assert contents == [path.read_bytes() for path in sorted((tmp_path / "b").iterdir())]
    assert len(contents) == len(set(contents)) == 100
    suffixes = [name.rsplit(".", 1)[1] for name, _ in made[0]]
    assert {suffix: suffixes.count(suffix) for suffix in set(suffixes)} == {"jpg": 40, "wav": 2, "txt": 58}
    assert sum(caption is not None for _, caption in made[0]) == 20


def test_questions_differ():
    assert len(set(corpus.questions(30))) > 20


# -- the card --------------------------------------------------------------------------------------------------------


def test_a_card_with_five_hits_of_all_kinds(tmp_path, capsys):
    pytest.importorskip("pocketsphinx")
    page = tmp_path / "card.html"
    assert main(["bench", "card", "--html", str(page)]) == 0
    printed = capsys.readouterr().out
    for name in ("talk_00.wav", "photograph.jpg", "lighthouse_at_night.png", "drawing_05.png", "harbour.txt"):
        assert name in printed
    assert "3000 x 2000 pixels" in printed
    html = page.read_text(encoding="utf-8")
    assert html.count('<li class="mm-item') == 5
    assert len(re.findall(r'<img src="data:image/jpeg;base64,', html)) == 3
    assert html.count('src="data:audio/mpeg;base64,') == 1
    assert "left out" not in html
    size = int(re.search(r"^bytes +([\d,]+) ", printed, re.MULTILINE)[1].replace(",", ""))
    assert 50_000 < size < LIMIT
    assert "under 400,000; kept" in printed
    parts = card.sizes(html)
    assert sum(parts.values()) == len(html.encode())
    assert all(parts[part] > 5_000 for part in ("style", "pictures", "sounds", "text, markup and waveforms"))


def hit(rank, *, modality, text, picture=b"", clip=b"", name="a", **said):
    previews = {"peaks": Preview("application/octet-stream", bytes(range(256)))} if clip else {}
    if picture:
        previews["thumbnail"] = Preview("image/webp", picture)
    if clip:
        previews["clip"] = Preview("audio/mpeg", clip)
    item = Item(f"{rank:064}", f"/photos/{name}", modality, said)
    chunk = Chunk(item.id, 0, modality, text, 0.0 if clip else None, 9.0 if clip else None)
    matches = tuple((i, i + 3) for i in range(0, len(text) - 3, 12))
    return Hit(rank, 1.0, 0.5, 1.0, chunk, item, matches=matches, facts={"seconds": 9.0}, previews=previews)


def answered(hits):
    hits = tuple(hits)
    text = " ".join(f"Seen [{hit.rank}]." for hit in hits)
    return Answer("what is there?", text, Hits(hits), citations={hit.rank: hit for hit in hits})


@pytest.mark.parametrize("size", [300, 4_000, 60_000, 390_000, 5_000_000])
def test_a_hundred_hits_with_large_previews(size):
    rng = np.random.default_rng(size)
    answer = answered(
        hit(
            rank,
            modality="audio" if rank % 2 else "image",
            text="said in the picture " * 20,
            picture=b"" if rank % 2 else rng.bytes(size),
            clip=rng.bytes(size) if rank % 2 else b"",
            name=f"{'long name ' * 20}{rank}",
        )
        for rank in range(1, 101)
    )
    html = answer._repr_html_()
    assert len(html.encode()) < LIMIT
    assert html.count('<li class="mm-item') == 100, "every hit is told, if not shown"
    shown, left_out = html.count('src="data:'), html.count("left out")
    assert shown + left_out == 100
    assert shown > 5 or size >= 60_000
    if left_out:  # what was left out would not have fitted
        assert len(html.encode()) + size * 4 / 3 > LIMIT - 20_000


@pytest.mark.parametrize("letter", ["a", '"', "音", "\N{GRINNING FACE}"], ids=["ascii", "escaped", "cjk", "emoji"])
def test_a_hundred_hits_with_long_texts(letter):
    answer = answered(
        hit(rank, modality="text", text=letter * 20_000, note=letter * 5_000, caption=letter * 3_000)
        for rank in range(1, 101)
    )
    html = answer._repr_html_()
    assert len(html.encode()) < LIMIT
    assert html.count('<li class="mm-item') == 100
    assert html.count(letter if letter != '"' else "&quot;") > 1_000, "some of each text is there"
