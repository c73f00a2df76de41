"""Models load while a question is typed: once, in silence, from this machine; a question asked before costs nothing."""

import builtins
import json
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from mmrag_nb import MultimodalRAG, registry
from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.remembering import Remembered
from mmrag_nb.warming import Warming, in_kernel
from mmrag_nb.weights import folder

TEXTS = ({"text": "A harp has forty-seven strings."}, {"text": "The ferry leaves at noon."})
PATIENCE = 60


@pytest.fixture
def file(tmp_path):
    with MultimodalRAG(preset="offline", path=tmp_path / "lesson.mmrag") as rag:
        rag.index(list(TEXTS))
    return tmp_path / "lesson.mmrag"


@pytest.fixture
def made(monkeypatch):
    """The encoders that are made, each after a moment."""
    found, create = [], registry.create

    def slowly(kind, name, *arguments, **options):
        if kind == "encoder":
            found.append(name)
            time.sleep(0.3)
        return create(kind, name, *arguments, **options)

    monkeypatch.setattr(registry, "create", slowly)
    return found


class Counting:
    """An encoder that counts what it embeds."""

    def __init__(self):
        self.embedded = []

    def embed(self, texts):
        self.embedded += texts
        return np.full((len(texts), 3), len(self.embedded), np.float32)


def fresh(program, **how):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False, **how
    )


# -- in the background -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause", [0, 0.05, 0.2, 1])
def test_however_many_ask_and_when_everything_is_loaded_once(file, made, pause):
    with MultimodalRAG.open(file) as rag:
        warming = rag.warm()
        time.sleep(pause)
        answers = []
        asking = [threading.Thread(target=lambda: answers.append(rag.ask("how many strings?"))) for _ in range(4)]
        for one in asking:
            one.start()
        for one in asking:
            one.join(PATIENCE)
        assert warming.wait(PATIENCE)
        assert warming.error is None
        assert rag.warm() is warming, "there is nothing left to load"
    assert made == ["words"]
    assert [answer.hits[0].chunk.text for answer in answers] == [TEXTS[0]["text"]] * 4


def test_it_returns_at_once_and_the_question_finds_everything_there(file, made, capfd):
    with MultimodalRAG.open(file) as rag:
        start = time.perf_counter()
        warming = rag.warm()
        assert time.perf_counter() - start < 0.2
        assert warming.wait(PATIENCE)
        assert made == ["words"]
        assert not rag._parts._channels._channels, "the index is left alone: its connection serves one thread at a time"
        rag.search("when does the ferry leave?")
    assert made == ["words"]
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_loaded_is_told_by_the_question_that_needs_it(file, tmp_path, capfd):
    with MultimodalRAG.open(file, text=f"sbert:{tmp_path / 'nowhere'}") as rag:
        warming = rag.warm()
        assert warming.wait(PATIENCE)
        assert isinstance(warming.error, ModelUnavailable)
        assert capfd.readouterr() == ("", "")
        with pytest.raises(ModelUnavailable, match="nowhere") as caught:
            rag.search("how many strings?")
        assert "\n" not in str(caught.value)
        rag.settings.text = "words"
        assert rag.search("how many strings?")[0].chunk.text == TEXTS[0]["text"]


def test_nothing_is_downloaded_and_the_hub_is_not_even_asked(file, monkeypatch, tmp_path):
    import huggingface_hub

    asked = []

    def ask(_self, model, **_options):
        asked.append(model)
        raise OSError("no hub here")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", ask)
    monkeypatch.setattr(huggingface_hub.HfApi, "snapshot_download", ask)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with MultimodalRAG.open(file, text="sbert:some/model") as rag:
        warming = rag.warm()
        assert warming.wait(PATIENCE)
        assert "not on this machine" in str(warming.error)
        assert asked == []
        with pytest.raises(ModelUnavailable):
            rag.search("how many strings?")
        assert asked == ["some/model"], "the question asks, as it would without"


def test_the_index_is_not_completed_in_the_background(tmp_path):
    with MultimodalRAG(preset="offline", path=tmp_path / "lesson.mmrag") as rag:
        rag.index(list(TEXTS))
        rag.settings.strategy = "separate"
        before = rag.lacking()
        rag.settings.strategy = "grounded"
        assert rag.warm().wait(PATIENCE)
        rag.settings.strategy = "separate"
        assert rag.lacking() == before


def test_closing_the_index_meanwhile_harms_nobody(file, made):
    rag = MultimodalRAG.open(file)
    warming = rag.warm()
    rag.close()
    assert warming.wait(PATIENCE)


def test_a_kernel_warms_what_it_opens_unless_told_otherwise_and_a_script_does_not(file, monkeypatch):
    begun = []
    monkeypatch.setattr(MultimodalRAG, "warm", lambda _self, after=0.0: begun.append(after))
    assert not in_kernel()
    MultimodalRAG.open(file).close()
    assert begun == []
    monkeypatch.setattr(builtins, "get_ipython", lambda: SimpleNamespace(kernel=object()), raising=False)
    MultimodalRAG.open(file).close()
    assert len(begun) == 1
    MultimodalRAG.open(file, warm=False).close()
    assert len(begun) == 1


@pytest.mark.parametrize("step", ["time.sleep(0.05); step('', 0, None)", "time.sleep(60)"])
def test_python_ends_while_it_loads(step):
    start = time.perf_counter()
    ended = fresh(
        "import time\nfrom mmrag_nb.warming import Warming\n"
        f"def load(step):\n    while True:\n        {step}\nWarming(load)\ntime.sleep(0.2)"
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert time.perf_counter() - start < 20


def test_a_load_that_is_stopped_goes_no_further():
    steps, begun = [], threading.Event()

    def load(step):
        for number in range(1000):
            step("", number, None)
            steps.append(number)
            begun.set()
            time.sleep(0.01)

    warming = Warming(load)
    assert begun.wait(PATIENCE)
    warming.stop()
    assert warming.wait(PATIENCE)
    assert warming.error is None
    assert len(steps) < 1000


# -- what the first question imports ----------------------------------------------------------------------------------


def test_a_question_to_texts_and_pictures_offline_waits_for_no_heavy_library(tmp_path):
    from PIL import Image

    with MultimodalRAG(preset="offline", path=tmp_path / "lesson.mmrag") as rag:
        rag.index([*TEXTS, {"image": Image.new("RGB", (64, 64), "red"), "caption": "a red square"}])
        rag.ask("what is red?")
    ended = fresh(
        "import json, sys\nfrom mmrag_nb import MultimodalRAG\n"
        f"rag = MultimodalRAG.open({str(tmp_path / 'lesson.mmrag')!r})\n"
        "answer = rag.ask('how many strings has a harp?')\nanswer._repr_html_()\n"
        "heavy = ('torch', 'transformers', 'sklearn', 'scipy', 'pandas', 'matplotlib', 'PIL', 'av')\n"
        "print(json.dumps([answer.text, [name for name in heavy if name in sys.modules]]))"
    )
    text, heavy = json.loads(ended.stdout)
    assert "forty-seven" in text
    assert heavy == []


# -- asked before ------------------------------------------------------------------------------------------------------


def test_the_same_question_is_embedded_once_whatever_else_changes(file, monkeypatch):
    from mmrag_nb.models.words import WordsEncoder

    embedded, embed = [], WordsEncoder.embed_texts

    def counted(self, texts):
        embedded.extend(texts)
        return embed(self, texts)

    monkeypatch.setattr(WordsEncoder, "embed_texts", counted)
    with MultimodalRAG.open(file) as rag:
        first = rag.search("how many strings?")
        rag.ask("how many strings?")
        again = rag.search("how many strings?", k=1, modalities="text", strategy="grounded")
        assert embedded.count("how many strings?") == 1
        assert again[0].cosine == first[0].cosine
        rag.search("how many strings are there?")
        assert embedded.count("how many strings are there?") == 1
        rag.settings.text = "none"
        rag.settings.text = "words"
        rag._parts._models.clear()  # another encoder of that name
        rag.search("how many strings?")
    assert embedded.count("how many strings?") == 2


def test_a_vector_belongs_to_its_encoder_and_cannot_be_changed_from_outside():
    remembered, one, other = Remembered(), Counting(), Counting()
    first = remembered.vector(one, "a", one.embed)
    first[:] = 9
    assert remembered.vector(one, "a", one.embed).tolist() == [1, 1, 1]
    other.embedded.append("something")
    assert remembered.vector(other, "a", other.embed).tolist() == [2, 2, 2]
    assert one.embedded == ["a"]


def test_the_questions_asked_last_are_remembered_and_no_more():
    remembered, one = Remembered(most=2), Counting()
    for text in ("a", "b", "a", "c", "a", "b"):
        remembered.vector(one, text, one.embed)
    assert one.embedded == ["a", "b", "c", "b"]


def test_vectors_go_with_their_encoder():
    remembered, one = Remembered(), Counting()
    remembered.vector(one, "a", one.embed)
    del one
    assert not list(remembered._known)


# -- a folder's hash --------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_read_once_and_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("MMRAG_CACHE", str(tmp_path / "cache"))
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text("{}", encoding="utf-8")
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(b"old")
    first, times = folder.contents(checkpoint), weights.stat()
    hashed = []
    sha256 = folder.hashlib.sha256
    monkeypatch.setattr(folder.hashlib, "sha256", lambda *given: hashed.append(given) or sha256(*given))
    assert folder.contents(checkpoint) == first
    assert len(hashed) == 1, "of the path alone"
    weights.write_bytes(b"new")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert folder.contents(checkpoint) != first, "of that size and time, and yet another file"
    for kept in (tmp_path / "cache").rglob("*.json"):
        kept.write_text("no JSON", encoding="utf-8")
    weights.write_bytes(b"old")
    assert folder.contents(checkpoint) == first
    monkeypatch.setenv("MMRAG_CACHE", str(weights))  # no folder can be made there
    assert folder.contents(checkpoint) == first
