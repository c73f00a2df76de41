"""Batches hold texts of about one length, and are worked on side by side."""

from __future__ import annotations

import threading
import time

import pytest

from mmrag_nb.models.buckets import buckets
from mmrag_nb.models.lanes import spread


def test_buckets_hold_everything_once_longest_first_and_within_their_room():
    lengths = [5, 77, 3, 3, 40, 77, 12, 0, 3]
    groups = buckets(lengths, texts=3, tokens=80)
    assert sorted(n for group in groups for n in group) == list(range(len(lengths)))
    assert [lengths[n] for group in groups for n in group] == sorted(lengths, reverse=True)
    for group in groups:
        assert len(group) <= 3
        assert len(group) == 1 or len(group) * max(lengths[n] for n in group) <= 80
    assert len(groups) == 5


def test_a_text_longer_than_the_room_goes_alone_and_nothing_makes_no_bucket():
    assert buckets([100, 2], texts=8, tokens=50) == [[0], [1]]
    assert buckets([], texts=8, tokens=50) == []


def test_lanes_work_side_by_side_and_one_batch_in_the_calling_thread():
    both = threading.Barrier(2, timeout=10)
    spread(lambda _: both.wait(), [1, 2], 2)  # would break if one waited for the other
    threads = []
    spread(lambda _: threads.append(threading.current_thread()), ["only"], 2)
    assert threads == [threading.current_thread()]


def test_a_failure_is_raised_and_what_was_not_begun_is_left():
    done = []

    def work(number):
        if number == 0:
            raise ValueError("broken")
        time.sleep(0.05)
        done.append(number)

    with pytest.raises(ValueError, match="broken"):
        spread(work, range(100), 2)
    assert len(done) < 50
