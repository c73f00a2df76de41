"""The ask panel, by messages as the page sends them, and by Python."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from traitlets import TraitError

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import EmptyIndex, GenerationError, MMRagError
from mmrag_nb.notebook.panels.ask import AskPanel
from mmrag_nb.notebook.render.media import ROOM

DRAWINGS = demo_folder() / "emoji"
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
        ({"where": "price = 5"}, "to compare, write =="),
        ({"where": "__import__('os').system('true')"}, "a filter has names, values and comparisons only"),
        ({"where": "prize < 50"}, "unknown field 'prize'"),
        ({"balance": "1.1"}, "a picture counts from 0"),
        ({"balance": 0.5}, "a picture counts from 0"),
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


def test_each_strategy_can_be_chosen_and_computes_what_it_lacks(panel, rag):
    options = page(panel, "form").select("select[name=strategy] option")
    assert [one["value"] for one in options] == ["shared", "grounded", "separate"]
    told = []
    panel.observe(lambda change: told.append(change["new"]), "status")
    ask(panel, "harp strings", strategy="grounded")
    assert panel.answer.hits.facts[0] == "grounded"
    assert not rag.lacking("grounded")
    assert [line for line in told if line.startswith("completing for grounded ")]
    assert "grounded" in BeautifulSoup(panel.still(), "html.parser").select_one(".mm-facts").get_text()
    assert rag.settings.strategy == "shared"


def test_a_filter_limits_what_is_found(panel):
    ask(panel, "harp", where="modality == 'image'")
    assert [hit.chunk.modality for hit in panel.answer.hits] == ["image"]
    assert page(panel, "form").find("input", {"name": "where"})["value"] == panel.where == "modality == 'image'"
    assert "where modality == 'image'" in BeautifulSoup(panel.still(), "html.parser").get_text()
    ask(panel, "harp", where=" ")
    assert len(panel.answer.hits) == 3


def dropped(panel, name, data):
    whole = {"upload": "u", "index": 0, "name": name, "size": len(data), "offset": 0}
    panel._handle_custom_msg({"act": "picture", "part": whole, "n": "1"}, [data])
    panel._handle_custom_msg({"act": "picture", "part": {"upload": "u", "end": True}, "n": "2"}, [])


@pytest.fixture
def seeing():
    with MultimodalRAG(preset="offline", ocr="none") as rag:
        rag.index([DRAWINGS / "drawing_02.png", DRAWINGS / "drawing_06.png", {"text": HARP}])
        yield AskPanel(rag)


def test_a_picture_is_dropped_in_weighed_and_taken_away(seeing):
    assert not page(seeing, "form").select("input[name=balance], img")
    assert page(seeing, "form").select("[data-mm-drop=picture] input[type=file]")
    dropped(seeing, "Ann & Ben's apple.png", (DRAWINGS / "drawing_02.png").read_bytes())
    form = page(seeing, "form")
    assert form.find("img")["src"].startswith("data:image/webp;base64,")
    assert form.find("img")["alt"] == "asked with Ann & Ben's apple.png"
    slider = form.find("input", {"name": "balance"})
    assert (slider["type"], slider["value"], slider["data-mm-act"]) == ("range", "0.5", "set")
    ask(seeing, "", balance="0.5")
    assert seeing.answer.hits[0].item.name == "drawing_02.png"
    do(seeing, "set", balance="0.1")
    assert seeing.balance == 0.1
    ask(seeing, "how many strings has a harp?")
    assert seeing.answer.hits[0].chunk.text == HARP
    still = BeautifulSoup(seeing.still(), "html.parser")
    assert "which counts 10% beside the words" in still.get_text()
    assert still.get_text().count("which counts 10%") == 1
    assert not still.select("input, button")
    do(seeing, "without")
    assert seeing.image is None
    assert not page(seeing, "form").select("input[name=balance], img")


def test_what_is_no_picture_is_refused(seeing):
    dropped(seeing, "notes.png", b"no picture at all")
    assert seeing.failed
    assert seeing.image is None
    with pytest.raises(MMRagError):
        seeing.image = "nowhere.png"
    assert seeing.image is None


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


@pytest.mark.parametrize("image", [None, DRAWINGS / "drawing_02.png"])
def test_each_control_has_a_name(panel, image):
    panel.image = image
    form = page(panel, "form")
    for control in form.select("input, select"):
        label = control.find_parent("label")
        assert label.get_text().strip()
    assert all(one.get_text().strip() for one in form.select("button"))
