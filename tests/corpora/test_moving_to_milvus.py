"""An index goes from memory or a file into Milvus and back, as it is, whatever comes between."""

from pathlib import Path

import numpy as np
import pytest

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo import media
from mmrag_nb.catalog.entries import Described
from mmrag_nb.errors import IndexFileError, MMRagError
from mmrag_nb.types import Preview

pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")

DEMO = Path(media.__file__).parent
SOURCES = [
    *({"path": str(one), "place": n, "tags": ["drawn", n]} for n, one in enumerate(sorted(DEMO.glob("*.png"))[:3])),
    str(DEMO / "weather_report.mp3"),
    str(DEMO / "tide_tables.txt"),
    {"name": "shoe", "text": ["A red shoe of leather.", "Made in Ulm."]},
]
QUESTIONS = ("a lighthouse at night", "when is the tide high?", "red shoe", "rain tomorrow")


def answers(rag):
    """All that is found, best first; what scores alike by its name."""
    return [
        sorted(
            ((-round(hit.score, 2), hit.item.name, hit.chunk.ordinal) for hit in rag.search(one, k=20)),
        )
        for one in QUESTIONS
    ]


def held(rag):
    """All that an index holds, by item."""
    catalog, found = rag._catalog, {}
    for item in rag.items():
        ids = catalog.chunk_ids(item.id)
        stored, views = catalog.records(ids), catalog.views(ids)
        found[item.id] = (
            item,
            [stored[one].chunk for one in ids],
            [stored[one].described for one in ids],
            [sorted(views.get(one, [])) for one in ids],
            stored[ids[0]].facts,
            catalog.recipes(ids)[ids[0]],
            [rag.previews(item, ordinal) for ordinal in range(len(ids))],
        )
    return found


def vectors(rag):
    from mmrag_nb.corpora.whole import batches, whole

    found = {}
    for batch in batches(whole(rag._catalog)):
        for space, by_key in batch.vectors.items():
            found.setdefault(space, {}).update(by_key)
    return found


def same(vectors, others):
    assert {space: set(keys) for space, keys in vectors.items()} == {space: set(keys) for space, keys in others.items()}
    return all(np.array_equal(one, others[space][key]) for space, keys in vectors.items() for key, one in keys.items())


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """A file with items of several kinds, a record and what a model said of a picture; what it holds and answers."""
    path = tmp_path_factory.mktemp("lesson") / "lesson.mmrag"
    with MultimodalRAG(preset="offline", clip="none", path=path) as rag:
        rag.index(SOURCES)
        picture = rag._catalog.chunk_ids(next(item for item in rag.items() if item.modality == "image").id)[0]
        rag._catalog.add_views({}, {}, {picture: {"caption": Described("model 1", "a tower by the sea")}})
        return path, answers(rag), held(rag), vectors(rag)


def test_there_and_back_everything_is_what_it_was(lesson, tmp_path):
    path, said, there, before = lesson
    steps = []
    with MultimodalRAG.open(path) as rag:
        status = rag.status()
        rag.save(f"milvus:{tmp_path / 'far.db'}", progress=lambda *step: steps.append(step))
        assert rag.path == f"milvus:{tmp_path / 'far.db'}"
        assert steps[0] == ("saving", 0, status.chunks)
        assert steps[-1] == ("saving", status.chunks, status.chunks)
        assert (rag.status().items, rag.status().chunks) == (status.items, status.chunks)
        assert rag.status().vectors.keys() == status.vectors.keys()
        assert held(rag) == there
        assert same(vectors(rag), before)
        assert answers(rag) == said
        rag.save(rag.path)  # where it is already
        rag.save(tmp_path / "back.mmrag")
        assert Path(rag.path) == tmp_path / "back.mmrag"
        assert held(rag) == there
        assert same(vectors(rag), before)
        assert answers(rag) == said
        assert rag.verify().problems == ()
        assert rag.index(SOURCES[3:5]).embedded == 0
    with MultimodalRAG.open(f"milvus:{tmp_path / 'far.db'}") as rag:
        assert (rag.settings.preset, rag.settings.clip) == ("offline", "none")
        assert rag.index(SOURCES[3:5]).embedded == 0
        assert answers(rag) == said


def test_long_items_go_in_sections(monkeypatch, tmp_path):
    from mmrag_nb.corpora import whole

    monkeypatch.setattr(whole, "BATCH", 3)
    with MultimodalRAG(preset="offline", clip="none") as rag:
        rag.index([str(DEMO / "tide_tables.txt"), {"text": "A harp."}, str(DEMO / "draw.py")])
        before = held(rag), vectors(rag)
        rag.save(f"milvus:{tmp_path / 'far.db'}")
        assert held(rag) == before[0]
        rag.save(tmp_path / "back.mmrag")
        assert held(rag) == before[0]
        assert same(vectors(rag), before[1])


def test_interrupted_it_is_run_again_and_only_the_rest_is_written(lesson, tmp_path, monkeypatch):
    from mmrag_nb.corpora import whole
    from mmrag_nb.corpora.corpus import Corpus

    monkeypatch.setattr(whole, "BATCH", 2)
    path, _, there, before = lesson
    far = f"milvus:{tmp_path / 'far.db'}"

    def interrupt(stage, done, total):
        if done > total // 2:
            raise KeyboardInterrupt

    written, add = [], Corpus.add
    monkeypatch.setattr(
        Corpus, "add", lambda self, entries, *rest: written.extend(entries) or add(self, entries, *rest)
    )
    with MultimodalRAG.open(path) as rag:
        with pytest.raises(KeyboardInterrupt):
            rag.save(far, progress=interrupt)
        assert Path(rag.path) == path
        first = len(written)
        written.clear()
        rag.save(far)
        assert 0 < len(written) < first + 3
        assert held(rag) == there
        assert same(vectors(rag), before)


def test_what_was_taken_out_since_an_interruption_does_not_come_back(tmp_path, monkeypatch):
    from mmrag_nb.corpora import whole

    monkeypatch.setattr(whole, "BATCH", 1)

    def interrupt(_stage, done, _total):
        if done == 2:
            raise KeyboardInterrupt

    with MultimodalRAG(preset="offline", clip="none") as rag:
        rag.index([{"text": f"Text number {n}."} for n in range(3)])
        with pytest.raises(KeyboardInterrupt):
            rag.save(f"milvus:{tmp_path / 'far.db'}", progress=interrupt)
        rag.remove(rag.items()[0])
        rag.save(f"milvus:{tmp_path / 'far.db'}")
        assert sorted(hit.chunk.text for hit in rag.search("text number")) == ["Text number 1.", "Text number 2."]


def test_another_index_is_left_alone_in_one_line_that_names_it(tmp_path):
    far = f"milvus:{tmp_path / 'far.db'}"
    with MultimodalRAG(preset="offline", clip="none") as rag, MultimodalRAG(preset="offline", clip="none") as other:
        rag.index([{"text": "A harp."}])
        rag.save(tmp_path / "mine.mmrag")
        rag.save(far)
        other.index([{"text": "A ferry."}])
        with pytest.raises(MMRagError, match="another index already, of 1 item") as error:
            other.save(far)
        assert far in str(error.value)
        assert "\n" not in str(error.value)
        assert other.path is None
        assert other.search("ferry", k=1)
        # The same index, with more in it there than here.
        rag.index([{"text": "A lyre."}])
        with MultimodalRAG.open(tmp_path / "mine.mmrag") as mine, pytest.raises(MMRagError, match="only there"):
            mine.save(far)
        assert rag.status().items == {"text": 2}
        other.reset(discard=True)
        with pytest.raises(MMRagError, match="another index already"):
            other.save(far)


def test_an_empty_index_begins_there(tmp_path):
    with MultimodalRAG(preset="offline", clip="none") as rag:
        rag.save(f"milvus:{tmp_path / 'far.db'}")
        assert rag.status().items == {}
        rag.index([{"text": "A harp."}])
        assert rag.search("harp", k=1)[0].chunk.text == "A harp."
    with MultimodalRAG.open(f"milvus:{tmp_path / 'far.db'}", clip="none") as rag:
        assert rag.status().items == {"text": 1}


def test_a_preview_of_any_size_is_kept(lesson, tmp_path):
    with MultimodalRAG.open(lesson[0]) as rag:
        rag.save(f"milvus:{tmp_path / 'far.db'}")
        large = Preview("video/mp4", np.random.default_rng(0).bytes(4_000_000))
        holding, item = rag._catalog.holding, rag.items()[0]
        holding.put_pieces({(f"{item.id} 0", "film"): large})
        assert rag.previews(item)["film"] == large
        rag.save(tmp_path / "back.mmrag")
        assert rag.previews(item)["film"] == large


def test_imported_vectors_that_nobody_compared_are_not_moved(tmp_path):
    with MultimodalRAG(preset="offline", clip="none") as rag:
        rag.index([{"text": "A harp."}])
        rag._catalog.adopt(next(iter(rag.status().vectors)), {"model": "x", "revision": "unchecked"})
        with pytest.raises(MMRagError, match="not compared with their model yet") as error:
            rag.save(f"milvus:{tmp_path / 'far.db'}")
        assert "\n" not in str(error.value)


def test_what_is_not_there_says_how_it_would_be(tmp_path):
    with pytest.raises(IndexFileError, match=r"%mmrag_save milvus:.*none\.db"):
        MultimodalRAG.open(f"milvus:{tmp_path / 'none.db'}")
