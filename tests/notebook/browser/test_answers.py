"""Answers in JupyterLab that take their time: what is seen while they are written, stopped, and once they are whole."""

import pytest
from axe import findings, source
from lab import NARROW, WIDE
from selenium.webdriver import Keys
from shown import Shown
from slow_server import asking, serving

pytest.importorskip("openai")

TEXT = """\
A concert harp has **forty-seven strings** [1] and seven pedals [1][9]. It flies south in winter [1].

## As code

```python
def strings(kind):
    return 47 if kind == "concert" else 36  # <b>not</b> ![x](http://tracker.invalid/x.png)
```

| Harp | Strings |
|---|--:|
| *concert harp* [1] | 47 |

So it is said in the notes [1]."""
SLOW = 0.12
"""Seconds for each word."""

# Of each frame: how high the cell's output is, whether something is being written, whether the card is there.
WATCH = """
const area = panel.content.widgets[args[0]].node.querySelector('.jp-OutputArea');
window.__mm_frames = [];
const look = () => {
  if (!window.__mm_frames) return;
  window.__mm_frames.push([area.clientHeight, !!area.querySelector('.mm-writing'), !!area.querySelector('.mm-facts'),
    !!area.querySelector('[aria-label^="answer with evidence"]')]);
  requestAnimationFrame(look);
};
look();
"""
FRAMES = "const seen = window.__mm_frames; window.__mm_frames = null; return seen"


@pytest.fixture(scope="module")
def server():
    with serving() as server:
        server.text = TEXT
        yield server


@pytest.fixture(scope="module")
def room(lab, server):
    """A live notebook that asks the slow server."""
    cells = [
        asking(server),
        "from mmrag_nb.assets.demo.media import demo_sources\n%mmrag_index {{demo_sources()}} --out report",
        "%mmrag_ask how many strings has a harp? --out warm",
        "%mmrag_ask how many strings has a harp?",
        "%mmrag_panel ask --out panel\npanel",
        "",
    ]
    lab.open(lab.write("answers.ipynb", cells))
    for n in (0, 1, 2):
        lab.run(n)
    assert not lab.failures()
    lab.size(WIDE, 1000)
    lab.browser.complaints()
    lab.browser.requests()
    return lab


@pytest.fixture
def slowly(server):
    server.pause = SLOW
    yield server
    server.pause, server.stall = 0.0, 1_000


def begin(room, cell):
    """Run a cell without waiting for its end."""
    room.js("panel.content.activeCellIndex = args[0]; app.commands.execute('notebook:run-cell')", cell)


def said(room, selector):
    """What the elements say; those that are drawn anew meanwhile cannot be asked one by one."""
    script = "return Array.from(panel.content.node.querySelectorAll(args[0]), (one) => one.innerText).join(' ')"
    return room.js(script, selector)


def outputs(room, cell):
    return room.cells()[cell]["outputs"]


def test_it_is_written_above_its_evidence_and_gives_way_to_the_card_without_a_flicker(room, slowly):
    begin(room, 3)
    room.wait(lambda: "forty-seven strings" in said(room, ".mm-writing"))
    assert "writing, " in said(room, ".mm-writing")
    assert room.js(
        "const [writing, found] = ['.mm-writing', '.mm-evidence'].map((one) => panel.content.node.querySelector(one));"
        "return writing.getBoundingClientRect().bottom <= found.getBoundingClientRect().top"
    )
    for theme in ("light", "dark"):
        room.theme(theme)
        room.browser.screenshot(f"answers-writing-{theme}")
    room.theme("light")
    room.js(WATCH, 3)
    room.wait(lambda: outputs(room, 3) and outputs(room, 3)[0]["output_type"] == "execute_result", 60)
    frames = room.js(FRAMES)
    first = next(i for i, (_, writing, found, _) in enumerate(frames) if writing and found)
    assert any(card for *_, card in frames)
    assert min(height for height, *_ in frames[first:]) > 300, "the cell is never empty in between"
    (card,) = outputs(room, 3)
    assert "mm-writing" not in "".join(card["data"]["text/html"])


def test_interrupted_by_the_kernel_menu_it_keeps_what_had_come(room, slowly):
    slowly.stall = 9
    begin(room, 3)
    room.wait(lambda: "and seven" in said(room, ".mm-writing"))
    room.command("notebook:interrupt-kernel")
    room.wait(lambda: [one["output_type"] for one in outputs(room, 3)] == ["display_data", "error"], 30)
    card, error = outputs(room, 3)
    assert "interrupted" in "".join(card["data"]["text/plain"])
    assert error["traceback"] == ["KeyboardInterrupt"]
    room.browser.screenshot("answers-interrupted")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_checked_card_has_no_serious_accessibility_finding(room, theme):
    room.run(3)
    room.theme(theme)
    try:
        room.browser.screenshot(f"answers-card-{theme}")
        found = findings(room, source())
    finally:
        room.theme("light")
    assert not found, "\n".join(found)


def test_it_holds_in_a_narrow_window(room):
    room.run(3)
    room.size(NARROW, 1000)
    room.browser.screenshot("answers-narrow")
    try:
        wide = "return [...document.querySelectorAll('section.mmrag')].some((e) => e.scrollWidth > e.clientWidth + 1)"
        assert not room.js(wide)
    finally:
        room.size(WIDE, 1000)


@pytest.fixture
def ask(room):
    room.run(4)
    return Shown(room, 4, "ask panel")


def type_question(panel, text):
    box = panel.one("input[name=question]")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(Keys.DELETE, text, Keys.ENTER)


def test_the_panel_shows_it_growing_and_stops_it(room, ask, slowly):
    slowly.stall = 9
    type_question(ask, "how many strings has a harp?")
    room.wait(lambda: "and seven" in "".join(ask.texts(".mm-writing .mm-answer")))
    assert ask.all(".mm-evidence")
    room.browser.screenshot("answers-panel-writing")
    ask.one("[data-mm-region=writing] button", "Stop").click()
    ask.idle()
    assert "stopped" in ask.one(".mm-trouble").text
    assert "and seven" in ask.one("[data-mm-region=answer] .mm-answer").text
    ask.gone(".mm-writing")
    room.browser.screenshot("answers-panel-stopped")


def test_the_panels_follow_up_knows_what_was_asked(room, ask, server):
    type_question(ask, "how many strings has a harp?")
    ask.idle()
    room.wait(lambda: ask.texts("[data-mm-region=answer] .mm-answer"))
    ask.click(".mm-check", "follow-up")
    server.text = "How many pedals has a concert harp?"
    try:
        type_question(ask, "and pedals?")
        room.wait(lambda: "looked for: How many pedals" in "".join(ask.texts("[data-mm-region=answer] .mm-question")))
    finally:
        server.text = TEXT
    ask.idle()
    room.browser.screenshot("answers-panel-follow-up")


def test_nothing_is_fetched_and_nothing_complains(room):
    assert not room.fetched()
    assert not room.browser.complaints()
