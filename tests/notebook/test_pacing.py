"""What changes quickly is shown at a pace, and the last of it always; an iteration stops at once."""

import threading
import time

import pytest

from mmrag_nb.notebook.pacing import Paced
from mmrag_nb.notebook.panels.stopping import Stoppable


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_first_is_shown_at_once_and_the_last_soon():
    shown = []
    paced = Paced(shown.append, 0.05)
    for n in range(100):
        paced(n)
    assert shown[0] == 0
    assert len(shown) <= 2
    until(lambda: shown[-1] == 99)
    assert len(shown) <= 3


def test_after_a_pause_it_is_shown_at_once():
    shown = []
    paced = Paced(shown.append, 0.02)
    paced(1)
    time.sleep(0.03)
    paced(2)
    assert shown == [1, 2]


def test_closed_it_shows_nothing_more():
    shown = []
    paced = Paced(shown.append, 0.05)
    paced(1)
    paced(2)
    paced.close()
    time.sleep(0.1)
    assert shown == [1]


def test_all_pieces_come_in_order():
    assert list(Stoppable(iter(range(50)))) == list(range(50))


def test_what_is_raised_comes_too():
    def pieces():
        yield 1
        raise ValueError("no more")

    came = []
    with pytest.raises(ValueError, match="no more"):
        came.extend(Stoppable(pieces()))


def test_stopped_it_ends_at_once_and_closes_behind():
    go, closed = threading.Event(), threading.Event()

    def pieces():
        try:
            yield 1
            go.wait(30)
            yield 2
        finally:
            closed.set()

    stoppable = Stoppable(pieces())
    came = iter(stoppable)
    assert next(came) == 1
    threading.Timer(0.05, stoppable.stop).start()
    start = time.monotonic()
    assert list(came) == []
    assert time.monotonic() - start < 5
    assert stoppable.stopped
    go.set()
    assert closed.wait(5)
