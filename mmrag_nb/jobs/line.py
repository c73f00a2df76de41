"""The jobs on one index, one after the other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from mmrag_nb.errors import MMRagError

from .job import GLANCE
from .stopping import leave_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .job import Job

WAITING = "waiting for what is being indexed"
"""Stage of a job while another one is at work on the index."""


class Jobs:
    """The jobs on one index: one is at work, others wait in the order in which they came."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: list[Job] = []
        self.last: Job | None = None
        """The one that ended last; ``None`` where the index has been left for another since."""

    def __iter__(self) -> Iterator[Job]:
        """Those that are not over, the one at work first."""
        with self._changed:
            return iter(tuple(self._line))

    def __len__(self) -> int:
        return len(self._line)

    def stop(self, *, now: bool = False) -> None:
        """Have all of them end, see :meth:`Job.stop`."""
        for job in reversed(list(self)):  # else the next would begin
            job.stop(now=now)

    def must_be_over(self, what: str) -> None:
        """Refuse ``what`` while a job is at work.

        Raises
        ------
        MMRagError
            One is.
        """
        if len(self):
            raise MMRagError(
                f"the index is being filled in the background, so it cannot {what}: wait (%mmrag_status tells how far "
                "it is), or %mmrag_stop"
            )

    # -- what jobs call --------------------------------------------------------------------------------------------

    def join(self, job: Job) -> None:
        """Take a place in the line."""
        with self._changed:
            self._line.append(job)

    def turn(self, job: Job) -> None:
        """Wait until it is the turn of ``job``.

        Raises
        ------
        Stopped
            It is to end before that.
        """
        while True:
            with self._changed:
                if self._line[0] is not job and job.state == "waiting":
                    self._changed.wait(GLANCE)
                waits = self._line[0] is not job
            leave_off()
            if not waits:
                return
            job(WAITING, 0, None)

    def look(self) -> None:
        """Have those that wait see what has changed."""
        with self._changed:
            self._changed.notify_all()

    def leave(self, job: Job) -> None:
        """Make room for the next."""
        with self._changed:
            if job in self._line:
                self._line.remove(job)
                self.last = job
            self._changed.notify_all()
