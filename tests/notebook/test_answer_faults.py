"""Each injected fault, by ``%mmrag_ask``: the cell says what went wrong, and the evidence stays on screen."""

import shutil
import time
from contextlib import ExitStack
from functools import cache

import pytest
import shells
from bs4 import BeautifulSoup
from IPython.utils.capture import capture_output
from providers import ATTEMPTS, FAULTS, keyed, started

from mmrag_nb.assets.demo.media import demo_folder

ASK = "%mmrag_ask who plays the harp?"
TIMEOUT = 1.5  # seconds, where it is waited for: a slow machine needs the first half second to ask at all
BESIDE = 2.0
"""Seconds that finding, checking and drawing may take beside the generator."""
SHOWN = 5_000
"""Letters of an answer that are looked for on the card: of a very long one it shows the begin."""
TEXTS = {"turlough.txt": "Turlough plays the harp.", "strings.txt": "A harp has forty-seven strings."}
EVIDENCE = [*TEXTS, "drawing_02.png"]
CASES = [
    pytest.param(name, fault, id=f"{name}: {fault.name}")
    for name, faults in FAULTS.items()
    # what differs between Google's SDKs is shown for the generators themselves
    for fault in faults[:: 4 if name == "gemini-legacy" else 1]
]


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """One shell with an index, for all; every provider has a key."""
    folder = tmp_path_factory.mktemp("notebook")
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    shutil.copy(demo_folder() / "emoji" / EVIDENCE[-1], folder)
    with keyed("a-key-of-the-tests") as patch:
        patch.chdir(folder)
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        with shells.started() as shell:
            shell.run_line_magic("config", "MMRag.abstain = False")
            shell.run_line_magic("config", "MMRag.clip = 'none'")
            indexed = "%mmrag_index *.txt --out _\n%mmrag_index *.png caption='a harp, by Turlough' --out _"
            assert shell.run_cell(indexed).success
            yield shell


@pytest.fixture(scope="module")
def provider():
    """Those started so far, by name."""
    with ExitStack() as stack:
        running = cache(lambda name: stack.enter_context(started(name)))
        yield running


def letters(text):
    """What of a text is left however it is laid out."""
    return "".join(c for c in text if c.isalnum())


@pytest.mark.parametrize(("name", "fault"), CASES)
def test_it_ends_as_it_has_to_in_a_cell(shell, provider, name, fault, monkeypatch):
    server = provider(name).server
    provider(name).choose(shell, monkeypatch, TIMEOUT if fault.waits else 20.0)
    server.play(*fault.script)
    begin = time.monotonic()
    with capture_output() as captured:
        ran = shell.run_cell(ASK, store_history=True)
    took = time.monotonic() - begin

    assert ran.success == (fault.error is None)
    assert len(server.asked) == fault.asked(ATTEMPTS)
    least, most = (0.9 * TIMEOUT, TIMEOUT + 1.5) if fault.waits else fault.seconds
    assert least <= took <= most + BESIDE
    if ran.success:
        assert not captured.stderr
        assert ran.result.text == fault.text
        bundle = {"text/plain": repr(ran.result), "text/html": ran.result._repr_html_()}
    else:
        (line,) = [line for line in (captured.stdout + captured.stderr).splitlines() if line.strip()]
        assert line.startswith("UsageError: ")
        assert fault.told in line
        assert type(ran.error_in_exec.__context__) is fault.error
        (shown,) = captured.outputs
        bundle = shown.data
    for kind, card in bundle.items():
        told = BeautifulSoup(card, "html.parser").get_text() if kind == "text/html" else card
        assert not [name for name in EVIDENCE if name not in told]
        assert letters(fault.text)[:SHOWN] in letters(told)
        assert letters(fault.trouble) in letters(told)
        assert letters(fault.told) in letters(told)
