import logging
from collections.abc import Callable, Iterator

import pytest
from gemini_server import GeminiServer
from openai_server import CANARY, MODEL, OpenAIServer

from mmrag_nb.generation.keys import Secret
from mmrag_nb.generation.openai import OpenAIGenerator
from mmrag_nb.generation.prompt import INSTRUCTIONS
from mmrag_nb.types import Evidence, Preview, Prompt

pytest.register_assert_rewrite("facing")  # so that what fails there is told as in a test


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    server = GeminiServer()
    yield server
    server.close()


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    server = OpenAIServer()
    yield server
    server.close()


@pytest.fixture
def no_openai_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment of who runs the tests says about OpenAI is not read."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_openai(openai_server: OpenAIServer) -> Callable[..., OpenAIGenerator]:
    """Make a generator that asks ``openai_server`` with a key, and tries again at once."""

    def make(model: str = MODEL, **options: object) -> OpenAIGenerator:
        settings = {"key": Secret(CANARY), "base_url": openai_server.url, "timeout": 10.0, "delay": 0.01}
        return OpenAIGenerator(model, **{**settings, **options})

    return make


@pytest.fixture
def said_aside(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """All that was logged, at any level, or written to the standard streams."""
    caplog.set_level(logging.DEBUG)
    return lambda: [*(str(record.__dict__) for record in caplog.records), *capfd.readouterr()]


@pytest.fixture
def prompt() -> Prompt:
    """A question with a recording, a picture and a text."""
    clip, picture = Preview("audio/mpeg", b"ID3 the clip"), Preview("image/jpeg", b"\xff\xd8 the picture")
    return Prompt(
        "who is my favorite harpist?",
        INSTRUCTIONS,
        (
            Evidence(1, "talk.mp3, 11.9-16.0 s", "audio", "my favorite harvest is charlotte carlin", (clip,), 4.1),
            Evidence(2, "lorenz.png", "image", "", (picture,), 1.2),
            Evidence(3, "Wiki.txt", "text", "All Quiet on the Western Front is a novel.", (), 0.3),
        ),
    )
