"""How a run of indexing stands: how far it is, or what it did."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mmrag_nb.errors import MMRagError
from mmrag_nb.notebook.progress import line

from . import plain, report
from .escape import escape, one_line
from .quantities import duration
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.jobs.job import Job

STYLE = """
.mmrag .mm-job {display:flex;flex-wrap:wrap;gap:2px 12px;align-items:center;margin:0 0 6px;
  font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.mmrag .mm-job progress {width:12em;height:.8em;accent-color:var(--mm-image)}
.mmrag .mm-job small {color:var(--mm-soft)}
"""
_LABEL = "indexing in the background"
_BUG = "this is a bug of mmrag_nb: job.wait() raises it with its traceback"
_STOPPING = "stopping after the batch in hand"


def told(job: Job) -> str:
    """Return one line on how it stands: ``embedding pictures 96 of 240 · 31/s · about 5 s left``."""
    if job.state == "failed":
        return f"failed: {trouble(job)}"
    if job.done:
        return (f"{job.state}: " * (job.state == "stopped")) + (report.totals(job.report) if job.report else "")
    step = job.progress
    far = line(step.stage, step.done, step.total, step.meter, time.monotonic()) if step else "beginning …"
    return f"{_STOPPING} · {far}" if job.state == "stopping" else far


def trouble(job: Job) -> str:
    """Return one line on what made it fail; empty where nothing did."""
    if job.state != "failed":
        return ""
    error = job.error
    return one_line(error if isinstance(error, MMRagError) else f"{type(error).__name__}: {error} ({_BUG})")


def since(job: Job) -> str:
    """Return when it began: ``since 14:03:10``, or when it ended: ``14:05:20, after 2 min 10 s``."""
    if job.begun is None:
        return ""
    if job.ended is None:
        return f"since {_clock(job.begun)}"
    return f"{_clock(job.ended)}, after {duration(job.ended - job.begun)}"


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def going(job: Job, control: str = "") -> str:
    """Return the HTML of how far it is, with ``control``, which is HTML, behind it."""
    step = job.progress
    total = step.total if step else None
    amount = f' max="{total}" value="{min(step.done, total)}"' if step and total else ""
    when = f"<small>{since(job)}</small>" if job.begun is not None else ""
    return (
        f'<div class="mm-job"><progress aria-label="progress"{amount}></progress>'
        f"<span>{escape(told(job))}</span>{when}{control}</div>"
    )


def html(job: Job) -> str:
    """Return a self-contained section; of what is over, the report."""
    if not job.done:
        return section(_LABEL, going(job), STYLE)
    failed = trouble(job)
    error = f'<p class="mm-error" role="note"><b>Failed.</b> {escape(failed)}</p>' if failed else ""
    kept = job.report is not None and (not failed or bool(job.report.items))  # what was committed before stays
    body = report.html(job.report) if kept and job.report else ""
    return (section(_LABEL, error) if error else "") + body


def text(job: Job) -> str:
    """Return the same for a terminal."""
    if not job.done:
        return plain.wrapped(told(job))
    failed = trouble(job)
    kept = job.report is not None and (not failed or bool(job.report.items))
    return plain.joined(
        plain.wrapped(f"Failed. {failed}") if failed else "", report.text(job.report) if kept and job.report else ""
    )
