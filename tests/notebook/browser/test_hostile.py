"""Text that means harm is shown as text: nothing runs, nothing is fetched or read, and the layout holds."""

from pathlib import Path

import pytest
from exhibits import EXHIBITS
from hostile import CANARY, CANARY_CONTENT, HOSTILE
from lab import NARROW, WIDE

FOLDERS = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
FOUND = 40
"""Letters and digits by which a text is found again: of longer ones, as many from its begin."""

LOOK = """
const shown = Array.from(panel.content.node.querySelectorAll('.jp-CodeCell .jp-OutputArea')).slice(1);
const name = (e) => e.tagName.toLowerCase() + '.' + (e.getAttribute('class') || '').split(' ').join('.');
const strangers = 'script, iframe, object, embed, meta, base, link, frame, form[action], [formaction]';
const addresses = ['src', 'href', 'srcset', 'action', 'data', 'poster', 'xlink:href'];
const embedded = /^(data:(image|audio)[/](?!svg)|blob:|#)/;
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
    """A live notebook that shows what ``make`` makes of each string, a cell each."""
    (lab.root / CANARY).write_text(CANARY_CONTENT, encoding="utf-8")
    lab.open(lab.write("hostile.ipynb", ["", *(f"make(HOSTILE[{n}])" for n in range(len(HOSTILE)))]))
    lab.js(
        "const cell = panel.content.model.cells.get(0); cell.sharedModel.setSource(args[0]);"
        "await app.commands.execute('notebook:run-all-cells')",
        f"import sys; sys.path[:0] = {FOLDERS!r}; from exhibits import *",
    )
    return lab


@pytest.fixture
def shown(stage):
    """Show what an expression makes of the strings; how each looks."""

    def show(make):
        stage.browser.requests()
        stage.browser.complaints()
        stage.driver.execute_script("delete window.__mm_hacked")
        stage.js("panel.content.model.cells.get(0).sharedModel.setSource(args[0])", f"make = {make}")
        stage.size(WIDE, 1000)
        stage.run_all()
        assert not stage.failures()
        stage.wait(lambda: stage.js(ALL_SHOWN), why="something is not shown")
        return stage.js(LOOK)

    return show


@pytest.mark.parametrize("name", EXHIBITS)
def test_hostile_text_is_text(stage, shown, name):
    looks = shown(f"EXHIBITS[{name!r}].make")
    assert hacked(stage) is None
    assert not stage.fetched()
    page = "\n".join(look["text"] for look in looks)
    assert CANARY_CONTENT not in page
    assert "root:" not in page
    for text, look in zip(HOSTILE, looks, strict=True):
        assert not look["foreign"], text[:60]
        assert not look["wide"], text[:60]
        assert characters(look["text"]).count(characters(text)[:FOUND]) >= EXHIBITS[name].least, text[:60]
    stage.browser.screenshot(f"hostile-{name}")
    stage.size(NARROW, 1000)
    wide = [(text[:60], look["wide"]) for text, look in zip(HOSTILE, stage.js(LOOK), strict=True) if look["wide"]]
    assert not wide
    assert not stage.js(SIDEWAYS)
    assert hacked(stage) is None
    stage.save()  # half a surrogate would make a notebook that cannot be written
    assert not stage.browser.complaints()


def test_harm_would_be_noticed(stage, shown):
    """The same looks, at a result that escapes nothing."""
    raw = "<section class=mmrag><img src=x onerror='window.__mm_hacked=1'><img src=http://tracker.invalid/a.png>"
    wide = "<p style='width:4000px'>wide</p></section>"
    looks = shown(f'lambda text: __import__("IPython").display.HTML("""{raw}{wide}""")')
    stage.wait(lambda: hacked(stage) == 1)
    assert all(look["wide"] and len(look["foreign"]) == 3 for look in looks)
    assert any("tracker.invalid" in url for url in stage.fetched())
