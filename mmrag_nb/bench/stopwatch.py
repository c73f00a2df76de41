"""Runs inside the shell that is measured: takes the time of drawing, where the product takes none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mmrag_nb.results import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

HTML, TEXT = "draw as HTML", "draw as text"


class Stopwatch:
    """Stands in for a shell's ways to draw an :class:`~mmrag_nb.results.Answer`, which it calls in turn."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._drawn: dict[str, tuple[float, int]] = {}
        formatters = shell.display_formatter.formatters
        formatters["text/html"].for_type(Answer, lambda answer: self._timed(HTML, answer._repr_html_))
        formatters["text/plain"].for_type(
            Answer, lambda answer, printer, _: printer.text(self._timed(TEXT, answer.__repr__))
        )

    def _timed(self, stage: str, draw: Callable[[], str]) -> str:
        start = time.perf_counter()
        drawn = draw()
        self._drawn[stage] = (time.perf_counter() - start, len(drawn.encode()))
        return drawn

    def stages(self) -> dict[str, float]:
        """Seconds by stage of the answer that was shown last."""
        answer: Answer = self._shell.user_ns["_"]
        return {**answer.timings, **{stage: seconds for stage, (seconds, _) in self._drawn.items()}}

    def size(self) -> int:
        """Bytes of its card."""
        return self._drawn[HTML][1]
