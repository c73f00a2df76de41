"""What a reader, or a page, puts into the panels with harm in mind: typed, chosen, and as names of dropped files."""

import json
import re
from base64 import b64encode

import pytest
from hostile import CANARY, CANARY_CONTENT, HOSTILE
from lab import NARROW, WIDE
from shown import Shown
from test_panels import overflowing

CELLS = [
    """\
import os
os.chdir("hostile-panels")
from mmrag_nb import MultimodalRAG
from mmrag_nb.notebook.panels.workbench import Workbench
rag = MultimodalRAG(preset="offline", clip="none")
bench = Workbench(rag)
bench""",
    "print(len(bench.ask.history), len(rag.items()))",
]
DROPPED = len(HOSTILE) - 1
"""One name ends in a slash: what is left of it has no extension, and is refused."""
_CONTROLS = re.compile("[\0-\x1f\x7f]")
STRANGERS = (
    "iframe, object, embed, base, link, meta, form[action], [onclick], [onerror], [onload], [ontoggle], svg[onload]"
)
TYPED = """
const section = args[0], box = section.querySelector(args[1]);
for (const text of JSON.parse(args[2])) {
  const told = new Promise((done) => new MutationObserver((_, watch) => {
    if (section.getAttribute('aria-busy') == 'false') { watch.disconnect(); done(); }
  }).observe(section, {attributes: true, attributeFilter: ['aria-busy']}));
  box.value = text;
  box.form.requestSubmit();
  await told;
}
"""


def typed(room, panel, name, texts):
    """Put each text into a field and submit it, one after the other."""
    room.js(TYPED, panel.one(), f"input[name={name}]", json.dumps(list(texts)))
    panel.idle()


@pytest.fixture(scope="module")
def room(lab):
    folder = lab.root / "hostile-panels"
    folder.mkdir()
    (folder / CANARY).write_text(CANARY_CONTENT, encoding="utf-8")
    lab.open(lab.write("panels-hostile.ipynb", CELLS))
    lab.browser.complaints()
    lab.browser.requests()
    lab.driver.execute_script("delete window.__mm_hacked")
    lab.run_all()
    assert not lab.failures()
    lab.size(WIDE, 1000)
    return lab


@pytest.fixture
def index(room):
    return Shown(room, 0, "index panel")


@pytest.fixture
def ask(room):
    return Shown(room, 0, "ask panel")


def unharmed(room):
    """Nothing ran, nothing was fetched, nothing of the disk is shown, nothing is wider than the page."""
    assert room.driver.execute_script("return window.__mm_hacked") is None
    assert not room.fetched()
    page = room.js("return panel.content.node.innerText")
    assert CANARY_CONTENT not in page
    assert "root:" not in page
    assert not room.js(
        "return Array.from(panel.content.node.querySelectorAll('.mmrag'))"
        ".flatMap((one) => Array.from(one.querySelectorAll(args[0]), (e) => e.outerHTML.slice(0, 80)))",
        STRANGERS,
    )
    for width in (NARROW, WIDE):
        room.size(width, 1000)
        assert not overflowing(room, "section.mm-live")


def test_hostile_names_of_dropped_files(index, room):
    # a file with control characters is no text
    said = {f"{text}.txt": f"{n} " + _CONTROLS.sub(" ", text) for n, text in enumerate(HOSTILE)}
    index.drop({name: b64encode(text.encode(errors="replace")).decode() for name, text in said.items()})
    room.wait(lambda: "indexed" in index.status(), 60)
    index.idle()
    assert index.status().startswith(f"indexed {DROPPED} items"), index.texts(".mm-table td")
    kept = list((room.root / "hostile-panels" / "dropped").iterdir())
    assert len(kept) == len(HOSTILE)  # none was written elsewhere
    unharmed(room)
    room.browser.screenshot("hostile-dropped")


def test_hostile_questions(ask, index, room):
    typed(room, ask, "question", HOSTILE)
    unharmed(room)
    room.run(1)
    answers, items = room.cells()[1]["outputs"][0]["text"].split()
    assert int(answers) == len(HOSTILE)
    assert int(items) == DROPPED
    ask.click(".mm-item .mm-pick")
    ask.click(".mm-history button", "passwd")
    unharmed(room)
    room.browser.screenshot("hostile-asked")


def test_hostile_sources_and_filters(index, room):
    """A path that is typed as a source is one that the reader wants read; in a filter it is a word."""
    typed(room, index, "sources", [text for text in HOSTILE if "passwd" not in text and text != CANARY])
    typed(room, index, "filter", HOSTILE)
    unharmed(room)


def test_kept_without_a_kernel_they_are_as_harmless(room):
    room.save()
    assert not room.browser.complaints()
    room.shut_down_kernel()
    room.open("panels-hostile.ipynb", kernel=False)
    assert room.driver.execute_script("return window.__mm_hacked") is None
    assert not room.fetched()
    for width in (WIDE, NARROW):
        room.size(width, 1000)
        assert not overflowing(room, ".mm-still section")
    page = room.js("return panel.content.node.innerText")
    assert CANARY_CONTENT not in page
    assert "root:" not in page
    assert "in the index" in page
    room.browser.screenshot("hostile-panels-kept")
