"""A real HTTP server on loopback that speaks OpenAI's streaming, one word after the other, as slowly as it is told."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class SlowServer:
    """Writes ``text`` word by word, ``pause`` seconds after each; after ``stall`` words it says no more."""

    def __init__(self) -> None:
        self.text = "A concert harp has forty-seven strings [1] and wings [9]."
        self.pause = 0.0
        self.stall = 1_000
        self.asked: list[dict] = []
        self.left = threading.Event()
        """Set once a client has gone in the middle."""
        self.over = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                owner.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                try:
                    owner.write(self.wfile)
                except OSError:
                    owner.left.set()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def write(self, out) -> None:
        words = self.text.split(" ")
        for n, word in enumerate(words):
            if n == self.stall:
                while not self.over.wait(0.1):
                    out.write(b": still here\n\n")
                    out.flush()
            self._put(out, delta={"content": word + " " * (n < len(words) - 1)})
            self.over.wait(self.pause)
        self._put(out, delta={}, finish_reason="stop")
        out.write(b"data: [DONE]\n\n")

    def _put(self, out, **choice) -> None:
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "slow"}
        chunk["choices"] = [{"index": 0, "finish_reason": None, **choice}]
        out.write(f"data: {json.dumps(chunk)}\n\n".encode())
        out.flush()

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving():
    """A server, closed at the end."""
    server = SlowServer()
    try:
        yield server
    finally:
        server.close()
