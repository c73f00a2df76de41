"""Where the time goes inside a piece of work: its functions wrapped while it is watched."""

from __future__ import annotations

import time
from collections import defaultdict
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self


class Stages:
    """A context in which ``watched`` functions count what they take; what one calls of the others is not its own.

    Parameters
    ----------
    watched
        (owner, name of the function, stage) each; the owner is a module or a class.
    """

    def __init__(self, watched: Sequence[tuple[Any, str, str]]) -> None:
        self._watched = watched
        self._kept: list[tuple[Any, str, Any]] = []
        self._inner = [0.0]
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def __enter__(self) -> Self:
        for owner, name, stage in self._watched:
            function = vars(owner)[name]
            self._kept.append((owner, name, function))
            setattr(owner, name, self._timed(function, stage))
        return self

    def __exit__(self, *_: object) -> None:
        for owner, name, function in self._kept:
            setattr(owner, name, function)

    def take(self) -> dict[str, float]:
        """Seconds by stage since this was asked last, 0 of a stage in which nothing was done."""
        seconds = {stage: self._seconds[stage] for _, _, stage in self._watched}
        self._seconds.clear()
        return seconds

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            self._inner.append(0.0)
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent = time.perf_counter() - start
                self._seconds[stage] += spent - self._inner.pop()
                self._inner[-1] += spent

        return timed
