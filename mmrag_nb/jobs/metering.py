"""How fast a stage of indexing goes."""

from __future__ import annotations

from collections import deque

_WINDOW = 15.0
"""Seconds over which a rate is taken: short enough to follow a change, long enough to be calm."""
_TOLD_AFTER = 1.0
"""Seconds of a stage before its rate says anything."""


class Meter:
    """How fast one stage goes, and how long it will take.

    Rates are taken over the last seconds, between the moments at which something was finished: work that is done in
    batches stands still between them, and neither the rate nor the time left should swing with that.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def see(self, now: float, done: int) -> None:
        """Note that ``done`` are through at ``now``, seconds of a clock that never goes back."""
        if self._marks and done < self._marks[-1][1]:
            self._marks.clear()
        if not self._marks or done > self._marks[-1][1]:
            self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW:
            self._marks.popleft()

    def rate(self) -> float | None:
        """How many are finished in a second; ``None`` before that can be told."""
        marks = tuple(self._marks)  # another thread may be adding to them
        if len(marks) < 2:
            return None
        (start, first), (end, last) = marks[0], marks[-1]
        return (last - first) / (end - start) if end - start >= _TOLD_AFTER else None

    def left(self, now: float, total: int) -> float | None:
        """Seconds until ``total`` are through; ``None`` before that can be told."""
        rate = self.rate()
        if rate is None:
            return None
        at, done = self._marks[-1]
        return max(0.0, (total - done) / rate - (now - at))
