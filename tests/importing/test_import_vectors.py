"""``import_vectors``: vectors that people have already, with a table, into an index."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from hostile import HOSTILE
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import IndexMismatch, InvalidSetting, LoadError, MMRagError, ModelUnavailable, UnknownName
from mmrag_nb.models.emoji import EmojiEncoder

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def encoder():
    return EmojiEncoder()


@pytest.fixture
def drawings(tmp_path, monkeypatch):
    """Twelve drawings in the working directory, by name."""
    monkeypatch.chdir(tmp_path)
    names = []
    for file in sorted((demo_folder() / "emoji").glob("*.png")):
        shutil.copy(file, tmp_path)
        names.append(file.name)
    return names


@pytest.fixture
def vectors(drawings, encoder):
    return encoder.embed_images([Image.open(name).convert("RGB") for name in drawings])


@pytest.fixture
def rag():
    with MultimodalRAG(preset="offline") as rag:
        yield rag


def write_csv(place, rows):
    with Path(place).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def image_vectors(rag):
    ids, matrix = rag._catalog.matrix("clip:emoji", "image")
    names = [stored.item.uri for stored in rag._catalog.records(ids.tolist()).values()]
    return dict(zip(names, matrix, strict=True))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_rows_are_found_as_if_they_had_been_indexed(rag, drawings, vectors, dtype):
    np.save("v.npy", (7 * vectors).astype(dtype))  # not of length 1
    write_csv("t.csv", [{"path": name, "price": n} for n, name in enumerate(drawings)])
    report = rag.import_vectors("v.npy", "t.csv")
    assert (report.added, report.reused, report.items) == (12, 0, {"image": 12})
    assert "mean cosine 1.000 of 8 pictures" in report.agreement
    hit = rag.search("a red apple", k=1)[0]
    assert (hit.item.name, hit.item.metadata) == ("drawing_02.png", {"price": 1})
    assert "thumbnail" in hit.previews
    assert hit.cosine == pytest.approx(rag.search("a red apple", k=1, raw=True)[0].cosine)
    for name, vector in zip(drawings, vectors, strict=True):
        assert image_vectors(rag)[name] @ vector > 0.9999
        assert np.linalg.norm(image_vectors(rag)[name]) == pytest.approx(1)


def test_importing_again_changes_nothing(rag, drawings, vectors):
    frame = pd.DataFrame({"path": drawings, "price": range(12)})
    rag.import_vectors(vectors, frame)
    before = rag._catalog.generation
    report = rag.import_vectors(vectors, frame)
    assert (report.added, report.reused) == (0, 12)
    assert rag._catalog.generation == before


@pytest.mark.parametrize("thumbnails", [True, False])
def test_indexing_the_same_files_later_takes_the_vectors_over(rag, drawings, vectors, thumbnails):
    rag.import_vectors(vectors, [{"path": name} for name in drawings], thumbnails=thumbnails)
    report = rag.index("*.png")
    assert (report.embedded, report.reused) == (0, 12)
    assert len(rag.items()) == 12
    assert "thumbnail" in rag.previews(drawings[0])


def test_vectors_of_files_that_were_indexed_before_join_them(drawings, vectors, encoder):
    with MultimodalRAG(preset="offline") as rag:
        rag.index(drawings[0])
        report = rag.import_vectors(vectors, [{"path": name} for name in drawings])
        assert (report.added, report.reused, len(rag.items())) == (11, 1, 12)


def test_texts_are_items_with_their_vectors_and_words(encoder):
    texts = ["a red apple", "a yellow banana"]
    with MultimodalRAG(preset="offline", text="none") as rag:
        report = rag.import_vectors(encoder.embed_texts(texts), [{"text": one, "shelf": 3} for one in texts])
        assert report.items == {"text": 2}
        assert "mean cosine 1.000 of 2 texts" in report.agreement
        hit = rag.search("banana", k=1)[0]
        assert (hit.chunk.text, hit.space, hit.lexical > 0) == ("a yellow banana", "clip:emoji", True)
        assert rag.index([{"text": "a red apple"}]).embedded == 0


def test_what_is_nowhere_at_hand_goes_by_its_address_and_its_vector(rag, vectors):
    rows = [{"url": f"https://example.org/{n}", "caption": f"drawing number {n}"} for n in range(12)]
    report = rag.import_vectors(vectors, [{**row, "modality": "image"} for row in rows])
    assert report.items == {"image": 12}
    assert "not compared" in report.agreement
    assert rag.import_vectors(vectors, [{**row, "modality": "image"} for row in rows]).added == 0
    assert rag.import_vectors(vectors[::-1], [{**row, "modality": "image"} for row in rows]).added == 12
    assert {hit.item.uri for hit in rag.search("7", k=24) if hit.lexical} == {"https://example.org/7"}


def test_columns_can_be_said_and_other_names_are_mended(rag, drawings, vectors):
    frame = pd.DataFrame({"photo": drawings, "unit price": 2.5, "when": pd.Timestamp("2026-01-02")})
    with pytest.raises(LoadError, match=r"has photo, unit price, when: one column must say.*columns="):
        rag.import_vectors(vectors, frame)
    rag.import_vectors(vectors, frame, columns={"photo": "path"})
    assert rag.items()[0].metadata == {"unit_price": 2.5, "when": "2026-01-02T00:00:00"}
    with pytest.raises(UnknownName, match="unknown column 'foto'"):
        rag.import_vectors(vectors, frame, columns={"foto": "path"})


def test_rows_that_are_no_vectors_are_left_out_by_number(rag, drawings, vectors):
    vectors[2], vectors[5, 3], vectors[7, 0] = 0, np.nan, np.inf
    report = rag.import_vectors(vectors, [{"path": name} for name in drawings])
    assert report.added == 9
    assert [(one.source, one.reason) for one in report.skipped] == [
        ("the table, row 3", "its vector is zero"),
        ("the table, row 6", "its vector has a NaN or an infinity"),
        ("the table, row 8", "its vector has a NaN or an infinity"),
    ]


def test_contents_that_come_twice_are_kept_once(rag, drawings, vectors):
    report = rag.import_vectors(vectors[[0, 0, 1]], [{"path": drawings[n]} for n in (0, 0, 1)])
    assert report.added == 2
    assert report.notes[0] == ("the table", "of 1 more, the content came before: it is kept once")


class TestWhoseVectorsTheyAre:
    def test_rows_in_another_order_are_an_error_before_anything_is_kept(self, rag, drawings, vectors):
        with pytest.raises(MMRagError, match=r"mean cosine 0\.\d+ of 8 pictures.*0\.98 would do.*check=False"):
            rag.import_vectors(vectors[::-1], [{"path": name} for name in drawings])
        assert not rag.items()
        report = rag.import_vectors(vectors[::-1], [{"path": name} for name in drawings], check=False)
        assert (report.added, report.agreement) == (12, "not compared, as you asked")

    def test_another_models_vectors_are_an_error(self, rag, drawings, vectors):
        turned = vectors @ np.linalg.qr(np.random.default_rng(0).normal(size=(128, 128)))[0]
        with pytest.raises(MMRagError, match="these are not vectors of emoji_clip"):
            rag.import_vectors(turned, [{"path": name} for name in drawings])

    def test_vectors_from_before_the_projection_do_not_fit(self, rag, drawings):
        with pytest.raises(LoadError, match=r"768 numbers each, those of emoji_clip .* 128: .*before the projection"):
            rag.import_vectors(np.ones((12, 768), np.float32), [{"path": name} for name in drawings])

    def test_another_model_than_the_index_is_filled_by_is_an_error(self, rag, drawings, vectors):
        rag.import_vectors(vectors, [{"path": name} for name in drawings])
        with pytest.raises(InvalidSetting, match=r"of openai/clip-vit-base-patch32, but clip is emoji"):
            rag.import_vectors(vectors, [{"path": drawings[0]}], model="openai/clip-vit-base-patch32")

    def test_an_empty_index_takes_the_model_as_its_setting_unless_it_fails(self, drawings, vectors):
        with MultimodalRAG() as rag:
            with pytest.raises(LoadError):
                rag.import_vectors(vectors[:3], [{"path": name} for name in drawings], model="emoji")
            assert rag.settings.clip == ""
            rag.import_vectors(vectors, [{"path": name} for name in drawings], model="emoji")
            assert rag.settings.clip == "emoji"


class TestWithoutTheModel:
    """The model is at no hand now: it is named, and compared when it first is."""

    MODEL = "someone/tiny-clip"

    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        import huggingface_hub.constants

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    @pytest.fixture
    def arrives(self, monkeypatch):
        """Let the model be there: the shipped one, under that name."""

        class Arrived(EmojiEncoder):
            def __init__(self, model, **options):
                super().__init__(**options)
                self.space = f"clip:{model}"
                self.fingerprint = {**self.fingerprint, "model": model}

        def arrive():
            import mmrag_nb.models.clip

            monkeypatch.setattr(mmrag_nb.models.clip, "ClipEncoder", Arrived)

        return arrive

    def test_the_vectors_come_in_and_are_compared_as_soon_as_it_is_there(self, drawings, vectors, arrives, tmp_path):
        with MultimodalRAG(path=tmp_path / "a.mmrag") as rag:
            report = rag.import_vectors(vectors, [{"path": name} for name in drawings], model=self.MODEL)
            assert (report.added, report.spaces) == (12, {f"clip:{self.MODEL}": 12})
            assert "compared when the model is first at hand" in report.agreement
            with pytest.raises(ModelUnavailable):
                rag.search("a red apple")
            assert rag.import_vectors(vectors, [{"path": name} for name in drawings], model=self.MODEL).added == 0
        arrives()
        with MultimodalRAG.open(tmp_path / "a.mmrag") as rag:
            assert rag._catalog.unsettled() == [f"clip:{self.MODEL}"]
            assert rag.search("a red apple", k=1)[0].item.name == "drawing_02.png"
            assert rag._catalog.unsettled() == []
            assert rag._catalog.fingerprint(f"clip:{self.MODEL}")["model"] == self.MODEL

    def test_what_is_not_its_own_is_told_then(self, drawings, vectors, arrives):
        turned = vectors @ np.linalg.qr(np.random.default_rng(0).normal(size=(128, 128)))[0]
        with MultimodalRAG() as rag:
            rag.import_vectors(turned, [{"path": name} for name in drawings], model=self.MODEL)
            arrives()
            for act in (lambda: rag.search("a red apple"), lambda: rag.index(drawings[0])):
                with pytest.raises(IndexMismatch, match=r"index has agreement=mean cosine"):
                    act()

    def test_indexing_goes_on_with_them_once_they_are_compared(self, drawings, vectors, arrives):
        with MultimodalRAG() as rag:
            rag.import_vectors(vectors[:6], [{"path": name} for name in drawings[:6]], model=self.MODEL)
            arrives()
            report = rag.index(drawings)
            assert (report.embedded, report.reused) == (6, 6)

    def test_other_lengths_do_not_join_them(self, drawings, vectors):
        with MultimodalRAG() as rag:
            rag.import_vectors(vectors, [{"path": name} for name in drawings], model=self.MODEL)
            with pytest.raises(LoadError, match="64 numbers each"):
                rag.import_vectors(vectors[:1, :64], [{"path": "other.png"}], model=self.MODEL)


class TestWrongInput:
    def test_as_many_rows_as_vectors(self, rag, drawings, vectors):
        write_csv("t.csv", [{"path": name} for name in drawings])
        with pytest.raises(LoadError, match=r"t\.csv has 12 rows, the vectors are 11"):
            rag.import_vectors(vectors[:11], "t.csv")

    @pytest.mark.parametrize(
        ("array", "told"),
        [
            (np.ones((3, 4), np.int64), "holds int64: vectors are float16, float32 or float64"),
            (np.ones(4), "is 4: vectors are an array of n rows"),
            (np.ones((2, 3, 4)), "is 2 x 3 x 4: vectors"),
            (np.ones((0, 4)), "is 0 x 4"),
            (np.ones((3, 4), complex), "holds complex128"),
            ([[1.0, 2.0], [3.0]], "differ in length"),
            (object(), "not an object of type object"),
        ],
    )
    def test_arrays_that_are_none(self, rag, array, told):
        with pytest.raises(LoadError, match=told):
            rag.import_vectors(array, [{"path": "a.png"}])

    def test_pickles_are_never_loaded(self, rag, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (open, (str(tmp_path / "it ran"), "w"))

        np.save(tmp_path / "object.npy", np.array([Bomb(), Bomb()], object), allow_pickle=True)
        np.savez(tmp_path / "many.npz", a=np.ones((2, 2)))
        (tmp_path / "v.pkl").write_bytes(b"cos\nsystem\n")
        (tmp_path / "named.npy").write_bytes(b"cos\nsystem\n")
        (tmp_path / "cut.npy").write_bytes((tmp_path / "object.npy").read_bytes()[:60])
        for name, told in [
            ("object.npy", "holds pickled Python objects, which run as code and are never read"),
            ("many.npz", "archive of arrays"),
            ("v.pkl", "may hold pickled objects"),
            ("named.npy", r"is no \.npy file"),
            ("cut.npy", "is damaged"),
            ("none.npy", "cannot be read: No such file"),
        ]:
            with pytest.raises(LoadError, match=told):
                rag.import_vectors(tmp_path / name, [{"path": "a.png"}, {"path": "b.png"}])
        assert not (tmp_path / "it ran").exists()

    def test_a_file_that_is_shorter_than_its_header_says(self, rag, tmp_path):
        np.save(tmp_path / "v.npy", np.ones((100, 128), np.float32))
        data = (tmp_path / "v.npy").read_bytes()
        (tmp_path / "v.npy").write_bytes(data[: len(data) // 2])
        with pytest.raises(LoadError, match=r"damaged, or no \.npy file of vectors"):
            rag.import_vectors(tmp_path / "v.npy", [{"path": "a.png"}] * 100)

    def test_tables_that_are_none(self, rag, vectors, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "table.csv").write_text("colour\nred\n")
        with pytest.raises(LoadError, match=r"did you mean 'table\.csv'"):
            rag.import_vectors(vectors, "tabel.csv")
        with pytest.raises(LoadError, match=r"table\.csv has colour: one column must say"):
            rag.import_vectors(vectors[:1], "table.csv")
        (tmp_path / "a.txt").write_text("a")
        with pytest.raises(LoadError, match="is no table"):
            rag.import_vectors(vectors, "a.txt")
        for nothing in ([], 3, [1, 2]):
            with pytest.raises(LoadError, match="a table is a"):
                rag.import_vectors(vectors, nothing)

    def test_rows_that_say_nothing_or_what_cannot_be(self, rag, vectors, drawings):
        rows = [
            {"path": drawings[0]},
            {"path": None},
            {"path": "", "caption": " "},
            {"path": "x.mp3", "modality": "audio"},
        ]
        report = rag.import_vectors(vectors[:4], rows)
        assert report.added == 1
        assert [one.reason for one in report.skipped] == [
            "neither a path nor a text: nothing says what its vector is of",
            "neither a path nor a text: nothing says what its vector is of",
            "modality 'audio': vectors of an image-text model are of image or text",
        ]

    def test_no_table_at_all(self, rag, vectors, tmp_path):
        np.save(tmp_path / "v.npy", vectors)
        with pytest.raises(LoadError, match="name the table that says what each vector in"):
            rag.import_vectors(tmp_path / "v.npy")
        pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "mine.parquet")
        with pytest.raises(LoadError, match="was not exported by mmrag_nb"):
            rag.import_vectors(tmp_path / "mine.parquet")


def test_a_picture_that_is_damaged_keeps_its_vector_and_is_told(rag, drawings, vectors, tmp_path):
    (tmp_path / drawings[0]).write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    report = rag.import_vectors(vectors, [{"path": name} for name in drawings])
    assert report.added == 12
    assert report.notes[0][0] == drawings[0]
    assert report.notes[0][1].startswith("without a thumbnail: ")


def test_files_that_are_no_pictures_are_not_opened(rag, vectors, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    rag.import_vectors(vectors[:1], [{"path": str(tmp_path / "secret.txt"), "modality": "image"}])
    (item,) = rag.items()
    assert "secret" not in str(rag.previews(item)) + str(rag.chunks(item)[0].text)
    assert not rag.previews(item)


def test_hostile_strings_in_every_column_come_back_as_they_were(rag, vectors, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [{"path": text, "caption": text, "said": text, "modality": "image"} for text in HOSTILE]
    report = rag.import_vectors(rng.normal(size=(len(rows), 128)), rows)
    refused = [text for text in HOSTILE if "\0" in text or not text.strip()]
    assert report.added + len(report.skipped) == len(rows)
    assert len(report.skipped) == len(refused)
    shown = report._repr_html_()
    assert "<script>" not in shown
    assert "<img" not in shown
    kept = {item.metadata["said"] for item in rag.items()}
    assert kept == {text.encode("utf-8", "replace").decode() for text in HOSTILE if text not in refused}
    rag.export(tmp_path / "hostile.parquet")
    with MultimodalRAG(preset="offline") as other:
        other.import_vectors(tmp_path / "hostile.parquet")
        assert [(item.uri, item.metadata) for item in other.items()] == [
            (item.uri, item.metadata) for item in rag.items()
        ]
