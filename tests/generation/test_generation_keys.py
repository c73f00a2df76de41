import copy
import pickle
import sys
from types import ModuleType

import pytest

from mmrag_nb.errors import InvalidSetting
from mmrag_nb.generation.keys import Secret, find_key

KEY = "AIza-s3cret/with+signs"


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)


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
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>60}", repr([secret]), f"{secret}"):
        assert KEY not in shown
        assert "GOOGLE_API_KEY" in shown
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == KEY


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_not_written_down(way):
    with pytest.raises(TypeError, match="never"):
        way(Secret(KEY))


def test_a_secret_is_taken_out_of_any_text():
    secret = Secret(KEY)
    text = f"https://x.org/?key=AIza-s3cret%2Fwith%2Bsigns&k=AIza-s3cret/with%2Bsigns {KEY}"
    assert secret.redact(text) == "https://x.org/?key=[key]&k=[key] [key]"


@pytest.mark.parametrize("value", ["", "  ", "two words", "line\nbreak", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_without_being_shown(value):
    with pytest.raises(InvalidSetting) as caught:
        Secret(value, "GEMINI_API_KEY")
    assert "GEMINI_API_KEY" in str(caught.value)
    assert not value.strip() or value not in str(caught.value)


def test_the_environment_comes_first(monkeypatch, colab):
    colab["GOOGLE_API_KEY"] = "from-colab"
    monkeypatch.setenv("GEMINI_API_KEY", f" {KEY}\n")
    assert find_key().reveal() == KEY
    monkeypatch.setenv("GOOGLE_API_KEY", "other")
    assert find_key().reveal() == "other"
    monkeypatch.setenv("GOOGLE_API_KEY", "  ")
    assert find_key().reveal() == KEY


def test_then_colabs_secrets(colab):
    colab["GEMINI_API_KEY"] = KEY
    found = find_key()
    assert found.reveal() == KEY
    assert repr(found) == "<key from Colab's secret GEMINI_API_KEY>"


def test_colab_without_a_secret_or_without_leave_means_no_key(colab):
    assert find_key() is None


def test_outside_colab_nobody_is_asked(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    assert find_key() is None
