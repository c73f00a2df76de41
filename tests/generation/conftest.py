from collections.abc import Iterator

import pytest
from gemini_server import GeminiServer

from mmrag_nb.generation.prompt import INSTRUCTIONS
from mmrag_nb.types import Evidence, Preview, Prompt


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    server = GeminiServer()
    yield server
    server.close()


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
