"""A model hub on loopback, to download tiny checkpoints from."""

from __future__ import annotations

import hashlib
import json
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class LoopbackHub(ThreadingHTTPServer):
    """Speaks as much of the hub's protocol as its client needs to find and download a model."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders: dict[tuple[str, str], Path] = {}
        """By (model, revision); ``main`` or ``refs/pr/1``."""
        self.pull_requests: dict[str, list[dict[str, object]]] = {}
        self.gated: set[str] = set()
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def commit(self, model: str, revision: str) -> str:
        return hashlib.sha1(f"{model}@{revision}".encode()).hexdigest()

    def find(self, model: str, revision: str) -> tuple[str, Path] | None:
        for (name, known), folder in self.folders.items():
            if name == model and revision in {known, self.commit(name, known)}:
                return self.commit(name, known), folder
        return None


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackHub

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._api("/".join(parts[2:4]), parts[4] if len(parts) > 4 else "", "/".join(parts[5:]) or "main")
        else:
            self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    def _api(self, model: str, what: str, revision: str) -> None:
        found = self.server.find(model, revision)
        if what == "discussions":
            requests = self.server.pull_requests.get(model, [])
            self._answer({"discussions": requests, "count": len(requests), "start": 0})
        elif found is None:
            self._answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        elif what == "tree":
            files = sorted(found[1].iterdir())
            self._answer([{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": _hash(f)} for f in files])
        else:
            files = [{"rfilename": file.name} for file in sorted(found[1].iterdir())]
            self._answer({"_id": "1", "id": model, "modelId": model, "sha": found[0], "siblings": files})

    def _file(self, model: str, revision: str, name: str) -> None:
        found = self.server.find(model, revision)
        if model in self.server.gated:
            self._answer({"error": "gated"}, 403, {"X-Error-Code": "GatedRepo"})
        elif found is None or not (found[1] / name).is_file():
            self._answer({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        else:
            file = found[1] / name
            self._send(file.read_bytes(), 200, {"X-Repo-Commit": found[0], "ETag": f'"{_hash(file)}"'})

    def _answer(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(content).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def _send(self, body: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _hash(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@pytest.fixture
def loopback_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LoopbackHub]:
    """Let the hub's client talk to a server of ours and keep its downloads in a folder of this test."""
    import huggingface_hub
    from huggingface_hub import constants

    hub = LoopbackHub()
    threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setattr(huggingface_hub, "HfApi", partial(huggingface_hub.HfApi, endpoint=hub.url))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield hub
    hub.shutdown()
    hub.server_close()
