"""An index outlives kill -9, disks that are full or fail, and what was left behind by either.

The benches try every call and many moments; here they try a few of each.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from traced import untraceable

from mmrag_nb import MultimodalRAG
from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.entries import Entry
from mmrag_nb.errors import IndexFileError
from mmrag_nb.isolation import calling
from mmrag_nb.types import Chunk, Item

BENCH = Path(__file__).parent / "bench"
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: strace, /proc, limits")


def traceable():
    if reason := untraceable():
        pytest.skip(f"system calls cannot be made to fail here: {reason}")


def finds_nothing_wrong(command, *options):
    done = subprocess.run(
        [sys.executable, str(BENCH / command), *options], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def entry(name, text="an old text"):
    item = Item(f"hash of {name}", name, "text")
    return Entry(item, [Chunk(item.id, 0, "text", text)], [[]], "r")


def names(path):
    catalog = Catalog(path)
    found = [item.name for item in catalog.items()]
    catalog.close()
    return found


@linux
def test_killed_at_a_few_writes_and_moments_it_is_the_old_or_the_new_one():
    traceable()
    told = finds_nothing_wrong("killing.py", "--points", "3", "--only", "save", "--moments", "6")
    assert "save over another index" in told


@linux
def test_on_a_disk_that_is_full_or_fails_the_old_one_stays_readable():
    traceable()
    told = finds_nothing_wrong("full_disk.py", "--points", "4", "--sizes", "2", "--only", "remove")
    assert "make room, or save elsewhere" in told
    assert "read-only" in told


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lesson.mmrag"
    catalog = Catalog(path)
    catalog.add([entry("harp.txt")], {})
    catalog.close()
    return path


@pytest.fixture
def killed(tmp_path):
    """A file whose writer was killed: what it holds lies in the log beside it."""
    path = tmp_path / "killed.mmrag"
    code = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_durability import entry
from mmrag_nb.catalog.catalog import Catalog
catalog = Catalog(Path({str(path)!r}))
catalog.add([entry("harp.txt")], {{}})
os.kill(os.getpid(), {int(signal.SIGTERM)})
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert path.with_name(f"{path.name}-wal").stat().st_size
    return path


def test_one_that_may_only_be_read_is_read_with_its_log(killed, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    before = {path.name: path.read_bytes() for path in killed.parent.iterdir() if not path.name.endswith("-shm")}
    assert names(killed) == ["harp.txt"]
    assert before == {path.name: path.read_bytes() for path in killed.parent.iterdir() if path.name in before}


def test_one_that_may_only_be_read_is_opened_anew_once_another_has_written_it(file, monkeypatch):
    with monkeypatch.context() as only:
        only.setattr(os, "access", lambda *_: False)
        reader = Catalog(file)
        assert reader.chunk_count() == 1
    writer = Catalog(file)
    writer.add([entry(f"{number}.txt", "something else " * 500) for number in range(50)], {})
    with monkeypatch.context() as only:
        only.setattr(os, "access", lambda *_: False)
        assert reader.chunk_count() == 51
        writer.close()
        assert reader.chunk_count() == 51
        assert reader._db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    reader.close()


@linux
def test_where_no_log_can_be_made_it_is_read(file):
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most[1]))
    try:
        catalog = Catalog(file)
        assert [item.name for item in catalog.items()] == ["harp.txt"]
        with pytest.raises(IndexFileError, match=r"lesson\.mmrag may only be read"):
            catalog.add([entry("more.txt")], {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    catalog.close()
    assert names(file) == ["harp.txt"]


@linux
def test_saving_that_fails_leaves_the_index_at_hand_and_nothing_beside_it(file):
    catalog = Catalog()
    catalog.add([entry("lute.txt")], {})
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, most[1]))
    try:
        with pytest.raises(IndexFileError, match=r"lesson\.mmrag cannot be written .*: make room, or save elsewhere"):
            catalog.save(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert [item.name for item in catalog.items()] == ["lute.txt"]
    assert [path.name for path in file.parent.iterdir()] == ["lesson.mmrag"]
    assert names(file) == ["harp.txt"]
    catalog.save(file)
    catalog.close()
    assert names(file) == ["lute.txt"]


def test_copies_that_a_killed_save_has_left_are_cleared_away_by_a_later_one(file):
    abandoned = [file.with_name(".lesson.mmrag.0123abcd"), file.with_name(".lesson.mmrag.0123abcd-journal")]
    kept = [file.with_name(name) for name in (".0123abcd", ".lesson.mmrag.notes", ".other.mmrag.0123abcd")]
    for path in (*abandoned, *kept):
        path.write_text("here")
        os.utime(path, (0, 0))
    at_work = file.with_name(".lesson.mmrag.89abcdef")
    at_work.write_text("another process is writing this")
    os.utime(at_work, (time.time() - 60,) * 2)
    catalog = Catalog()
    catalog.save(file)
    catalog.close()
    assert sorted(path.name for path in file.parent.iterdir()) == sorted(
        [
            file.name,
            at_work.name,
            *(path.name for path in kept),
        ]
    )


@linux
def test_an_interrupted_run_ends_the_process_that_decodes_for_it(tmp_path):
    from pdfs import pdf, text_page

    path = tmp_path / "sheet.pdf"
    path.write_bytes(pdf([text_page([(72, 700, f"Page {n} tells of a harp.")]) for n in range(20)]))

    def interrupt(stage, done, total):
        if stage.startswith("embedding"):
            raise KeyboardInterrupt

    before = children()  # servers that other tests have started
    with MultimodalRAG(preset="offline", ocr="none", speech="none") as rag:
        with pytest.raises(KeyboardInterrupt) as kept:  # with its traceback, as IPython keeps the last one
            rag.index(path, progress=interrupt)
        waiting = {worker._process.pid for worker in calling._idle}
        assert children() - before <= waiting, kept
        assert rag.index(path).embedded == 1


def children():
    found = set()
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = place.read_text()
        except OSError:
            continue
        if int(told.rpartition(")")[2].split()[1]) == os.getpid():
            found.add(int(place.parent.name))
    return found
