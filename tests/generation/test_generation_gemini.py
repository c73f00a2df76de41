"""Both of Google's SDKs, against a real HTTP server; what goes wrong on the way is in ``gemini_faults``."""

import os
import socket
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from gemini_server import GeminiServer, answer, ended, error, said
from loopback import HANG, WAIT, Raw, Reply

from mmrag_nb.errors import (
    GenerationBroken,
    GenerationDenied,
    GenerationError,
    GenerationRefused,
    InvalidSetting,
    NotInstalled,
    UnknownModel,
)
from mmrag_nb.generation import gemini
from mmrag_nb.generation.gemini import GeminiGenerator
from mmrag_nb.generation.gemini_legacy import GeminiLegacyGenerator
from mmrag_nb.generation.keys import Secret
from mmrag_nb.generation.written import written
from mmrag_nb.protocols import Generator
from mmrag_nb.types import Example, Generation, Prompt, Turn

CANARY = "AIza-canary/7+x%Zq=9"
ENCODED = "AIza-canary%2F7%2Bx%25Zq%3D9"


@pytest.fixture(params=[GeminiGenerator, GeminiLegacyGenerator], ids=["google-genai", "google-generativeai"])
def kind(request):
    if not request.param.installed():  # each is an extra
        pytest.skip(f"{request.param.sdk} is not installed")
    return request.param


@pytest.fixture
def make(kind, server: GeminiServer):
    def make(model="gemini-flash-latest", **options):
        settings = {"key": Secret(CANARY, "GOOGLE_API_KEY"), "base_url": server.url, "timeout": 20.0, "delay": 0.01}
        return kind(model, **{**settings, **options})

    return make


def failure(generator, prompt) -> GenerationError:
    with pytest.raises(GenerationError) as caught:
        written(generator, prompt)
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_request_holds_question_evidence_picture_and_clip(make, server, prompt):
    made = make()
    assert isinstance(made, Generator)
    generation = written(made, prompt)
    (request,) = server.asked
    assert request.path.startswith("/v1beta/models/gemini-flash-latest:streamGenerateContent")
    assert request.instructions == prompt.instructions
    assert request.max_tokens == prompt.max_tokens
    assert "who is my favorite harpist?" in request.texts[-1]
    for number, evidence in enumerate(prompt.evidence, start=1):
        assert f"Evidence [{number}]" in request.texts[number]
        assert evidence.title in request.texts[number]
        assert evidence.text in request.texts[number]
    assert request.inline == [("audio/mp3", b"ID3 the clip"), ("image/jpeg", b"\xff\xd8 the picture")]
    assert generation.text == "It is Turlough [1]."
    assert generation.model == "gemini-3-flash"  # the server's own word for what the alias stands for
    assert generation.usage == {"input_tokens": 120, "output_tokens": 7}
    assert generation.trouble == ""
    assert "[audio/mpeg, 1 kB]" in generation.sent
    assert "harvest" in generation.sent


def test_media_stand_right_after_their_evidence(make, server, prompt):
    written(make(), prompt)
    parts = server.asked[0].body["contents"][-1]["parts"]
    order = ["text" if "text" in part else "media" for part in parts]
    assert order == ["text", "text", "media", "text", "media", "text", "text"]


def test_examples_and_history_come_before_as_what_both_sides_said(make, server):
    example = Example("which is red?", ("an apple is red",), "The apple [1].")
    written(make(), Prompt("and who wrote it?", "", (), (), (example,), (Turn("what is Wiki?", "A novel [2]."),), 99))
    (request,) = server.asked
    roles = [role for role, _ in request.contents]
    assert roles[0] == roles[-1] == "user"
    assert [texts for role, texts in request.contents if role == "model"] == [["The apple [1]."]]
    said_before = ["\n".join(texts) for _, texts in request.contents]
    assert "which is red?" in said_before[0]
    assert "an apple is red" in said_before[0]
    assert "what is Wiki?" in "\n".join(said_before[1:])
    assert "and who wrote it?" in request.texts[-1]
    assert request.max_tokens == 99
    assert not any("ystem" in name for name in request.body)


def test_the_text_comes_while_it_is_written(make, server, prompt):
    server.play(Reply(events=(said("It is "), WAIT, said("Turlough "), WAIT, ended(text="[1]."))))
    begin, pieces, at = time.monotonic(), [], []
    for piece in make().stream(prompt):
        pieces.append(piece)
        at.append(time.monotonic() - begin)
    assert pieces[:3] == ["It is ", "Turlough ", "[1]."]
    assert pieces[3].text == "It is Turlough [1]."
    assert len(pieces) == 4
    assert at[1] - at[0] > 0.05
    assert at[2] - at[1] > 0.05


def test_closed_early_it_hangs_up(make, server, prompt):
    server.play(Reply(events=(said("It is "), HANG)))
    with closing(make().stream(prompt)) as pieces:
        assert next(pieces) == "It is "
    (request,) = server.asked
    end = time.monotonic() + 2
    while request.ended is None and time.monotonic() < end:
        time.sleep(0.02)
    assert request.ended is not None


def test_nothing_is_sent_before_the_first_piece_is_asked_for(make, server, prompt):
    make().stream(prompt).close()
    assert server.received == []


def test_the_key_travels_in_a_header_only(make, server, prompt):
    written(make(), prompt)
    (request,) = server.received
    carriers = [name.lower() for name, value in request.headers.items() if CANARY in value or ENCODED in value]
    assert carriers == ["x-goog-api-key"]
    for elsewhere in (request.path, request.raw):
        assert CANARY not in elsewhere
        assert ENCODED not in elsewhere


def test_a_generator_does_not_show_its_key(make):
    assert CANARY not in repr(make()) + str(vars(make()))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_key_follows_no_redirection(make, server, prompt, status):
    elsewhere = GeminiServer()
    server.play(Reply(status, "moved", {"Location": f"{elsewhere.url}/v1beta/models/x:generateContent"}))
    assert type(failure(make(), prompt)) is GenerationRefused
    assert elsewhere.received == []
    elsewhere.close()


def test_no_server_at_all(make, prompt):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    caught = failure(make(base_url=address, attempts=2), prompt)
    assert type(caught) is GenerationBroken
    assert "connection failed" in str(caught)
    assert "after 2 attempts: is the network up?" in str(caught)


def test_no_such_host(make, prompt):
    caught = failure(make(base_url="http://nowhere.invalid", attempts=1), prompt)
    assert type(caught) is GenerationBroken


def test_the_deadline_told_to_the_server_is_one_that_it_takes(make, server, prompt):
    # Gemini answers 400 to deadlines under 10 s; ours is held on this side.
    written(make(timeout=2), prompt)
    headers = {name.lower(): value for name, value in server.asked[0].headers.items()}
    assert int(headers.get("x-server-timeout", "10")) >= 10


def test_what_the_model_thinks_is_no_part_of_the_answer_but_is_counted(make, server, prompt):
    server.play(Reply(events=(said("Hmm, harvest?", thought=True), said("It is "), ended(thoughtsTokenCount=30))))
    pieces = list(make().stream(prompt))
    assert pieces[-1].text.endswith("It is")
    if type(make()) is GeminiGenerator:  # the older SDK knows neither thoughts nor their count
        assert pieces[0] == "It is "
        assert pieces[-1].usage == {"input_tokens": 120, "output_tokens": 37}


def test_the_last_counts_hold(make, server, prompt):
    first = {**said("It "), "usageMetadata": {"promptTokenCount": 120, "candidatesTokenCount": 1}}
    server.play(Reply(events=(first, said("is"), ended(candidatesTokenCount=9), {"candidates": []})))
    assert written(make(), prompt).usage == {"input_tokens": 120, "output_tokens": 9}


def test_without_counts_none_are_told(make, server, prompt):
    server.play(Reply(events=(said("It is", finishReason="STOP"),)))
    generation = written(make(), prompt)
    assert generation.usage == {}
    assert generation.model == "gemini-flash-latest"


@pytest.mark.parametrize("rubbish", [b"{?}", b"]\n", b"<html>"])
def test_rubbish_after_the_end_takes_nothing_away(make, server, prompt, rubbish):
    server.play(Reply(events=(said("It is "), ended(text="Turlough."), Raw(rubbish))))
    generation = written(make(), prompt)
    assert (generation.text, generation.trouble) == ("It is Turlough.", "")


def test_an_unknown_model_is_answered_with_close_ones(make, server, prompt):
    server.play(error(404, "models/x is not found"))
    server.models = ["gemini-flash-latest-2", "embedding-001"]
    caught = failure(make(), prompt)
    assert type(caught) is UnknownModel
    assert "gemini-flash-latest-2" in str(caught)
    assert "misspelt or retired" in str(caught)


def test_without_a_key_nothing_is_sent(make, server, prompt, monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    caught = failure(make(key=None), prompt)
    assert type(caught) is GenerationDenied
    assert "GOOGLE_API_KEY" in str(caught)
    assert "GEMINI_API_KEY" in str(caught)
    assert server.received == []


def test_an_environment_made_for_vertex_sends_the_key_nowhere_else(make, server, prompt, monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "first")
    monkeypatch.setenv("GEMINI_API_KEY", "second")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    written(make(key=None), prompt)
    (request,) = server.received
    assert request.path.startswith("/v1beta/models/gemini-flash-latest:streamGenerateContent")
    assert {name.lower(): value for name, value in request.headers.items()}["x-goog-api-key"] == "first"


def test_the_users_own_configuration_of_the_older_sdk_stays(server, prompt):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("google.generativeai")
        from google.generativeai import client

    theirs.configure(api_key="theirs", transport="rest")
    before = dict(client._client_manager.client_config)
    written(GeminiLegacyGenerator("gemini-flash-latest", key=Secret(CANARY), base_url=server.url), prompt)
    assert client._client_manager.client_config == before


@pytest.mark.parametrize("module", ["gemini", "gemini_legacy"])
def test_a_fresh_process_is_quick_to_import_and_answers_without_a_warning(server, module):
    code = f"""if True:
        import sys
        import mmrag_nb.generation.gemini, mmrag_nb.generation.gemini_legacy, mmrag_nb.generation.extractive
        heavy = ("google.genai", "google.ai.generativelanguage", "sklearn", "httpx", "tenacity", "PIL", "av")
        assert not [n for n in heavy if n in sys.modules], [n for n in heavy if n in sys.modules]
        from mmrag_nb.generation.{module} import *
        from mmrag_nb.types import Prompt
        kind = {"GeminiGenerator" if module == "gemini" else "GeminiLegacyGenerator"}
        *_, last = kind("gemini-flash-latest", base_url={server.url!r}).stream(Prompt("why?", "", ()))
        print(last.text, last.trouble)
    """
    server.play(Reply(events=(said("It is Turlough."), ended("BAD_WEATHER"))))
    env = {**os.environ, "GOOGLE_API_KEY": CANARY, "GEMINI_API_KEY": "another", "PYTHONWARNINGS": "default"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60, check=False)
    assert ran.stdout.startswith("It is Turlough. stopped: "), ran.stderr
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
    assert gemini.available().startswith("google-genai is not installed: pip install")


def test_available_says_what_is_missing(monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    missing, _, remedy = gemini.available().partition(": ")
    assert missing == "no Gemini key in GOOGLE_API_KEY or GEMINI_API_KEY"
    assert "%mmrag_key gemini" in remedy
    monkeypatch.setenv("GEMINI_API_KEY", "two words")
    assert "GEMINI_API_KEY does not hold a key" in gemini.available()
    monkeypatch.setenv("GEMINI_API_KEY", CANARY)
    assert gemini.available() == ""


def test_the_last_piece_is_the_whole(make, prompt):
    *pieces, last = make().stream(prompt)
    assert isinstance(last, Generation)
    assert "".join(pieces) == last.text


def test_many_questions_at_once(make, server, prompt, monkeypatch, caplog):
    monkeypatch.setenv("GOOGLE_API_KEY", "first")
    monkeypatch.setenv("GEMINI_API_KEY", "second")
    server.play(answer())
    made = make()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: written(made, prompt).text, range(16)))
    assert answers == ["It is Turlough [1]."] * 16
    assert len(server.asked) == 16
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
