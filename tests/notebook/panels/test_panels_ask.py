"""The ask panel, by messages as the page sends them, and by Python."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from traitlets import TraitError
from writers import Writer

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import EmptyIndex, GenerationError, MMRagError
from mmrag_nb.notebook.pacing import Paced
from mmrag_nb.notebook.panels.ask import AskPanel
from mmrag_nb.notebook.render.media import ROOM
from mmrag_nb.parts import Parts

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
    wait(panel)


def wait(panel):
    """Until what goes on aside is through."""
    for thread in threading.enumerate():
        if thread.name.startswith(f"{panel.label}: "):
            thread.join(30)
            assert not thread.is_alive()


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
    assert (panel.k, panel.raw, panel.modalities) == (1, True, ["text", "audio", "video"])
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
        ({"text": False, "image": False, "audio": False, "video": False}, "leave one of"),
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
    assert (panel.k, panel.raw, panel.modalities) == (7, True, ["text", "image", "video"])
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
    assert form.find("img")["src"].startswith("data:image/jpeg;base64,")
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
        yield ""
        raise GenerationError("the server said no")

    generator, _ = rag._parts.generator()
    monkeypatch.setattr(type(generator), "stream", fail)
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


# -- an answer that takes its time -------------------------------------------------------------------------------------


class Held(Writer):
    """Writes its first words, then waits to be let go."""

    def __init__(self, *pieces):
        super().__init__(*pieces)
        self.begun, self.go = threading.Event(), threading.Event()

    def stream(self, prompt):
        for n, piece in enumerate(super().stream(prompt)):
            yield piece
            if n == 0:
                self.begun.set()
                self.go.wait(30)


@pytest.fixture
def held(monkeypatch):
    writer = Held("A harp ", "has 47 strings [1].")
    monkeypatch.setattr(Parts, "generator", lambda self, progress=None: (writer, ""))
    yield writer
    writer.go.set()


def begin(panel, held, question="how many strings has a harp?"):
    panel._handle_custom_msg({"act": "ask", "values": {"question": question, **SAID}, "n": "1"}, [])
    assert held.begun.wait(30)
    for _ in range(300):  # the words are shown a little later
        if "A harp" in panel.growing.get("writing", ""):
            return
        time.sleep(0.01)
    pytest.fail(f"nothing is written: {panel.growing}")


def test_an_answer_grows_in_a_region_of_its_own_below_which_its_evidence_stands(panel, held):
    begin(panel, held)
    card = panel.regions["answer"]
    assert "forty-seven" in page(panel).get_text()
    written = BeautifulSoup(panel.growing["writing"], "html.parser")
    assert written.select_one(".mm-answer").get_text() == "A harp"
    assert [one["data-mm-act"] for one in written("button")] == ["stop"]
    assert panel.busy
    assert panel.status == "writing…"
    sent = []
    panel.observe(lambda change: sent.append(change["name"]), ["regions", "growing"])
    panel._grow(replace(panel.answer, text="A harp has"))
    assert sent == ["growing"]
    assert panel.regions["answer"] is card, "what is large is sent once"
    held.go.set()
    wait(panel)
    assert panel.growing == {}
    assert panel.regions["writing"] == ""
    assert page(panel).select_one(".mm-answer").get_text() == "A harp has 47 strings [1]."
    assert panel.history == [panel.answer]
    assert "writing" not in panel.still()


def test_it_can_be_stopped_at_once_and_keeps_what_had_come(panel, held):
    begin(panel, held)
    do(panel, "stop")
    assert panel.answer.text == "A harp "
    assert "stopped" in panel.answer.trouble
    assert not panel.answer.writing
    assert not panel.busy
    assert panel.status.startswith("stopped")
    assert "forty-seven" in page(panel).get_text()
    held.go.set()
    ask(panel, "and the ferry?")
    assert panel.answer.text.endswith("strings [1].")
    do(panel, "stop")  # nothing is being written


def test_a_second_question_waits_for_the_first(panel, held):
    begin(panel, held)
    with pytest.raises(MMRagError, match="wait until that is done, or stop it"):
        panel.ask("ferry?")
    assert len(held.prompts) == 1
    held.go.set()
    wait(panel)
    assert panel.answer.question == "how many strings has a harp?"


def test_where_the_generator_breaks_off_what_had_come_is_kept(panel, held):
    held.pieces = ("A harp ", GenerationError("the server went away"))
    held.go.set()
    ask(panel, "how many strings has a harp?")
    assert panel.failed
    assert panel.answer.text == "A harp "
    assert "the server went away" in page(panel).select_one(".mm-error").get_text()
    assert panel.growing == {}


def test_an_answer_that_was_cut_off_says_so_where_it_stands(panel, held):
    held.whole = {"trouble": "cut off at 10 tokens"}
    held.go.set()
    ask(panel, "how many strings has a harp?")
    assert panel.status == "cut off at 10 tokens"
    assert not panel.failed
    assert "cut off at 10 tokens" in page(panel).select_one(".mm-trouble").get_text()


def test_a_follow_up_knows_what_was_asked_and_answered(panel):
    box = page(panel, "form").find("input", {"name": "follow_up"})
    assert not box.has_attr("checked")
    ask(panel, "how many strings has a harp?")
    ask(panel, "and how many pedals has it?")
    assert not panel.answer.asked_as, "each by itself"
    do(panel, "show", "0")
    ask(panel, "and how many pedals has it?", follow_up=True)
    assert panel.answer.asked_as == "how many strings has a harp? and how many pedals has it?"
    assert "looked for: how many strings has a harp? and how many" in page(panel).select_one(".mm-question").get_text()
    assert page(panel, "form").find("input", {"name": "follow_up"}).has_attr("checked")
    do(panel, "set", follow_up=False)
    assert not panel.follow_up


def test_ctrl_c_in_a_cell_keeps_what_had_come(panel, held, monkeypatch):
    begun = threading.Event()
    grow = panel._grow

    def interrupted(answer):
        grow(answer)
        if begun.is_set():
            raise KeyboardInterrupt
        begun.set()

    held.go.set()
    held.pieces = tuple("abcdefgh")
    monkeypatch.setattr(Paced, "__call__", lambda self, answer: interrupted(answer))
    with pytest.raises(KeyboardInterrupt):
        panel.ask("harp strings")
    assert "interrupted" in panel.answer.trouble
    assert panel.history == [panel.answer]
    assert not panel.busy
