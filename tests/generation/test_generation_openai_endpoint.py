"""Where a server of Chat Completions is, and which keys go there: none in the clear, none to anybody else."""

import os
import re
import subprocess
import sys

import pytest
from openai_server import CANARY, MODEL, OpenAIServer, Reply

from mmrag_nb.errors import GenerationDenied, GenerationRefused, InvalidSetting, NotInstalled
from mmrag_nb.generation import openai as module
from mmrag_nb.generation.keys import Secret
from mmrag_nb.generation.openai import OpenAIGenerator, available
from mmrag_nb.generation.openai_endpoint import endpoint
from mmrag_nb.types import Generation, Prompt

pytestmark = pytest.mark.usefixtures("no_openai_keys")


@pytest.fixture
def seen() -> Prompt:
    return Prompt("who is my favorite harpist?", "Answer.", ())


def written(generator, prompt) -> Generation:
    return list(generator.stream(prompt))[-1]


def test_the_key_travels_in_a_header_only(make_openai, openai_server, seen):
    written(make_openai(), seen)
    (request,) = openai_server.received
    assert [name.lower() for name, value in request.headers.items() if CANARY in value] == ["authorization"]
    assert CANARY not in request.path + request.raw


def test_a_server_on_this_machine_needs_no_key(make_openai, openai_server, seen):
    written(make_openai(key=None), seen)
    assert openai_server.asked[0].authorization == "Bearer none"


def test_the_key_of_the_environment_is_taken_at_each_question(make_openai, openai_server, seen, monkeypatch):
    made = make_openai(key=None)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    written(made, seen)
    assert openai_server.asked[0].authorization == f"Bearer {CANARY}"


def test_organisation_and_project_go_to_nobody_else(make_openai, openai_server, seen, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    written(make_openai(), seen)
    headers = {name.lower() for name in openai_server.asked[0].headers}
    assert not {"openai-organization", "openai-project"} & headers


def test_without_a_key_openai_is_not_asked(seen):
    with pytest.raises(GenerationDenied, match="no OpenAI key in OPENAI_API_KEY"):
        written(OpenAIGenerator(), seen)


def test_nothing_is_sent_unencrypted_to_a_stranger(seen):
    made = OpenAIGenerator(key=Secret(CANARY), base_url="http://llm.example.com/v1")
    with pytest.raises(GenerationDenied, match="https"):
        written(made, seen)


def test_a_key_is_not_sent_over_the_home_network_in_the_clear():
    assert OpenAIGenerator(key=Secret(CANARY), base_url="http://192.168.1.20:8000/v1")._credential() is None
    assert OpenAIGenerator(key=Secret(CANARY), base_url="https://192.168.1.20:8000/v1")._credential() is not None


def test_a_redirect_is_not_followed(make_openai, openai_server, seen):
    other = OpenAIServer()
    openai_server.script = [Reply(307, body="", headers={"Location": f"{other.url}/chat/completions"})]
    with pytest.raises(GenerationRefused, match=f"sends on to http://127.0.0.1:{other.port},"):
        written(make_openai(), seen)
    other.close()
    assert not other.received


def test_a_proxy_is_not_asked_about_this_machine(make_openai, openai_server, seen, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert written(make_openai(), seen).text


@pytest.mark.parametrize(
    ("url", "reach", "trusted"),
    [
        ("https://api.openai.com/v1", "public", True),
        ("http://localhost:11434/v1", "loopback", True),
        ("http://127.8.0.1:1/v1", "loopback", True),
        ("http://[::1]:8080/v1", "loopback", True),
        ("http://ollama:11434/v1", "private", False),
        ("http://studio.local/v1", "private", False),
        ("http://10.0.0.7/v1", "private", False),
        ("http://100.64.0.7/v1", "private", False),
        ("http://[fd00::7]/v1", "private", False),
        ("https://box.lan/v1", "private", True),
        ("http://8.8.8.8/v1", "public", False),
        ("http://localhost.example.com/v1", "public", False),
        ("http://127.0.0.1.example.com/v1", "public", False),
    ],
)
def test_where_a_server_is_decides_what_is_sent_there(url, reach, trusted):
    where = endpoint(url)
    assert (where.reach, where.trusted) == (reach, trusted)


@pytest.mark.parametrize("url", ["localhost:11434", "ftp://a/v1", "http://", "http://[::1", "http://a:x/v1"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InvalidSetting, match="base_url"):
        OpenAIGenerator(base_url=url)


@pytest.mark.parametrize(
    "url", [f"https://u:{CANARY}@a.example/v1", f"https://a.example/v1?key={CANARY}", f"x://{CANARY}@a"]
)
def test_an_address_with_a_secret_in_it_is_refused_and_not_repeated(url):
    with pytest.raises(InvalidSetting) as caught:
        OpenAIGenerator(base_url=url)
    assert "canary" not in str(caught.value)


def test_an_address_without_a_path_gets_the_usual_one(openai_server, seen):
    written(OpenAIGenerator("m", base_url=openai_server.url.removesuffix("/v1")), seen)
    assert openai_server.asked[0].path == "/v1/chat/completions"


def test_the_environment_names_the_server_where_the_settings_do_not(openai_server, seen, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    made = OpenAIGenerator("m")
    assert written(made, seen).text
    assert made.description == f"m at 127.0.0.1:{openai_server.port} (openai)"


def test_it_says_what_it_is_and_who_bills(make_openai):
    here, there = make_openai("llava"), OpenAIGenerator()
    assert there.description == f"{MODEL} (openai)"
    assert there.api == "https://api.openai.com/v1"
    assert here.api == ""
    assert (there.side, here.side) == (2048, 1024)
    assert there.instant is False


def test_what_is_missing_is_told(monkeypatch):
    assert available() == "no OpenAI key in OPENAI_API_KEY"
    assert available("http://localhost:11434/v1") == ""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    assert available() == ""
    assert "no address" in available("localhost")
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    assert available() == "openai is not installed"
    with pytest.raises(NotInstalled, match=re.escape("mmrag-nb[openai]")):
        OpenAIGenerator()


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"attempts": 0}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidSetting):
        OpenAIGenerator(**wrong)


def test_debug_logs_of_the_sdk_hold_no_key(openai_server):
    program = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from mmrag_nb.generation.openai import OpenAIGenerator
from mmrag_nb.types import Prompt
print(list(OpenAIGenerator("m", base_url=sys.argv[1]).stream(Prompt("who?", "Answer.", ())))[-1].text)
"""
    environment = {**os.environ, "OPENAI_LOG": "debug", "OPENAI_API_KEY": CANARY}
    done = subprocess.run(
        [sys.executable, "-c", program, openai_server.url], env=environment, capture_output=True, text=True, check=True
    )
    assert "Turlough" in done.stdout
    assert "DEBUG" in done.stderr
    assert "canary" not in done.stdout + done.stderr
