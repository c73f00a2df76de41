"""An index that changes while it is asked, by other threads and processes: what is kept of it stays right."""

from contextlib import closing

import numpy as np
import pytest

pytest.importorskip("torch")

from mmrag_nb import MultimodalRAG, channelling, selecting
from mmrag_nb.catalog.database import Database
from mmrag_nb.presets import NONE
from mmrag_nb.retrieval.calibration import Statistics

SENTENCES = [{"text": f"The lantern number {n} hangs above the harbour."} for n in range(10)]
QUESTION = "where does the lantern hang?"


def new(**choices):
    return MultimodalRAG(preset="offline", clip=NONE, ocr=NONE, speech=NONE, **choices)


def scores(path):
    with MultimodalRAG.open(path) as rag:
        return [hit.score for hit in rag.search(QUESTION)]


def test_what_others_changed_during_a_measurement_is_not_kept_as_measured(tmp_path, monkeypatch):
    path, interfered = tmp_path / "lesson.mmrag", []
    rag = new(path=path)
    rag.index(SENTENCES)
    other = MultimodalRAG.open(path)

    class Slow(Statistics):
        def updated(self, background, vectors):
            measured = super().updated(background, vectors)
            if not interfered:
                interfered.append(True)
                other.remove(other.items()[-1])  # its number is given again
                other.index([{"text": "Kettles and wolves, of all things, in one kitchen."}])
            return measured

    monkeypatch.setattr(channelling, "Statistics", Slow)
    rag.search(QUESTION)
    monkeypatch.undo()
    rag.close()
    other.close()
    kept = scores(path)
    with closing(Database(path)) as db:
        db.execute("DELETE FROM calibrations")
    assert kept == pytest.approx(scores(path), abs=1e-9)


def test_damaged_statistics_are_measured_anew(tmp_path):
    path = tmp_path / "lesson.mmrag"
    with new(path=path) as rag:
        rag.index(SENTENCES)
    before = scores(path)
    for damaged in (b"\x01\x02", Statistics.empty(2, 3).to_bytes(), np.full(9, np.nan).tobytes()):
        with closing(Database(path)) as db:
            db.execute("UPDATE calibrations SET statistics = ?", (damaged,))
        assert scores(path) == pytest.approx(before, abs=1e-9)


def test_what_is_removed_during_a_search_is_searched_without(monkeypatch):
    with new() as rag:
        rag.index(SENTENCES)
        found, removed = selecting.similarities, []

        def interrupted(*args):
            if not removed:
                removed.append(rag.items()[0])
                rag.remove(removed[-1])
            return found(*args)

        monkeypatch.setattr(selecting, "similarities", interrupted)
        assert len(rag.search(QUESTION, k=10)) == 9
