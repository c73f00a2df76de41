"""When a server is asked again, how long it is waited for, and what goes on after nobody waits any more."""

import gc
import os
import random
import signal
import threading
import time
import traceback
import weakref

import pytest

from mmrag_nb.generation.attempts import Failure, give_up_when, persist, when_left, within

SOON = {"seconds": 5, "delay": 0.001}


def judge(error: BaseException) -> Failure:
    return Failure(str(error), again="again" in str(error))


class Flaky:
    """Raises what it is given, one by one, then writes ``fine``."""

    def __init__(self, *troubles: str) -> None:
        self.troubles = list(troubles)
        self.left: list[float] = []

    def __call__(self, left: float):
        self.left.append(left)
        if self.troubles:
            raise RuntimeError(self.troubles.pop(0))
        return iter(["fi", "ne"])


def test_pieces_come_as_they_are_written():
    gate = threading.Event()

    def write(_):
        yield "one"
        gate.wait(5)
        yield "two"

    pieces = persist(write, judge, attempts=1, **SOON)
    assert next(pieces) == "one"  # although the second is not written yet
    gate.set()
    assert list(pieces) == ["two"]


def test_each_attempt_is_given_what_is_left_of_the_time():
    call = Flaky("again", "again")
    assert list(persist(call, judge, attempts=4, seconds=5, delay=0.1)) == ["fi", "ne"]
    assert 5 >= call.left[0] > call.left[1] > call.left[2] > 0
    assert call.left[0] - call.left[1] >= 0.05  # 0.1 s less up to a half
    assert call.left[1] - call.left[2] >= 0.1  # twice that


def test_attempts_are_counted():
    assert list(persist(Flaky(*["again"] * 9), judge, attempts=3, **SOON)) == [Failure("again", again=True, tries=3)]


def test_a_pointless_attempt_is_not_made():
    call = Flaky("no")
    (failure,) = persist(call, judge, attempts=3, **SOON)
    assert failure.tries == 1
    assert len(call.left) == 1


def test_a_failure_that_cannot_be_judged_is_told_at_once():
    def unable(error):
        raise TypeError(error)

    begin = time.monotonic()
    (failure,) = persist(Flaky("no"), unable, attempts=3, **SOON)
    assert time.monotonic() - begin < 3
    assert failure.message == "the failure cannot be read (RuntimeError, TypeError)"
    assert not failure.again


def test_after_the_first_piece_nothing_is_tried_again():
    starts = []

    def write(_):
        starts.append(1)
        yield "It is "
        raise RuntimeError("again")

    assert list(persist(write, judge, attempts=3, **SOON)) == ["It is ", Failure("again", again=True)]
    assert len(starts) == 1


def test_nothing_written_is_no_failure():
    assert list(persist(lambda _: iter(()), judge, attempts=3, **SOON)) == []


def test_no_pause_leads_beyond_the_deadline():
    begin = time.monotonic()
    (failure,) = persist(Flaky("again", "again"), judge, attempts=3, seconds=5, delay=30)
    assert time.monotonic() - begin < 3
    assert failure.message == "again"


@pytest.mark.parametrize("asked", [0.0, 0.4])
def test_a_servers_own_wish_is_kept_to_and_many_clients_do_not_return_at_once(asked):
    spread = []
    for seed in range(4):
        random.seed(seed)
        call = Flaky("again")
        list(persist(call, lambda e: Failure(str(e), again=True, wait=asked), attempts=2, seconds=5, delay=0.2))
        spread.append(call.left[0] - call.left[1])
    assert asked <= min(spread)
    assert max(spread) < asked + 0.2 + 0.3
    assert max(spread) - min(spread) > 0.02


def test_a_wish_beyond_the_deadline_is_told_at_once():
    begin = time.monotonic()
    (failure,) = persist(
        Flaky("again"), lambda e: Failure(str(e), again=True, wait=60), attempts=3, seconds=5, delay=0.001
    )
    assert time.monotonic() - begin < 3
    assert failure.wait == 60
    assert failure.tries == 1


def test_a_call_that_overruns_is_left_behind():
    over = threading.Event()
    begin = time.monotonic()
    (failure,) = persist(lambda _: over.wait(10), judge, attempts=3, seconds=0.3, delay=0)
    assert 0.25 < time.monotonic() - begin < 3
    assert failure.timed_out
    over.set()


def test_a_slow_drip_of_pieces_ends_at_the_deadline():
    def drip(_):
        while True:
            time.sleep(0.05)
            yield "drop"

    begin = time.monotonic()
    *drops, failure = persist(drip, judge, attempts=3, seconds=0.5, delay=0)
    assert 0.4 < time.monotonic() - begin < 3
    assert set(drops) == {"drop"}
    assert failure.timed_out
    assert _within(2, lambda: not _workers())


def test_a_server_without_end_is_left_at_the_deadline_though_nobody_reads():
    def flood(_):
        while True:
            yield "drop"
            time.sleep(0.001)

    pieces = persist(flood, judge, attempts=3, seconds=0.3, delay=0)
    assert next(pieces) == "drop"
    assert _within(3, lambda: not _workers())
    *_, failure = pieces
    assert failure.timed_out


def test_a_reader_that_takes_its_time_still_gets_what_was_written_in_time():
    pieces = persist(lambda _: iter("abc"), judge, attempts=1, seconds=0.2, delay=0)
    read = [next(pieces)]
    time.sleep(0.4)
    assert read + list(pieces) == ["a", "b", "c"]


def test_closed_early_the_thread_stops_and_the_work_is_closed():
    closed = threading.Event()

    def write(_):
        try:
            while True:
                yield "more"
                time.sleep(0.02)
        finally:
            closed.set()

    pieces = persist(write, judge, attempts=1, seconds=30, delay=0)
    assert next(pieces) == "more"
    pieces.close()
    assert closed.wait(2)
    assert _within(2, lambda: not _workers())


@pytest.mark.parametrize("way", ["closed", "late"])
def test_a_thread_that_waits_is_told_to_hang_up(way):
    line, begun = threading.Event(), threading.Event()

    def write(_):
        when_left(line.set)
        yield "one"
        begun.set()
        line.wait(20)
        yield "two"

    pieces = persist(write, judge, attempts=1, seconds=30 if way == "closed" else 0.3, delay=0)
    assert next(pieces) == "one"
    assert begun.wait(2)
    if way == "closed":
        pieces.close()
    else:
        assert next(pieces).timed_out
    assert line.wait(2)
    assert _within(2, lambda: not _workers())


def test_who_came_to_an_end_is_not_told_to_hang_up():
    calls = []

    def write(_):
        when_left(lambda: calls.append(1))
        yield "all"

    assert list(persist(write, judge, attempts=1, **SOON)) == ["all"]
    assert _within(2, lambda: not _workers())
    assert calls == []
    when_left(lambda: calls.append(2))  # nobody waits for this thread
    assert calls == []


def test_what_was_raised_is_let_go_of():
    class Request:
        """What an SDK's exceptions hold, with the key in it."""

    seen = []

    class Broke(RuntimeError):
        def __init__(self):
            super().__init__("no")
            self.request = Request()
            seen.append(weakref.ref(self.request))

    def write(_):
        yield "one"
        raise Broke

    one, failure = persist(write, judge, attempts=1, **SOON)
    assert (one, failure.message) == ("one", "no")
    assert _within(2, lambda: not _workers())
    gc.collect()
    assert [ref() for ref in seen] == [None]


def test_a_call_is_waited_for_no_longer_than_it_may_take():
    over = threading.Event()
    assert within(5, lambda: 3) == (True, 3)
    assert within(0.1, lambda: over.wait(10)) == (False, None)
    over.set()


@pytest.mark.skipif(os.name == "nt", reason="signals are sent another way there")
@pytest.mark.parametrize("while_", ["it hangs", "it writes", "it pauses"])
def test_control_c_ends_the_wait_and_the_work(while_):
    # Started in the background of a shell, a process ignores the signal, and Python with it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _interrupted(while_)
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupted(while_):
    over = threading.Event()

    def work(_):
        when_left(over.set)
        if while_ == "it pauses":
            raise RuntimeError("again")
        if while_ == "it writes":
            yield "one"
        over.wait(20)
        yield "two"

    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt) as caught:
        list(persist(work, judge, attempts=3, seconds=30, delay=20))
    assert time.monotonic() - begin < 5
    assert "RuntimeError" not in "".join(traceback.format_exception(caught.value))
    assert _within(2, lambda: not _workers())


def _workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mmrag-generate"]


def _within(seconds, holds) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


@pytest.mark.parametrize("where", ["while it hangs", "between attempts"])
def test_given_up_it_ends_at_once_and_is_not_started_again(where):
    gone, hung = threading.Event(), threading.Event()
    started = []

    def start(_):
        started.append(time.monotonic())
        if where == "between attempts":
            raise RuntimeError("again")
        when_left(hung.set)
        assert hung.wait(20)
        yield "too late"

    def asked():
        give_up_when(gone)  # in a thread, whose context is its own
        outcome.extend(persist(start, judge, attempts=4, seconds=30, delay=20))

    outcome: list[object] = []
    asking = threading.Thread(target=asked)
    asking.start()
    time.sleep(0.2)
    gone.set()
    asking.join(3)
    assert not asking.is_alive()
    assert [type(one) for one in outcome] == [Failure]
    assert len(started) == 1
    assert hung.is_set() or where == "between attempts"
