"""Keys are found where people keep them, and show themselves nowhere."""

import base64
import copy
import json
import logging
import pickle
import sys
from types import ModuleType

import pytest
from IPython.core.ultratb import FormattedTB

from mmrag_nb.errors import InvalidSetting, UnknownName
from mmrag_nb.generation.keys import NAMES, Secret, find_key, forget_key, keep_key

KEY = "AIza-s3cret/with+signs"
UNFIT = "AIza-s3cret with-a-blank"


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in (name for names in NAMES.values() for name in names):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    yield
    for provider in NAMES:
        forget_key(provider)


@pytest.fixture
def colab(monkeypatch):
    """Colab's kernel, as far as its secrets go: unknown names raise."""
    held: dict[str, str] = {}
    userdata = ModuleType("google.colab.userdata")
    userdata.get = held.__getitem__
    package = ModuleType("google.colab")
    package.userdata = userdata
    monkeypatch.setitem(sys.modules, "google.colab", package)
    monkeypatch.setitem(sys.modules, "google.colab.userdata", userdata)
    return held


def test_a_secret_does_not_show_itself():
    secret = Secret(KEY, "GOOGLE_API_KEY")
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>60}", repr([secret])):
        assert KEY not in shown
        assert "GOOGLE_API_KEY" in shown
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        vars(secret)
    assert secret.reveal() == KEY


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_a_secret_is_not_written_down(way):
    with pytest.raises(TypeError, match=r"never|not JSON serializable") as caught:
        way(Secret(KEY))
    assert KEY not in str(caught.value)


def test_a_secret_in_a_log_is_its_origin(caplog):
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("any").debug("sending %s, %r", Secret(KEY), {"key": Secret(KEY)})
    assert "<key from key=>" in caplog.text
    assert KEY not in caplog.text


def test_a_secret_is_taken_out_of_any_text():
    secret = Secret(KEY)
    text = (
        f"https://x.org/?key=AIza-s3cret%2Fwith%2Bsigns&k=AIza-s3cret/with%2Bsigns&l=AIza-s3cret%2fwith%2bsigns {KEY}"
    )
    assert secret.redact(text) == "https://x.org/?key=[key]&k=[key]&l=[key] [key]"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_in_base_64_is_taken_out(encode):
    secret = Secret("key?>with~signs")
    encoded = encode(b"key?>with~signs").decode()
    assert secret.redact(f"Authorization: Basic {encoded}").startswith("Authorization: Basic [key]")
    assert encoded.rstrip("=") not in secret.redact(encoded)


@pytest.mark.parametrize("value", ["", "  ", "two words", "line\nbreak", "schlüssel", None, b"octets"])
def test_what_cannot_be_a_key_is_refused_without_being_shown(value):
    with pytest.raises(InvalidSetting) as caught:
        Secret(value, "GEMINI_API_KEY")
    assert "GEMINI_API_KEY" in str(caught.value)
    assert not isinstance(value, str) or not value.strip() or value not in str(caught.value)


def from_environment(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", UNFIT)
    find_key("gemini")


def from_colab(monkeypatch):
    userdata = ModuleType("google.colab.userdata")
    userdata.get = {"GOOGLE_API_KEY": UNFIT}.get
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setitem(sys.modules, "google.colab.userdata", userdata)
    find_key("gemini")


def given(_):
    keep_key("openai", typed())


def misdirected(_):
    keep_key("gemnii", typed())


def typed():
    """What a prompt for a password returns."""
    return UNFIT


@pytest.mark.parametrize("mode", ["Plain", "Context", "Verbose", "Minimal"])
@pytest.mark.parametrize("way", [from_environment, from_colab, given, misdirected])
def test_no_traceback_shows_what_was_taken_for_a_key(way, mode, monkeypatch):
    try:
        way(monkeypatch)
    except (InvalidSetting, UnknownName) as error:
        shown = FormattedTB(mode=mode).text(type(error), error, error.__traceback__)
        frames = []
        trace = error.__traceback__
        while trace is not None:
            frames.append(trace.tb_frame)
            trace = trace.tb_next
    assert error_was_told(shown)
    assert "s3cret" not in shown
    ours = [frame for frame in frames if frame.f_globals["__name__"].startswith("mmrag_nb")]
    assert ours
    for frame in ours:  # other tools show all of them
        assert "s3cret" not in repr(dict(frame.f_locals)), frame.f_code.co_name


def error_was_told(shown):
    return "does not hold a key" in shown or "did you mean 'gemini'" in shown


def test_the_environment_comes_first(monkeypatch, colab):
    colab["GOOGLE_API_KEY"] = "from-colab"
    monkeypatch.setenv("GEMINI_API_KEY", f" {KEY}\n")
    assert find_key("gemini").reveal() == KEY
    monkeypatch.setenv("GOOGLE_API_KEY", "other")
    assert find_key("gemini").reveal() == "other"
    monkeypatch.setenv("GOOGLE_API_KEY", "  ")
    assert find_key("gemini").reveal() == KEY


def test_each_provider_has_its_own(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert find_key("openai").reveal() == KEY
    assert find_key("gemini") is None


def test_then_colabs_secrets(colab):
    colab["GEMINI_API_KEY"] = KEY
    found = find_key("gemini")
    assert found.reveal() == KEY
    assert repr(found) == "<key from Colab's secret GEMINI_API_KEY>"


def test_colab_without_a_secret_or_without_leave_means_no_key(colab):
    assert find_key("gemini") is None
    colab["GOOGLE_API_KEY"] = "  "
    assert find_key("gemini") is None


def test_outside_colab_nobody_is_asked(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    assert find_key("gemini") is None


def test_a_key_given_goes_before_all_until_it_is_forgotten(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "from-outside")
    assert keep_key("openai", f"{KEY}\n").reveal() == KEY
    assert find_key("openai").reveal() == KEY
    with pytest.raises(InvalidSetting):
        keep_key("openai", "two words")
    assert find_key("openai").reveal() == KEY, "one that cannot be does not take its place"
    assert forget_key("openai")
    assert find_key("openai").reveal() == "from-outside"
    assert not forget_key("openai")


def test_an_unknown_provider_is_told_with_the_nearest():
    for ask in (lambda: keep_key("opneai", KEY), lambda: forget_key("opneai")):
        with pytest.raises(UnknownName, match="did you mean 'openai'"):
            ask()
