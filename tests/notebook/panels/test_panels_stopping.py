"""What is stopped leaves the server that it waits for, and does not wait for its next piece."""

from threading import Event

import pytest

pytest.importorskip("tenacity")

from mmrag_nb.generation.attempts import Failure, persist, when_left
from mmrag_nb.notebook.panels.stopping import Stoppable


def test_stopped_it_hangs_up_on_a_server_that_says_no_more():
    hung_up = Event()

    def start(_):
        when_left(hung_up.set)
        yield "A harp "
        hung_up.wait(20)

    pieces = persist(start, lambda error: Failure(str(error)), attempts=1, seconds=30, delay=0.01)
    stoppable = Stoppable(pieces)
    (first,) = (stoppable.stop() or piece for piece in stoppable)
    assert first == "A harp "
    assert hung_up.wait(3), "the bill goes on for as long as the connection holds"
