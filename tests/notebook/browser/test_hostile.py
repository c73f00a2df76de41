"""Text that means harm is shown as text: nothing runs, nothing is fetched or read, and the layout holds."""

from pathlib import Path

import pytest
from exhibits import EXHIBITS
from hostile import CANARY, CANARY_CONTENT, HOSTILE
from lab import NARROW, WIDE

FOLDERS = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
AT_ONCE = 10
"""Strings that are on the page together: each card brings its style, which a page with many of them feels."""
FOUND = 16
"""Letters and digits by which a text is found again: of longer ones, as many from its begin."""

LOOK = """
const shown = Array.from(panel.content.node.querySelectorAll('.jp-CodeCell .jp-OutputArea')).slice(1);
const name = (e) => e.tagName.toLowerCase() + '.' + (e.getAttribute('class') || '').split(' ').join('.');
const strangers = 'script, iframe, object, embed, meta, base, link, frame, form[action], [formaction]';
const addresses = ['src', 'href', 'srcset', 'action', 'data', 'poster', 'xlink:href'];
const embedded = /^(data:(image|audio|video)[/](?!svg)|blob:|#)/;
const scrolls = (e) => getComputedStyle(e).overflowX != 'visible';
return shown.map((output) => {
  const roots = Array.from(output.querySelectorAll('.mmrag'))
    .filter((e) => !e.parentElement.closest('.mmrag') && e.clientHeight);
  const wide = new Set(), foreign = new Set();
  for (const root of roots) {
    if (root.scrollWidth > root.clientWidth + 1) wide.add(name(root));
    const frame = root.getBoundingClientRect();
    const visit = (e) => {
      const box = e.getBoundingClientRect();
      if (box.width && (box.right > frame.right + 1 || box.left < frame.left - 1)) wide.add(name(e));
      if (!scrolls(e)) for (const child of e.children) visit(child);
    };
    for (const child of root.children) visit(child);
    for (const e of root.querySelectorAll('*')) {
      if (e.matches(strangers)) foreign.add(name(e));
      for (const {name: key, value} of e.attributes) {
        if (key.startsWith('on')) foreign.add(`${name(e)} ${key}`);
        if (addresses.includes(key) && !embedded.test(value)) foreign.add(`${name(e)} ${key}=${value.slice(0, 60)}`);
      }
    }
  }
  return {roots: roots.length, wide: Array.from(wide), foreign: Array.from(foreign), text: output.innerText};
});
"""
ALL_SHOWN = """
return Array.from(panel.content.node.querySelectorAll('.jp-CodeCell .jp-OutputArea')).slice(1)
  .every((output) => Array.from(output.querySelectorAll('.mmrag')).some((e) => e.clientHeight))
"""
# The page's width alone: JupyterLab answers a resized window the slower, the more it has shown before.
SQUEEZED = "panel.content.node.querySelector('.jp-WindowedPanel-outer').style.maxWidth = args[0]"
SIDEWAYS = """
const page = panel.content.node.querySelector('.jp-WindowedPanel-outer');
return [page.scrollWidth - page.clientWidth, document.documentElement.scrollWidth - innerWidth].some((more) => more > 1)
"""


def characters(text):
    """What of ``text`` has to be readable however it is laid out: its letters and digits."""
    return "".join(c for c in text if c.isalnum())


def hacked(lab):
    return lab.driver.execute_script("return window.__mm_hacked")


@pytest.fixture(scope="module")
def stage(lab):
    """A live notebook that shows what ``make`` makes of some of the strings, a cell each."""
    (lab.root / CANARY).write_text(CANARY_CONTENT, encoding="utf-8")
    lab.open(lab.write("hostile.ipynb", ["", *(f"make(HOSTILE[begin + {n}])" for n in range(AT_ONCE))]))
    set_up(lab, f"import sys; sys.path[:0] = {FOLDERS!r}; from exhibits import *")
    lab.run(0)
    lab.size(WIDE, 1000)
    yield lab
    lab.load()


def set_up(lab, source):
    lab.js("panel.content.model.cells.get(0).sharedModel.setSource(args[0])", source)


def looks(stage, make, begin):
    """How what ``make`` makes of some strings looks in a wide window."""
    set_up(stage, f"make, begin = {make}, {begin}")
    stage.driver.execute_script("delete window.__mm_hacked")
    stage.run_all()
    assert not stage.failures()
    stage.wait(lambda: stage.js(ALL_SHOWN), why="something is not shown")
    return stage.js(LOOK)


@pytest.mark.parametrize("name", EXHIBITS)
def test_hostile_text_is_text(stage, name):
    stage.browser.requests()
    stage.browser.complaints()
    for begin in range(0, len(HOSTILE), AT_ONCE):
        texts = HOSTILE[begin : begin + AT_ONCE]
        for text, look in zip(texts, looks(stage, f"EXHIBITS[{name!r}].make", begin), strict=True):
            assert not look["foreign"], text[:60]
            assert not look["wide"], text[:60]
            assert CANARY_CONTENT not in look["text"], text[:60]
            assert "root:" not in look["text"], text[:60]
            assert characters(look["text"]).count(characters(text)[:FOUND]) >= EXHIBITS[name].least, text[:60]
        stage.browser.screenshot(f"hostile-{name}-{begin}")
        stage.js(SQUEEZED, f"{NARROW}px")
        wide = {text[:60]: look["wide"] for text, look in zip(texts, stage.js(LOOK), strict=True) if look["wide"]}
        assert not wide
        assert not stage.js(SIDEWAYS)
        stage.js(SQUEEZED, "")
        assert hacked(stage) is None
        stage.save()  # half a surrogate would make a notebook that cannot be written
    assert not stage.fetched()
    assert not stage.browser.complaints()


def test_harm_would_be_noticed(stage):
    """The same looks, at a result that escapes nothing."""
    raw = "<section class=mmrag><img src=x onerror='window.__mm_hacked=1'><img src=http://tracker.invalid/a.png>"
    wide = "<p style='width:4000px'>wide</p></section>"
    stage.browser.requests()
    seen = looks(stage, f'lambda text: __import__("IPython").display.HTML("""{raw}{wide}""")', 0)
    stage.wait(lambda: hacked(stage) == 1)
    assert all(look["wide"] and len(look["foreign"]) == 3 for look in seen)
    assert any("tracker.invalid" in url for url in stage.fetched())
