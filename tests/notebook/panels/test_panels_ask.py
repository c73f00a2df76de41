"""The ask panel, by messages as the page sends them, and by Python."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from traitlets import TraitError

from mmrag_nb import MultimodalRAG
from mmrag_nb.errors import EmptyIndex, GenerationError
from mmrag_nb.notebook.panels.ask import AskPanel
from mmrag_nb.notebook.render.media import ROOM

HARP = "A concert harp has forty-seven strings and seven pedals."
SAID = {"k": "3", "strategy": "shared", "text": True, "image": True, "audio": True, "raw": False}


@pytest.fixture
def rag():
    with MultimodalRAG(preset="offline", clip="none") as rag:
        rag.index([
            {"text": HARP},
            {"text": "The ferry leaves at noon."},
            {"image": Image.new("RGB", (40, 30), "red"), "caption": "a harp with red strings"},
        ])  # fmt: skip
        yield rag


@pytest.fixture
def panel(rag):
    return AskPanel(rag)


def do(panel, act, target="", **values):
    panel._handle_custom_msg({"act": act, "target": target, "values": values, "n": "1"}, [])


def ask(panel, question, **other):
    do(panel, "ask", question=question, **{**SAID, **other})


def page(panel, region="answer"):
    return BeautifulSoup(panel.regions[region], "html.parser")


def test_a_question_in_the_form_gives_the_card(panel):
    ask(panel, "  how many strings has a harp? ")
    assert panel.answer.question == panel.question == "how many strings has a harp?"
    assert "forty-seven" in page(panel).select_one(".mm-answer").get_text()
    assert panel.status.startswith("3 hits in ")
    assert page(panel, "form").find("input", {"name": "question"})["value"] == panel.question


def test_python_does_the_same(panel):
    seen = []
    panel.observe(lambda change: seen.append(change["new"]), "answer")
    answer = panel.ask("when does the ferry leave?")
    assert seen == [answer]
    assert answer.hits[0].chunk.text == "The ferry leaves at noon."
    assert panel.history == [answer]
    panel.question = "how many strings has a harp?"
    assert "forty-seven" in panel.ask().text


def test_how_it_is_asked_is_the_panels_own(panel, rag):
    before = dict(rag.settings.trait_values())
    ask(panel, "harp", k="1", raw=True, image=False)
    assert len(panel.answer.hits) == 1
    assert "shared, raw" in panel.answer.hits.facts
    assert (panel.k, panel.raw, panel.modalities) == (1, True, ["text", "audio"])
    assert rag.settings.trait_values() == before


def test_only_the_modalities_that_are_on_are_retrieved(panel):
    ask(panel, "harp strings", text=False, audio=False)
    assert {hit.chunk.modality for hit in panel.answer.hits} == {"image"}
    ask(panel, "harp strings", image=False)
    assert {hit.chunk.modality for hit in panel.answer.hits} == {"text"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"question": "  "}, "nothing was asked"),
        ({"k": "0"}, "0 hits cannot be asked for: 1 to 100"),
        ({"k": "5e9"}, "5e9 hits"),
        ({"k": ""}, "nothing hits"),
        ({"k": "٣"}, "cannot be asked for"),
        ({"strategy": "sharde"}, "did you mean 'shared'"),
        ({"strategy": ["shared"]}, "unknown strategy"),
        ({"text": False, "image": False, "audio": False}, "leave one of"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(panel, said, told):
    ask(panel, **{"question": "harp", **said})
    assert told in panel.status
    assert panel.failed
    assert panel.answer is None
    assert (panel.k, panel.strategy) in {(5, "shared"), (3, "shared")}


def test_a_change_counts_at_once(panel):
    do(panel, "set", k="7")
    do(panel, "set", raw=True)
    do(panel, "set", audio=False)
    assert (panel.k, panel.raw, panel.modalities) == (7, True, ["text", "image"])
    with pytest.raises(TraitError):
        panel.k = 0


def test_every_hit_can_be_selected_by_its_head_and_by_its_row(panel):
    ask(panel, "harp strings")
    for place in (".mm-item .mm-head", "tbody tr"):
        buttons = page(panel).select(f"{place} button[data-mm-act=select]")
        assert [one["data-mm-target"] for one in buttons] == ["1", "2", "3"]
        assert all(one["aria-label"].startswith(one.get_text()) for one in buttons)
    answer = panel.regions["answer"]
    do(panel, "select", "2")
    assert panel.selected is panel.answer.hits[1]
    assert panel.chosen["select"] == "2"
    assert panel.regions["answer"] is answer  # nothing is drawn again: a sound that plays goes on
    do(panel, "select", "99")
    assert panel.selected is None
    panel.selected = panel.answer.hits[0]
    assert panel.chosen["select"] == "1"


def test_a_new_answer_has_no_hit_selected(panel):
    ask(panel, "harp")
    do(panel, "select", "1")
    ask(panel, "ferry")
    assert panel.selected is None
    assert panel.chosen["select"] == ""


def test_what_was_asked_before_can_be_looked_at_again(panel):
    for question in ("harp?", "ferry?", "<b>red</b>?"):
        ask(panel, question)
    buttons = page(panel, "history")("button")
    assert [one.get_text() for one in buttons] == ["<b>red</b>?", "ferry?", "harp?"]
    do(panel, "show", buttons[-1]["data-mm-target"])
    assert panel.answer is panel.history[0]
    assert panel.question == "harp?"
    assert panel.chosen["show"] == "0"
    assert len(panel.history) == 3
    for target in ("3", "-1", "", "x", "9" * 5000):
        do(panel, "show", target)
        assert panel.answer is panel.history[0]


def test_where_the_generator_fails_the_hits_are_shown(panel, rag, monkeypatch):
    def fail(*_, **__):
        raise GenerationError("the server said no")

    generator, _ = rag._parts.generator()
    monkeypatch.setattr(type(generator), "generate", fail)
    ask(panel, "harp")
    assert panel.failed
    assert panel.status == "the server said no"
    assert len(panel.answer.hits) == 3
    assert "the server said no" in page(panel).select_one(".mm-error").get_text()
    with pytest.raises(GenerationError):
        panel.ask("ferry")
    assert panel.answer.question == "ferry"


def test_an_empty_index_is_told():
    panel = AskPanel(MultimodalRAG(preset="offline", clip="none"))
    ask(panel, "harp")
    assert panel.status.startswith("nothing is indexed yet")
    with pytest.raises(EmptyIndex):
        panel.ask("harp")


def test_the_picture_is_the_card_without_controls(panel):
    assert "Nothing has been asked yet." in panel.still()
    assert panel.text() == "Nothing has been asked yet."
    ask(panel, "harp")
    ask(panel, "ferry")
    still = BeautifulSoup(panel.still(), "html.parser")
    assert "The ferry leaves" in still.get_text()
    assert [li.get_text() for li in still.select("details li")] == ["harp", "ferry"]
    assert not still.select("button, input, select, form")
    assert len(panel.picture().encode()) < ROOM
    assert panel.text() == repr(panel.answer)


def test_each_control_has_a_name(panel):
    form = page(panel, "form")
    for control in form.select("input, select"):
        label = control.find_parent("label")
        assert label.get_text().strip()
