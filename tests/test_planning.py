"""A dry run tells what indexing would do, and does nothing."""

import shutil
import time
import wave

import numpy as np
import pytest
from checkpoints import checkpoint  # noqa: F401 - a fixture
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import IndexMismatch, InvalidSetting

WORDS = "harp string tune bridge river tide moon lantern copper market kite window hill rope bell orchard".split()


def prose(random, sentences):
    return " ".join(f"{' '.join(random.choice(WORDS, 9)).capitalize()}." for _ in range(sentences))


@pytest.fixture
def rag():
    rag = MultimodalRAG(preset="offline")
    yield rag
    rag.close()


@pytest.fixture
def folder(tmp_path):
    """Twenty pictures and twenty texts of very different sizes."""
    random = np.random.default_rng(4)
    for n in range(20):
        noise = random.integers(0, 255, (30 + 20 * n, 40 + 20 * n, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"noise {n}.png")
        (tmp_path / f"text {n}.md").write_text(prose(random, 1 + n * n))
    return tmp_path


def test_nothing_is_written_and_nothing_seen_changes(rag, folder, tmp_path):
    rag.index({"text": "A concert harp has forty-seven strings."})
    rag.save(tmp_path / "lesson.mmrag")
    file = (tmp_path / "lesson.mmrag").read_bytes()
    before, status = rag._catalog.generation, rag.status()
    plan = rag.plan(str(folder))
    assert plan.new == 40
    assert rag._catalog.generation == before
    assert rag.status() == status
    assert (tmp_path / "lesson.mmrag").read_bytes() == file
    assert not (tmp_path / "lesson.mmrag-wal").read_bytes(), "nothing waits to be written"
    assert rag.report.items == {"text": 1}, "the last run's report, not the plan's"


def test_chunks_and_bytes_come_near_to_what_indexing_then_takes(rag, folder):
    plan = rag.plan(str(folder))
    empty = rag._catalog.size()
    report = rag.index(str(folder))
    grown = rag._catalog.size() - empty
    assert {kind.modality: kind.new for kind in plan.kinds} == report.items
    assert report.chunks / 3 < plan.chunks < report.chunks * 3
    assert grown / 3 < plan.growth < grown * 3
    vectors = rag._catalog.vector_bytes()
    assert plan.vectors.keys() == vectors.keys()
    for space, size in vectors.items():
        assert size / 3 < plan.vectors[space] < size * 3
    assert plan.models == report.models
    assert all(seconds > 0 for kind in plan.kinds for seconds in kind.seconds.values())
    assert set(plan.seconds) == {"resolve", "load", "embed", "commit"}


def test_it_is_said_on_what_the_estimate_rests(rag, folder):
    plan = rag.plan(str(folder))
    tried, of = (int(word) for word in plan.basis.split() if word.isdigit())
    assert plan.basis == f"measured on {tried} of {of} items"
    assert 0 < tried < of == 40


def test_what_is_in_the_index_already_is_told_apart(rag, folder):
    rag.index([str(folder / "noise 3.png"), str(folder / "text 3.md")])
    (folder / "text 3.md").write_text("something else")
    kinds = {kind.modality: (kind.new, kind.known) for kind in rag.plan(str(folder)).kinds}
    assert kinds == {"text": (20, 0), "image": (19, 1)}
    rag.index(str(folder))
    again = rag.plan(str(folder))
    assert (again.new, again.known, again.chunks, again.growth) == (0, 40, 0, 0)
    assert "measured" not in again.basis
    picture = [{"image": Image.open(folder / "noise 3.png"), "caption": "grey noise"}]
    rag.index(picture)
    assert rag.plan(picture).known == 1
    assert rag.plan([{**picture[0], "caption": "another"}]).new == 1, "a new caption is embedded"


def test_addresses_are_listed_and_not_fetched(rag, monkeypatch):
    from mmrag_nb.sources import resolve

    monkeypatch.setattr(resolve, "resolve_url", lambda *_, **__: pytest.fail("fetched"))
    plan = rag.plan(
        [
            "https://example.org/Wiki.txt?token=abcdef",
            {"url": "https://example.org/a.mp3", "speaker": "D. Warfield"},
            [[{"image": "http://example.org/b.jpg"}, {"text": "https://example.org is a text here"}]],
            {"image": ["https://example.org/c.png"]},
            "ftp://example.org/x",
        ]
    )
    assert plan.fetched == (
        "https://example.org/Wiki.txt?token=…",
        "https://example.org/a.mp3",
        "http://example.org/b.jpg",
        "https://example.org/c.png",
    )
    assert [one.source for one in plan.skipped] == ["ftp://example.org/x"]
    assert [(kind.modality, kind.new) for kind in plan.kinds] == [("text", 1)]
    assert "abcdef" not in repr(plan) + plan._repr_html_()


def test_what_would_be_skipped_is_told_where_it_can_be_seen(rag, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "a.txt").write_text("A harp.")
    (tmp_path / "b.txt").write_text("A harp.")
    (tmp_path / "no sound.mp3").write_text("not a sound")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG and no more")
    (tmp_path / "what.xyz").write_text("unknown")
    plan = rag.plan([str(tmp_path), "missing.jpg"])
    told = {one.source.rsplit("/", 1)[-1]: one.reason for one in plan.skipped}
    real = {one.source.rsplit("/", 1)[-1]: one.reason for one in rag.index([str(tmp_path), "missing.jpg"]).skipped}
    assert told == real
    assert plan.new == 1


def test_a_silent_and_an_endless_sound_are_told(rag, tmp_path, monkeypatch):
    pytest.importorskip("pocketsphinx")
    monkeypatch.setattr("mmrag_nb.loaders.audio.MAX_SECONDS", 100.0)
    for name, seconds in (("silent.wav", 2), ("endless.wav", 200)):
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setparams((1, 2, 8_000, 0, "NONE", ""))
            file.writeframes(bytes(2 * 8_000 * seconds))
    told = {one.source.rsplit("/", 1)[-1]: one.reason for one in rag.plan(str(tmp_path)).skipped}
    assert told["silent.wav"].startswith("silent: ")
    assert told["endless.wav"].startswith("too long: ")


def test_sounds_are_judged_by_their_first_words(rag, tmp_path):
    pytest.importorskip("pocketsphinx")
    shutil.copy(demo_folder() / "weather_report.mp3", tmp_path)
    plan = rag.plan(str(tmp_path))
    (sounds,) = plan.kinds
    assert set(sounds.seconds) >= {"load", "transcribe", "embed", "commit"}
    empty = rag._catalog.size()
    report = rag.index(str(tmp_path))
    assert report.chunks / 3 <= sounds.chunks <= report.chunks * 3
    assert (rag._catalog.size() - empty) / 3 < sounds.growth < (rag._catalog.size() - empty) * 3
    assert report.seconds["transcribe"] / 10 < sounds.seconds["transcribe"] < report.seconds["transcribe"] * 10


def test_a_model_that_is_not_here_is_named_and_not_downloaded(folder, tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "no cache"))
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: pytest.fail("asked the hub"))
    rag = MultimodalRAG(preset="offline", clip="example/clip-large")
    plan = rag.plan(str(folder))
    texts, pictures = plan.kinds
    assert texts.seconds
    assert (pictures.new, pictures.chunks, pictures.growth, pictures.seconds) == (20, 20, None, {})
    assert (plan.growth, plan.chunks > 20) == (None, True)
    assert "example/clip-large (to be downloaded)" in plan.models
    (remark,) = plan.remarks
    assert "example/clip-large" in remark
    assert "pictures" in remark
    assert "%config MMRag.preset" in remark
    assert "for text alone" in repr(plan)
    whole = MultimodalRAG(preset="colab", clip="example/clip-large", speech="none").plan(str(folder))
    assert (whole.growth, whole.chunks, whole.basis) == (None, None, "")
    assert "Dry run" in repr(whole)


def test_models_downloaded_before_are_tried_without_the_hub(checkpoint, folder, tmp_path_factory, monkeypatch):  # noqa: F811
    import huggingface_hub

    cache = tmp_path_factory.mktemp("cache")
    snapshots = cache / "models--example--clip-tiny" / "snapshots"
    shutil.copytree(checkpoint("clip"), snapshots / ("0" * 40))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    asked = []
    real = huggingface_hub.constants.is_offline_mode
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: asked.append(real()) or real())
    with MultimodalRAG(clip="example/clip-tiny", speech="none") as rag:
        plan = rag.plan(str(folder))
        assert [(kind.new, bool(kind.seconds)) for kind in plan.kinds] == [(20, True), (20, True)]
        assert list(plan.vectors) == ["clip:example/clip-tiny"]
        assert not plan.remarks
    assert all(asked), "each request to the hub was stopped before it left"
    assert not huggingface_hub.constants.HF_HUB_OFFLINE, "only the dry run goes without the hub"


def test_what_indexing_would_refuse_is_refused(rag, folder):
    with pytest.raises(InvalidSetting, match="nothing can be embedded"):
        MultimodalRAG(clip="none", text="none").plan(str(folder))
    rag.index({"text": "A harp."})
    with rag._catalog._write() as db:
        db.execute('UPDATE spaces SET fingerprint = \'{"model": "another"}\'')
    with pytest.raises(IndexMismatch):
        rag.plan({"text": "A ferry."})


def test_a_plan_has_a_table_a_text_and_a_page(rag, folder):
    plan = rag.plan([str(folder), "missing.txt"])
    table = plan.to_pandas()
    assert list(table["modality"]) == ["text", "image"]
    assert list(table["new"]) == [20, 20]
    text = repr(plan)
    assert text.startswith("would index 40 items (20 images, 20 text): 40 to embed, 0 in the index already")
    assert max(len(line) for line in text.splitlines()) <= 100
    for said in (plan.basis, "missing.txt", "Dry run"):
        assert said in text
        assert said in plan._repr_html_()
    assert "nothing to index" in repr(rag.plan([]))


def test_hostile_names_stay_text(rag, tmp_path):
    from bs4 import BeautifulSoup

    name = "<img src=x onerror=alert(1)>.txt"
    (tmp_path / name).write_text("")
    plan = rag.plan([str(tmp_path), "https://example.org/<script>alert(1)</script>"])
    page = BeautifulSoup(plan._repr_html_(), "html.parser")
    assert page.script is None
    assert page.img is None
    assert name in page.get_text()


def test_progress_is_told_and_an_interruption_leaves_nothing(rag, folder):
    stages = []

    def stop(stage, done, total):
        stages.append((stage, done, total))
        if stage.startswith("trying"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rag.plan(str(folder), progress=stop)
    assert ("opening sources", 40, 40) in stages
    assert rag.status().items == {}


def test_a_dry_run_of_hundreds_of_files_is_short(rag, tmp_path):
    import time

    random = np.random.default_rng(4)
    for n in range(300):
        Image.fromarray(random.integers(0, 255, (120, 160, 3), dtype=np.uint8)).save(tmp_path / f"{n}.jpg")
        (tmp_path / f"{n}.txt").write_text(prose(random, 20))
    rag.plan({"text": "what is slow only once"})
    start = time.perf_counter()
    plan = rag.plan(str(tmp_path))
    took = time.perf_counter() - start
    assert plan.new == 600
    assert took < max(3.0, sum(plan.seconds.values())), "3 s, on a machine that is not busy"


def test_what_is_slow_only_once_is_not_counted_for_each_sound(rag, tmp_path, monkeypatch):
    pytest.importorskip("pocketsphinx")
    from mmrag_nb.assets.demo.media import demo_folder
    from mmrag_nb.models.words import WordsEncoder

    embed, waited = WordsEncoder.embed_texts, []

    def slow_at_first(self, texts):
        if not waited:
            waited.append(time.sleep(1))
        return embed(self, texts)

    monkeypatch.setattr(WordsEncoder, "embed_texts", slow_at_first)
    plan = rag.plan([demo_folder() / "lighthouse_talk.mp3"])
    assert waited
    assert plan.seconds["embed"] < 0.5
