"""What becomes of jobs in the background when Python ends."""

from __future__ import annotations

import atexit
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .job import Job

_FAREWELL = 3.0
"""Seconds that Python's end waits for jobs to leave what they have in hand; Jupyter's patience is five."""

AT_WORK: weakref.WeakSet[Job] = weakref.WeakSet()
"""The jobs in threads of their own that are not over."""


@atexit.register
def _farewell() -> None:
    """Have the jobs in the background end with Python: at their next step, so that no thread dies within a commit."""
    for job in (jobs := list(AT_WORK)):
        job.stop(now=True)
    until = time.monotonic() + _FAREWELL
    for job in jobs:
        with suppress(Exception):  # told already
            job.wait(max(0.0, until - time.monotonic()))
