"""Real engines for the stores: Chroma's own server and Milvus Lite's, on loopback; and vectors to give them."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import urllib3

EXTRAS = {"faiss": "faiss", "chroma": "chromadb", "milvus": "pymilvus"}
KINDS = (
    "memory",
    "faiss",
    "faiss:hnsw",
    "chroma",
    "chroma:FOLDER",
    "chroma:SERVER",
    "milvus",
    "milvus:FILE",
    "milvus:SERVER",
)
_WITHIN = 60.0
_CHROMA = "import sys, chromadb_rust_bindings as chroma; chroma.cli(['chroma', 'run', *sys.argv[1:]])"


@dataclass(frozen=True)
class Server:
    url: str
    pid: int


def needs(kind: str) -> None:
    """Skip where the engine is not installed."""
    library = EXTRAS.get(kind.split(":", maxsplit=1)[0])
    if library and find_spec(library) is None:
        pytest.skip(f"the store {kind} needs {library}, which is not installed")


@contextmanager
def engines(home: Path) -> Iterator[Callable[[str], str]]:
    """Tell where each of :data:`KINDS` is, under ``home``; servers are started when first asked for."""
    known = {"chroma:FOLDER": str(home / "collections"), "milvus:FILE": str(home / "lite.db"), "faiss:hnsw": "hnsw"}
    servers = {"chroma:SERVER": chroma_server, "milvus:SERVER": milvus_server}
    with ExitStack() as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMRAG_CACHE", str(home / "cache"))

        def place(kind: str) -> str:
            if kind in servers and kind not in known:
                folder = home / kind.partition(":")[0]
                folder.mkdir()
                known[kind] = running.enter_context(servers[kind](folder)).url
            return known.get(kind, "")

        yield place


@contextmanager
def chroma_server(folder: Path) -> Iterator[Server]:
    """Chroma's server, over ``folder``."""
    port = _free_port()
    arguments = ["-c", _CHROMA, "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with _served(arguments, port, folder) as process:
        url = f"http://127.0.0.1:{port}"
        _wait(lambda: urllib3.request("GET", f"{url}/api/v2/heartbeat", retries=False, timeout=1).status == 200)
        yield Server(url, process.pid)


@contextmanager
def milvus_server(folder: Path) -> Iterator[Server]:
    """Milvus Lite's server, over ``folder``: what stands here for a cluster."""
    port = _free_port()
    arguments = ["-m", "milvus_lite", "server", "--data-dir", str(folder / "data"), "--port", str(port)]
    with _served([*arguments, "--host", "127.0.0.1"], port, folder) as process:
        yield Server(f"http://127.0.0.1:{port}", process.pid)


def unit(rng: np.random.Generator, n: int, d: int = 32) -> np.ndarray:
    rows = rng.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def recall(found: np.ndarray, wanted: np.ndarray) -> float:
    """Share of ``wanted`` (q, k) that was found."""
    return float(np.mean([np.isin(one, other).mean() for one, other in zip(wanted, found, strict=True)]))


@contextmanager
def _served(arguments: list[str], port: int, folder: Path) -> Iterator[subprocess.Popen]:
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *arguments], stdout=log, stderr=log, cwd=folder)
    try:
        _wait(lambda: socket.create_connection(("127.0.0.1", port), 1).close() or process.poll() is None)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait(there) -> None:
    end = time.monotonic() + _WITHIN
    while True:
        try:
            if there():
                return
        except (OSError, urllib3.exceptions.HTTPError):
            pass
        if time.monotonic() > end:
            raise TimeoutError("the server did not start")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
