"""What is too much to look through is sampled, what is too much to keep is let go; neither changes what is right."""

import numpy as np
import pytest

from mmrag_nb import MultimodalRAG
from mmrag_nb.corpora import channel as channels
from mmrag_nb.corpora import fetching, lexicon
from mmrag_nb.corpora.channel import FarChannel
from mmrag_nb.corpora.corpus import Corpus
from mmrag_nb.corpora.holding import vector_number
from mmrag_nb.corpora.lexicon import SAMPLE
from mmrag_nb.corpora.shapes import VECTORS, table_of
from mmrag_nb.errors import MMRagError
from mmrag_nb.milvus.connecting import served
from mmrag_nb.retrieval.calibration import Statistics

pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")

N, D, SPACE = 6_000, 16, "toy:unit"


@pytest.fixture(scope="module")
def vectors():
    """6,000 directions around one, as those of one modality are."""
    found = np.random.default_rng(0).normal(size=(N, D)) + np.linspace(0, 1.5, D)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def corpus(vectors, tmp_path_factory):
    """These in Milvus."""
    corpus = Corpus(str(tmp_path_factory.mktemp("large") / "far.db"))
    corpus.register(SPACE, D, {"model": "toy"}, {})
    tables = corpus.holding.tables
    tables.make(table_of(SPACE), VECTORS, D)
    said = {"item": "i", "view": "image", "modality": "image", "item_modality": "image", "fields": {}}
    rows = (
        {**said, "id": vector_number(n, "image"), "chunk": n, "key": f"k{n}", "vector": vectors[n].tolist()}
        for n in range(N)
    )
    tables.put(table_of(SPACE), rows)
    corpus._changed()
    yield corpus
    corpus.close()


@pytest.fixture
def channel(corpus):
    return FarChannel(corpus, SPACE, "image", None, "image")


@pytest.fixture(scope="module")
def background():
    found = np.random.default_rng(2).normal(size=(40, D))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_calibration_by_a_sample_is_nearly_that_of_all(channel, vectors, background):
    assert not channel.whole
    seen, anew = channel.measured(background, None)
    exact = Statistics.empty(*background.shape).updated(background, vectors)
    assert anew
    assert seen.n == exact.n == N
    cosines = vectors @ background.T
    error = cosines.std(axis=0) / np.sqrt(SAMPLE)
    assert (np.abs(seen.sums - exact.sums) / N < 5 * error).all()
    assert np.abs(seen.total - exact.total).max() / N < 5 * vectors.std(axis=0).max() / np.sqrt(SAMPLE)
    deviations = [np.sqrt(one.squares / N - (one.sums / N) ** 2) for one in (seen, exact)]
    assert np.allclose(*deviations, rtol=0.08)
    assert np.allclose(seen.maxima, exact.maxima, atol=1e-5)  # the nearest of all are asked for, not of the sample
    again, anew = channel.measured(background, (N - 5, seen.to_bytes()))
    assert not anew
    assert np.array_equal(again.sums, seen.sums)
    assert channel.measured(background, (N // 2, seen.to_bytes()))[1]


def test_the_nearest_are_the_nearest_of_all(channel, vectors, background):
    for query in background[:3]:
        cosines = vectors @ query
        order = np.argsort(-cosines)
        assert set(channel.nearest(query, 20, None).tolist()) == set(order[:20].tolist())
        assert np.allclose(channel.cosines(query, order[:50]), cosines[order[:50]], atol=1e-5)
        assert channel.nearer(query, float(cosines[order[100]])) == pytest.approx(100, abs=1)


def test_no_more_vectors_are_kept_at_hand_than_said(channel, vectors, background, monkeypatch):
    monkeypatch.setattr(channels, "_AT_HAND", SAMPLE + 1_000)
    for query in background[:8]:
        found = channel.nearest(query, 600, None)
        assert len(channel._known) <= SAMPLE + 1_300  # the sample is as large as hashes will have it
        assert np.allclose(channel.cosines(query, found), vectors[found] @ query, atol=1e-5)
    assert np.allclose(channel.vector(int(found[0])), vectors[found[0]], atol=1e-6)


def test_a_channel_without_vectors_is_empty(corpus):
    nothing = FarChannel(corpus, SPACE, "text", None, "text")
    ids, vectors = corpus.matrix(SPACE, "text")
    assert len(ids) == 0
    assert vectors.shape == (0, D)
    assert len(nothing) == 0
    assert nothing.vectors.shape == (0, D)
    assert corpus.sample("unheard:of", "id >= 0", 5)[1].shape == (0, 0)


# -- what is written by the loaders ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """An index of forty texts, and Milvus Lite as another process sees it."""
    path = tmp_path_factory.mktemp("texts") / "far.db"
    with MultimodalRAG(path=f"milvus:{path}", preset="offline", clip="none") as rag:
        said = ("a harp in the hall", "a boat on the sea")
        rag.index([{"text": f"Number {n}: {said[n % 2]}{' with ermine' * (n in (3, 8))}.", "n": n} for n in range(40)])
        yield rag


def far(rag):
    return f"milvus:{served(rag.path.removeprefix('milvus:'))}/mmrag"


def test_chunks_are_let_go_and_come_again(texts, monkeypatch):
    before = [hit.chunk.text for hit in texts.search("harp", k=10)]
    monkeypatch.setattr(fetching, "AT_HAND", 5)
    texts._catalog.forget()
    for n in range(6):
        texts._catalog.fetch(texts._catalog.chunk_ids(texts.items()[n].id))
        assert len(texts._catalog._rows("SELECT id FROM chunks")) <= 6
    assert [hit.chunk.text for hit in texts.search("harp", k=10)] == before


def test_milvus_lite_is_known_by_what_it_says_of_itself(texts):
    with MultimodalRAG(path=far(texts), preset="offline", clip="none") as rag:
        tables = rag._catalog.holding.tables
        assert not tables.address.lite
        assert tables.counts_slowly
        assert rag.search("harp", k=1)[0].lexical > 0
    # and so is what a worker makes there
    with MultimodalRAG(path=f"{far(texts)[: -len('mmrag')]}other", preset="offline", clip="none") as rag:
        rag.index([{"text": "A lyre has fewer strings."}])
        assert rag.search("lyre", k=1)[0].lexical > 0


def test_frequent_words_are_counted_by_a_sample_and_rare_ones_by_all(texts, monkeypatch):
    monkeypatch.setattr(lexicon, "SAMPLE", 20)
    monkeypatch.setattr(lexicon, "_OFTEN", 3)
    texts._catalog._changed()
    assert texts._catalog.document_frequency("ermine") == 2
    assert texts._catalog.document_frequency("number") == 40
    assert 8 <= texts._catalog.document_frequency("harp") <= 32  # 20
    assert texts._catalog.document_frequency("unicorn") == 0
    monkeypatch.undo()
    texts._catalog._changed()
    assert [texts._catalog.document_frequency(word) for word in ("ermine", "harp", "number")] == [2, 20, 40]


def test_patterns_reach_what_is_not_listed(texts, monkeypatch, tmp_path):
    for n in range(8):
        (tmp_path / f"note{n}.txt").write_text(f"A note on bagpipes, number {n}.", "utf-8")
    with MultimodalRAG(path=f"{far(texts)[: -len('mmrag')]}notes", preset="offline", clip="none") as rag:
        rag.index(str(tmp_path))
        monkeypatch.setattr(fetching, "LISTED", 3)
        rag._catalog._changed()
        assert len(rag.items()) == 3
        removal = rag.remove("note[0-5].txt", dry_run=True)
        assert len(removal.items) == 6
        assert sorted(removal.chunks.values()) == [1] * 6
        assert removal.left == {"text": 2}
        assert len(rag.remove("note[0-5].txt").items) == 6
        assert rag.status().items == {"text": 2}
        assert len(rag.search("bagpipes", k=10)) == 2
        rag.index(str(tmp_path))
        assert rag.status().items == {"text": 8}
        assert len(rag.remove("*").items) == 8
        assert rag.status().chunks == 0
        assert rag.status().vectors == {}


def test_to_prune_is_refused_in_one_line(texts, tmp_path):
    with pytest.raises(MMRagError, match="prune") as error:
        texts.index(str(tmp_path), prune=True)
    assert "\n" not in str(error.value)
