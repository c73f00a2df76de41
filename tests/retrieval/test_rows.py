"""Vectors in memory grow at their end, and what was handed out before stays what it is."""

import numpy as np

from mmrag_nb.retrieval.rows import Rows


def made(n, start=0):
    return np.arange(start, start + n), np.arange(start * 4, (start + n) * 4, dtype=np.float32).reshape(n, 4)


def test_what_follows_is_written_into_the_room_behind():
    whole = np.zeros((12, 4), np.float32)
    ids, whole[:8] = made(8)
    rows = Rows(ids, whole[:8])
    more = rows.and_then(*made(3, 8))
    assert np.shares_memory(more.vectors, whole), "nothing is copied"
    for one, n in ((rows, 8), (more, 11)):
        np.testing.assert_array_equal(one.ids, made(n)[0])
        np.testing.assert_array_equal(one.vectors, made(n)[1])


def test_where_there_is_no_room_they_are_copied_seldom():
    rows, copies, place = Rows(*made(8)), 0, None
    for n in range(8, 2000, 4):
        rows = rows.and_then(*made(4, n))
        if (now := rows.vectors.__array_interface__["data"]) != place:
            copies, place = copies + 1, now
        np.testing.assert_array_equal(rows.vectors, made(n + 4)[1])
    assert copies < 20


def test_two_that_go_on_from_the_same_do_not_disturb_each_other():
    rows = Rows(*made(8)).and_then(*made(2, 8))
    one, other = rows.and_then(*made(1, 10)), rows.and_then(*made(1, 90))
    np.testing.assert_array_equal(one.vectors, made(11)[1])
    np.testing.assert_array_equal(other.vectors[-1:], made(1, 90)[1])
    assert (rows.ids.tolist(), one.ids[-1], other.ids[-1]) == (list(range(10)), 10, 90)


def test_a_part_from_the_middle_of_an_array_has_no_room():
    whole = np.zeros((12, 4), np.float32)
    for part in (whole[4:8], whole[::2], whole[:8, :2]):
        Rows(np.arange(len(part)), part).and_then(np.array([99]), np.ones((1, part.shape[1]), np.float32))
    assert not whole.any()
