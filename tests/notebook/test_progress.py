"""One line of progress: how far, how fast, how long still; and nothing of it is left behind."""

import io
import sys
from contextlib import suppress
from itertools import pairwise

import pytest
from cells import outputs

from mmrag_nb.notebook.progress import Meter, ProgressLine, line

# -- rate and time left ------------------------------------------------------------------------------------------------


def watched(times, total):
    """The line after each of ``times`` (second, how many are done)."""
    meter = Meter()
    lines = []
    for now, done in times:
        meter.see(now, done)
        lines.append(line("embedding pictures", done, total, meter, now))
    return lines


def test_a_steady_stage_tells_its_rate_and_the_time_left():
    lines = watched([(n / 31, n) for n in range(97)], 240)
    assert lines[0] == "embedding pictures 0 of 240 …"
    assert lines[96] == "embedding pictures 96 of 240 · 31/s · about 5 s left"


def test_nothing_is_promised_before_there_is_something_to_go_by():
    lines = watched([(0, 0), (0.2, 10), (0.5, 20)], 240)
    assert not [one for one in lines if "left" in one or "/s" in one]


def test_work_in_batches_makes_no_jumps():
    meter = Meter()
    left = []
    for tick in range(400):  # a batch of 16 each second, looked at ten times a second
        now, done = tick / 10, 16 * (tick // 10)
        meter.see(now, done)
        if (seconds := meter.left(now, 800)) is not None:
            left.append(seconds)
    assert len(left) > 350
    assert all(abs(after - before) < 0.2 for before, after in pairwise(left))
    assert left[-1] == pytest.approx(800 / 16 - 39.9, abs=0.2)


def test_a_change_of_pace_is_followed_within_seconds():
    meter = Meter()
    for n in range(60):  # known items pass quickly
        meter.see(n / 100, n)
    for n in range(60):
        meter.see(0.6 + n, 60 + n)
    assert meter.rate() == pytest.approx(1.0, rel=0.1)


def test_slow_work_tells_how_long_each_takes():
    assert watched([(0, 0), (4, 1), (8, 2)], 10)[-1] == "embedding pictures 2 of 10 · 4 s each · about 30 s left"
    assert watched([(0, 0), (300, 1)], 25)[-1].endswith("5 min each · about 2.0 h left")


@pytest.mark.parametrize(
    ("done", "total", "said"),
    [(0, None, "loading clip …"), (7, None, "loading clip 7 so far …"), (9, 8, "loading clip 8 of 8 …")],
)
def test_what_is_not_known_is_not_told(done, total, said):
    assert line("loading clip", done, total, Meter(), 0.0) == said


def test_seconds_of_sound_read_as_times_and_their_rate_as_times_real_time():
    meter = Meter()
    for now in range(41):
        meter.see(now, 3 * now)
    said = line("transcribing talk.mp3 (seconds)", 125, 3731, meter, 40.0)
    assert said == "transcribing talk.mp3 2:05 of 1:02:11 · 3.0 times real time · about 20 min left"
    assert line("transcribing talk.mp3 (seconds)", 0, 7, Meter(), 0.0) == "transcribing talk.mp3 0:00 of 0:07 …"


def test_a_file_name_cannot_act():
    assert line("transcribing \x1b[2Jtalk\n.mp3", 0, None, Meter(), 0.0) == "transcribing ␛[2Jtalk .mp3 …"


def test_indexing_knows_its_totals_beforehand(tmp_path):
    from PIL import Image

    from mmrag_nb import MultimodalRAG

    for n in range(20):
        Image.new("RGB", (8, 8), (10 * n, 0, 0)).save(tmp_path / f"{n}.png")
        (tmp_path / f"{n}.txt").write_text(f"passage {n}")
    told = []
    with MultimodalRAG(preset="offline") as rag:
        rag.index(str(tmp_path), progress=lambda *step: told.append(step))
    assert ("opening sources", 40, 40) in told
    assert ("reading pictures", 0, 20) in told
    assert ("embedding pictures", 20, 20) in told
    assert ("embedding texts", 20, 20) in told
    assert told[-1] == ("indexed", 40, 40)
    for stage in {stage for stage, _, _ in told}:
        done = [n for one, n, _ in told if one == stage]
        assert done == sorted(done), stage


def test_talks_are_followed_by_their_seconds():
    pytest.importorskip("pocketsphinx")
    from mmrag_nb import MultimodalRAG
    from mmrag_nb.assets.demo.media import demo_folder
    from mmrag_nb.loaders.excerpt import sound_seconds

    told = []
    with MultimodalRAG(preset="offline") as rag:
        rag.index(str(demo_folder() / "weather_report.mp3"), progress=lambda *step: told.append(step))
    seconds = [(done, total) for stage, done, total in told if stage == "transcribing weather_report.mp3 (seconds)"]
    assert [done for done, _ in seconds] == sorted(done for done, _ in seconds)
    assert {total for _, total in seconds} == {round(sound_seconds(demo_folder() / "weather_report.mp3"))}
    assert seconds[-1][0] >= seconds[-1][1] - 3, "to the end of the last utterance"


# -- on a terminal -----------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_one_line_that_is_wiped(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with suppress(KeyboardInterrupt), ProgressLine(object()) as progress:
        progress("loading clip", 0, None)
        raise KeyboardInterrupt
    written = terminal.getvalue()
    assert "\n" not in written
    assert "loading clip …" in written
    shown = ""
    for part in written.split("\r"):  # what is left on the line
        shown = part + shown[len(part) :]
    assert not shown.strip()


def test_nothing_is_written_where_nothing_can_be_updated(monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with ProgressLine(object()) as progress:
        progress("loading clip", 0, None)
    assert not pipe.getvalue()


# -- in a kernel -------------------------------------------------------------------------------------------------------

SLOW = """
%load_ext mmrag_nb
%config MMRag.preset = "offline"
import time
from mmrag_nb.models.words import WordsEncoder
real = WordsEncoder.embed_texts
def slowly(self, texts):
    time.sleep(pause)
    return real(self, texts)
WordsEncoder.embed_texts = slowly
pause = 0.15
passages = [f"passage {n}" for n in range(64)]
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    pytest.importorskip("ipykernel")
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(cwd=str(tmp_path_factory.mktemp("kernel")))
    outputs(client, SLOW)
    yield manager, client
    client.stop_channels()
    if manager.is_alive():
        manager.shutdown_kernel(now=True)


def test_the_line_moves_and_is_gone_in_the_end(kernel):
    _, client = kernel
    cell, shown = outputs(client, "%%mmrag_index\n{{passages}}\n")
    assert [one["kind"] for one in cell] == ["execute_result"]
    texts = [data["text/plain"] for data in shown]
    assert any(text.startswith("embedding texts 16 of 64") for text in texts)
    assert all("<progress" in data["text/html"] for data in shown)
    assert 'value="16"' in "".join(data["text/html"] for data in shown)


def test_with_out_nothing_at_all_is_left(kernel):
    _, client = kernel
    cell, shown = outputs(client, "%mmrag_index {{[p + ' once more' for p in passages]}} --out report")
    assert shown
    assert cell == []


def test_what_else_the_cell_has_shown_stays(kernel):
    _, client = kernel
    code = "print('before')\n%mmrag_index {{[p + ' and again' for p in passages]}} -o report\nprint('after')"
    cell, shown = outputs(client, code)
    assert shown
    assert "".join(one["text"] for one in cell if one["kind"] == "stream") == "before\nafter\n"
    assert [one["data"] for one in cell if one["kind"] == "display_data"] == [{"text/plain": "", "text/html": ""}]


def test_an_interruption_leaves_the_report_alone(kernel):
    manager, client = kernel
    interrupted = []

    def interrupt(text):
        if not interrupted and text.startswith("embedding texts 16"):
            interrupted.append(text)
            manager.interrupt_kernel()

    cell, _ = outputs(client, "%%mmrag_index\n{{[p + ' interrupted' for p in passages]}}\n", interrupt)
    assert interrupted
    assert [one["kind"] for one in cell] == ["display_data", "error"]
    assert "Interrupted" in cell[0]["data"]["text/plain"]
    assert cell[1]["ename"] == "KeyboardInterrupt"
    cell, _ = outputs(client, "%mmrag_status")
    assert "in memory" in cell[0]["data"]["text/plain"], "the index is as good as before"


def test_a_dry_run_interrupted_leaves_its_error_only(kernel):
    manager, client = kernel

    def interrupt(text):
        manager.interrupt_kernel()

    outputs(client, "pause = 5")
    code = "%mmrag_index {{[p + ' dry' for p in passages]}} --dry-run"
    cell, _ = outputs(client, code, lambda text: text.startswith("trying") and interrupt(text))
    assert [one["kind"] for one in cell] == ["error"]
    outputs(client, "pause = 0.15")


def test_a_killed_kernel_leaves_a_line_that_can_be_read(kernel):
    import nbformat

    manager, client = kernel
    cell, _ = outputs(
        client,
        "%%mmrag_index\n{{[p + ' killed' for p in passages]}}\n",
        lambda text: text.startswith("embedding texts 16"),
    )
    manager.shutdown_kernel(now=True)
    (left,) = cell
    assert set(left["data"]) == {"text/plain", "text/html"}, "no widget without its manager"
    assert left["data"]["text/plain"].startswith("embedding texts 16 of 64")
    output = nbformat.v4.new_output("display_data", left["data"])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
