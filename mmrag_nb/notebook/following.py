"""A job in the output of the cell that began it: how far it is, and in the end what it did.

Two outputs: the place of a widget, which brings a button to stop it, and a display that is updated by its id, whichever
cell runs meanwhile. The second alone is what a saved notebook shows; the widget hides it while it lives, and leaves
with the job's end. It is made in the job's thread: what it needs takes longer to import than a cell should wait.
"""

from __future__ import annotations

import logging
import sys
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display, update_display

from .pacing import Paced
from .render import job as render

if TYPE_CHECKING:
    from mmrag_nb.jobs.job import Job

    from .panels.job import JobPanel

_LOG = logging.getLogger(__name__)
_VIEW = "application/vnd.jupyter.widget-view+json"
_PACE = 0.25
"""Seconds between two updates of what is seen."""
_KEPT = 2.0
"""Seconds between two updates of what is kept, while a widget hides it."""
_ASIDE = "indexing in the background: %mmrag_status tells how far it is, %mmrag_stop ends it"


def show(job: Job) -> None:
    """Show ``job`` in the running cell, from now until it is over."""
    shell = InteractiveShell.instance() if InteractiveShell.initialized() else None
    if getattr(shell, "kernel", None) is not None:
        _Followed(job, shell)
        return
    print(render.text(job) if job.done else _ASIDE)  # noqa: T201 - a terminal: what is printed cannot change
    if not job.done:
        job.follow(_tell_end)


def _tell_end(job: Job) -> None:
    if job.done and sys.stdout is not None:
        print(render.text(job))  # noqa: T201


class _Followed:
    """One job in one cell of a notebook."""

    def __init__(self, job: Job, shell: Any) -> None:
        self._job, self._shell = job, shell
        self._name = f"mm-job-{token_hex(6)}"
        self._panel: JobPanel | None = None
        self._widget = not job.done
        """Whether there may be one still."""
        self._told = ""
        self._kept = Paced[None](lambda _: self._update(), _PACE)
        self._seen = Paced[None](lambda _: self._draw(), _PACE)
        if self._widget:
            display(_NOTHING, raw=True, display_id=f"{self._name}-live")
        display(self._bundle(), raw=True, display_id=self._name)
        if not job.done:
            shell.events.register("post_run_cell", self._again)
        job.follow(self._follow)

    def _follow(self, job: Job) -> None:
        if job.done:
            self._seen.close()
            self._kept.close()
            self._update()
            self._take_away()
            return
        if self._widget and self._panel is None:
            self._bring()
        self._seen(None)
        self._kept(None)

    def _bring(self) -> None:
        """Put the widget into its place."""
        self._widget = False
        try:
            from .panels.job import JobPanel

            self._panel = JobPanel(self._job, self._name)
        except Exception:  # noqa: BLE001 - the display beside it tells all that it would
            _LOG.debug("no widget", exc_info=True)
            return
        self._kept = Paced[None](lambda _: self._update(), _KEPT)
        view = {"version_major": 2, "version_minor": 0, "model_id": self._panel.model_id}
        update_display({_VIEW: view, "text/plain": ""}, raw=True, display_id=f"{self._name}-live")

    def _take_away(self) -> None:
        if self._panel is not None:
            update_display(_NOTHING, raw=True, display_id=f"{self._name}-live")
            self._panel.close()
            self._panel = None

    def _draw(self) -> None:
        if (panel := self._panel) is not None:
            panel.draw_again()

    def _update(self) -> None:
        update_display(self._bundle(), raw=True, display_id=self._name)

    def _again(self, *_: object) -> None:
        """Send it with another cell, too: who runs notebooks without a page hears the running cell alone."""
        over = self._job.done
        self._update()
        if over:
            update_display(_NOTHING, raw=True, display_id=f"{self._name}-live")
            self._shell.events.unregister("post_run_cell", self._again)

    def _bundle(self) -> dict[str, str]:
        html = f'<div class="mm-still {self._name}">{_BESIDE.format(name=self._name)}{render.html(self._job)}</div>'
        return {"text/html": html, "text/plain": render.text(self._job)}


_NOTHING = {"text/plain": "", "text/html": ""}
_BESIDE = (
    "<style>.mm-live.{name}:not([data-mm-state=live]) {{display:none}}\n"
    ".jp-OutputArea-child:has(+ .jp-OutputArea-child .mm-still.{name}):not(:has([data-mm-state=live])) {{display:none}}"
    "</style>"
)
