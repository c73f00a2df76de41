"""Pictures read ahead: the same index as one after the other, a bounded number at a time, and nothing stays behind."""

import threading
import time

import numpy as np
import pytest
from PIL import Image

from mmrag_nb import MultimodalRAG, ahead, indexing
from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.image import ImageLoader
from mmrag_nb.models.emoji import EmojiEncoder

PICTURES = 90


@pytest.fixture
def folder(tmp_path):
    """Pictures with two damaged ones, a double, an odd format and texts among them."""
    rng = np.random.default_rng(0)
    photos = tmp_path / "photos"
    photos.mkdir()
    for n in range(PICTURES):
        drawn = Image.fromarray(rng.integers(0, 256, (60 + n, 80, 3), dtype=np.uint8).repeat(2, 0))
        drawn.save(photos / f"{n:02}.{('jpg', 'png', 'webp', 'gif')[n % 4]}")
    for n in (7, 30):
        whole = (photos / f"{n:02}.{('jpg', 'png', 'webp', 'gif')[n % 4]}").read_bytes()
        (photos / f"{n:02}x.jpg").write_bytes(b"\xff\xd8\xff" + whole[3 : len(whole) // 3])
    (photos / "55.png").write_bytes((photos / "13.png").read_bytes())
    (photos / "21_notes.txt").write_text("What was seen on the way, in three sentences. Two. Three.")
    return photos


class Lanes(EmojiEncoder):
    """An encoder that may be called from several threads, and tells from which it was."""

    able = 2
    lanes = property(lambda self: self.able, lambda self, value: None)

    def __init__(self, **options):
        super().__init__(**options)
        self.threads = []
        self.sizes = []

    def embed_images(self, images):
        self.threads.append(threading.current_thread().name)
        self.sizes.append(len(images))
        return super().embed_images(images)


@pytest.fixture
def lanes(monkeypatch):
    """Have the offline preset's encoder be called side by side, by two threads whatever the machine has."""
    made = []

    def make(**options):
        made.append(Lanes(**options))
        return made[-1]

    monkeypatch.setattr("mmrag_nb.models.emoji.EmojiEncoder", make)
    monkeypatch.setattr(ahead, "_cores", lambda: 2)
    return made


def contents(rag):
    """Vectors of an index by item and space; how many are embedded at once changes their last digits."""
    catalog = rag._catalog
    found = {}
    for space in sorted({way.encoder.space for way in rag._parts.ways()}):
        ids, vectors = catalog.matrix(space, "image", None)
        rows = dict(zip(ids.tolist(), vectors, strict=True))
        for item in rag.items():
            found[item.uri, space] = [rows[one] for one in catalog.chunk_ids(item.id) if one in rows]
    return found


def same(one, other):
    assert list(one) == list(other)
    for key, vectors in one.items():
        assert len(vectors) == len(other[key])
        assert all(a @ b > 0.99999 for a, b in zip(vectors, other[key], strict=True))


def settled():
    return [one for one in threading.enumerate() if one.name.startswith("mmrag-ahead")]


def test_ahead_and_one_after_the_other_make_the_same_index(folder, lanes, monkeypatch):
    with MultimodalRAG(preset="offline") as plain, monkeypatch.context() as patch:
        patch.setattr(ahead.Ahead, "begin", lambda *_: None)
        told = plain.index(str(folder))
        alone, (encoder,) = contents(plain), lanes
        assert set(encoder.threads) == {"MainThread"}
    with MultimodalRAG(preset="offline") as rag:
        report = rag.index(str(folder))
        same(contents(rag), alone)
    assert report.items == told.items == {"image": PICTURES, "text": 1}
    assert (report.embedded, report.reused, report.chunks) == (told.embedded, told.reused, told.chunks)
    assert report.skipped == told.skipped
    assert sum("damaged" in one.reason for one in report.skipped) == 2
    assert report.notes == told.notes
    assert {name.rsplit("_", 1)[0] for name in lanes[1].threads if name != "MainThread"} == {"mmrag-ahead"}
    assert max(lanes[1].sizes) <= max(ahead.GROUP, indexing.BATCH)
    assert not settled()


def test_what_is_in_the_index_is_not_read_again(folder, lanes, monkeypatch):
    with MultimodalRAG(preset="offline") as rag:
        rag.index(str(folder))
        embedded = sum(lanes[0].sizes)
        load = ImageLoader.load_at_hand

        def failing(self, content, name):
            assert name in {"07x.jpg", "30x.jpg"}, "it was read again"
            return load(self, content, name)

        monkeypatch.setattr(ImageLoader, "load_at_hand", failing)
        report = rag.index(str(folder))
        assert sum(lanes[0].sizes) == embedded
        assert report.embedded == 0


def test_no_more_is_read_than_the_batches_that_are_allowed(folder, lanes, monkeypatch):
    running, most, done, lock = set(), [], [], threading.Lock()
    load = ImageLoader.load_at_hand

    def counted(self, content, name):
        with lock:
            running.add(name)
        try:
            return load(self, content, name)
        finally:
            with lock:
                most.append(len(running))
                running.discard(name)
                done.append(name)

    monkeypatch.setattr(ImageLoader, "load_at_hand", counted)
    gaps = []
    commit = indexing.Indexing._batch

    def watched(self, batch):
        gaps.append(len(done))
        commit(self, batch)

    monkeypatch.setattr(indexing.Indexing, "_batch", watched)
    with MultimodalRAG(preset="offline") as rag:
        rag.index(str(folder))
    assert 1 <= max(most) <= 2
    allowed = ahead.Ahead.depth(type("Two", (), {"_lanes": 2})(), indexing.BATCH) + 1
    assert gaps[0] <= allowed * indexing.BATCH < PICTURES


def test_an_interrupt_ends_what_is_on_its_way(folder, lanes, monkeypatch):
    load = ImageLoader.load_at_hand
    read = []

    def slow(self, content, name):
        read.append(name)
        time.sleep(0.01)
        return load(self, content, name)

    monkeypatch.setattr(ImageLoader, "load_at_hand", slow)

    def interrupting(stage, done, total):
        if stage == "indexed" and done:
            raise KeyboardInterrupt

    with MultimodalRAG(preset="offline") as rag:
        with pytest.raises(KeyboardInterrupt):
            rag.index(str(folder), progress=interrupting)
        assert not settled()
        stopped = len(read)
        assert stopped < PICTURES
        time.sleep(0.1)
        assert len(read) == stopped
        kept = len(rag.items())
        assert 0 < kept <= indexing.BATCH
        report = rag.index(str(folder))
        assert len(rag.items()) == PICTURES + 1
        assert report.embedded == PICTURES + 1 - kept


def test_an_error_that_nobody_foresaw_is_raised_where_the_item_is_due(folder, lanes, monkeypatch):
    load = ImageLoader.load_at_hand

    def failing(self, content, name):
        if name == "33.png":
            raise RuntimeError("out of order")
        return load(self, content, name)

    monkeypatch.setattr(ImageLoader, "load_at_hand", failing)
    with MultimodalRAG(preset="offline") as rag:
        with pytest.raises(RuntimeError, match="out of order"):
            rag.index(str(folder))
        assert 0 < len(rag.items()) < 40
    assert not settled()


def test_an_encoder_that_does_not_say_so_is_not_called_from_several_threads(folder, lanes, monkeypatch):
    monkeypatch.setattr(Lanes, "able", 0)
    with MultimodalRAG(preset="offline") as rag:
        rag.index(str(folder))
    assert set(lanes[0].threads) == {"MainThread"}


def test_a_picture_that_cannot_be_read_is_told_with_its_reason(tmp_path, lanes):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(LoadError) as alone:
        ImageLoader().load(tmp_path / "a.png", "a.png")
    with MultimodalRAG(preset="offline") as rag:
        (skipped,) = rag.index(str(tmp_path / "a.png")).skipped
    assert skipped.reason == str(alone.value)
