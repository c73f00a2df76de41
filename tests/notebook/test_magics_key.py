"""``%mmrag_key``: typed where someone can type, kept in memory, and nowhere to be found afterwards."""

import getpass

import pytest
from cells import outputs
from shells import fails
from slow_server import serving

from mmrag_nb.errors import InvalidSetting
from mmrag_nb.generation import keys
from mmrag_nb.generation.keys import NAMES, find_key
from mmrag_nb.notebook import credentials

CANARY = "AIzaSyCanaryCanary0123456789canary"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in (*NAMES["gemini"], *NAMES["openai"], "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(keys, "_given", {})


@pytest.fixture
def typed(monkeypatch):
    """Someone who types the canary; what they were asked."""
    asked = []

    def answer(prompt):
        asked.append(prompt)
        return CANARY

    monkeypatch.setattr(getpass, "getpass", answer)
    monkeypatch.setattr(credentials, "can_type", lambda shell: True)
    return asked


def test_a_key_is_typed_and_kept_in_memory_alone(shell, capsys, typed):
    result = shell.run_cell("%mmrag_key gemini", store_history=True).result
    assert find_key("gemini").reveal() == CANARY
    assert "not shown" in typed[0]
    assert repr(result) == "gemini key: kept in memory until the kernel ends"
    shell.run_cell("%history -n", store_history=True)
    printed = "".join(capsys.readouterr())
    assert "gemini key: kept" in printed
    assert CANARY not in printed + repr(shell.user_ns) + result._repr_html_()


def test_without_a_name_it_is_the_chosen_generators(shell, typed):
    assert shell.run_cell("%mmrag_key").result.provider == "gemini"
    shell.run_cell('%config MMRag.generator = "openai:some-model"')
    assert shell.run_cell("%mmrag_key --out state").result is None
    assert shell.user_ns["state"].provider == "openai"
    assert CANARY not in repr(shell.user_ns["state"].to_pandas())


def test_it_can_be_forgotten(shell, typed, monkeypatch):
    shell.run_cell("%mmrag_key openai")
    assert shell.run_cell("%mmrag_key openai --forget").result.where == "forgotten"
    assert find_key("openai") is None
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    told = shell.run_cell("%mmrag_key openai --forget").result.where
    assert told == "none had been typed; there is one in OPENAI_API_KEY still"
    assert len(typed) == 1


@pytest.mark.parametrize(
    "line",
    [CANARY, f"gemini {CANARY}", f"--key={CANARY}", f"gemini --out {CANARY}", f"--out=sk-{CANARY}", "0123456789abc"],
)
def test_a_key_on_the_line_is_refused_and_not_repeated(shell, capsys, typed, line):
    told = fails(shell, capsys, f"%mmrag_key {line}")
    assert "take it for public now" in told
    assert "revoke it" in told
    assert CANARY not in told
    assert not typed
    assert find_key("gemini") is None


def test_a_misspelt_provider_is_told(shell, capsys, typed):
    assert "did you mean 'gemini'" in fails(shell, capsys, "%mmrag_key gemni")


def test_what_cannot_be_a_key_is_refused(shell, capsys, typed, monkeypatch):
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "two words")
    told = fails(shell, capsys, "%mmrag_key gemini")
    assert "does not hold a key" in told
    assert "two words" not in told
    with pytest.raises(InvalidSetting):
        credentials.read_key("gemini", shell)


def test_where_nobody_can_type_one_line_says_what_to_do(shell, capsys):
    assert "set GOOGLE_API_KEY in the environment" in fails(shell, capsys, "%mmrag_key gemini")


# -- asked for on the way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("generator", "base_url", "wanted"),
    [
        ("", "", ""),
        ("extractive", "", ""),
        ("gemini", "", "gemini"),
        ("gemini:gemini-flash-latest", "", "gemini"),
        ("openai:a-model", "", "openai"),
        ("openai:a-model", "http://localhost:11434/v1", ""),
        ("openai:a-model", "http://192.168.0.7:8000/v1", ""),
        ("openai:a-model", "https://api.example.org/v1", "openai"),
    ],
)
def test_a_key_is_missed_only_where_one_is_needed(generator, base_url, wanted, monkeypatch):
    from mmrag_nb.settings import Settings

    settings = Settings(preset="colab", generator=generator, base_url=base_url)
    assert credentials.missing(settings) == wanted
    if wanted:
        monkeypatch.setenv(NAMES[wanted][0], CANARY)
        assert credentials.missing(settings) == ""


def test_asking_a_generator_that_was_chosen_by_name_asks_for_its_key_once(shell, capsys, typed):
    shell.run_cell('%mmrag_index {{"A harp has 47 strings."}}')
    with serving() as server:
        shell.run_cell("%config MMRag.generator = 'openai:slow'")
        shell.run_cell(f"%config MMRag.base_url = '{server.url}'")
        assert shell.run_cell("%mmrag_ask how many strings has a harp?").success
        assert not typed, "a server of one's own wants none"
    shell.run_cell("%config MMRag.generator = 'gemini:none'")
    shell.run_cell("%config MMRag.timeout = 0.1")
    for _ in range(2):
        shell.run_cell("%mmrag_ask how many strings has a harp?")
    assert len(typed) == 1
    assert CANARY not in "".join(capsys.readouterr())


def test_where_nobody_can_type_the_generator_tells_that_it_has_no_key(shell, capsys):
    shell.run_cell('%mmrag_index {{"A harp has 47 strings."}}')
    shell.run_cell("%config MMRag.generator = 'gemini'")
    capsys.readouterr()
    assert not shell.run_cell("%mmrag_ask how many strings has a harp?").success
    printed = "".join(capsys.readouterr())
    assert "GOOGLE_API_KEY" in printed
    assert "47 strings" in printed.replace("«", "").replace("»", ""), "the evidence"


def test_in_a_kernel_it_is_typed_as_a_password(tmp_path):
    pytest.importorskip("ipykernel")
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(cwd=str(tmp_path))
    try:
        outputs(client, "%load_ext mmrag_nb")
        asked = client.execute("%mmrag_key gemini", allow_stdin=True)
        request = client.get_stdin_msg(timeout=30)["content"]
        assert request["password"]
        client.input(CANARY)
        while client.get_shell_msg(timeout=30)["parent_header"]["msg_id"] != asked:  # answers to greetings come first
            pass
        cell, _ = outputs(client, "from mmrag_nb.generation.keys import find_key; find_key('gemini')")
        assert cell[0]["data"]["text/plain"] == "<key from the key given>"
        found, _ = outputs(client, "%history -o\nIn, Out, dict(globals()).keys()")
        assert CANARY not in str(found)
        client.execute("%mmrag_key gemini", allow_stdin=False)
        told = ""
        while "nobody can type" not in told:
            told = str(client.get_iopub_msg(timeout=30)["content"])
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
