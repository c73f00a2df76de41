"""Where stores are: what is no address is refused, and no secret is repeated."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
from loopback import Loopback, begin

from mmrag_nb.errors import StoreError

if find_spec("chromadb") is None:
    pytest.skip("the store chroma needs chromadb, which is not installed", allow_module_level=True)
from mmrag_nb.stores.chroma import ChromaStore


@pytest.mark.parametrize("address", ["http://me:s3cret@host:8000", "ftp://host", "http://", "http://host:8000/path"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(StoreError, match="chroma:http://host:8000") as caught:
        ChromaStore(address)
    assert "s3cret" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_named():
    with pytest.raises(StoreError, match="/dev/null/here"):
        ChromaStore("/dev/null/here")


class Refusing(Loopback):
    """A server that is there, and says ``status`` to all but the first question."""

    def __init__(self, status):
        super().__init__()
        self.status, self.tokens = status, []

    def serve(self, handler, raw):
        self.tokens.append(handler.headers.get("Authorization"))
        well = handler.path.endswith("heartbeat") and self.status != 404
        reply = json.dumps({"error": "AuthError", "message": "no such token as s3cret here"}).encode()
        begin(handler, 200 if well else self.status, {"Content-Length": len(reply), "Content-Type": "application/json"})
        handler.wfile.write(reply)


def test_a_refused_token_is_sent_and_not_repeated(monkeypatch):
    monkeypatch.setenv("CHROMA_TOKEN", "s3cret")
    server = Refusing(401)
    try:
        with pytest.raises(StoreError) as caught:
            ChromaStore(server.url)
    finally:
        server.close()
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Bearer s3cret" in server.tokens


def test_a_server_that_is_no_chroma_is_named():
    server = Refusing(404)
    try:
        with pytest.raises(StoreError, match="is no Chroma server"):
            ChromaStore(server.url)
    finally:
        server.close()


def test_nothing_is_written_to_the_cell(capfd, tmp_path):
    store = ChromaStore(str(tmp_path / "here"), channel="mmrag_quiet")
    store.fit(np.arange(1, 4), np.eye(3, dtype=np.float32))
    store.search(np.eye(3, dtype=np.float32), 2, np.array([1, 3]))
    store.close()
    assert capfd.readouterr() == ("", "")


def test_other_vectors_under_the_same_name_begin_anew(tmp_path):
    store = ChromaStore(str(tmp_path), channel="mmrag_wider")
    store.fit(np.arange(1, 4), np.eye(3, dtype=np.float32))
    store.fit(np.arange(1, 4), np.eye(5, dtype=np.float32)[:3])
    assert store.search(np.eye(5, dtype=np.float32)[1:2], 1)[0].tolist() == [[2]]
    store.close()
