"""One line that says what is going on, how fast and for how long still; gone when the work is done.

In a notebook it is a display that is updated: text, and HTML with a native ``<progress>``. A widget would bring
nothing to a line that nobody clicks, and would cost: a message channel that Colab, VS Code and nbconvert treat in three
ways, and, where the kernel dies in the middle, a dead box in the saved notebook ("model not found") in place of the
last line. This line, left behind by a killed kernel, still says how far it came.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

from IPython.display import clear_output, display

from mmrag_nb.jobs.metering import Meter

from .render.escape import escape, one_line
from .render.quantities import duration

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_INTERVAL = 0.1
"""Seconds between updates: what an eye can follow, and a saved notebook's message log can bear."""
_SLOW = ("loading", "transcribing", "trying", "waiting", "writing")
"""Stages that may last for long without another word, and so are shown at once."""

_STYLE = "font:13px/1.6 system-ui,sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere"
_BAR = "width:9em;height:.7em;margin-inline-end:.8em;vertical-align:middle"
_ALONE = re.compile(r"\s*(%%mmrag_|([^\W\d]\w*\s*=\s*)?%?mmrag_\w+[^\n]*$)")


def line(stage: str, done: int, total: int | None, meter: Meter, now: float) -> str:
    """``embedding pictures 96 of 240 · 31/s · about 5 s left``.

    Of a stage in seconds of sound: ``transcribing talk.mp3 2:05 of 1:02:11 · 3.1 times real time · about 19 min left``.
    """
    from mmrag_nb.transcribing import SECONDS

    name = stage.removesuffix(SECONDS)
    sound = name != stage
    parts = [one_line(name)]
    if total and sound:
        parts[0] += f" {_clock(min(done, total))} of {_clock(total)}"
    elif total:
        parts[0] += f" {min(done, total):,} of {total:,}"
    elif done:
        parts[0] += f" {done:,} so far"
    if (rate := meter.rate()) is not None:
        parts.append(f"{rate:,.1f} times real time" if sound else _pace(rate))
    if total and (left := meter.left(now, total)) is not None and done < total:
        parts.append(f"about {_coarse(left)} left")
    return " · ".join(parts) + (" …" if len(parts) == 1 else "")


def _pace(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 9.5 else f"{rate:.1f}/s" if rate >= 0.95 else f"{_coarse(1 / rate)} each"


def _clock(seconds: int) -> str:
    """A place in a recording: 0:07, 2:05, 1:02:11."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _coarse(seconds: float) -> str:
    """A duration that pretends to no more than it knows: 3 s, 25 s, 4 min."""
    if seconds < 10:
        return duration(max(1, round(seconds))).replace(".0 s", " s")
    if seconds < 60:
        return f"{5 * round(seconds / 5)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def running(kernel: Any) -> str:
    """Return the code of the running cell; empty where another kind of kernel does not tell."""
    try:
        return str(kernel.get_parent("shell")["content"]["code"])
    except (AttributeError, KeyError, TypeError):
        return ""


def is_alone(code: str) -> bool:
    """Whether a cell is one call of a magic of ours, so that nothing else's output can be lost."""
    return _ALONE.match(code) is not None


def is_displayed(code: str) -> bool:
    """Whether what that call returns is displayed: not what is given a name, nor what a semicolon ends."""
    call = _ALONE.match(code)
    return call is not None and not call[2] and not code.rstrip().endswith(";")


class ProgressLine:
    """Shows :class:`~mmrag_nb.protocols.Progress` in a notebook, or on a terminal's standard error.

    Nothing is shown where nothing can be updated, and nothing is left behind, interrupted or not.

    Parameters
    ----------
    shell
        The running IPython shell.
    """

    def __init__(self, shell: Any) -> None:
        self._kernel: Any = getattr(shell, "kernel", None)
        self._handle: Any = None
        self._stage = ""
        self._meters: dict[str, Meter] = {}
        self._last = 0.0
        self._width = 0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that ``done`` of ``total`` are through; too frequent calls are counted but not shown."""
        now = time.monotonic()
        meter = self._meters.setdefault(stage, Meter())
        meter.see(now, done)
        begins = stage != self._stage and stage.startswith(_SLOW)
        if now - self._last < _INTERVAL and not begins:
            return
        self._last, self._stage = now, stage
        self._show(line(stage, done, total, meter, now), done, total)

    def _show(self, said: str, done: int, total: int | None) -> None:
        if self._kernel is not None:
            amount = f' max="{total}" value="{min(done, total)}"' if total else ""
            html = (
                f'<div style="{_STYLE}"><progress aria-label="progress"{amount} style="{_BAR}"></progress>'
                f"{escape(said)}</div>"
            )
            # A plain mapping is shown as it is: no object of display's can take a file's name for a file to read.
            bundle = {"text/plain": said, "text/html": html}
            if self._handle is None:
                self._handle = display(bundle, raw=True, display_id=True)
            else:
                self._handle.update(bundle, raw=True)
        elif sys.stderr is not None and sys.stderr.isatty():
            from .render import plain

            room = shutil.get_terminal_size().columns - 1
            said = plain.shortened(said, room) if room > 10 else ""
            sys.stderr.write(f"\r{plain.padded(said, self._width)}")
            sys.stderr.flush()
            self._width = plain.columns(said)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._handle is not None:
            if is_alone(running(self._kernel)):
                clear_output()  # at once: with --out, nothing comes after that could take its place
            else:
                # What else the cell has shown stays. Empty HTML takes no line, and nbconvert has no warning for it.
                self._handle.update({"text/plain": "", "text/html": ""}, raw=True)
            self._handle = None
        elif self._width:
            sys.stderr.write(f"\r{' ' * self._width}\r")
            sys.stderr.flush()
            self._width = 0
