"""Several notebooks on one file: nobody's work is lost or mixed with another's, and who cannot write is told."""

import sys
import threading
import time
from pathlib import Path

import apsw
import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent / "bench"))
import sharing

from mmrag_nb import MultimodalRAG, completing, indexing
from mmrag_nb.catalog import turns
from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.checksums import checked
from mmrag_nb.catalog.entries import BEGUN, Entry
from mmrag_nb.catalog.relying import Relied, TakenOverError, VectorsGoneError
from mmrag_nb.copies import Copies
from mmrag_nb.errors import IndexFileError, IndexMismatch
from mmrag_nb.presets import NONE
from mmrag_nb.types import Chunk, Item

VECTOR = np.array([1, 0], np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lesson.mmrag"


@pytest.fixture
def two(path):
    """Two notebooks with one file."""
    with sharing.opened(path) as here, sharing.opened(path) as there:
        yield here, there


@pytest.fixture
def catalogs(path):
    here, there = Catalog(path), Catalog(path)
    yield here, there
    here.close()
    there.close()


@pytest.fixture
def writing(path):
    """Another program that is writing, until it is told to end."""
    Catalog(path).close()
    other = apsw.Connection(str(path), vfs=checked())
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def entry(name, *texts, uri="", recipe="recipe", **more):
    item = Item(f"hash of {name}", uri or f"folder/{name}", "text", {})
    first = more.get("section", (0, True))[0]
    chunks = [Chunk(item.id, n, "text", text, start=None) for n, text in enumerate(texts, first)]
    return Entry(item, chunks, [[("text", f"key of {text}")] for text in texts], recipe, **more)


def model(name, *there):
    return {"s": Relied(2, {"model": name}, {}, set(there))}


def vectors(*texts):
    return {"s": {f"key of {text}": VECTOR for text in texts}}


def texts(catalog, name):
    ids = catalog.chunk_ids(f"hash of {name}")
    return [catalog.records(ids)[one].chunk.text for one in ids]


def meanwhile(monkeypatch, module, name, act):
    """Let ``act`` happen once, after a step and before what it led to is written."""
    step, done = getattr(module, name), []

    def interrupted(*args, **kwargs):
        result = step(*args, **kwargs)
        if not done:
            done.append(True)
            act()
        return result

    monkeypatch.setattr(module, name, interrupted)


# -- nothing is lost -----------------------------------------------------------------------------------------------


def test_processes_at_once_lose_nothing(tmp_path):
    faults, figures = sharing.measure(tmp_path, processes=3, operations=25, seed=7)
    assert not faults
    assert figures["refused"] == 0


def test_a_vector_that_another_removes_meanwhile_is_made_again(two, monkeypatch):
    here, there = two
    same = "A harp has forty-seven strings."
    there.index([{"text": same, "caption": "of one"}])
    meanwhile(monkeypatch, indexing, "embed", lambda: there.remove("*"))
    report = here.index([{"text": same, "caption": "of another"}])
    assert report.items == {"text": 1}
    assert not sharing.sound(here.path)
    assert [hit.chunk.text for hit in here.search("how many strings?", k=1)] == [same]


def test_what_another_removes_while_it_is_indexed_again_is_there_in_the_end(two, monkeypatch, tmp_path):
    here, there = two
    (tmp_path / "harp.txt").write_text("A harp has forty-seven strings.")
    there.index(tmp_path / "harp.txt")
    (tmp_path / "harp.txt").rename(tmp_path / "lyre.txt")
    update = Catalog.update

    def late(self, *items):
        if there.items():
            there.remove("*")
        return update(self, *items)

    monkeypatch.setattr(Catalog, "update", late)
    here.index(tmp_path / "lyre.txt")
    assert [item.name for item in here.items()] == ["lyre.txt"]


def test_what_another_says_of_an_item_meanwhile_is_what_its_name_is_embedded_with(two, monkeypatch, tmp_path):
    from PIL import Image

    here, there = two
    Image.new("RGB", (40, 40), "red").save(tmp_path / "apple.png")
    here.index(tmp_path / "apple.png")
    said = [{"path": str(tmp_path / "apple.png"), "kind": "a ripe fruit"}]
    meanwhile(monkeypatch, completing, "embed", lambda: there.index(said))
    here.search("a ripe fruit", strategy="grounded")
    with sharing.opened(here.path) as later:
        later.search("a ripe fruit", strategy="grounded")
    (key,) = {
        key
        for seen in here._catalog.views(here._catalog.chunk_ids(here.items()[0].id)).values()
        for view, key in seen
        if view == "grounded"
    }
    with MultimodalRAG(preset="offline", clip=NONE, ocr=NONE, strategy="grounded") as alone:
        alone.index(said)
        seen = alone._catalog.views(alone._catalog.chunk_ids(alone.items()[0].id))
    assert ("grounded", key) in [one for views in seen.values() for one in views]


def test_copies_that_two_runs_note_are_both_kept(catalogs):
    here, there = (Copies(catalog) for catalog in catalogs)
    here.add("a", "/here/a", "here/a")
    there.add("a", "/there/a", "there/a")
    there.add("b", "/there/b", "there/b")
    here.keep()
    there.keep()
    later = Copies(catalogs[0])
    later.take("a")
    there = Copies(catalogs[1])
    there.add("c", "/there/c", "there/c")
    there.keep()
    later.keep()
    found = Copies(catalogs[0])
    assert found.take("a") == "there/a"
    assert [one in found for one in "abc"] == [False, True, True]


def test_counters_count_for_everybody(catalogs):
    for catalog in catalogs * 3:
        catalog.amend("runs", lambda now: str(int(now or 0) + 1))
    assert catalogs[0].meta()["runs"] == "6"


def test_the_first_to_name_an_index_has_named_it(catalogs):
    assert catalogs[0].identity == catalogs[1].identity


def test_two_runs_that_replace_each_others_contents_leave_one(catalogs):
    here, there = catalogs
    here.add([entry("old", "old", uri="book"), entry("new", "new", uri="book")], {})
    here.remove(["hash of old"], instead={"hash of old": "hash of new"})
    there.remove(["hash of new"], instead={"hash of new": "hash of old"})
    assert [item.id for item in here.items()] == ["hash of new"]


def test_what_another_found_elsewhere_meanwhile_is_not_taken_out(catalogs):
    here, there = catalogs
    here.add([entry("harp", "harp", uri="one/harp.txt")], {})
    there.move("hash of harp", "one/harp.txt", "other/harp.txt")
    here.remove(["hash of harp"], at={"hash of harp": "one/harp.txt"})
    assert here.uris() == ["other/harp.txt"]
    there.move("hash of harp", "one/harp.txt", "third/harp.txt")
    assert here.uris() == ["other/harp.txt"]


# -- nothing is mixed ----------------------------------------------------------------------------------------------


def test_another_model_that_filled_the_space_meanwhile_is_told(catalogs):
    here, there = catalogs
    here.register("s", 2, {"model": "first"}, {})
    there.register("s", 2, {"model": "second"}, {})
    there.add([entry("there", "there")], vectors("there"), None, model("second"))
    with pytest.raises(IndexMismatch, match="index has model=second; settings ask for model=first"):
        here.add([entry("here", "here")], vectors("here"), None, model("first"))
    assert here.uris() == ["folder/there"]
    assert here.spaces() == {"s": 1}


def test_a_space_that_was_emptied_meanwhile_is_known_by_its_model_again(catalogs):
    here, there = catalogs
    there.add([entry("there", "there")], vectors("there"), None, model("first"))
    there.remove(["hash of there"])
    here.add([entry("here", "here")], vectors("here"), None, model("first"))
    assert here.fingerprint("s") == {"model": "first"}


def test_a_vector_that_was_relied_upon_is_looked_for_where_it_is_needed(catalogs):
    here, there = catalogs
    there.add([entry("there", "same")], vectors("same"), None, model("first"))
    there.remove(["hash of there"])
    with pytest.raises(VectorsGoneError):
        here.add([entry("here", "same")], {}, None, model("first", "key of same"))
    assert not here.uris()


def test_ids_of_what_was_removed_are_not_given_again(catalogs):
    here, there = catalogs
    here.add([entry("one", "one", "two")], {})
    (_, last) = here.chunk_ids("hash of one")
    there.remove(["hash of one"])
    there.add([entry("two", "three")], {})
    assert here.chunk_ids("hash of two") == [last + 1]
    here.remove(["hash of two"])
    there.add([entry("two", "three")], {})
    assert here.chunk_ids("hash of two") == [last + 2]


@pytest.mark.parametrize("recipe", ["the same", "another"])
def test_sections_of_two_runs_are_not_mixed(catalogs, recipe):
    here, there = catalogs

    def section(run, first, *said, last=False, recipe="the same"):
        made = recipe if last else recipe + BEGUN
        return [entry("book", *said, recipe=made, section=(first, last), run=run)]

    here.add(section("first", 0, "a", "b"), {})
    here.add(section("first", 2, "c", "d"), {})
    there.add(section("second", 0, "A B", recipe=recipe), {})
    with pytest.raises(TakenOverError, match="was removed, or indexed, elsewhere"):
        here.add(section("first", 4, "e"), {})
    there.add(section("second", 1, "C D", recipe=recipe), {})
    there.add(section("second", 2, last=True, recipe=recipe), {})
    assert texts(here, "book") == ["A B", "C D"]
    with pytest.raises(TakenOverError):
        here.add(section("first", 5, last=True), {})
    assert not any(key.startswith("sections") for key in here.meta())


def test_an_item_removed_while_its_sections_come_is_not_half_there(catalogs):
    here, there = catalogs
    here.add([entry("book", "a", recipe=f"r{BEGUN}", section=(0, False), run="one")], {})
    there.remove(["hash of book"])
    with pytest.raises(TakenOverError):
        here.add([entry("book", "b", recipe="r", section=(1, True), run="one")], {})
    assert not here.uris()
    assert not any(key.startswith("sections") for key in here.meta())


# -- a search sees what is committed -------------------------------------------------------------------------------


def test_a_search_finds_what_another_has_just_committed(two):
    here, there = two
    here.index([{"text": "The ferry leaves at noon.", "shelf": 1}])
    assert len(here.search("ferry", where="shelf == 1")) == 1
    for n in range(2, 5):
        there.index([{"text": f"Ferry {n} leaves at {n}.", "shelf": 1}])
        assert len(here.search("ferry", where="shelf == 1")) == n
        assert here.status().items == {"text": n}
        assert len(here.names()) == n
    there.remove("*")
    assert here.status().items == {}


# -- the loser is told ---------------------------------------------------------------------------------------------


def test_a_writer_waits_for_another(path, writing):
    catalog = Catalog(path)
    threading.Timer(0.4, lambda: writing.execute("COMMIT")).start()
    start = time.perf_counter()
    catalog.add([entry("harp", "strings")], {})
    assert 0.3 < time.perf_counter() - start < 3
    catalog.close()


def test_after_some_patience_it_is_told_in_one_line(path, writing, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.2)
    catalog = Catalog(path)
    with pytest.raises(IndexFileError) as told:
        catalog.add([entry("harp", "strings")], {})
    assert str(path) in str(told.value)
    assert "run it again" in str(told.value)
    assert "\n" not in str(told.value)
    writing.execute("COMMIT")
    catalog.add([entry("harp", "strings")], {})
    catalog.close()


def test_an_index_run_that_loses_keeps_what_it_committed_and_says_so(path, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.2)
    with sharing.opened(path) as rag:
        other = apsw.Connection(str(path), vfs=checked())
        sources = [{"text": f"Kite number {n} rises."} for n in range(40)]

        def hold(stage, done, total):
            if done == 16 and stage == "indexed":
                other.execute("BEGIN IMMEDIATE")

        with pytest.raises(IndexFileError, match="is being written elsewhere"):
            rag.index(sources, progress=hold)
        assert (rag.report.interrupted, rag.report.items) == (True, {"text": 16})
        assert rag.search("kite 3", k=20)
        other.close()
        report = rag.index(sources)
        assert (report.reused, report.embedded) == (16, 24)


def test_who_waits_can_be_interrupted_and_goes_on(path, writing, monkeypatch):
    catalog = Catalog(path)
    tries = []

    def pressed(_):
        tries.append(True)
        if len(tries) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(turns.time, "sleep", pressed)
    with pytest.raises(KeyboardInterrupt):
        catalog.add([entry("harp", "strings")], {})
    writing.execute("COMMIT")
    catalog.add([entry("harp", "strings")], {})
    assert catalog.uris() == ["folder/harp"]
    catalog.close()


def test_a_thread_reads_while_another_of_its_process_waits_to_write(path, writing):
    catalog = Catalog(path)
    waiting = threading.Thread(target=catalog.add, args=([entry("harp", "strings")], {}))
    waiting.start()
    time.sleep(0.1)
    start = time.perf_counter()
    for _ in range(20):
        assert catalog.uris() == []
    assert time.perf_counter() - start < 1
    writing.execute("COMMIT")
    waiting.join(10)
    assert catalog.uris() == ["folder/harp"]
    catalog.close()


def test_a_question_is_answered_while_another_writes(two):
    here, there = two
    there.index([{"text": "The ferry leaves at noon."}])
    other = apsw.Connection(str(here.path), vfs=checked())
    other.execute("BEGIN IMMEDIATE")
    start = time.perf_counter()
    assert here.search("ferry")
    assert time.perf_counter() - start < turns.PATIENCE / 4
    other.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets no open file be moved")
def test_what_would_go_into_a_file_that_is_there_no_longer_is_told(path, tmp_path):
    catalog = Catalog(path)
    catalog.add([entry("harp", "strings")], {})
    path.rename(tmp_path / "moved.mmrag")
    with pytest.raises(IndexFileError, match="was moved, removed or replaced elsewhere"):
        catalog.add([entry("ferry", "noon")], {})
    catalog.save(tmp_path / "other.mmrag")
    catalog.add([entry("ferry", "noon")], {})
    assert catalog.uris() == ["folder/harp", "folder/ferry"]
    catalog.close()
