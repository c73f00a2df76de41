"""A key that tells: after every fault it is in no output, traceback, log, warning, history, variable or file."""

import getpass
import json
from base64 import b64encode
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from urllib.parse import quote

import gemini_server as gemini
import openai_server as openai
import pytest
import shells
from canary import KEY, forms, leaks
from providers import FAULTS, VARIABLES, keyed, started
from watching import watching

from mmrag_nb.generation import gemini_rules, keys, metering
from mmrag_nb.generation import openai as openai_generator
from mmrag_nb.notebook import credentials

ASK = "%mmrag_ask who plays the harp?"
TEXTS = ["Turlough plays the harp.", "A harp has forty-seven strings."]
TIMEOUT = 0.3  # seconds, where it is waited for

CASES = [
    pytest.param(name, fault, id=f"{name}: {fault.name}") for name in ("gemini", "openai") for fault in FAULTS[name]
]


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """One shell with an index, for all; the canary in the environment."""
    folder = tmp_path_factory.mktemp("notebook")
    with keyed(KEY) as patch:
        patch.chdir(folder)
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        with shells.started() as shell:
            shell.run_line_magic("colors", "nocolor")  # colours would stand between letters, and take half the time
            for choice in ("abstain = False", "clip = 'none'"):
                shell.run_line_magic("config", f"MMRag.{choice}")
            assert shell.run_cell(f"%mmrag_index {{{{{TEXTS}}}}} --out _").success
            yield shell


@pytest.fixture(scope="module")
def provider():
    """Those started so far, by name."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(started(name)))


@pytest.fixture
def watch(shell, capfd, monkeypatch):
    with watching(shell, capfd.readouterr, monkeypatch) as watch:
        yield watch


@pytest.mark.parametrize(("name", "fault"), CASES)
def test_no_fault_shows_it(watch, provider, name, fault, monkeypatch):
    one = provider(name)
    one.choose(watch.shell, monkeypatch, TIMEOUT if fault.waits else 20.0)
    one.server.play(*fault.script)
    watch.run(ASK)
    assert any(KEY in " ".join(request.headers.values()) for request in one.server.asked), "it was sent"
    assert sum(map(len, dict(watch.all).values())) > 500, "something was seen"
    assert not leaks(watch.all)


HEADERS = {"X-Echo": KEY, "WWW-Authenticate": f'Bearer realm="{KEY}"', "Set-Cookie": f"key={quote(KEY)}"}
ECHOED = {
    "in base 64": b64encode(KEY.encode()).decode(),
    "in base 64, behind a word": b64encode(f"key:{KEY}".encode()).decode(),
    "URL-encoded": f"/v1?key={quote(KEY, safe='')}&x=1",
    "many times": f"{KEY} " * 20,
    "where a message is cut": "x" * 280 + KEY,
    "in HTML": KEY.replace("&", "&amp;"),
    "in JSON": json.dumps(json.dumps({"key": KEY})),
}


def echo(name, how, reply):
    return pytest.param(name, reply, id=f"{name}: {how}")


ECHOES = [
    *(echo("gemini", how, gemini.error(400, text)) for how, text in ECHOED.items()),
    echo("gemini", "in headers", gemini.error(401, headers=HEADERS)),
    echo("gemini", "in a redirection", gemini.Reply(302, "", {"Location": f"http://127.0.0.1:9/?key={quote(KEY)}"})),
    echo("gemini", "as a time to wait", gemini.error(429, headers={"Retry-After": KEY})),
    echo("gemini", "as a finish reason", gemini.Reply(events=(gemini.said("It is "), gemini.ended(KEY)))),
    echo("gemini", "as a reason to block", gemini.Reply(events=({"promptFeedback": {"blockReason": KEY}},))),
    *(echo("openai", how, openai.error(400, text)) for how, text in ECHOED.items()),
    echo("openai", "in headers", openai.error(401, headers=HEADERS)),
    echo("openai", "in a redirection", openai.Reply(307, body="", headers={"Location": f"http://h.example/?{KEY}"})),
    echo("openai", "as a time to wait", openai.error(429, headers={"Retry-After": KEY})),
    echo("openai", "as a code", openai.error(403, "no", code=KEY, param=KEY)),
    echo("openai", "as a finish reason", openai.answer("It is ", reason=KEY)),
    echo("openai", "as a refusal", openai.stream(openai.chunk(refusal=f"No, {KEY}"), openai.chunk(reason="stop"))),
]


@pytest.mark.parametrize(("name", "reply"), ECHOES)
def test_a_server_that_echoes_it_does_not_make_us_show_it(watch, provider, name, reply, monkeypatch):
    provider(name).choose(watch.shell, monkeypatch)
    provider(name).server.play(reply)
    watch.run(ASK)
    assert not leaks(watch.all)


def broken(*_, **__):
    raise RuntimeError("a bug")


BUGS = [
    *(("gemini", gemini_rules, name) for name in ("persist", "describe", "messages", "trouble")),
    *(("openai", openai_generator, name) for name in ("persist", "describe", "messages", "whole")),
    ("gemini", gemini_rules.Gemini, "_error"),
    ("gemini", gemini_rules.Gemini, "_near"),
    ("openai", openai_generator, "explain"),
    ("openai", openai_generator.OpenAIGenerator, "_models"),
    ("openai", metering, "dollars"),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug[0]}: {bug[2]}")
def test_a_bugs_traceback_does_not_show_it(watch, provider, bug, monkeypatch):
    """A mistake of our own, anywhere on the way, is shown with all the frames that lead there."""
    name, where, what = bug
    provider(name).choose(watch.shell, monkeypatch)
    monkeypatch.setattr(where, what, broken)
    fails = what in {"_error", "_near", "explain", "_models"}
    server = {"gemini": gemini, "openai": openai}[name]
    provider(name).server.play(server.error(404, "no such model: {key}") if fails else server.answer())
    ran = watch.run(ASK)
    if what != "_models":  # asked for in a thread, beside what it is needed for
        assert isinstance(ran.error_in_exec, RuntimeError)
        assert any("a bug" in text and "stream(" in text for _, text in watch.all)
    assert not leaks(watch.all)


@pytest.mark.parametrize("name", ["gemini", "openai"])
def test_a_bug_of_the_sdks_does_not_show_it(watch, provider, name, monkeypatch):
    def telling(*_, **options):
        raise RuntimeError(f"a bug with {options}")

    provider(name).choose(watch.shell, monkeypatch)
    monkeypatch.setattr("google.genai.Client" if name == "gemini" else "openai.OpenAI", telling)
    ran = watch.run(ASK)
    assert "a bug with {'" in str(ran.error_in_exec)
    assert not leaks(watch.all)


@pytest.mark.parametrize("name", ["gemini", "openai"])
def test_a_bug_in_judging_what_failed_does_not_show_it(watch, provider, name, monkeypatch):
    """It is in a thread, whose exceptions are printed with all that they came of."""
    provider(name).choose(watch.shell, monkeypatch, TIMEOUT)
    where = "mmrag_nb.generation.gemini.refused" if name == "gemini" else "mmrag_nb.generation.openai.refused"
    monkeypatch.setattr(where, broken)
    server = {"gemini": gemini, "openai": openai}[name]
    provider(name).server.play(server.error(400, "you are {key}"))
    assert not watch.run(ASK).success
    assert not leaks(watch.all)


def test_a_typed_key_is_nowhere_either(watch, provider, monkeypatch):
    for variable in set(VARIABLES.values()):
        monkeypatch.delenv(variable)
    monkeypatch.setattr(keys, "_given", {})
    monkeypatch.setattr(credentials, "can_type", lambda _: True)
    monkeypatch.setattr(getpass, "getpass", lambda _: KEY)
    for name, server, magic in (("gemini", gemini, "%mmrag_key"), ("openai", openai, "%mmrag_key openai")):
        one = provider(name)
        one.choose(watch.shell, monkeypatch)
        assert watch.run(magic).success
        for reply in (server.error(401, "not yours: {key}"), server.error(400, "{key}"), server.answer()):
            one.server.play(reply)
            watch.run(ASK)
            assert any(KEY in " ".join(request.headers.values()) for request in one.server.asked), "it was sent"
    monkeypatch.setattr(getpass, "getpass", lambda _: f"{KEY} {KEY}")
    for cell in ("%mmrag_key", "%mmrag_key openai"):
        assert not watch.run(cell).success
    assert not leaks(watch.all)


def test_what_cannot_be_a_key_is_not_shown(watch, provider, monkeypatch):
    for name, variable in VARIABLES.items():
        monkeypatch.setenv(variable, f"{KEY} {KEY}")
        provider(name).choose(watch.shell, monkeypatch)
        assert not watch.run(ASK).success
    assert not leaks(watch.all)


def test_it_is_in_no_file_no_history_and_no_variable(watch, provider, monkeypatch, tmp_path):
    for name in ("gemini", "openai"):
        provider(name).choose(watch.shell, monkeypatch)
        for fault in FAULTS[name][:3]:
            provider(name).server.play(*fault.script)
            watch.run(ASK)
        provider(name).server.play({"gemini": gemini, "openai": openai}[name].answer())
        watch.run(f"{ASK} --out {name}")
        watch.run(f"{ASK} --chat")
    for cell in (
        "%history -n -o",
        "%mmrag_key?",
        "%mmrag_status",
        "%config MMRag",
        f"%mmrag_save {tmp_path / 'i.mmrag'}",
    ):
        watch.run(cell)
    watch.shell.history_manager.writeout_cache()
    watch.told += [(f"variable {name}", repr(value)) for name, value in watch.shell.user_ns.items()]
    for name in ("gemini", "openai"):
        answer = watch.shell.user_ns[name]
        watch.keep(name, answer)
        watch.told += [("its table", answer.to_pandas().to_csv()), ("what was sent", answer.sent)]
    files = [path for path in (*tmp_path.rglob("*"), *Path().rglob("*")) if path.is_file()]
    assert {"i.mmrag", "history.sqlite"} <= {path.name for path in files}
    watch.told += [(str(path), path.read_bytes()) for path in files]
    assert not leaks(watch.all)


def notebook_cells(servers):
    """Cells that ask the servers, by provider, each with the script that the asked one has to play."""
    yield BEGIN.format(openai=servers["openai"].url, gemini=servers["gemini"].url, texts=TEXTS), None
    for name, server in servers.items():
        yield f"%config MMRag.generator = {name!r}\nrag.settings.generator = {name!r}", None
        for fault in FAULTS[name][2::7]:
            if not fault.waits:
                yield ASK, (server, fault.script)
        for mode in ("Verbose", "Context"):
            yield f"%xmode {mode}", None
            yield "rag.ask('who plays the harp?')", (server, FAULTS[name][2].script)


BEGIN = """\
%load_ext mmrag_nb
%config MMRag.preset = "offline"
%config MMRag.clip = "none"
%config MMRag.abstain = False
%config MMRag.base_url = "{openai}"
from functools import partial
from mmrag_nb import MultimodalRAG
from mmrag_nb.generation import gemini, openai
gemini.generator = partial(gemini.generator, base_url="{gemini}", delay=0.01)
openai.OpenAIGenerator = partial(openai.OpenAIGenerator, delay=0.01)
texts = {texts}
%mmrag_index {{{{texts}}}} --out report
rag = MultimodalRAG(preset="offline", clip="none", abstain=False, base_url="{openai}")
rag.index([{{"text": text}} for text in texts]);"""


def test_it_is_not_in_a_saved_notebook(shell, provider, tmp_path):
    """Run in a real kernel, saved, and made a page."""
    nbformat, nbconvert = pytest.importorskip("nbformat"), pytest.importorskip("nbconvert")
    nbclient = pytest.importorskip("nbclient")
    assert shell, "the key is in the environment"
    cells = list(notebook_cells({name: provider(name).server for name in ("gemini", "openai")}))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell, _ in cells])
    place = {"metadata": {"path": str(tmp_path)}}
    client = nbclient.NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=60, resources=place)
    with client.setup_kernel():
        for n, (_, scripted) in enumerate(cells):
            if scripted is not None:
                server, script = scripted
                server.play(*script)
            client.execute_cell(notebook.cells[n], n)
    nbformat.write(notebook, tmp_path / "saved.ipynb")
    page, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    (tmp_path / "saved.html").write_text(page, encoding="utf-8")
    saved = (tmp_path / "saved.ipynb").read_text(encoding="utf-8")
    assert saved.count("does not accept") > 8
    assert saved.count("forty-seven") > len(cells), "the evidence"
    assert saved.count("GenerationDenied") > 4, "whole tracebacks"
    assert not leaks((str(path), path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())


LEAKS = {
    "print(KEY)": "standard output",
    "KEY": "the result",
    "import logging; logging.getLogger('any').debug(KEY)": "a log",
    "import warnings; warnings.warn(KEY)": "a warning",
    "from IPython.display import display, HTML; display(HTML(f'<b>{KEY}</b>'))": "a display",
    "def ask(key):\n    raise ValueError('no')\nask(KEY[::-1])": "standard output",
    "import base64\ndef ask(key):\n    raise ValueError\nask(base64.b64encode(b'xy' + KEY.encode()))": "a traceback",
    "import urllib.parse; raise ValueError(urllib.parse.quote(KEY))": "an error",
}


@pytest.mark.parametrize("cell", LEAKS)
def test_a_leak_would_be_found(watch, cell):
    watch.shell.user_ns["KEY"] = KEY
    try:
        watch.run(cell)
    finally:
        del watch.shell.user_ns["KEY"]
    found = leaks(watch.all)
    assert any(LEAKS[cell] in leak for leak in found)
    assert {leak.split(" half")[0] for leak in found} == {"the first", "the second"}


def test_each_way_of_writing_it_would_be_found():
    for text, name in forms().items():
        assert name in leaks([("a text", f"x{text}x")])[0]
        assert leaks([("a file", b"\0" + text.encode() + b"\0")])
    assert not leaks([("a text", "AIzaSy and other letters of keys")])
