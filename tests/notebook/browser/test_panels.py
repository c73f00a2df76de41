"""The panels in JupyterLab: by mouse, by keyboard alone, with files dropped in, and read again without a kernel."""

import io
import wave
from base64 import b64encode

import numpy as np
import pytest
from axe import findings, source
from lab import NARROW, WIDE
from PIL import Image
from selenium.webdriver import Keys
from shown import Shown

from mmrag_nb.assets.demo.media import demo_folder

CELLS = [
    """\
%load_ext mmrag_nb
%config MMRag.preset = "offline"
from mmrag_nb.assets.demo.media import demo_sources
from mmrag_nb.notebook.panels import image_grid, waveform
image_grid.PAGE = 8  # so that few pictures fill several pages""",
    "%mmrag_index {{demo_sources()}} --out report",
    "%mmrag_panel --out bench\nbench",
    "%mmrag_panel images --out images\nimages",
    "sound = waveform.WaveformPanel('lighthouse_talk.mp3', bench.ask._rag)\nsound",
    """\
answers = [bench.ask._rag.ask(question) for question in ("the light of the tower", "a red apple")]
%mmrag_panel similarity {{answers}} --out scores
scores""",
    "",
]
INDEX, ASK, IMAGES, SOUND, SCORES = (
    (2, "index panel"),
    (2, "ask panel"),
    (3, "image grid"),
    (4, "waveform panel"),
    (5, "similarity panel"),
)
PANELS = {"index": INDEX, "ask": ASK, "image grid": IMAGES, "waveform": SOUND, "similarity": SCORES}
RECORDINGS = 40
LARGEST = 400_000
"""Bytes of a panel's picture."""
NOTE = b"The harbour office keeps a stuffed walrus above its door. It was a gift of the whalers."


@pytest.fixture(scope="module")
def room(lab):
    """A live notebook that shows all panels."""
    lab.open(lab.write("panels.ipynb", CELLS))
    lab.browser.complaints()
    lab.browser.requests()
    lab.run_all()
    assert not lab.failures()
    for cell, label in PANELS.values():
        Shown(lab, cell, label).one()
    lab.size(WIDE, 1000)
    return lab


@pytest.fixture
def value(room):
    """The value of an expression, as the notebook's kernel writes it."""

    def value(expression):
        last = len(CELLS) - 1
        room.js(
            "panel.content.model.cells.get(args[0]).sharedModel.setSource(args[1])", last, f"_ = {expression}\nprint(_)"
        )
        room.run(last)
        return room.cells()[last]["outputs"][0]["text"].strip()

    return value


@pytest.fixture
def ask(room, value):
    value("setattr(bench.ask, 'modalities', ['text', 'image', 'audio'])")
    return Shown(room, *ASK)


@pytest.fixture
def index(room):
    return Shown(room, *INDEX)


@pytest.fixture
def images(room):
    panel = Shown(room, *IMAGES)
    for button in ("Close", "All pictures"):
        if panel.all("button", button):
            panel.click("button", button)
    return panel


@pytest.fixture
def sound(room):
    return Shown(room, *SOUND)


@pytest.fixture
def scores(room):
    return Shown(room, *SCORES)


def question(panel, text):
    box = panel.one("input[name=question]")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(Keys.DELETE, text)


def names(panel):
    """The hits of the answer that is shown, best first."""
    return [text.split()[0] for text in panel.texts(".mm-table tbody th")]


# -- asking ------------------------------------------------------------------------------------------------------------


def test_a_question_by_mouse(ask, value):
    question(ask, "When does the model ship workshop start?")
    ask.click("button[type=submit]")
    assert "thursday at nine" in ask.one(".mm-answer").text
    assert names(ask)[0] == "lighthouse_talk.mp3"
    assert "5 hits in" in ask.status()
    assert value("bench.answer.hits[0].item.name") == "lighthouse_talk.mp3"


def test_modalities_are_switched_by_mouse(ask, value):
    question(ask, "a red apple")
    ask.click(".mm-check", "text")
    ask.click(".mm-check", "audio")
    ask.click("button[type=submit]")
    assert names(ask)[0] == "drawing_02.png"
    assert {text.split()[0] for text in ask.texts("tbody .mm-kind")} == {"image"}
    assert value("bench.ask.modalities") == "['image']"
    ask.click(".mm-check", "images")
    assert "leave one of" in ask.status()
    assert ask.one("input[name=image]").is_selected()
    ask.click(".mm-check", "text")
    ask.click(".mm-check", "audio")
    ask.click(".mm-check", "raw cosines")
    assert value("bench.ask.modalities, bench.ask.raw") == "(['text', 'image', 'audio'], True)"
    ask.click(".mm-check", "raw cosines")


def test_an_earlier_answer_and_a_hit_of_it_by_mouse(ask, room, value):
    for text in ("How many pedals has a harp?", "a red apple"):
        question(ask, text)
        ask.click("button[type=submit]")
    ask.click(".mm-history button", "How many pedals")
    assert ask.one("input[name=question]").get_property("value") == "How many pedals has a harp?"
    assert names(ask)[0] == "tuning_a_harp.md"
    ask.click(".mm-table tr[data-mm-act]", "tuning_a_harp.md")
    assert value("bench.selected.item.name, bench.ask.selected is bench.selected") == "('tuning_a_harp.md', True)"
    assert ask.all(".mm-item.mm-chosen .mm-head", "tuning_a_harp.md")


def test_a_hit_that_is_chosen_is_shown_in_detail(ask, room, value):
    question(ask, "When does the model ship workshop start?")
    ask.click("button[type=submit]")
    ask.click(".mm-item .mm-pick", "1")
    detail = Shown(room, 2, "waveform panel")
    assert "thursday" in detail.one("li.mm-chosen").text
    question(ask, "a red apple")
    ask.click("button[type=submit]")
    ask.click(".mm-item .mm-pick", "1")
    assert "drawing_02.png" in Shown(room, 2, "image grid").one(".mm-large").text
    assert value("[type(panel).__name__ for panel in bench.box.children]").count("Panel") == 4


def test_a_question_by_keyboard(ask, room, value):
    ask.tab_to("input[name=question]")
    room.press(Keys.CONTROL + "a" + Keys.NULL, Keys.DELETE)
    for key in "jjddaabb, when does the model ship workshop start?":  # alone, these are commands to JupyterLab
        room.press(key)
    ask.press(Keys.ENTER)
    room.wait(lambda: "thursday at nine" in "".join(ask.texts(".mm-answer")))
    assert ask.focus()[0] == "INPUT question"
    for _ in range(2):  # past the button to the number of hits
        ask.press(Keys.TAB)
    ask.press(Keys.ARROW_UP)
    assert value("bench.ask.k") == "6"
    ask.tab_to("input[name=audio]")
    ask.press(Keys.SPACE)
    assert value("bench.ask.modalities") == "['text', 'image']"
    ask.tab_to("input[name=audio]")
    ask.press(Keys.SPACE)
    ask.tab_to("input[name=k]")
    ask.press(Keys.ARROW_DOWN)
    assert value("bench.ask.k, len(bench.ask.modalities)") == "(5, 3)"


def test_a_picture_a_filter_and_a_strategy(ask, room, value):
    value("setattr(bench.ask, 'question', '')")
    ask.one("[data-mm-drop=picture] input").send_keys(str(demo_folder() / "emoji" / "drawing_02.png"))
    ask.one(".mm-with img[alt='asked with drawing_02.png']")
    ask.click("button[type=submit]")
    assert names(ask)[0] == "drawing_02.png"
    question(ask, "How many pedals has a harp?")
    ask.tab_to("input[name=balance]", most=20)
    ask.press(*[Keys.ARROW_LEFT] * 5)
    assert ask.focus() == ("INPUT balance", True)
    assert ask.all(".mm-field", "Picture counts 0% beside words")
    ask.press(Keys.ENTER)
    room.wait(lambda: names(ask)[0] == "tuning_a_harp.md")
    ask.tab_to("input[name=where]", most=20)
    for key in "modality = 'image'":
        room.press(key)
    ask.press(Keys.ENTER)
    assert "to compare, write ==" in ask.status()
    value("setattr(bench.ask, 'where', \"modality == 'image'\")")
    ask.click("button[type=submit]")
    assert {text.split()[0] for text in ask.texts("tbody .mm-kind")} == {"image"}
    ask.click(".mm-with button", "Remove")
    ask.one("[data-mm-drop=picture] input[type=file]")
    value("setattr(bench.ask, 'where', '')")
    ask.one("select[name=strategy]").send_keys("gro")
    assert value("bench.ask.strategy") == "grounded"
    value("setattr(bench.ask, 'strategy', 'shared')")


def test_hits_and_earlier_answers_by_keyboard(ask, value):
    for text in ("the phases of the moon", "a red apple"):
        question(ask, text)
        ask.press(Keys.ENTER)
    ask.tab_to(".mm-history button", "a red apple", most=24)
    ask.press(Keys.ARROW_RIGHT, Keys.ENTER)
    assert names(ask)[0] == "moon_phases.png"
    ask.tab_to(".mm-quiet .mm-pick", most=24)
    ask.press(Keys.ARROW_DOWN, Keys.SPACE)
    assert value("bench.selected.rank, bench.selected is bench.answer.hits[2]") == "(3, True)"
    assert ask.all(".mm-chosen .mm-pick[aria-pressed=true]", "3")


def test_jupyterlab_takes_no_key_from_a_panel(ask, room, value):
    """``dd`` deletes a cell, ``j`` goes to the next, ``b`` makes one, Enter goes into the editor; not from in here."""
    question(ask, "a red apple")
    ask.press(Keys.ENTER)
    for selector in ("button[type=submit]", "input[name=raw]", ".mm-item .mm-pick"):
        ask.tab_to(selector, most=20)
        where = room.js("return panel.content.activeCellIndex")
        room.press("d", "d", "j", "k", "b", "x", "z", "0", "0")
        assert room.js("return panel.content.activeCellIndex") == where
        assert len(room.cells()) == len(CELLS)
        assert ask.one(selector) == room.driver.switch_to.active_element
    assert value("bench.answer.question") == "a red apple"


@pytest.mark.parametrize("name", PANELS)
def test_tab_leads_through_a_panel_and_out_and_is_seen(room, name):
    stops = Shown(room, *PANELS[name]).stops()
    assert len(stops) >= 3
    # a player's own buttons have the browser's own ring
    assert not [what for what, visible in stops if not visible and not what.startswith("AUDIO")]
    assert len(stops) < 30, stops


# -- the index ---------------------------------------------------------------------------------------------------------


def png(side):
    """A picture that does not shrink: of noise."""
    out = io.BytesIO()
    noise = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(out, "PNG")
    return out.getvalue()


def test_files_are_dropped_in_and_found(index, ask, room):
    large = png(1000)
    assert len(large) > 2_500_000  # three messages
    files = {"harbour_office.txt": NOTE, "empty.txt": b"", "noise.png": large}
    encoded = {name: b64encode(data).decode() for name, data in files.items()}
    assert index.drop(encoded) == (True, False)
    room.wait(lambda: "indexed 2 items" in index.status(), 60)
    index.idle()
    assert "indexed 2 items (1 image, 1 text): 2 embedded, 0 reused, 1 skipped" in index.status()
    skipped = index.one("tr", "empty.txt").text
    assert len(skipped) > len("dropped/empty.txt") + 10
    assert index.one(".mm-listed th", "noise.png")
    for name, data in files.items():
        assert (room.root / "dropped" / name).read_bytes() == data
    question(ask, "What hangs above the door of the harbour office?")
    ask.click("button[type=submit]")
    assert names(ask)[0] == "harbour_office.txt"
    assert "walrus" in ask.one(".mm-answer").text


def test_files_are_chosen_with_the_systems_dialogue(index, room, tmp_path):
    paths = [tmp_path / "gulls.txt", tmp_path / "terns.txt"]
    for path in paths:
        path.write_text(f"The {path.stem} nest on the north cliff, six hundred pairs of them.")
    index.one("input[type=file]").send_keys("\n".join(map(str, paths)))
    room.wait(lambda: "indexed 2 items (2 text): 2 embedded" in index.status(), 30)
    assert index.one(".mm-listed th", "terns.txt")


def test_an_item_is_removed_by_keyboard_and_the_focus_stays(index, room, value):
    (room.root / "a note.txt").write_text("The lamp burns oil of rape seed.")
    (room.root / "b note.txt").write_text("The fog horn sounds twice a minute.")
    index.tab_to("input[name=sources]")
    for key in "*note.txt":
        room.press(key)
    index.press(Keys.ENTER)
    room.wait(lambda: "indexed 2 items" in index.status(), 30)
    index.tab_to(".mm-listed button")
    for _ in range(20):
        if "Remove b note" in index.focus()[0]:
            break
        index.press(Keys.ARROW_RIGHT)
    index.press(Keys.SPACE)
    index.gone("th", "b note.txt")
    assert "removed b note.txt" in index.status()
    what, visible = index.focus()
    assert what.startswith("BUTTON Remove a note")
    assert visible
    index.press(Keys.ENTER)
    index.gone("th", "a note.txt")
    assert value("[item.name for item in bench.index.items if 'note' in item.name]") == "[]"
    assert (room.root / "a note.txt").exists()


@pytest.fixture
def recordings(room):
    """A folder of sounds that take long: each is transcribed."""
    folder = room.root / "recordings"
    folder.mkdir(exist_ok=True)
    beats = np.abs(np.sin(np.arange(16_000 * 6) / 3000)) * np.random.default_rng(0).normal(0, 8000, 16_000 * 6)
    for n in range(RECORDINGS):
        with wave.open(str(folder / f"{n}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(16_000)
            out.writeframes(np.roll(beats, n * 999).clip(-32767, 32767).astype("<i2").tobytes())
    return folder


def test_a_long_run_is_stopped(index, room, recordings, value):
    before = value("len(bench.index.items)")
    index.one("input[name=sources]").send_keys(Keys.CONTROL, "a")
    index.one("input[name=sources]").send_keys("recordings", Keys.ENTER)
    room.wait(lambda: f" of {RECORDINGS}" in index.status(), 90, "how far it is is not told")
    assert index.all()[0].get_attribute("aria-busy") == "true"
    index.one("button", "Stop").click()
    room.wait(lambda: index.status() == "stopped", 90, "it does not stop")
    index.gone("button", "Stop")
    assert "Stopped." in index.one(".mm-error").text
    stopped = f"bench.index.report.interrupted, {before} <= len(bench.index.items) < {before} + {RECORDINGS}"
    assert value(stopped) == "(True, True)"


# -- sounds ------------------------------------------------------------------------------------------------------------


def plays(room, panel):
    player = panel.one("audio")
    room.wait(lambda: room.js("return args[0].currentTime", player) > 0.2, 15, "the clip does not play")
    room.js("args[0].pause()", player)


def test_an_utterance_is_played_by_mouse(sound, room, value):
    sound.click(".mm-recording span:nth-of-type(4)")
    assert "workshop" in sound.one("li.mm-chosen").text
    plays(room, sound)
    assert value("sound.selected.ordinal") == "3"
    sound.click(".mm-transcript button", "tea and cake")
    plays(room, sound)
    assert value("sound.selected.ordinal") == "4"


def test_the_transcript_by_keyboard(sound, room, value):
    sound.tab_to(".mm-transcript button[tabindex='0']")
    sound.press(Keys.HOME, Keys.ARROW_DOWN, Keys.ENTER)
    plays(room, sound)
    assert value("sound.selected.ordinal") == "1"
    assert sound.all(".mm-transcript button[aria-pressed=true]", "sailors")


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_pictures_by_mouse(images, value):
    assert len(images.all(".mm-tile")) == 8
    images.click("button", "Next")
    assert "page 2 of 3" in images.one(".mm-turn").text
    assert value("images.page") == "1"
    images.one("input[name=filter]").send_keys("lighthouse")
    images.click("button[type=submit]")
    assert images.texts(".mm-tile bdi") == ["lighthouse_at_night.png"]
    images.click(".mm-tile")
    assert "starry sky" in images.one(".mm-large").text
    images.click("button", "More like this")
    assert "like lighthouse_at_night.png" in images.one(".mm-turn span", "like").text
    assert value("images.selected.name, images.like.name") == "('lighthouse_at_night.png', 'lighthouse_at_night.png')"
    images.click("button", "Close")
    images.gone(".mm-large")


def test_pictures_by_keyboard(images, room, value):
    images.tab_to(".mm-tile[tabindex='0']")
    images.press(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ENTER)
    assert "lighthouse_at_night.png" in images.one(".mm-large").text
    images.tab_to("button", "More like this")
    images.press(Keys.ENTER)
    assert value("images.like.name") == "lighthouse_at_night.png"
    images.tab_to("button", "Close")
    images.press(Keys.SPACE)
    images.gone(".mm-large")
    what, visible = images.focus()
    assert visible, what
    images.tab_to("button", "All pictures")
    images.press(Keys.ENTER)
    images.tab_to("button", "Next")
    images.press(Keys.ENTER)
    assert value("images.page, images.like") == "(1, None)"


def test_arrows_move_through_the_grid_as_it_looks(images, room):
    room.size(NARROW, 1000)
    images.tab_to(".mm-tile[tabindex='0']")
    images.press(Keys.HOME)
    box = room.driver.switch_to.active_element.rect
    images.press(Keys.ARROW_DOWN)
    below = room.driver.switch_to.active_element.rect
    room.size(WIDE, 1000)
    assert abs(below["x"] - box["x"]) < 5
    assert below["y"] != box["y"]


# -- scores ------------------------------------------------------------------------------------------------------------


def test_scores_are_sorted_and_filtered_by_mouse(scores, value):
    scores.click("th button", "raw cosine")
    numbers = [float(text) for text in scores.texts("table:not(.mm-heat) td:nth-of-type(4)")]
    assert numbers == sorted(numbers, reverse=True)
    assert scores.one("th[aria-sort]").get_attribute("aria-sort") == "descending"
    scores.click("th button", "raw cosine")
    assert scores.one("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    scores.one("select[name=modality]").send_keys("image")
    scores.idle()
    kinds = set(scores.texts("table:not(.mm-heat) .mm-kind"))
    assert "image" in kinds
    assert kinds <= {"image", "image as text"}  # a captioned one may be found by its words
    scores.one("select[name=modality]").send_keys("all")
    scores.idle()
    scores.click("table:not(.mm-heat) tr[data-mm-act]", "drawing_02.png")
    assert value("scores.selected.item.name, scores.sort") == "('drawing_02.png', 'cosine')"


def test_scores_by_keyboard(scores, value):
    scores.tab_to("th button", "score", most=20)
    scores.press(Keys.ENTER)
    assert value("scores.sort, scores.descending") == "('score', True)"
    scores.tab_to(".mm-heat td button", most=20)
    scores.press(Keys.ARROW_DOWN, Keys.SPACE)
    assert value("scores.selected is not None") == "True"
    assert scores.all("tr.mm-chosen")


# -- looks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_live_panels_have_no_serious_accessibility_finding(room, ask, theme):
    question(ask, "When does the model ship workshop start?")
    ask.click("button[type=submit]")
    ask.click(".mm-item .mm-pick", "1")
    room.theme(theme)
    try:
        room.size(WIDE)
        room.browser.screenshot(f"panels-live-{theme}")
        found = findings(room, source())
    finally:
        room.theme("light")
    assert not found, "\n".join(found)


def test_a_narrow_window_holds_the_panels(room):
    room.size(NARROW)
    room.browser.screenshot("panels-live-narrow")
    assert not overflowing(room, "section.mm-live")


def overflowing(room, selector):
    return room.js(
        "return Array.from(panel.content.node.querySelectorAll(args[0]))"
        ".filter((one) => one.clientWidth && one.scrollWidth > one.clientWidth + 1).map((one) => one.ariaLabel)",
        selector,
    )


# -- without a kernel --------------------------------------------------------------------------------------------------

STATE = """
bench.ask.ask("When does the model ship workshop start?")
bench.selected = bench.answer.hits[0]
images.show_all()
images.selected = images._rag.item("drawing_02.png")
sound.play(3)
scores.sort, scores.descending = "cosine", True
"""


@pytest.fixture(scope="module")
def kept(room):
    """The notebook, saved with the panels in a known state, opened again with no kernel."""
    last = len(CELLS) - 1
    room.js("panel.content.model.cells.get(args[0]).sharedModel.setSource(args[1])", last, STATE)
    room.run(last)
    assert not room.failures()
    assert not room.fetched()
    assert not room.browser.complaints()
    room.save()
    room.shut_down_kernel()
    room.open("panels.ipynb", kernel=False)
    return room


def pictures(room):
    """What is to be seen of each cell's panels: label, text, whether all its pictures are shown."""
    return room.js("""
        await Promise.allSettled(Array.from(panel.content.node.querySelectorAll('.mm-still img'), (i) => i.decode()));
        return Array.from(panel.content.node.querySelectorAll('.mm-still section'))
          .filter((one) => one.clientHeight)
          .map((one) => [one.ariaLabel, one.innerText,
                         Array.from(one.querySelectorAll('img')).every((i) => i.naturalWidth && i.clientHeight)])""")


def test_without_a_kernel_each_panel_shows_its_last_state(kept):
    seen = {}
    for label, text, whole in pictures(kept):
        assert whole, label
        seen.setdefault(label.split(":")[0], []).append(text)
    assert sorted(seen) == ["answer with evidence", "image grid", "index panel", "similarity panel", "waveform panel"]
    assert "thursday at nine" in seen["answer with evidence"][0]
    assert "in the index" in seen["index panel"][0]
    assert "2 others" not in seen["image grid"][0]
    assert "drawing_02.png" in seen["image grid"][0]
    assert all("workshop starts on thursday" in text for text in seen["waveform panel"])
    assert "raw cosine\u00a0▾" in seen["similarity panel"][-1]
    assert not kept.js("return panel.content.node.querySelectorAll('audio[autoplay]').length")
    said = kept.js("return panel.content.node.innerText")
    for trouble in ("Error displaying widget", "Loading widget", "model not found", "Error creating widget"):
        assert trouble not in said
    assert not kept.js("return panel.content.node.querySelectorAll('.mm-still button, .mm-still input').length")


def test_pictures_of_panels_are_small(kept):
    for cell in kept.cells()[2:6]:
        sizes = [len(out["data"]["text/html"]) for out in cell["outputs"] if "text/html" in out.get("data", {})]
        assert len(sizes) == 1
        assert sizes[0] < LARGEST, cell["source"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_of_panels_have_no_serious_accessibility_finding(kept, theme):
    kept.theme(theme)
    try:
        kept.size(WIDE)
        kept.browser.screenshot(f"panels-kept-{theme}")
        found = findings(kept, source())
    finally:
        kept.theme("light")
    assert not found, "\n".join(found)


def test_a_narrow_window_holds_the_pictures_of_panels(kept):
    kept.size(NARROW)
    kept.browser.screenshot("panels-kept-narrow")
    assert not overflowing(kept, ".mm-still section")


def test_the_clip_of_a_picture_plays(kept):
    player = kept.element(".mm-still section[aria-label='waveform panel'] audio")
    kept.js("await args[0].play()", player)
    kept.wait(lambda: kept.js("return args[0].currentTime", player) > 0.2, 10, "the clip does not play")
