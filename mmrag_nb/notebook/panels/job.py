"""A run of indexing in the background, with a button that stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrag_nb.notebook.render import job as render

from .controls import button
from .live import Act, LivePanel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmrag_nb.jobs.job import Job

_LOOK = f"""{render.STYLE}
.mmrag .mm-job button {{min-height:26px;padding:1px 10px;font-size:13px}}
"""


class JobPanel(LivePanel):
    """How far a job is; pressed twice, its button stops it at the next step.

    Parameters
    ----------
    job
        The job.
    name
        Class name that it shares with the picture below it, which it hides.
    """

    def __init__(self, job: Job, name: str) -> None:
        self._job = job
        super().__init__("indexing in the background", _LOOK)
        self.twin = name
        self.draw_again()

    def draw_again(self) -> None:
        """Show how far it is now."""
        self.regions = self.draw(live=True)

    def draw(self, *, live: bool) -> dict[str, str]:
        """Return the bar, the line and the button."""
        stop = "Stop now" if self._job.state == "stopping" else "Stop"
        bar = render.going(self._job)
        return {
            "job": bar.replace("</div>", button("stop", stop, label=f"{stop} indexing") + "</div>") if live else bar
        }

    def acts(self) -> Mapping[str, Callable[[Act], None]]:
        """Return what a reader can do."""
        return {"stop": lambda _: self.stop()}

    def stop(self) -> None:
        """End it after the batch in hand; asked again, at its next step."""
        self._job.stop(now=self._job.state == "stopping")
        self.draw_again()

    def text(self) -> str:
        """Return how far it is."""
        return render.text(self._job)
