"""Files of each released format, written by the code of their time, open, are brought up to date, and answer."""

import gzip
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("torch")

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.checksums import RESERVED, is_whole
from mmrag_nb.catalog.database import Database
from mmrag_nb.catalog.schema import VERSION
from mmrag_nb.presets import NONE

FIXTURES = Path(__file__).parent.parent / "fixtures"
EMOJI = demo_folder() / "emoji"
RELEASED = [1, 2]
QUESTIONS = ["how many pedals has a harp?", "an elephant", "a lute", "who is Ottoline?", "the weather", "苹果"]
TABLES = ["items", "chunks", "previews", "vectors", "spaces"]


@pytest.fixture(params=RELEASED)
def old(request, tmp_path):
    path = tmp_path / f"format_{request.param}.mmrag"
    path.write_bytes(gzip.decompress((FIXTURES / f"index_of_format_{request.param}.gz").read_bytes()))
    return path


def answers(rag):
    return {
        question: [(h.item.name, h.chunk.modality, h.chunk.text, round(h.cosine, 5)) for h in rag.search(question, k=3)]
        for question in QUESTIONS
    }


def version(path):
    with closing(Database(path)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def contents(path):
    with closing(Database(path)) as db:
        columns = "id, item, ordinal, modality, text, start, page"
        queries = dict.fromkeys(TABLES, "*") | {
            "chunks": columns,
            "items": "id, hash, uri, modality, metadata, facts",
        }
        return {name: sorted(db.execute(f"SELECT {what} FROM {name}").fetchall()) for name, what in queries.items()}


def damage(path):
    data = path.read_bytes()
    size = int.from_bytes(data[16:18], "big")
    return data[20], [n for n in range(0, len(data), size) if not is_whole(data[n : n + size])]


def test_it_becomes_one_of_now_with_all_that_it_held(old):
    before = contents(old)
    with MultimodalRAG.open(old) as rag:
        assert rag.status().items["text"] >= 2
        assert set(rag._catalog.meta())
        found = answers(rag)
    assert version(old) == VERSION
    assert contents(old) == before
    assert damage(old) == (RESERVED, [])
    with MultimodalRAG.open(old) as rag:
        assert answers(rag) == found


def test_it_answers_as_an_index_of_now_does(old):
    with MultimodalRAG.open(old) as rag:
        found = answers(rag)
        uris = {item.id: item.uri for item in rag.items()}
    with MultimodalRAG(preset="offline", path=old.with_name("new.mmrag"), ocr=NONE) as fresh:
        fresh.index([EMOJI / "drawing_09.png", {"path": EMOJI / "drawing_04.png", "caption": "a lute"}])
        fresh.index([{"text": "A concert harp has forty-seven strings and seven pedals.", "author": "Ottoline"}])
        fresh.index([{"text": "红色的苹果在桌子上"}])
        now = answers(fresh)
        assert {item.id for item in fresh.items()} <= set(uris)
    for question in ("how many pedals has a harp?", "a lute", "苹果"):
        assert found[question][0][1:] == now[question][0][1:]


def test_one_that_may_only_be_read_stays_as_it_is(old, monkeypatch):
    writable = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: writable(place, mode) and (mode != os.W_OK or place != old))
    before = old.read_bytes()
    with MultimodalRAG.open(old) as rag:
        found = answers(rag)
        rag.save(old.with_name("copy.mmrag"))
    assert old.read_bytes() == before
    assert damage(old.with_name("copy.mmrag")) == (RESERVED, [])
    with MultimodalRAG.open(old.with_name("copy.mmrag")) as rag:
        assert answers(rag) == found


def test_one_that_is_killed_while_it_is_brought_up_to_date_is_brought_so_the_next_time(old):
    before = contents(old)
    packed = old.read_bytes()
    script = f"""
from pathlib import Path
import mmrag_nb.catalog.catalog as catalogs
print("now", flush=True)
catalogs.Catalog(Path({str(old)!r}))
"""
    command = [sys.executable, "-c", script]
    for wait in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05):
        for leftover in old.parent.glob(f"{old.name}*"):
            leftover.unlink()
        old.write_bytes(packed)
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        Catalog(old).close()
        assert version(old) == VERSION
        assert contents(old) == before
        assert damage(old) == (RESERVED, [])
