"""Indexing in the background and from an event loop: in order, stopped after the batch in hand, failures told."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from mmrag_nb import MultimodalRAG, indexing
from mmrag_nb.errors import MMRagError, UnknownName
from mmrag_nb.parts import Parts

TEXTS = [f"Lake {n} is {n} metres deep." for n in range(48)]
LAKES = [{"text": text} for text in TEXTS]  # three batches


@pytest.fixture
def rag():
    with MultimodalRAG(preset="offline") as rag:
        yield rag


class Gate:
    """Lets one batch through after the other; knows how many are in hand at a time."""

    def __init__(self, monkeypatch):
        self.batches, self.reached = threading.Semaphore(0), threading.Semaphore(0)
        whole = indexing.Indexing._kept

        def gated(run, *works):
            self.reached.release()
            assert self.batches.acquire(timeout=30)
            return whole(run, *works)

        monkeypatch.setattr(indexing.Indexing, "_kept", gated)

    def open(self, batches=1000):
        for _ in range(batches):
            self.batches.release()


@pytest.fixture
def gate(monkeypatch, rag):
    """Batches of all indexes are held until they are let through; at the end, all are."""
    gate = Gate(monkeypatch)
    yield gate
    rag.jobs.stop(now=True)
    gate.open()


def until(true):
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


# -- in the background


def test_each_batch_is_found_as_soon_as_it_is_committed(rag, gate):
    job = rag.index_in_background(LAKES)
    for n in (1, 2):
        gate.open(1)
        until(lambda n=n: len(rag.items()) == 16 * n)
        assert rag.search(f"lake {16 * n - 1}", k=1)[0].chunk.text == TEXTS[16 * n - 1]
    assert job.state == "running"
    assert job.wait(0.01) is None
    gate.open()
    assert job.wait().embedded == 48
    assert (job.state, job.done, job.error) == ("done", True, None)
    assert rag.report is job.report


def test_stopped_it_ends_after_the_batch_in_hand_and_goes_on_later(rag, gate):
    job = rag.index_in_background(LAKES)
    assert gate.reached.acquire(timeout=20)
    job.stop()
    assert job.state == "stopping"
    gate.open()
    report = job.wait()
    assert (job.state, report.interrupted, report.embedded) == ("stopped", True, 16)
    report = rag.index(LAKES)
    assert (report.embedded, report.reused) == (32, 16)


def test_stopped_now_what_is_in_hand_is_lost_alone(rag, gate):
    job = rag.index_in_background(LAKES)
    gate.open(1)
    until(lambda: len(rag.items()) == 16)
    assert gate.reached.acquire(timeout=20)
    assert gate.reached.acquire(timeout=20)
    job.stop(now=True)
    gate.open()
    assert job.wait().embedded == 16
    assert len(rag.items()) == 16


def test_runs_on_one_index_follow_in_order(rag, gate):
    first, second = rag.index_in_background(LAKES), rag.index_in_background([{"text": "A harp has seven pedals."}])
    assert list(rag.jobs) == [first, second]
    stopped = rag.index_in_background([{"text": "A flute has sixteen keys."}])
    stopped.stop()
    assert stopped.wait().interrupted
    assert (first.state, second.state, stopped.state) == ("running", "waiting", "stopped")
    gate.open()
    assert rag.index([{"text": "A drum has one skin."}]).embedded == 1
    assert first.ended <= second.begun
    assert second.done
    assert len(rag.items()) == 50


def test_it_goes_by_the_settings_it_began_with(rag, gate):
    job = rag.index_in_background(LAKES)
    rag.settings.text, rag.settings.clip, rag.settings.strategy = "none", "emoji", "shared"
    gate.open()
    assert list(job.wait().models) == ["hashed n-grams (no weights)"]


def test_another_index_does_not_take_its_place(rag, gate, tmp_path):
    MultimodalRAG(path=tmp_path / "other.mmrag").close()
    job = rag.index_in_background(LAKES)
    for act in (lambda: rag.switch(tmp_path / "other.mmrag", discard=True), lambda: rag.reset(discard=True)):
        with pytest.raises(MMRagError, match="%mmrag_stop"):
            act()
    gate.open()
    assert job.wait().embedded == 48
    assert rag.jobs.last is job
    rag.reset(discard=True)
    assert rag.jobs.last is None  # of the index that was left


def test_saved_meanwhile_the_rest_goes_into_the_file(rag, gate, tmp_path):
    job = rag.index_in_background(LAKES)
    gate.open(1)
    until(lambda: len(rag.items()) == 16)
    rag.save(tmp_path / "kept.mmrag")
    gate.open()
    job.wait()
    with MultimodalRAG.open(tmp_path / "kept.mmrag") as kept:
        assert len(kept.items()) == 48


def test_what_was_removed_meanwhile_stays_removed(rag, gate):
    job = rag.index_in_background(LAKES)
    gate.open(1)
    until(lambda: len(rag.items()) == 16)
    rag.remove(*rag.items())
    gate.open()
    job.wait()
    assert len(rag.items()) == 32


def test_closing_the_index_ends_it(gate, tmp_path):
    rag = MultimodalRAG(path=tmp_path / "kept.mmrag", preset="offline")
    job = rag.index_in_background(LAKES)
    gate.open(1)
    until(lambda: len(rag.items()) == 16)
    threading.Timer(0.3, gate.open).start()
    rag.close()
    assert job.done
    with MultimodalRAG.open(tmp_path / "kept.mmrag") as kept:
        assert len(kept.items()) == 16


def test_a_failure_is_raised_where_somebody_waits(rag, monkeypatch):
    def broken(*_):
        raise RuntimeError("the disk fell off")

    monkeypatch.setattr(indexing.Indexing, "_kept", broken)
    job = rag.index_in_background(LAKES)
    with pytest.raises(RuntimeError, match="fell off"):
        job.wait()
    assert job.state == "failed"
    assert "RuntimeError: the disk fell off" in repr(job)
    assert not len(rag.jobs)


def test_an_interrupted_run_leaves_its_place(rag, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(indexing.Indexing, "_kept", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rag.index(LAKES)
    assert not len(rag.jobs)
    assert rag.index(LAKES).embedded == 48


def test_a_mistake_is_told_before_it_begins(rag):
    with pytest.raises(TypeError, match="'recods'"):
        rag.index_in_background(LAKES, recods=True)
    job = rag.index_in_background(LAKES, columns={"x": "pictures"})
    with pytest.raises(UnknownName):
        job.wait()


def test_a_question_does_not_wait_for_a_model_that_the_run_loads(rag, gate, monkeypatch):
    rag.index_in_background(LAKES)
    gate.open(1)
    until(lambda: len(rag.items()) == 16)
    rag.search("lake 7", k=1)
    loading, go, load = threading.Event(), threading.Event(), Parts._load

    def slowly(parts, slot, key, chosen):
        if chosen[0] == "speech":
            loading.set()
            assert go.wait(20)
        return load(parts, slot, key, chosen)

    monkeypatch.setattr(Parts, "_load", slowly)
    thread = threading.Thread(target=rag._parts.transcriber)
    thread.start()
    try:
        assert loading.wait(20)
        begun = time.monotonic()
        assert rag.search("lake 7", k=1)[0].chunk.text == TEXTS[7]
        assert time.monotonic() - begun < 5
    finally:
        go.set()
        thread.join()


def test_a_script_that_ends_leaves_a_whole_index(tmp_path):
    code = (
        "from mmrag_nb import MultimodalRAG; import time\n"
        "rag = MultimodalRAG(path='kept.mmrag', preset='offline')\n"
        "rag.index_in_background([{'text': f'Lake {n} is {n} metres deep.'} for n in range(40_000)])\n"
        "while len(rag.items()) < 32: time.sleep(.01)\n"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert time.monotonic() - begun < 30
    with MultimodalRAG.open(tmp_path / "kept.mmrag") as kept:
        assert 32 <= len(kept.items()) < 40_000
        assert kept.search("lake 7", k=1)[0].chunk.text == TEXTS[7]


# -- from an event loop


def test_the_loop_goes_on_and_hears_of_progress(rag, gate):
    heard, ticks = [], []

    async def tick():
        while True:
            ticks.append(threading.get_ident())
            await asyncio.sleep(0.005)

    async def main():
        ticking = asyncio.create_task(tick())
        running = asyncio.create_task(
            rag.aindex(LAKES, progress=lambda stage, *_: heard.append((stage, threading.get_ident())))
        )
        await asyncio.to_thread(gate.reached.acquire)
        before = len(ticks)
        await asyncio.sleep(0.2)
        assert len(ticks) > before + 5
        gate.open()
        report = await running
        ticking.cancel()
        return report

    assert asyncio.run(main()).embedded == 48
    assert {thread for _, thread in heard} == {threading.get_ident()}
    assert "indexed" in {stage for stage, _ in heard}


def test_cancelled_it_has_stopped_after_the_batch_in_hand(rag, gate):
    async def main():
        running = asyncio.create_task(rag.aindex(LAKES))
        await asyncio.to_thread(gate.reached.acquire)
        running.cancel()
        await asyncio.sleep(0.1)
        assert not running.done()  # the batch is in hand
        gate.open(1)
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not len(rag.jobs)
        return len(rag.items())

    assert asyncio.run(main()) == 16
    assert rag.report.interrupted


def test_several_on_one_index_follow_and_several_indexes_go_at_once(rag, gate):
    with MultimodalRAG(preset="offline") as other:

        async def main():
            runs = [rag.aindex(LAKES[:16]), rag.aindex(LAKES[16:]), other.aindex(LAKES)]
            running = asyncio.gather(*runs)
            await asyncio.to_thread(gate.reached.acquire)
            await asyncio.to_thread(gate.reached.acquire)  # one of each index is in hand
            assert (len(rag.jobs), len(other.jobs)) == (2, 1)
            gate.open()
            return await running

        assert [report.embedded for report in asyncio.run(main())] == [16, 32, 48]


def test_what_fails_is_raised_in_the_loop(rag):
    def told(*_):
        raise ValueError("no")

    with pytest.raises(UnknownName):
        asyncio.run(rag.aindex(LAKES, columns={"x": "pictures"}))
    with pytest.raises(ValueError, match="no"):
        asyncio.run(rag.aindex(LAKES, progress=told))
    assert not len(rag.jobs)
    assert asyncio.run(rag.aindex(LAKES)).items == {"text": 48}
