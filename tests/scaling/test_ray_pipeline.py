"""A corpus indexed on Ray, a real one on this machine, is the one that the plain path makes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.corpora.shapes import table_of
from mmrag_nb.errors import InvalidSetting, MMRagError, NotInstalled
from mmrag_nb.scaling import scaled

_HOST = """
import logging, ray, sys
context = ray.init(address="local", num_cpus=2, object_store_memory=256 << 20, include_dashboard=False,
                   log_to_driver=False, logging_level=logging.ERROR)
print("at", context.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""
_WORKER = b"ray::MapWorker(MapBatches(Encoding))"
_PATIENCE = 90
"""Seconds that Ray has to start in, each of three times: idle, it takes five."""
pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(not (find_spec("ray") and find_spec("milvus_lite")), reason="needs the extras ray and milvus"),
]


@pytest.fixture(scope="session")
def head():
    """A Ray that outlasts the runs, as a cluster does; its address as an engine."""
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in quiet.items():
            patch.setenv(name, value)
        for _ in range(3):  # on a busy machine Ray's processes may miss each other
            process = subprocess.Popen(
                [sys.executable, "-c", _HOST],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            late = threading.Timer(_PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
            late.start()
            told = next((line for line in process.stdout if line.startswith("at ")), "")
            late.cancel()
            if told:
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with the half of Ray that did start
            process.wait()
        assert told, "Ray does not start on this machine, as busy as it is"
        yield f"ray:{told.split()[1]}"
        process.stdin.close()
        process.wait(60)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of 24 small pictures, three texts and a file that is none."""
    folder = tmp_path_factory.mktemp("corpus") / "photos"
    folder.mkdir()
    draw(folder, 24)
    for name, text in (("harp", "A harp has forty-seven strings."), ("ferry", "The ferry leaves at noon."), ("e", "é")):
        (folder / f"{name}.txt").write_text(text, "utf-8")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def draw(folder, n):
    rng = np.random.default_rng(n)
    for number in range(n):
        pixels = rng.integers(0, 255, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((80, 60)).save(folder / f"p{number:03}.png")


@contextlib.contextmanager
def index_at(place):
    with MultimodalRAG(preset="offline", path=f"milvus:{place}") as rag:
        yield rag


def vectors(rag):
    """By space, and key of a chunk's view: all that are in Milvus."""
    catalog, found = rag._catalog, {}
    for space in catalog.spaces():
        for row in catalog.holding.tables.every(table_of(space), ("id", "vector"), "id >= 0"):
            found[space, row["id"]] = np.asarray(row["vector"])
    return found


def contents(rag):
    return sorted((item.uri, item.id, chunk.text) for item in rag.items() for chunk in rag.chunks(item))


@pytest.fixture(scope="module")
def both(head, photos, tmp_path_factory):
    """The same folder in two indexes: by the plain path, and on Ray; the reports, and all steps that were told."""
    places = tmp_path_factory.mktemp("indexes")
    steps = []
    with (
        pytest.MonkeyPatch.context() as patch,
        index_at(places / "plain.db") as plain,
        index_at(places / "ray.db") as rag,
    ):
        patch.chdir(photos.parent)
        here = plain.index("photos")
        there = rag.index("photos", engine=head, progress=lambda *step: steps.append(step))
        yield plain, here, rag, there, steps


def test_the_index_holds_the_same_items_and_texts(both):
    plain, _, rag, _, _ = both
    assert contents(rag) == contents(plain)
    assert len(contents(rag)) == 27


def test_the_index_holds_the_same_vectors(both):
    plain, _, rag, _, _ = both
    here, there = vectors(plain), vectors(rag)
    assert here.keys() == there.keys()
    assert len(here) >= 27
    assert max(float(np.abs(here[one] - there[one]).max()) for one in here) < 1e-5


def test_questions_are_asked_in_the_same_line_and_find_the_same(both):
    plain, _, rag, _, _ = both
    here, there = (one.search("how many strings has a harp?", k=3) for one in (plain, rag))
    assert [hit.item.uri for hit in there] == [hit.item.uri for hit in here]
    assert there[0].item.name == "harp.txt"


def test_the_report_is_that_of_the_plain_path(both):
    _, here, _, there, _ = both
    assert (there.items, there.chunks, there.embedded, there.reused) == ({"image": 24, "text": 3}, 27, 27, 0)
    assert (there.items, there.chunks, there.embedded) == (here.items, here.chunks, here.embedded)
    assert not there.interrupted
    assert {"load", "embed", "commit"} <= there.seconds.keys()


def test_what_cannot_be_read_is_told_with_its_reason(both):
    _, here, _, there, _ = both
    assert [one.source for one in there.skipped] == ["photos/broken.png"]
    assert there.skipped == here.skipped


def test_progress_goes_on_in_the_notebook(both):
    *_, steps = both
    assert steps[0] == ("starting Ray", 0, None)
    assert steps[-1] == ("indexed", 28, 28)
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)


def test_a_second_run_embeds_only_what_is_new(both, head, photos, monkeypatch):
    _, _, rag, _, _ = both
    monkeypatch.chdir(photos.parent)
    (photos / "new.txt").write_text("The lighthouse was built in 1891.")
    try:
        again = rag.index(["photos", {"text": "of this process"}], engine=head)
    finally:
        (photos / "new.txt").unlink()
    assert (again.embedded, again.reused) == (2, 27)
    assert again.items == {"image": 24, "text": 5}
    assert "indexed here" in dict(again.notes)["Python objects"]
    assert "what they held stays" in dict(again.notes)["files that changed since they were indexed"]
    assert rag.search("lighthouse", k=1)[0].item.name == "new.txt"


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost_or_doubled(head, tmp_path, monkeypatch):
    (tmp_path / "many").mkdir()
    draw(tmp_path / "many", 64)
    monkeypatch.chdir(tmp_path)
    killed = []

    def kill(stage, done, total):
        if stage == "indexed" and not killed:
            killed.extend(workers()[:1])
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    with index_at(tmp_path / "killed.db") as rag:
        report = rag.index("many", engine=head, progress=kill)
        assert killed
        assert report.items == {"image": 64}
        assert not report.skipped
        assert len({item.id for item in rag.items()}) == len(rag.items()) == 64
        assert rag._catalog.chunk_count() == 64


def workers():
    """Processes of this machine in which pictures are embedded."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if place.read_bytes().startswith(_WORKER):
                found.append(int(place.parent.name))
    return sorted(found)


def test_a_ray_of_its_own_is_gone_after_an_interrupt_and_what_was_written_stays(tmp_path, monkeypatch):
    (tmp_path / "many").mkdir()
    draw(tmp_path / "many", 160)
    monkeypatch.chdir(tmp_path)
    before = raylets()
    started = []

    def interrupt(stage, done, total):
        started.extend(raylets() - before)
        if done:
            raise KeyboardInterrupt

    with index_at(tmp_path / "interrupted.db") as rag:
        with pytest.raises(KeyboardInterrupt):
            rag.index("many", engine="ray", progress=interrupt)
        assert started
        assert rag.report.interrupted
        assert 0 < rag.report.items["image"] < 160
        until = time.monotonic() + 20
        while raylets() - before and time.monotonic() < until:
            time.sleep(0.2)
        assert not raylets() - before
        assert rag._catalog.chunk_count() >= rag.report.items["image"]
        assert "ray" not in sys.modules  # it stays out of this process


def raylets():
    found = set()
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if place.read_bytes().split(b"\0")[0].endswith(b"/raylet"):
                found.add(int(place.parent.name))
    return found


# -- what cannot be ----------------------------------------------------------------------------------------------------


def test_an_index_that_is_not_in_milvus_is_told_how_one_is_opened(tmp_path):
    for path in (None, tmp_path / "lesson.mmrag"):
        with MultimodalRAG(preset="offline", path=path) as rag, pytest.raises(MMRagError) as told:
            rag.index("photos", engine="ray")
        assert "engine='ray' writes into Milvus" in str(told.value)
        assert 'MultimodalRAG(path="milvus:photos.db")' in str(told.value)
        assert "\n" not in str(told.value)


def test_what_needs_the_whole_corpus_in_one_place_is_refused(tmp_path):
    with index_at(tmp_path / "a.db") as rag:
        for asked, remedy in (
            ("records", "index these folders without an engine"),
            ("prune", "%mmrag_remove takes out"),
        ):
            with pytest.raises(MMRagError, match=f"engine='ray' does not take {asked}=True: .*{remedy}"):
                rag.index("photos", engine="ray", **{asked: True})


def test_a_cluster_that_is_not_there_is_told_at_once(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with index_at(tmp_path / "a.db") as rag:
            for engine in (f"ray:{host}", f"ray://{host}"):
                start = time.monotonic()
                with pytest.raises(MMRagError, match=f"no Ray answers at {host} .Connection refused.: is the") as told:
                    rag.index("photos", engine=engine)
                assert "\n" not in str(told.value)
                assert time.monotonic() - start < 10


def test_without_ray_its_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(scaled, "find_spec", lambda name: None)
    with index_at(tmp_path / "a.db") as rag, pytest.raises(NotInstalled, match=r"mmrag-nb\[ray\]"):
        rag.index("photos", engine="ray")


def test_an_unknown_engine_is_refused_before_anything_is_read():
    with MultimodalRAG(preset="offline") as rag, pytest.raises(InvalidSetting, match="unknown engine 'dask'"):
        rag.index("photos", engine="dask")


def test_a_process_that_dies_is_told_and_is_no_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("a")
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with index_at(tmp_path / "a.db") as rag, pytest.raises(MMRagError, match="has died: run it again"):
        rag.index("a.txt", engine="ray")


def test_a_ray_that_does_not_start_is_tried_three_times_and_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("a")
    never = Path("never")
    never.write_text("""#!/bin/sh\necho once >> tried\necho '{"refused": "Ray does not start on this machine"}'\n""")
    never.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(never.absolute()))
    with index_at(tmp_path / "a.db") as rag, pytest.raises(MMRagError, match=r"^Ray does not start on this machine$"):
        rag.index("a.txt", engine="ray")
    assert Path("tried").read_text().split() == ["once"] * 3
