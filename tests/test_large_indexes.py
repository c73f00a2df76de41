"""What was made quick for large indexes finds just what the slow way finds."""

import shutil

import numpy as np
import pytest

from mmrag_nb import MultimodalRAG
from mmrag_nb.bench import synthetic
from mmrag_nb.catalog import lexicon, spaces
from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.database import Database
from mmrag_nb.catalog.words import terms
from mmrag_nb.retrieval import search, telling
from mmrag_nb.retrieval.channels import Channel, Probe
from mmrag_nb.stores.memory import MemoryStore

VECTORS, DIMENSION = 600, 16


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "index.mmrag"
    synthetic.fill(path, VECTORS, DIMENSION)
    return path


@pytest.fixture
def catalog(path):
    catalog = Catalog(path)
    yield catalog
    catalog.close()


@pytest.fixture
def rag(path, tmp_path):
    copy = shutil.copy(path, tmp_path)
    with synthetic.settings(DIMENSION) as settings, MultimodalRAG(settings=settings, path=copy) as rag:
        yield rag


@pytest.mark.parametrize("block", [7, 4096])
@pytest.mark.parametrize("size", [1, 20, 21, 300])
def test_words_among_chosen_chunks(catalog, monkeypatch, size, block):
    monkeypatch.setattr(lexicon, "_BLOCK", block)
    rng = np.random.default_rng(size)
    allowed = np.sort(rng.choice(np.arange(1, catalog.chunk_count() + 1), size, replace=False))
    for question in [" ".join(map(synthetic._word, range(5))), *synthetic.questions(5)]:
        everything = catalog.bm25(terms(question), 10_000)
        for k in (3, 10_000):
            fitting = [(chunk, score) for chunk, score in everything.items() if chunk in allowed]
            found = catalog.bm25(terms(question), k, allowed)
            assert sorted(found.values(), reverse=True) == pytest.approx([score for _, score in fitting[:k]])
            assert all(everything[chunk] == pytest.approx(score) for chunk, score in found.items())
            assert set(found) <= set(allowed.tolist())


@pytest.mark.parametrize("block", [7, 4096])
@pytest.mark.parametrize("part", [None, "text", "image", "audio"])
def test_vectors_come_by_chunk(catalog, path, monkeypatch, part, block):
    monkeypatch.setattr(spaces, "_BLOCK", block)
    db = Database(path)
    slow = db.execute(
        "SELECT chunk, vector FROM views JOIN vectors USING (key) JOIN chunks ON chunks.id = chunk WHERE view = 'text'"
        + (" AND modality = ?" if part else ""),
        [part] * bool(part),
    )
    expected = {chunk: np.frombuffer(vector, "<f4") for chunk, vector in slow}
    db.close()
    ids, vectors = catalog.matrix(f"synthetic:{DIMENSION}", "text", part)
    assert ids.tolist() == sorted(expected)
    assert len(vectors) == len(expected)
    assert vectors.dtype == np.float32
    for chunk, vector in zip(ids.tolist(), vectors, strict=True):
        assert (vector == expected[chunk]).all()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.99, 1.0])
def test_nearest_among_chosen_chunks(share):
    rng = np.random.default_rng(3)
    vectors = synthetic.drawn(rng, 500, DIMENSION)
    ids = np.arange(1, 1001, 2)
    store = MemoryStore()
    store.fit(ids, vectors)
    channel = Channel("s", "text", ids, vectors, store)
    allowed = np.sort(rng.choice(ids, int(share * len(ids)), replace=False))
    query = synthetic.drawn(rng, 1, DIMENSION)[0]
    order = [chunk for chunk in ids[np.argsort(-(vectors @ query))].tolist() if chunk in set(allowed.tolist())]
    assert set(channel.nearest(query, 9, np.append(allowed, 2000)).tolist()) == set(order[:9])


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("step", [1, 50])
def test_raw_ranks_are_those_of_a_full_ranking(monkeypatch, step, sparse):
    if sparse:
        monkeypatch.setattr(telling, "_SPARSE", 0)
    rng = np.random.default_rng(step)
    probes, cosines = [], {}
    for ids in (np.arange(10, 40) * step, np.arange(25, 60, 3) * step):
        vectors = synthetic.drawn(rng, len(ids), DIMENSION)
        store = MemoryStore()
        store.fit(ids, vectors)
        query = synthetic.drawn(rng, 1, DIMENSION)[0]
        probes.append(Probe(Channel("s", "text", ids, vectors, store), query))
        for chunk, cosine in zip(ids.tolist(), (vectors @ query).tolist(), strict=True):
            cosines[chunk] = max(cosine, cosines.get(chunk, -1))
    ranked = sorted(cosines, key=cosines.get, reverse=True)
    chunks = np.array(sorted(cosines))
    found = telling._raw_ranks(probes, chunks, search.How(0.0))
    assert found == [ranked.index(chunk) + 1 for chunk in chunks.tolist()]
    assert len(telling._everything(probes, search.How(0.0, raw=True))) == len(chunks), "each once, and none besides"


def test_a_search_looks_at_the_whole_index_once_for_raw_ranks(rag, monkeypatch):
    seen = []
    everything = telling._everything
    monkeypatch.setattr(telling, "_everything", lambda *given: seen.append(1) or everything(*given))
    assert rag.search(synthetic.questions(1)[0]).hits
    assert len(seen) == 1


def test_counts_and_limits_follow_the_index(rag):
    question = synthetic.questions(1)[0]
    pictures = rag.search(question, 5, modalities="image")
    assert {hit.chunk.modality for hit in pictures} == {"image"}
    count = rag._catalog.chunk_count()
    gone = pictures[0].item
    rag.remove(gone)
    assert rag._catalog.chunk_count() == count - 1
    after = rag.search(question, 5, modalities="image")
    assert gone.id not in {hit.item.id for hit in after}
    assert [hit.item.id for hit in after][:4] == [hit.item.id for hit in pictures][1:5]
    cheap = rag.search(question, 5, where="price < 3")
    assert all(hit.item.metadata["price"] < 3 for hit in cheap)
    assert [hit.item.id for hit in rag.search(question, 5, modalities="image")] == [hit.item.id for hit in after]
