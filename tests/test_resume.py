"""An index cell that is stopped anywhere goes on where it was: what is done is not done again, and nothing is amiss."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pydub
import pytest
from films import cut_film, needs_ffmpeg
from pdfs import paragraph, pdf, text_page
from PIL import Image

from mmrag_nb import MultimodalRAG, embedding, loading
from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.errors import IndexMismatch
from mmrag_nb.models.words import WordsEncoder
from mmrag_nb.presets import NONE

RATE = 16_000


def new(path=None, **choices):
    return MultimodalRAG(path=path, preset="offline", **{"speech": NONE, "ocr": NONE, "clip": NONE} | choices)


def dump(rag):
    """All that is in an index, whatever the numbers of its rows."""
    rows = rag._catalog._rows
    place = "SELECT chunks.id AS chunk, hash, ordinal FROM chunks JOIN items ON items.id = item"
    return {
        "items": rows("SELECT hash, uri, metadata, facts, recipe, record FROM items ORDER BY hash"),
        "chunks": rows(
            'SELECT hash, ordinal, chunks.modality, text, start, "end", page '
            "FROM chunks JOIN items ON items.id = item ORDER BY 1, 2"
        ),
        "views": rows(f"SELECT hash, ordinal, view, key FROM views JOIN ({place}) USING (chunk) ORDER BY 1, 2, 3, 4"),
        "vectors": rows("SELECT space, key FROM vectors ORDER BY 1, 2"),
        "previews": rows(
            "SELECT hash, ordinal, kind, hex(data) FROM previews JOIN items ON items.id = item ORDER BY 1, 2, 3"
        ),
        "words": rows("SELECT text, name, described FROM words ORDER BY 1, 2"),
        "left": [key for key in rag._catalog.meta() if key.startswith("sections")],
    }


@pytest.fixture
def made(monkeypatch):
    """How often each key was embedded, and each item read."""
    counted = {"embedded": Counter(), "read": Counter(), "committed": 0}
    vectors, whole, sections = embedding._vectors, loading.Loading.whole, loading.Loading.sections

    def embedded(encoder, view, content, keys, into):
        counted["embedded"].update((encoder.space, key) for key in keys)
        return vectors(encoder, view, content, keys, into)

    def read(self, resolved, *args, **kwargs):
        counted["read"][resolved.item.id] += 1
        return whole(self, resolved, *args, **kwargs)

    def read_sections(self, resolved, *args):
        counted["read"][resolved.item.id] += 1
        return sections(self, resolved, *args)

    monkeypatch.setattr(embedding, "_vectors", embedded)
    monkeypatch.setattr(loading.Loading, "whole", read)
    monkeypatch.setattr(loading.Loading, "sections", read_sections)
    return counted


def texts(folder):
    return [{"text": f"Kite number {n} rises over the harbour.", "shelf": n} for n in range(37)], {}


def pictures(folder):
    for n in range(18):
        Image.new("RGB", (32, 32), (13 * n, 255 - 13 * n, 40)).save(folder / f"picture {n}.png")
    return folder, {"clip": "emoji"}


def table(folder):
    rows = ["name,price,photo,description"]
    for n in range(9):
        Image.new("RGB", (32, 32), (25 * n, 99, 255 - 25 * n)).save(folder / f"shoe{n}.png")
        rows.append(f"shoe {n},{10 * n},shoe{n}.png,A shoe for every walk of {n} miles or more along the shore.")
    (folder / "products.csv").write_text("\n".join(rows))
    return folder / "products.csv", {"clip": "emoji"}


def sound(folder):
    seconds = 150
    beat = np.arange(seconds * RATE) // RATE % 10 < 7  # pauses part it
    tone = np.sin(np.arange(seconds * RATE) * 0.2) * beat * 9_000
    pydub.AudioSegment(tone.astype(np.int16).tobytes(), frame_rate=RATE, sample_width=2, channels=1).export(
        folder / "talk.wav", format="wav"
    )
    return folder / "talk.wav", {}


def document(folder):
    said = "On page {0} the ferry number {0} leaves the harbour, and nobody is left behind. "
    pages = [text_page(paragraph(said.format(n) * 3, 60, 700, 80)) for n in range(18)]
    (folder / "book.pdf").write_bytes(pdf(pages))
    return folder / "book.pdf", {}


def film(folder):
    return cut_film(folder / "film.mp4"), {"clip": "emoji"}


KINDS = [texts, pictures, table, sound, document, pytest.param(film, marks=needs_ffmpeg)]
POINTS = 4
"""Steps at which a run is stopped, spread over all; ten times as many have been tried."""


class Stop:
    """Progress that is stopped at a step."""

    def __init__(self, at, error=None):
        self.at, self.steps, self.error = at, 0, error

    def __call__(self, stage, done, total):
        self.steps += 1
        if self.steps - 1 == self.at:
            raise self.error or KeyboardInterrupt


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_run_stopped_at_any_step_goes_on(kind, tmp_path, made):
    folder = tmp_path / "sources"
    folder.mkdir()
    sources, choices = kind(folder)
    undisturbed = Stop(-1)
    with new(**choices) as rag:
        rag.index(sources, progress=undisturbed)
        whole = dump(rag)
    once = Counter(made["embedded"])
    for at in sorted({int(one) for one in np.linspace(0, undisturbed.steps - 1, POINTS)}):
        with new(tmp_path / f"{at}.mmrag", **choices) as rag:
            with pytest.raises((KeyboardInterrupt, OSError)):
                rag.index(sources, progress=Stop(at, OSError("of the disk") if at % 2 else None))
            assert rag.report.interrupted
            done = {key for _, key in rag._catalog._rows("SELECT space, key FROM vectors")}
            there = {one.item for one in rag._catalog.places() if one.whole}
            made["embedded"].clear()
            made["read"].clear()
            rag.index(sources)
            assert dump(rag) == whole, f"stopped at step {at}"
            assert not {key for _, key in made["embedded"]} & done, f"stopped at step {at}"
            assert not made["read"].keys() & there, f"stopped at step {at}"
            assert not made["embedded"] - once
            made["embedded"].clear()
            made["read"].clear()
            assert rag.index(sources).embedded == 0
            assert not made["embedded"]
            assert not made["read"]


def test_a_killed_run_goes_on(tmp_path, made):
    path = tmp_path / "lesson.mmrag"
    code = f"""
import os, signal, sys
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from test_resume import new, texts
def step(stage, done, total):
    if (stage, done) == ("indexed", 16):
        killed.append(True)
    elif killed and stage.startswith("embedding"):
        os.kill(os.getpid(), signal.SIGKILL)
killed = []
new({str(path)!r}).index(texts(None)[0], progress=step)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode
    with new(path) as rag, new() as alone:
        assert rag.status().items == {"text": 16}
        report = rag.index(texts(None)[0])
        assert (report.reused, report.embedded) == (16, 21)
        assert sum(made["read"].values()) == 21
        alone.index(texts(None)[0])
        assert dump(rag) == dump(alone)


# -- what is done again --------------------------------------------------------------------------------------------


def test_changed_content_alone_is_embedded_again(tmp_path, made):
    for n in range(5):
        (tmp_path / f"{n}.txt").write_text(f"Lantern number {n} hangs above the harbour.")
    with new() as rag:
        rag.index(tmp_path)
        made["embedded"].clear()
        made["read"].clear()
        (tmp_path / "3.txt").write_text("No lantern is left at all.")
        report = rag.index(tmp_path)
        assert (report.embedded, report.reused) == (1, 4)
        assert sum(made["embedded"].values()) == sum(made["read"].values()) == 1
        assert len(rag.items()) == 5


def test_what_another_version_of_a_loader_would_read_is_read_again(tmp_path, made, monkeypatch):
    from mmrag_nb.loaders.image import ImageLoader

    sources, choices = pictures(tmp_path)
    (tmp_path / "note.txt").write_text("Eighteen pictures.")
    with new(**choices) as rag:
        rag.index(sources)
        made["embedded"].clear()
        made["read"].clear()
        monkeypatch.setattr(ImageLoader, "version", f"{ImageLoader.version}-next")
        rag._parts._loaders.clear()
        report = rag.index(sources)
        assert (report.embedded, report.reused) == (18, 1)
        assert {space.split(":")[0] for space, _ in made["embedded"]} == {"emoji"} or len(made["embedded"]) == 18
        assert len(rag.items()) == 19
        made["embedded"].clear()
        assert rag.index(sources).reused == 19
        assert not made["embedded"]


def test_a_new_revision_of_a_model_is_told_and_nothing_is_touched(tmp_path, made, monkeypatch):
    path = tmp_path / "lesson.mmrag"
    with new(path) as rag:
        rag.index(texts(None)[0])
        before = dump(rag)
    was = WordsEncoder.fingerprint
    told = was.fget if isinstance(was, property) else None
    monkeypatch.setattr(
        WordsEncoder,
        "fingerprint",
        property(lambda self: {**(told(self) if told else was), "revision": "next"}),
        raising=False,
    )
    made["embedded"].clear()
    with new(path) as rag:
        with pytest.raises(IndexMismatch) as caught:
            rag.index([{"text": "Another kite."}])
        told_ = str(caught.value)
        assert "revision=next" in told_
        assert "index again into a new file" in told_
        assert "\n" not in told_
        assert dump(rag) == before
        assert not made["embedded"]


def test_another_model_has_its_own_space_beside(tmp_path, made):
    with new() as rag:
        rag.index(texts(None)[0])
        rag.settings.clip = "emoji"
        rag.settings.text = NONE
        first = set(rag._catalog.spaces())
        made["embedded"].clear()
        rag.index(texts(None)[0])
        spaces = rag._catalog.spaces()
        assert len(spaces) == 2
        assert {space for space, _ in made["embedded"]} == set(spaces) - first
        assert set(spaces.values()) == {37}


def test_a_batch_is_committed_whole_or_not(tmp_path, monkeypatch):
    add_entry, added = Catalog._add_entry, []

    def fails(self, db, entry, ids):
        added.append(entry)
        if len(added) == 20:
            raise KeyboardInterrupt
        add_entry(self, db, entry, ids)

    monkeypatch.setattr(Catalog, "_add_entry", fails)
    with new(tmp_path / "lesson.mmrag") as rag:
        with pytest.raises(KeyboardInterrupt):
            rag.index(texts(None)[0])
        assert rag.status().items == {"text": 16}
        monkeypatch.undo()
        assert rag.index(texts(None)[0]).reused == 16
