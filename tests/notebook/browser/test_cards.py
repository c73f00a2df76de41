"""The quickstart in JupyterLab: run, looked at, played, saved, and read again without a kernel."""

import re

import pytest
from axe import findings, source
from lab import NARROW, WIDE
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

nbformat = pytest.importorskip("nbformat")
nbconvert = pytest.importorskip("nbconvert")

A4 = 794
"""Pixels of a page's width."""


def labels(notebook):
    """What is shown in a notebook's outputs, by label."""
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    pages = "".join(out.data["text/html"] for out in outputs if "text/html" in out.get("data", {}))
    return re.findall(r'<section class="mmrag[^>]* aria-label="([^"]*)"', pages)


def cards(lab):
    return lab.js("return Array.from(document.querySelectorAll('section.mmrag'), (s) => s.ariaLabel)")


def unseen(lab):
    """Pictures that are not there, or have no size."""
    return lab.js(
        "const all = Array.from(document.querySelectorAll('section.mmrag img'));"
        "await Promise.allSettled(all.map((img) => img.decode()));"
        "return [all.length, all.filter((img) => !img.complete || !img.naturalWidth || !img.clientHeight)"
        ".map((img) => img.alt)]"
    )


def too_wide(lab):
    """Our elements that are wider than what holds them, and whether the notebook scrolls sideways."""
    return lab.js("""
        const found = Array.from(document.querySelectorAll('section.mmrag, section.mmrag .mm-item'))
          .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML.slice(0, 120));
        const page = panel.content.node.querySelector('.jp-WindowedPanel-outer');
        return page.scrollWidth > page.clientWidth + 1 ? [...found, 'the notebook'] : found""")


@pytest.fixture
def saved(lab, quickstart):
    """The saved notebook, open, with no kernel."""
    lab.open(quickstart.path, kernel=False)
    lab.size(WIDE)
    return lab


def test_every_cell_runs_from_an_empty_kernel_and_shows_its_card(lab, quickstart):
    notebook = nbformat.read(lab.root / quickstart.path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [out for cell in code for out in cell.outputs]
    assert not [out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"]
    shown = labels(notebook)
    assert shown[0] == "index report"
    kinds = [label.split(":")[0] for label in shown]
    assert kinds.count("answer with evidence") >= 2
    assert len(set(kinds)) >= 7  # report, answer, hits, why, comparison, map, panel ...


def test_the_saved_notebook_shows_every_card_without_a_kernel(saved, quickstart):
    assert not saved.kernels()
    assert cards(saved) == labels(nbformat.read(saved.root / quickstart.path, as_version=4))
    pictures, absent = unseen(saved)
    assert pictures >= 5
    assert not absent
    assert not too_wide(saved)
    saved.browser.screenshot("quickstart-light")


def test_an_untrusted_notebook_shows_every_answer(lab, quickstart):
    """JupyterLab strips styles and drawings from what it does not trust; what was asked and found stays readable."""
    notebook = nbformat.read(lab.root / quickstart.path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("Changed by another hand."))
    nbformat.write(notebook, lab.root / "untrusted.ipynb")
    lab.open("untrusted.ipynb", kernel=False)
    lab.size(WIDE)
    assert not lab.js("return Array.from(panel.content.model.cells).every((c) => c.type != 'code' || c.trusted)")
    assert not lab.js("return document.querySelectorAll('.jp-OutputArea section.mmrag style').length")
    text = lab.js("return panel.content.node.innerText")
    for part in ("when does the model ship workshop start?", "lighthouse_talk.mp3", "drawing_04.png", "raw cosine"):
        assert part in text
    pictures, absent = unseen(lab)
    assert pictures >= 5
    assert not absent
    lab.browser.screenshot("quickstart-untrusted")


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_a_citation_leads_to_its_evidence(saved, way):
    saved.size(WIDE, 500)  # so low that the evidence of a later card is out of sight
    card = saved.driver.find_elements(By.CSS_SELECTOR, "section.mmrag:has(a.mm-cite)")[-1]
    link = card.find_element(By.CSS_SELECTOR, "a.mm-cite")
    target = saved.driver.find_element(By.ID, link.get_attribute("href").split("#")[1])
    saved.js("args[0].scrollIntoView({block: 'end'})", link)
    in_view = """
        const frame = panel.content.node.querySelector('.jp-WindowedPanel-outer').getBoundingClientRect();
        const box = args[0].getBoundingClientRect();
        return box.top >= frame.top - 1 && box.top < frame.bottom - 20"""
    assert not saved.js(in_view, target)
    if way == "mouse":
        link.click()
    else:
        saved.tab_to(link)
        saved.press(Keys.ENTER)
    saved.wait(lambda: saved.js(in_view, target), 5, "the evidence is not in view")


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_the_clip_plays(saved, way):
    player = saved.element("section.mmrag audio")
    if way == "mouse":  # the button is at the left of the player
        at = 20 - player.size["width"] // 2
        ActionChains(saved.driver).move_to_element_with_offset(player, at, 0).click().perform()
    else:
        saved.tab_to(player)
        saved.press(Keys.SPACE)
    saved.wait(lambda: saved.js("return args[0].currentTime", player) > 0.2, 10, "the clip does not play")
    assert saved.js("return args[0].duration", player) > 1
    saved.js("args[0].pause()", player)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_cards_have_no_serious_accessibility_finding(saved, theme):
    saved.theme(theme)
    try:
        saved.size(WIDE)
        saved.browser.screenshot(f"quickstart-{theme}")
        found = findings(saved, source())
    finally:
        saved.theme("light")
    assert not found, "\n".join(found)


def test_the_scan_would_notice(saved):
    saved.js(
        "document.querySelector('section.mmrag').insertAdjacentHTML('beforeend',"
        "'<p style=\"color:#bbb;background:#fff\">pale</p><button></button>')"
    )
    rules = {finding.split()[1] for finding in findings(saved, source())}
    assert rules == {"color-contrast", "button-name"}


def test_a_narrow_window_holds_the_cards(saved):
    saved.size(NARROW)
    saved.browser.screenshot("quickstart-narrow")
    assert not too_wide(saved)


def test_printed_it_is_dark_on_white_and_nothing_is_cut(lab, quickstart, tmp_path):
    """JupyterLab prints what nbconvert makes of the notebook."""
    page, _ = nbconvert.HTMLExporter(theme="dark").from_filename(str(lab.root / quickstart.path))
    path = tmp_path / "quickstart.html"
    path.write_text(page, encoding="utf-8")
    with lab.browser.tab(path.as_uri()) as browser:
        browser.size(A4, 1200)
        browser.emulate("print")
        seen = browser.driver.execute_script(
            "return Array.from(document.querySelectorAll('section.mmrag'), (s) => [getComputedStyle(s).color,"
            "getComputedStyle(s).backgroundColor, s.scrollWidth > s.clientWidth + 1,"
            "Array.from(s.querySelectorAll('audio')).some((a) => a.offsetHeight)])"
        )
        browser.screenshot("quickstart-print")
        pdf = browser.pdf("quickstart")
    count = len(labels(nbformat.read(lab.root / quickstart.path, as_version=4)))
    assert seen == [["rgb(29, 33, 39)", "rgb(255, 255, 255)", False, False]] * count
    assert pdf.read_bytes().startswith(b"%PDF")


def test_nothing_is_fetched_and_nothing_complains(quickstart):
    assert not quickstart.fetched
    assert not quickstart.complaints
