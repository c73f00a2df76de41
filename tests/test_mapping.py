"""The index on a plane: the right vectors, projected and measured as the slow way does, few or equal as they be."""

import numpy as np
import pytest

pytest.importorskip("torch")

from PIL import Image

from mmrag_nb import MultimodalRAG, mapping
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import EmptyIndex, InvalidSetting, MissingVectors, UnknownName
from mmrag_nb.insight.embedding_map import measured_gap, portions, project, scattered
from mmrag_nb.models.words import WordsEncoder
from mmrag_nb.truncation import truncated

DEMO = demo_folder()


@pytest.fixture(scope="module")
def rag():
    rag = MultimodalRAG(preset="offline")
    rag.index([DEMO / "emoji", DEMO / "tuning_a_harp.md", DEMO / "tide_tables.txt"])
    rag.index([{"image": Image.open(DEMO / "lorenz_attractor.png"), "caption": "the Lorenz attractor, drawn"}])
    yield rag
    rag.close()


def unit(n, d=16, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_pictures_and_texts_lie_in_the_pictures_space(rag):
    drawn = rag.map("a red apple")
    assert drawn.space == "clip:emoji"
    assert drawn.points.dtype == np.float32
    assert drawn.points.shape == (len(drawn.chunks), 2)
    assert set(drawn.modalities) == {"image", "text"}
    assert len(drawn.chunks) == rag.status().chunks, "one point a chunk, captioned or not"
    assert [drawn.names[drawn.hits[hit.rank]] for hit in rag.search("a red apple")] == [
        hit.item.name for hit in rag.search("a red apple")
    ]
    assert drawn.names[drawn.nearest(1)[0]] == "drawing_02.png"


def test_the_cosines_and_the_gap_are_those_of_the_vectors(rag):
    drawn = rag.map("a red apple")
    encoder = rag._searching.encoders()["clip:emoji"]
    asked = encoder.embed_texts(["a red apple"])[0]
    vectors = {"text": [], "image": []}
    for i, (chunk, item) in enumerate(zip(drawn.chunks, drawn.items, strict=True)):
        if chunk.modality == "text":
            vector = encoder.embed_texts([truncated(chunk.text, encoder)])[0]
        else:
            path = item.uri if item.uri.endswith("png") else DEMO / "lorenz_attractor.png"
            with Image.open(path) as picture:
                vector = encoder.embed_images([_on_white(picture)])[0]
        vectors[chunk.modality].append(vector)
        assert drawn.cosines[i] == pytest.approx(float(vector @ asked), abs=2e-3)
    centres = [np.mean(vectors[kind], axis=0) for kind in ("image", "text")]
    assert drawn.gap.distance == pytest.approx(float(np.linalg.norm(centres[0] - centres[1])), abs=2e-3)
    assert f"{drawn.gap.distance:.2f} apart" in drawn.gap.sentence
    assert "Liang et al. 2022" in drawn.gap.sentence


def _on_white(picture):
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")


def test_what_is_embedded_for_the_map_is_said_and_not_stored(rag):
    before = rag.status().vectors
    assert "embedded by clip:emoji for this map only" in " ".join(rag.map().notes)
    assert rag.status().vectors == before


def test_texts_that_have_vectors_there_are_drawn_by_those():
    with MultimodalRAG(preset="offline", text="none") as shared:
        shared.index([DEMO / "emoji" / "drawing_02.png", {"text": "a red apple"}, {"text": "a harp"}])
        drawn = shared.map("a red apple")
        assert not drawn.notes
        assert drawn.gap is not None
        assert drawn.cosines[drawn.modalities.index("text")] == pytest.approx(1, abs=1e-4)


def test_another_question_moves_no_point(rag):
    assert np.array_equal(rag.map("a red apple").points, rag.map("a harp").points)


def test_a_space_by_the_begin_of_its_name(rag):
    words = rag.map("how many strings has a harp?", space="words")
    assert words.space.startswith("words:")
    assert words.gap is None
    assert words.names[words.nearest(1)[0]] == "tuning_a_harp.md"
    with pytest.raises(UnknownName, match="clip:emoji"):
        rag.map(space="clop")


def test_tsne_keeps_the_number_of_points_and_says_what_it_means(rag):
    drawn = rag.map("a red apple", "tsne")
    assert drawn.method == "tsne"
    assert drawn.points.shape == (len(drawn.chunks), 2)
    assert np.isfinite(drawn.points).all()
    assert "distances and directions do not" in drawn.axes
    with pytest.raises(UnknownName, match="did you mean 'tsne'"):
        rag.map(method="tsen")


def test_a_sample_is_drawn_of_many_with_the_hits_in_it(rag, monkeypatch):
    monkeypatch.setattr(mapping, "DRAWN", {"pca": 10, "tsne": 10})
    monkeypatch.setattr(mapping, "EMBEDDED", 6)
    drawn = rag.map("how many pedals does a concert harp have?")
    assert len(drawn.chunks) == 10
    hits = rag.search("how many pedals does a concert harp have?")
    assert [drawn.names[index] for index in drawn.hits.values()] == [hit.item.name for hit in hits]
    assert any("sample" in note for note in drawn.notes)
    assert any("6 of" in note for note in drawn.notes)


def test_small_pictures_are_small(rag):
    drawn = rag.map("a red apple")
    assert drawn.hits[1] in drawn.thumbnails
    assert {drawn.modalities[index] for index in drawn.thumbnails} == {"image"}
    assert max(len(preview.data) for preview in drawn.thumbnails.values()) < 4_000


def test_the_table_has_a_row_for_each_point(rag):
    table = rag.map("a red apple").to_pandas()
    assert len(table) == rag.status().chunks
    assert table.loc[table["hit"] == 1, "name"].item() == "drawing_02.png"


# -- narrow cases ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("method", ["pca", "tsne"])
@pytest.mark.parametrize("question", ["", "a harp"])
def test_few_items_have_a_map(n, method, question):
    with MultimodalRAG(preset="offline") as rag:
        rag.index([{"text": text} for text in ("A harp.", "The ferry.", "Two moons.")[:n]])
        drawn = rag.map(question, method)
        assert drawn.points.shape == (n, 2)
        assert np.isfinite(drawn.points).all()
        assert drawn.method == "pca"
        assert (drawn.query is not None) == bool(question)
        assert drawn._repr_html_()
        assert repr(drawn)


def test_texts_without_words_have_equal_vectors_and_a_map_that_says_so():
    with MultimodalRAG(preset="offline") as rag:
        rag.index([{"text": text} for text in ("?!", "!!", "...")])
        drawn = rag.map()
        assert np.ptp(drawn.points) == 0
        assert "all vectors are equal" in " ".join(drawn.notes)
        assert np.isfinite(rag.map("a harp").points).all()


def test_a_picture_alone_has_no_gap(tmp_path):
    with MultimodalRAG(preset="offline") as rag:
        rag.index([DEMO / "emoji" / "drawing_02.png"])
        drawn = rag.map("an apple")
        assert drawn.gap is None
        assert drawn.points.shape == (1, 2)


def test_nothing_to_draw_is_told():
    with MultimodalRAG(preset="offline") as rag:
        with pytest.raises(EmptyIndex):
            rag.map()
        rag.index([{"text": "A harp."}])
        rag.settings.clip, rag.settings.text = "emoji", "none"
        with pytest.raises(MissingVectors, match="none in clip:emoji"):
            rag.map()
        assert len(rag.map(space="words").chunks) == 1
        with pytest.raises(InvalidSetting, match="cannot be put into words"):
            rag.map("a harp", space="words")


# -- the numbers -------------------------------------------------------------------------------------------------------


def test_pca_is_the_singular_vectors_projection():
    vectors, query = unit(40), unit(1, seed=1)[0]
    projection = project(vectors, query, "pca")
    centred = vectors - vectors.mean(axis=0)
    _, values, axes = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    expected = np.vstack([centred, query - vectors.mean(axis=0)]) @ axes[:2].T
    got = np.vstack([projection.points, projection.query])
    assert np.allclose(np.abs(got), np.abs(expected), atol=1e-4)
    share = values[0] ** 2 / (values**2).sum()
    assert f"{share:.0%} of the variance lies from left to right" in projection.axes


def test_equal_vectors_and_another_question():
    same = np.repeat(unit(1), 20, axis=0)
    for method in ("pca", "tsne"):
        projection = project(same, unit(1, seed=1)[0], method)
        assert np.ptp(projection.points, axis=0) == pytest.approx([0, 0], abs=1e-6)
        assert np.linalg.norm(projection.query - projection.points[0]) > 0.1


def test_the_gap_by_hand():
    vectors, points = unit(6), unit(6, 2).astype(np.float32)
    are = np.array([True, False, True, False, False, True])
    gap = measured_gap(vectors, are, points)
    pictures, texts = ([v for v, is_picture in zip(vectors, are, strict=True) if is_picture == kind] for kind in (1, 0))
    middles = [sum(own) / len(own) for own in (pictures, texts)]
    assert gap.distance == pytest.approx(sum((a - b) ** 2 for a, b in zip(*middles, strict=True)) ** 0.5, abs=1e-6)
    assert gap.texts == pytest.approx(np.mean([np.linalg.norm(v - middles[1]) for v in texts]), abs=1e-6)
    assert gap.ends[0] == pytest.approx(points[are].mean(axis=0), abs=1e-6)
    assert measured_gap(vectors, np.ones(6, bool), points) is None


def test_portions_fill_up_what_small_kinds_leave():
    for counts, most in [([10, 5000, 5000], 3000), ([5], 3), ([2, 2], 100), ([0, 7, 3], 6), ([], 5)]:
        slow = [0] * len(counts)
        for _ in range(most):  # one at a time, to who has least
            open_ = [i for i in range(len(counts)) if slow[i] < counts[i]]
            if open_:
                slow[min(open_, key=lambda i: slow[i])] += 1
        fast = portions(counts, most)
        assert sum(fast) == sum(slow)
        assert sorted(fast) == pytest.approx(sorted(slow), abs=1)


def test_scattered_takes_the_farthest_each_time():
    points = unit(30, 2).astype(np.float32) * np.linspace(1, 3, 30, dtype=np.float32)[:, None]
    chosen = scattered(points, [4], 6)
    assert chosen[0] == 4
    for n in range(1, 6):
        nearest = [min(np.linalg.norm(p - points[i]) for i in chosen[:n]) for p in points]
        assert nearest[chosen[n]] == pytest.approx(max(nearest))
    assert sorted(scattered(points[:3], [], 10)) == [0, 1, 2]
    assert sorted(scattered(np.zeros((4, 2), np.float32), [2], 4)) == [0, 1, 2, 3]


def test_words_without_letters_share_one_vector():
    vectors = WordsEncoder().embed_texts(["?!", "..."])
    assert np.array_equal(vectors[0], vectors[1]), "what the test of equal vectors rests on"


def test_a_damaged_thumbnail_leaves_a_point_without_a_picture():
    """An index can come from anywhere."""
    with MultimodalRAG(preset="offline") as rag:
        rag.index([DEMO / "emoji"])
        whole = len(rag.map().thumbnails)
        rag._catalog._db.execute(
            "UPDATE previews SET data = x'00' WHERE kind = 'thumbnail' AND item = (SELECT min(id) FROM items)"
        )
        assert len(rag.map().thumbnails) == whole - 1
