"""Both of Google's SDKs, against a real HTTP server."""

import importlib.util
import logging
import os
import socket
import subprocess
import sys
import time
import traceback
import warnings
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from gemini_server import GeminiServer, Reply, answer, error

from mmrag_nb.errors import GenerationError, GenerationTimeout, InvalidSetting, NotInstalled
from mmrag_nb.generation import gemini
from mmrag_nb.generation.gemini import GeminiGenerator
from mmrag_nb.generation.gemini_legacy import GeminiLegacyGenerator
from mmrag_nb.generation.keys import Secret
from mmrag_nb.protocols import Generator

CANARY = "AIza-canary/7+x%Zq=9"
ENCODED = "AIza-canary%2F7%2Bx%25Zq%3D9"


def installed(kind):
    """Skip where the SDK behind a generator is absent: each is an extra."""
    name = {GeminiGenerator: "google.genai", GeminiLegacyGenerator: "google.generativeai"}[kind]
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"{name} is not installed")
    return kind


@pytest.fixture(params=[GeminiGenerator, GeminiLegacyGenerator], ids=["google-genai", "google-generativeai"])
def kind(request):
    return installed(request.param)


@pytest.fixture
def make(kind, server: GeminiServer):
    def make(**options):
        settings = {"key": Secret(CANARY, "GOOGLE_API_KEY"), "base_url": server.url, "timeout": 20.0, "delay": 0.01}
        return kind("gemini-flash-latest", **{**settings, **options})

    return make


def failure(generator, prompt) -> GenerationError:
    with pytest.raises(GenerationError) as caught:
        generator.generate(prompt)
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_request_holds_question_evidence_picture_and_clip(make, server, prompt):
    made = make()
    assert isinstance(made, Generator)
    generation = made.generate(prompt)
    (request,) = server.asked
    assert request.path.startswith("/v1beta/models/gemini-flash-latest:generateContent")
    assert request.instructions == prompt.instructions
    assert "who is my favorite harpist?" in request.texts[-1]
    for number, evidence in enumerate(prompt.evidence, start=1):
        assert f"Evidence [{number}]" in request.texts[number]
        assert evidence.title in request.texts[number]
        assert evidence.text in request.texts[number]
    assert request.inline == [("audio/mp3", b"ID3 the clip"), ("image/jpeg", b"\xff\xd8 the picture")]
    assert generation.text == "It is Turlough [1]."
    assert generation.model == "gemini-3-flash"  # the server's own word for what the alias stands for
    assert generation.usage == {"input_tokens": 120, "output_tokens": 7}
    assert "[audio/mpeg, 1 kB]" in generation.sent
    assert "harvest" in generation.sent


def test_media_stand_right_after_their_evidence(make, server, prompt):
    make().generate(prompt)
    parts = server.asked[0].body["contents"][0]["parts"]
    order = ["text" if "text" in part else "media" for part in parts]
    assert order == ["text", "text", "media", "text", "media", "text", "text"]


def test_the_key_travels_in_a_header_only(make, server, prompt):
    make().generate(prompt)
    (request,) = server.received
    carriers = [name.lower() for name, value in request.headers.items() if CANARY in value or ENCODED in value]
    assert carriers == ["x-goog-api-key"]
    for elsewhere in (request.path, request.raw):
        assert CANARY not in elsewhere
        assert ENCODED not in elsewhere


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_trouble_is_tried_again(make, server, prompt, status):
    server.script = [error(status), error(status), answer()]
    assert make().generate(prompt).text == "It is Turlough [1]."
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 501])
def test_a_refusal_is_not(make, server, prompt, status):
    server.script = [error(status, "no such thing"), answer()]
    assert str(status) in str(failure(make(), prompt)) or status == 404
    assert len(server.asked) == 1


def test_attempts_end(make, server, prompt):
    server.script = [error(503, "overloaded")]
    told = str(failure(make(attempts=3), prompt))
    assert len(server.asked) == 3
    assert told == "Gemini failed after 3 attempts (503: overloaded): ask again later"


def test_a_reset_connection_is_tried_again(make, server, prompt):
    server.script = [Reply(trouble="reset"), answer()]
    assert make().generate(prompt).text == "It is Turlough [1]."
    assert len(server.asked) == 2


def test_no_server_at_all(make, prompt):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    told = str(failure(make(base_url=address, attempts=2), prompt))
    assert "connection failed" in told
    assert "after 2 attempts" in told


@pytest.mark.parametrize("trouble", ["hang", "drip"])
def test_a_server_that_does_not_come_to_an_end_is_left_at_the_timeout(make, server, prompt, trouble):
    make().generate(prompt)  # the SDK's import is not the server's fault
    server.script = [Reply(trouble=trouble, body={}, headers={"Content-Length": "100000"})]
    begin = time.monotonic()
    caught = failure(make(timeout=1.5), prompt)
    assert 1.3 < time.monotonic() - begin < 4
    assert isinstance(caught, GenerationTimeout)
    assert "1.5 s" in str(caught)
    assert len(server.asked) == 2


def test_the_timeout_holds_for_all_attempts_together(make, server, prompt):
    make().generate(prompt)
    server.script = [error(503), Reply(trouble="hang")]
    begin = time.monotonic()
    assert isinstance(failure(make(timeout=0.8), prompt), GenerationTimeout)
    assert time.monotonic() - begin < 1.6


def test_the_server_is_waited_for_as_it_asks(make, server, prompt):
    server.script = [error(429, headers={"Retry-After": "1"}), answer()]
    make().generate(prompt)
    first, second = server.asked
    assert second.at - first.at > 0.95  # delay=0.01 alone would be back at once


@pytest.mark.parametrize("how", ["seconds", "date", "RetryInfo"])
def test_a_wait_longer_than_the_timeout_is_said_instead(make, server, prompt, how):
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=34.9), usegmt=True)
    headers = {"seconds": {"Retry-After": "34"}, "date": {"Retry-After": date}, "RetryInfo": {}}[how]
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}] if how == "RetryInfo" else []
    server.script = [error(429, "quota exceeded", headers, details), answer()]
    begin = time.monotonic()
    told = str(failure(make(), prompt))
    assert time.monotonic() - begin < 5
    assert "quota is used up" in told
    assert "in 3" in told
    assert len(server.asked) == 1


def test_the_deadline_told_to_the_server_is_one_that_it_takes(make, server, prompt):
    # Gemini answers 400 to deadlines under 10 s; ours is held on this side.
    make(timeout=2).generate(prompt)
    headers = {name.lower(): value for name, value in server.asked[0].headers.items()}
    assert int(headers.get("x-server-timeout", "10")) >= 10


@pytest.mark.parametrize("body", ["<html>busy</html>", '{"candidates": [', "[1, 2]"])
def test_a_reply_that_is_no_json_of_gemini(make, server, prompt, body):
    server.script = [Reply(body=body)]
    assert str(failure(make(), prompt)).startswith("Gemini")
    assert len(server.asked) == 1


def test_an_error_page_that_is_no_json(make, server, prompt):
    server.script = [Reply(502, "<html>\n<h1>Bad gateway</h1>\n</html>")]
    assert "Bad gateway" in str(failure(make(attempts=2), prompt))


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(body={}), "no candidates"),
        (Reply(body={"candidates": []}), "no candidates"),
        (Reply(body={"promptFeedback": {"blockReason": "SAFETY"}}), "blocked the question or its evidence (SAFETY)"),
        (Reply(body={"candidates": [{"finishReason": "SAFETY"}]}), "stopped itself (SAFETY)"),
        (Reply(body={"candidates": [{"finishReason": "RECITATION"}]}), "stopped itself (RECITATION)"),
        (Reply(body={"candidates": [{"finishReason": "MAX_TOKENS"}]}), "limit of output tokens"),
        (answer(""), "the reply is empty"),
    ],
)
def test_a_reply_without_an_answer_says_why(make, server, prompt, reply, told):
    server.script = [reply]
    assert told in str(failure(make(), prompt))
    assert len(server.asked) == 1


def test_an_answer_that_was_cut_off_says_so(make, server, prompt):
    content = {"parts": [{"text": "It is Tur"}]}
    server.script = [Reply(body={"candidates": [{"content": content, "finishReason": "MAX_TOKENS"}]})]
    generation = make().generate(prompt)
    assert generation.text == "It is Tur\n\n(cut off: the model reached its limit of output tokens)"
    assert generation.usage == {}


def test_what_the_model_thinks_is_no_part_of_the_answer(make, server, prompt):
    said = {"parts": [{"text": "Hmm, harvest?", "thought": True}, {"text": "It is "}, {"text": "Turlough [1]."}]}
    counts = {"promptTokenCount": 120, "candidatesTokenCount": 7, "thoughtsTokenCount": 30}
    server.script = [Reply(body={"candidates": [{"content": said}], "usageMetadata": counts})]
    generation = make().generate(prompt)
    assert generation.text.endswith("It is Turlough [1].")
    if type(make()) is GeminiGenerator:  # the older SDK knows neither thoughts nor their count
        assert generation.text == "It is Turlough [1]."
        assert generation.usage == {"input_tokens": 120, "output_tokens": 37}


def test_an_unknown_model_is_answered_with_close_ones(make, server, prompt):
    server.script = [error(404, "models/x is not found")]
    server.models = ["gemini-flash-latest-2", "embedding-001"]
    assert "gemini-flash-latest-2" in str(failure(make(), prompt))
    assert "misspelt or retired" in str(failure(make(), prompt))


def test_a_refused_key_is_named_by_where_it_came_from(make, server, prompt):
    server.script = [error(400, "API key not valid. Please pass a valid API key.")]
    told = str(failure(make(), prompt))
    assert "<key from GOOGLE_API_KEY>" in told
    assert "aistudio.google.com/apikey" in told


@pytest.mark.parametrize(
    "reply",
    [
        error(400, f"API key not valid: {CANARY}"),
        error(403, f"refused https://x.org/?key={ENCODED}"),
        error(404, f"no model for {CANARY}"),
        error(503, CANARY),
        Reply(500, f"<p>{CANARY}</p>"),
        Reply(body=f"not json {CANARY}"),
        Reply(body={"candidates": []}),
        Reply(trouble="reset"),
        Reply(trouble="hang"),
        answer(),
    ],
    ids=lambda reply: f"{reply.status}{reply.trouble}",
)
def test_the_key_is_never_shown(make, server, prompt, reply, request):
    caplog, capfd = request.getfixturevalue("caplog"), request.getfixturevalue("capfd")
    caplog.set_level(logging.DEBUG)
    server.script = [reply]
    generator = make(timeout=0.6 if reply.trouble == "hang" else 20, attempts=2)
    shown = [repr(generator), str(vars(generator))]
    if reply.body and "usageMetadata" in reply.body:
        generation = generator.generate(prompt)
        shown += [repr(generation), generation.sent]
    else:
        caught = failure(generator, prompt)
        assert caught.__cause__ is None
        assert caught.__context__ is None  # an SDK's exception holds its request, headers and all
        shown += [str(caught), repr(caught), "".join(traceback.format_exception(caught))]
    shown += [str(record.__dict__) for record in caplog.records]
    shown += capfd.readouterr()
    for text in shown:
        assert CANARY not in text
        assert ENCODED not in text


def test_without_a_key_nothing_is_sent(make, server, prompt, monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    told = str(failure(make(key=None), prompt))
    assert "GOOGLE_API_KEY" in told
    assert "GEMINI_API_KEY" in told
    assert server.received == []


def test_an_environment_made_for_vertex_sends_the_key_nowhere_else(make, server, prompt, monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "first")
    monkeypatch.setenv("GEMINI_API_KEY", "second")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    make(key=None).generate(prompt)
    (request,) = server.received
    assert request.path.startswith("/v1beta/models/gemini-flash-latest:generateContent")
    assert {name.lower(): value for name, value in request.headers.items()}["x-goog-api-key"] == "first"


def test_the_users_own_configuration_of_the_older_sdk_stays(server, prompt):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import google.generativeai as theirs
        from google.generativeai import client

    theirs.configure(api_key="theirs", transport="rest")
    before = dict(client._client_manager.client_config)
    GeminiLegacyGenerator("gemini-flash-latest", key=Secret(CANARY), base_url=server.url).generate(prompt)
    assert client._client_manager.client_config == before


@pytest.mark.parametrize("module", ["gemini", "gemini_legacy"])
def test_a_fresh_process_is_quick_to_import_and_answers_without_a_warning(server, module):
    code = f"""if True:
        import sys
        import mmrag_nb.generation.gemini, mmrag_nb.generation.gemini_legacy, mmrag_nb.generation.extractive
        heavy = [n for n in ("google.genai", "google.ai.generativelanguage", "sklearn", "httpx") if n in sys.modules]
        assert not heavy, heavy
        from mmrag_nb.generation.{module} import *
        from mmrag_nb.types import Prompt
        kind = {"GeminiGenerator" if module == "gemini" else "GeminiLegacyGenerator"}
        print(kind("gemini-flash-latest", base_url={server.url!r}).generate(Prompt("why?", "", ())).text)
    """
    env = {**os.environ, "GOOGLE_API_KEY": CANARY, "GEMINI_API_KEY": "another", "PYTHONWARNINGS": "default"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60, check=False)
    assert ran.stdout == "It is Turlough [1].\n"
    assert ran.stderr == ""


def test_settings_that_cannot_be(kind):
    with pytest.raises(InvalidSetting, match="timeout"):
        kind("gemini-flash-latest", timeout=0)
    with pytest.raises(InvalidSetting, match="attempts"):
        kind("gemini-flash-latest", attempts=0)


def test_the_factory_takes_the_sdk_that_is_there(monkeypatch):
    assert type(gemini.generator("m")) is GeminiGenerator
    monkeypatch.setattr(GeminiGenerator, "installed", classmethod(lambda cls: False))
    assert type(gemini.generator("m")) is GeminiLegacyGenerator
    with pytest.raises(NotInstalled, match=r"mmrag-nb\[gemini\]"):
        GeminiGenerator("m")
    monkeypatch.setattr(GeminiLegacyGenerator, "installed", classmethod(lambda cls: False))
    with pytest.raises(NotInstalled, match=r"mmrag-nb\[gemini\]"):
        gemini.generator("m")
    assert gemini.available() == "google-genai is not installed"


def test_available_says_what_is_missing(monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    assert gemini.available() == "no Gemini key in GOOGLE_API_KEY or GEMINI_API_KEY"
    monkeypatch.setenv("GEMINI_API_KEY", "two words")
    assert "GEMINI_API_KEY does not hold a key" in gemini.available()
    monkeypatch.setenv("GEMINI_API_KEY", CANARY)
    assert gemini.available() == ""
