"""The workbench, and the magic that opens it."""

from __future__ import annotations

import io
import math
import struct
import wave

import pytest
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from ipywidgets import VBox
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.notebook.panels.ask import AskPanel
from mmrag_nb.notebook.panels.image_grid import ImageGridPanel
from mmrag_nb.notebook.panels.index import IndexPanel
from mmrag_nb.notebook.panels.similarity import SimilarityPanel
from mmrag_nb.notebook.panels.waveform import WaveformPanel
from mmrag_nb.notebook.panels.workbench import Workbench
from mmrag_nb.notebook.render.media import ROOM
from mmrag_nb.notebook.render.style import STYLE

WIDGET = "application/vnd.jupyter.widget-view+json"


def tone():
    """One second of sound, as a file's bytes."""
    data = io.BytesIO()
    with wave.open(data, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(b"".join(struct.pack("<h", round(9_000 * math.sin(i / 6))) for i in range(16_000)))
    return data.getvalue()


@pytest.fixture
def rag(tmp_path):
    (tmp_path / "lecture.wav").write_bytes(tone())
    with MultimodalRAG(preset="offline", clip="none", speech="none") as rag:
        rag.index([
            {"text": "A concert harp has forty-seven strings."},
            {"image": Image.new("RGB", (40, 30), "red"), "caption": "a harp with red strings"},
            {"path": str(tmp_path / "lecture.wav"), "caption": "the harp is played"},
        ])  # fmt: skip
        yield rag


@pytest.fixture
def bench(rag):
    return Workbench(rag)


def of(hits, modality):
    return next(hit for hit in hits if hit.item.modality == modality)


def test_what_is_asked_in_one_panel_is_seen_in_the_others(bench):
    answer = bench.ask.ask("harp")
    assert bench.answer is answer
    assert bench.similarity.results == [answer.hits]
    bench.similarity.selected = answer.hits[1]
    assert bench.selected is bench.ask.selected is answer.hits[1]
    bench.selected = answer.hits[0]
    assert bench.ask.chosen["select"] == "1"
    assert bench.similarity.chosen["select"] == "0-1"
    bench.ask.ask("strings")
    assert bench.selected is bench.similarity.selected is None


def test_the_chosen_hit_is_shown_in_detail(bench):
    hits = bench.ask.ask("harp").hits
    for panel, kind in zip(bench.box.children, (IndexPanel, AskPanel, SimilarityPanel), strict=True):
        assert isinstance(panel, kind)
    for modality, detail in (("audio", WaveformPanel), ("image", ImageGridPanel)):
        bench.selected = of(hits, modality)
        assert isinstance(bench.box.children[2], detail)
        assert len(bench.box.children) == 4
    bench.selected = of(hits, "text")
    assert len(bench.box.children) == 3


def test_one_view_and_one_picture_of_all_panels(bench, tmp_path, monkeypatch):
    updates = []
    monkeypatch.setattr(
        "mmrag_nb.notebook.panels.twin.update_display", lambda data, **how: updates.append((data, how["display_id"]))
    )
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell.clear_instance()
    InteractiveShell.instance()
    try:
        with capture_output() as captured:
            bench._ipython_display_()
        view, picture = (output.data for output in captured.outputs)
        assert view[WIDGET]["model_id"] == bench.box.model_id
        assert "Nothing has been asked yet." in picture["text/html"]
        bench.ask.ask("harp")
        assert len(updates) == 1  # however many panels changed
        html = updates[0][0]["text/html"]
        page = BeautifulSoup(html, "html.parser")
        twins = {one for div in page.select(".mm-still") for one in div["class"]}
        assert {panel.twin for panel in bench.box.children} < twins  # each live view hides its own part
        assert not page.select("button, input, select, form")
        assert "forty-seven" in page.get_text()
        assert html.count(STYLE) == 1
        assert len(html.encode()) < ROOM
        assert "forty-seven" in updates[0][0]["text/plain"]
    finally:
        InteractiveShell.clear_instance()


# -- the magic ------------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(shell):
    shell.run_line_magic("config", 'MMRag.clip = "none"')
    return shell


def test_the_magic_opens_all_or_one(shell):
    shell.run_cell('%mmrag_index {{"A harp has forty-seven strings."}}', store_history=True)
    assert shell.run_cell("%mmrag_panel --out bench").result is None
    assert isinstance(shell.user_ns["bench"], Workbench)
    for which, kind in (("ask", AskPanel), ("images", ImageGridPanel), ("index", IndexPanel)):
        shell.run_cell(f"%mmrag_panel {which} -o panel")
        assert isinstance(shell.user_ns["panel"], kind)
    shell.user_ns["bench"].ask.ask("how many strings?")
    shell.run_cell("%mmrag_panel similarity {{bench.answer}} -o panel")
    assert shell.user_ns["panel"].results == [shell.user_ns["bench"].answer.hits]
    shell.run_cell("%mmrag_ask strings of a harp?", store_history=True)
    shell.run_cell("%mmrag_panel similarity -o panel")
    assert shell.user_ns["panel"].results[0].question == "strings of a harp?"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("aks", "did you mean 'ask'"),
        ("similarity", "nothing was asked yet"),
        ("similarity harp", "str has no scores"),
        ("ask something", "%mmrag_panel ask"),
        ("--oot x", "did you mean --out"),
    ],
)
def test_mistakes_are_one_line(shell, capsys, line, told):
    result = shell.run_cell(f"%mmrag_panel {line}")
    assert not result.success
    printed = capsys.readouterr()
    lines = [line for line in (printed.out + printed.err).splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert told in lines[0]


def test_panels_can_stand_among_other_widgets(bench):
    assert VBox([bench.box, AskPanel(bench._rag)]).children[0] is bench.box
