"""A real HTTP server on loopback that speaks OpenAI's streaming, one word after the other, as slowly as it is told."""

import json
import threading
from contextlib import closing

from loopback import Loopback, begin, put


class SlowServer(Loopback):
    """Writes ``text`` word by word, ``pause`` seconds after each; after ``stall`` words it says no more."""

    def __init__(self) -> None:
        self.text = "A concert harp has forty-seven strings [1] and wings [9]."
        self.pause = 0.0
        self.stall = 1_000
        self.asked: list[dict] = []
        self.left = threading.Event()
        """Set once a client has gone in the middle."""
        super().__init__()
        self.url += "/v1"

    def serve(self, handler, raw) -> None:
        self.asked.append(json.loads(raw))
        begin(handler, 200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        try:
            self._write(handler)
        except OSError:
            self.left.set()

    def _write(self, handler) -> None:
        words = self.text.split(" ")
        for n, word in enumerate(words):
            if n == self.stall:
                while not self.over.wait(0.1):
                    put(handler, b": still here\n\n")
            _say(handler, delta={"content": word + " " * (n < len(words) - 1)})
            self.over.wait(self.pause)
        _say(handler, delta={}, finish_reason="stop")
        put(handler, b"data: [DONE]\n\n")
        put(handler, b"")


def _say(handler, **choice) -> None:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "slow"}
    chunk["choices"] = [{"index": 0, "finish_reason": None, **choice}]
    put(handler, f"data: {json.dumps(chunk)}\n\n".encode())


def serving():
    """A server, closed at the end."""
    return closing(SlowServer())


def asking(server: SlowServer, *more: str) -> str:
    """Return a cell whose questions go to ``server``, with ``more`` lines."""
    lines = ["%load_ext mmrag_nb", '%config MMRag.preset = "offline"', '%config MMRag.generator = "openai:slow"']
    return "\n".join([*lines, f'%config MMRag.base_url = "{server.url}"', *more])
