import os
import signal
import threading
import time

import pytest

from mmrag_nb.generation.attempts import Failure, persist


def judge(error: BaseException) -> Failure:
    return Failure(str(error), again="again" in str(error))


class Flaky:
    """Raises what it is given, one by one, then returns ``fine``."""

    def __init__(self, *troubles: str) -> None:
        self.troubles = list(troubles)
        self.left: list[float] = []

    def __call__(self, left: float) -> str:
        self.left.append(left)
        if self.troubles:
            raise RuntimeError(self.troubles.pop(0))
        return "fine"


def test_each_attempt_is_given_what_is_left_of_the_time():
    call = Flaky("again", "again")
    assert persist(call, judge, attempts=4, seconds=5, delay=0.1) == "fine"
    assert 5 >= call.left[0] > call.left[1] > call.left[2] > 0
    assert call.left[0] - call.left[1] >= 0.05  # 0.1 s less up to a half
    assert call.left[1] - call.left[2] >= 0.1  # twice that


def test_attempts_are_counted():
    failure = persist(Flaky(*["again"] * 9), judge, attempts=3, seconds=5, delay=0.001)
    assert failure == Failure("again", again=True, tries=3)


def test_a_pointless_attempt_is_not_made():
    call = Flaky("no")
    assert persist(call, judge, attempts=3, seconds=5, delay=0.001).tries == 1
    assert len(call.left) == 1


def test_no_pause_leads_beyond_the_deadline():
    begin = time.monotonic()
    failure = persist(Flaky("again", "again"), judge, attempts=3, seconds=5, delay=30)
    assert time.monotonic() - begin < 3
    assert failure.message == "again"


def test_a_call_that_overruns_is_left_behind():
    over = threading.Event()
    begin = time.monotonic()
    failure = persist(lambda _: over.wait(10), judge, attempts=3, seconds=0.3, delay=0)
    assert time.monotonic() - begin < 3
    assert failure.timed_out
    over.set()


@pytest.mark.skipif(os.name == "nt", reason="signals are sent another way there")
def test_control_c_ends_the_wait():
    # Started in the background of a shell, a process ignores the signal, and Python with it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _interrupted()
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupted():
    over = threading.Event()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        persist(lambda _: over.wait(10), judge, attempts=3, seconds=8, delay=0)
    assert time.monotonic() - begin < 5
    over.set()
