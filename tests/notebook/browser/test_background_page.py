"""A run in the background as JupyterLab shows it: live, finished, and in a notebook that is opened without a kernel."""

import shutil

import pytest
from lab import NARROW, WIDE

GATED = """
%load_ext mmrag_nb
%config MMRag.preset = "offline"
import threading
from mmrag_nb import indexing
batches, whole = threading.Semaphore(1), indexing.Indexing._kept
def gated(self, *works):
    assert batches.acquire(timeout=60)
    return whole(self, *works)
indexing.Indexing._kept = gated
lakes = [f"Lake {n} is {n} metres deep." for n in range(48)]
"""
CELLS = [GATED, "%%mmrag_index --background\n{{lakes}}\n", "for _ in range(9): batches.release()"]
_LIVE = ".mm-live[data-mm-state=live] .mm-job"
_STILL = ".mm-still .mmrag"


def seen(lab, selector):
    """The text of those elements that can be seen."""
    return lab.js(
        "return Array.from(panel.content.node.querySelectorAll(args[0]))"
        ".filter((one) => one.offsetHeight).map((one) => one.innerText)",
        selector,
    )


@pytest.fixture(scope="module")
def begun(lab):
    """A notebook in which a run has come to its second batch."""
    lab.open(lab.write("background.ipynb", CELLS))
    lab.browser.complaints()
    lab.run(0)
    lab.run(1)
    lab.wait(lambda: any("of 48" in told for told in seen(lab, _LIVE)), 30, "no progress")
    return lab


def test_it_is_followed_and_stopped_in_the_cell_that_began_it(begun):
    assert not seen(begun, _STILL)  # the live view stands for it
    for theme in ("light", "dark"):
        begun.theme(theme)
        for width in (WIDE, NARROW):
            begun.size(width)
            begun.browser.screenshot(f"background-running-{theme}-{width}")
    begun.theme("light")
    begun.save()
    shutil.copy(begun.root / "background.ipynb", begun.root / "running.ipynb")
    button = begun.element(f"{_LIVE} button")
    begun.tab_to(button)
    button.click()
    begun.wait(lambda: any("stopping after the batch in hand" in told for told in seen(begun, _LIVE)))
    begun.run(2)
    begun.wait(lambda: any("embedded" in told for told in seen(begun, _STILL)))
    assert not seen(begun, _LIVE)
    for theme in ("light", "dark"):
        begun.theme(theme)
        begun.browser.screenshot(f"background-stopped-{theme}")
    begun.theme("light")
    begun.save()
    assert not begun.browser.complaints()


@pytest.mark.parametrize("saved", ["running", "background"])
def test_saved_and_opened_again_it_tells_what_was_known(begun, saved):
    begun.open(f"{saved}.ipynb", kernel=False)
    begun.wait(lambda: seen(begun, _STILL))
    begun.browser.screenshot(f"background-saved-{saved}")
    (told,) = seen(begun, _STILL)
    assert ("Interrupted." in told) == (saved == "background")
    assert ("of 48" in told) == (saved == "running")
    assert not seen(begun, ".jp-OutputArea-output[data-mime-type*=stderr]")
