"""Prices come from genai-prices' list, which is looked at only where something is billed, and never fetched."""

import json
import subprocess
import sys

import pytest

from mmrag_nb.generation.prices import dollars

GEMINI = "https://generativelanguage.googleapis.com"
OPENAI = "https://api.openai.com/v1"
MILLION = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}


@pytest.fixture
def listed():
    pytest.importorskip("genai_prices")


def test_what_nobody_bills_costs_nothing():
    assert dollars("", "any", MILLION, {}) == 0


def test_a_price_that_was_set_goes_before_the_list():
    assert dollars(OPENAI, "gpt-4o", MILLION, {"input": 3.0, "output": 4.5}) == 7.5
    assert dollars("https://example.org/v1", "own", {"input_tokens": 10}, {"input": 3.0, "output": 4.5}) == 3e-5


@pytest.mark.usefixtures("listed")
def test_the_list_has_what_the_providers_ask():
    assert dollars(GEMINI, "gemini-2.5-flash", MILLION, {}) == pytest.approx(0.3 + 2.5)
    assert dollars(OPENAI, "gpt-4o", MILLION, {}) == pytest.approx(2.5 + 10)
    assert dollars(OPENAI, "gpt-4o-2024-08-06", MILLION, {}) == pytest.approx(2.5 + 10), "a dated name"


@pytest.mark.usefixtures("listed")
def test_sound_has_a_price_of_its_own():
    heard = {**MILLION, "input_audio_tokens": 400_000}
    assert dollars(GEMINI, "gemini-2.5-flash", heard, {}) == pytest.approx(0.6 * 0.3 + 0.4 * 1.0 + 2.5)
    too_much = {**MILLION, "input_audio_tokens": 1_400_000}  # as an estimate may err
    assert dollars(GEMINI, "gemini-2.5-flash", too_much, {}) == pytest.approx(1.0 + 2.5)


@pytest.mark.usefixtures("listed")
def test_a_long_prompt_is_dearer_as_a_whole():
    short, long = ({"input_tokens": tokens, "output_tokens": 0} for tokens in (200_000, 400_000))
    assert dollars(GEMINI, "gemini-2.5-pro", short, {}) == pytest.approx(0.2 * 1.25)
    assert dollars(GEMINI, "gemini-2.5-pro", long, {}) == pytest.approx(0.4 * 2.5)


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(
    ("api", "model"),
    [(OPENAI, "no-such-model"), ("https://example.org/v1", "gpt-4o"), ("http://gpu.local:8000/v1", "llava")],
)
def test_what_is_not_in_the_list_is_not_guessed(api, model):
    assert dollars(api, model, MILLION, {}) is None


def test_without_the_list_no_price_is_known(monkeypatch):
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    monkeypatch.setattr("mmrag_nb.generation.prices.find_spec", lambda _: None)
    assert dollars(OPENAI, "gpt-4o", MILLION, {}) is None
    assert dollars("", "extractive", MILLION, {}) == 0


@pytest.mark.usefixtures("listed")
def test_the_list_is_read_late_and_nothing_is_fetched():
    code = """
import json, sys
touched = []
def watch(event, _):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")):
        touched.append(event)
sys.addaudithook(watch)
from mmrag_nb.generation.metering import Metered
from mmrag_nb.generation.prices import dollars
usage = {"input_tokens": 1000, "output_tokens": 10}
dollars("", "extractive", usage, {}), dollars("https://api.openai.com/v1", "any", usage, {"input": 1, "output": 2})
early = "genai_prices" in sys.modules
known = dollars("https://api.openai.com/v1", "gpt-4o", usage, {})
import threading
print(json.dumps([early, known is not None, touched, [one.name for one in threading.enumerate()]]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, True, [], ["MainThread"]]
