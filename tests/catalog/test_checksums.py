"""Every page of an index file has SQLite's checksum, and what does not match it is told, never answered from."""

import random
import signal
import subprocess
import sys
from contextlib import closing

import apsw
import numpy as np
import pytest

from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.checksums import RESERVED, checked, checksum, damaged_pages, is_whole
from mmrag_nb.catalog.database import Database
from mmrag_nb.catalog.entries import Entry
from mmrag_nb.errors import IndexFileError
from mmrag_nb.types import Chunk, Item, Preview


def filled(path, items=30):
    catalog = Catalog(path)
    rng = np.random.default_rng(0)
    catalog.register("s", 64, {"model": "m"}, {})
    for n in range(items):
        item = Item(f"{n:064x}", f"folder/{n}.txt", "text", {"n": n})
        vector = rng.standard_normal(64).astype(np.float32)
        chunk = Chunk(item.id, 0, "text", f"passage {n} of harps and strings " * 20)
        previews = {(-1, "thumbnail"): Preview("image/webp", rng.bytes(3000))}
        entry = Entry(item, [chunk], [[("text", item.id)]], "recipe", {}, previews)
        catalog.add([entry], {"s": {item.id: vector / np.linalg.norm(vector)}})
    return catalog


def slow(page):
    """The recurrence as it stands in SQLite's documentation."""
    words = np.frombuffer(page[:-RESERVED], "<u4").tolist()
    a = b = 0
    for first, second in zip(words[::2], words[1::2], strict=True):
        a = (a + first + b) % 2**32
        b = (b + second + a) % 2**32
    return a.to_bytes(4, "little") + b.to_bytes(4, "little")


@pytest.mark.parametrize("size", [512, 4096, 16384, 65536])
def test_the_checksum_is_that_of_sqlites_recurrence(size):
    page = random.Random(size).randbytes(size)
    assert checksum(page) == slow(page)
    assert checksum(b"\xff" * size) == slow(b"\xff" * size)


def test_sqlites_own_extension_agrees(tmp_path):
    extra = pytest.importorskip("apsw.sqlite_extra")
    if not extra.has("cksumvfs"):
        pytest.skip("this build of apsw lacks cksumvfs")
    path = tmp_path / "lesson.mmrag"
    filled(path).close()
    script = f"""
import apsw, apsw.sqlite_extra
from pathlib import Path
apsw.sqlite_extra.load(apsw.Connection(":memory:"), "cksumvfs")
data = Path({str(path)!r}).read_bytes()
pages = [data[start : start + 16384] for start in range(0, len(data), 16384)]
db = apsw.Connection(":memory:")
assert all(db.execute("SELECT verify_checksum(?)", (page,)).fetchone() == (1,) for page in pages)
db = apsw.Connection({str(path)!r}, vfs="cksmvfs")
assert db.execute("PRAGMA checksum_verification").fetchone() == ("1",)
assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
"""
    subprocess.run([sys.executable, "-c", script], check=True)  # it would be the VFS of all that is opened here later


def test_each_flipped_bit_is_noticed():
    page = bytearray(random.Random(1).randbytes(4096))
    page[-RESERVED:] = checksum(bytes(page))
    for place in [*range(0, 4096, 97), 4087, 4088, 4095]:
        for bit in range(8):
            page[place] ^= 1 << bit
            assert not is_whole(bytes(page))
            page[place] ^= 1 << bit
    assert is_whole(bytes(page))


def test_files_have_them_however_they_are_made(tmp_path):
    made, saved, appended = (tmp_path / f"{name}.mmrag" for name in ("made", "saved", "appended"))
    filled(made).close()
    with closing(filled(None)) as catalog:
        catalog.save(saved)
        catalog.remove([catalog.items()[0].id])
    with closing(filled(appended, 2)) as catalog:
        catalog.remove([catalog.items()[0].id])
        catalog.compact()
    for path in (made, saved, appended):
        pages, damaged = damaged_pages(path)
        assert pages == path.stat().st_size // 16384
        assert not damaged


def test_a_damaged_page_is_told_with_its_number_and_the_way_on(tmp_path):
    path = tmp_path / "lesson.mmrag"
    filled(path).close()
    data = bytearray(path.read_bytes())
    for number in range(1, len(data) // 16384 + 1, 3):
        copy = tmp_path / f"{number}.mmrag"
        place = (number - 1) * 16384 + 8000
        copy.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert damaged_pages(copy)[1] == (number,)
        with pytest.raises(IndexFileError, match=rf"damaged \(page {number} does not match.*whole.*verify") as told:
            open_and_read(copy)
        assert "\n" not in str(told.value)


def open_and_read(path):
    with closing(Catalog(path)) as catalog:
        everything(catalog)
        catalog._db.execute("VACUUM")  # the pages of what no question asks


def everything(catalog):
    catalog.matrix("s", "text")
    catalog.bm25(["harps"], 5)
    catalog.records(range(1, 40))
    for item in catalog.items():
        catalog.previews(item.id, 0, ("thumbnail",))
        catalog.find(item.id)
    catalog.places()


def test_flipped_bytes_give_an_error_or_the_same_and_never_anything_else(tmp_path):
    path = tmp_path / "lesson.mmrag"
    filled(path, 12).close()
    data, draw = path.read_bytes(), random.Random(7)
    whole = all_of(path)
    told = 0
    for n in range(150):
        place = draw.randrange(100) if n < 40 else draw.randrange(len(data))
        copy = tmp_path / f"{n}.mmrag"
        copy.write_bytes(data[:place] + bytes([data[place] ^ draw.randrange(1, 256)]) + data[place + 1 :])
        try:
            assert all_of(copy) == whole
        except IndexFileError:
            told += 1
    assert told > 60


def all_of(path):
    with closing(Catalog(path)) as catalog:
        ids, vectors = catalog.matrix("s", "text")
        items = catalog.items()
        previews = [catalog.previews(item.id, 0, ("thumbnail",)) for item in items]
        words = catalog.bm25(["harps", "strings", "3"], 50)
        return ids.tolist(), vectors.tobytes(), items, previews, words, catalog.records(ids.tolist())


def test_a_file_that_ends_too_early_is_told(tmp_path):
    path = tmp_path / "lesson.mmrag"
    filled(path).close()
    data = path.read_bytes()
    for end in range(2, len(data), 8192):  # one byte is no more than none to SQLite
        copy = tmp_path / f"{end}.mmrag"
        copy.write_bytes(data[:end])
        with pytest.raises(IndexFileError):
            open_and_read(copy)


def test_a_header_that_says_there_are_no_checksums_is_not_believed(tmp_path):
    path = tmp_path / "lesson.mmrag"
    filled(path).close()
    data = bytearray(path.read_bytes())
    for reserved in (0, 7, 12):
        data[20] = reserved
        path.write_bytes(data)
        with pytest.raises(IndexFileError, match=r"damaged \(page 1"):
            Catalog(path)


def test_other_databases_are_left_as_they_are(tmp_path):
    other = tmp_path / "other.db"
    with closing(apsw.Connection(str(other))) as db:
        db.execute("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(9000))")
    with closing(apsw.Connection(str(other), vfs=checked())) as db:
        db.execute("INSERT INTO t VALUES (zeroblob(20000))")
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with closing(apsw.Connection(str(other))) as db:
        assert db.execute("SELECT sum(length(x)) FROM t").fetchone() == (29000,)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_an_interrupt_while_a_page_is_read_is_an_interrupt_and_no_damage(tmp_path, monkeypatch):
    from mmrag_nb.catalog import checksums

    path = tmp_path / "lesson.mmrag"
    filled(path).close()
    with closing(Catalog(path)) as catalog:
        before = catalog.matrix("s", "text")[1]
    whole, calls = checksums.is_whole, []

    def interrupted(page):
        calls.append(1)
        if len(calls) == stop:
            raise KeyboardInterrupt
        return whole(page)

    for stop in range(1, 12):
        calls.clear()
        catalog = None
        monkeypatch.setattr(checksums, "is_whole", interrupted)
        try:
            catalog = Catalog(path)
            catalog.matrix("s", "text")
        except KeyboardInterrupt:
            pass
        monkeypatch.setattr(checksums, "is_whole", whole)
        with closing(catalog or Catalog(path)) as catalog:
            np.testing.assert_array_equal(catalog.matrix("s", "text")[1], before)
            catalog.note("key", f"{stop}")
    assert not damaged_pages(path)[1]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills otherwise")
def test_a_writer_that_is_killed_leaves_whole_pages(tmp_path):
    path = tmp_path / "lesson.mmrag"
    script = f"""
import sys; sys.path.insert(0, {str(__file__).rsplit("/", 1)[0]!r})
import os, signal, threading
from pathlib import Path
from test_checksums import filled
threading.Timer(0.4, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
while True:
    filled(Path({str(path)!r}), 400)._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    with closing(Catalog(path)) as catalog:
        everything(catalog)
    assert not damaged_pages(path)[1]


def test_a_reader_sees_what_a_writer_beside_it_has_written(tmp_path):
    path = tmp_path / "lesson.mmrag"
    writer = filled(path, 3)
    with closing(writer), closing(Catalog(path)) as reader:
        assert reader.chunk_count() == 3
        writer.remove([writer.items()[0].id])
        assert reader.chunk_count() == 2
        with closing(Database(path)) as third:
            third.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        everything(reader)
