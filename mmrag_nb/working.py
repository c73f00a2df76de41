"""An index that is filled while other things go on: one job after the other."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from .corpora.corpus import Corpus
from .errors import MMRagError
from .exchangeable import Exchangeable
from .importing.settling import settle
from .indexing import Indexing
from .jobs.job import Job
from .jobs.line import Jobs
from .keeping import MILVUS
from .scaling.scaled import Scaled
from .settings import Settings
from .sources.given import as_patterns, as_sources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .catalog.catalog import Catalog
    from .protocols import Progress
    from .reports import IndexReport, Removal

_HOW = frozenset({"records", "columns", "ignore", "prune", "engine"})
"""What indexing takes beside sources."""


class Working(Exchangeable):
    """An index with what indexes in the background; :class:`~mmrag_nb.fillable.Fillable` has ``index`` itself."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        super().__init__(catalog, settings)
        self._jobs = Jobs()

    def index_in_background(self, sources: Any, *, progress: Progress | None = None, **how: Any) -> Job:
        """Begin to index ``sources`` as :meth:`index` does, in a thread of its own, and return at once.

        What is committed can be asked for from then on. Of several jobs on one index one is at work; the others follow
        in order. It goes by the settings as they are now, whatever becomes of them meanwhile.

        Parameters
        ----------
        sources, **how
            As for :meth:`index`.
        progress
            Told of each step, in the job's own thread.
        """
        # of a session there are more traits
        settings = Settings(**{name: getattr(self.settings, name) for name in Settings.class_own_traits()})
        return self._job(sources, how, progress, settings).start()

    async def aindex(self, sources: Any, *, progress: Progress | None = None, **how: Any) -> IndexReport:
        """Index as :meth:`index` does, while the event loop goes on; what it raises is raised here.

        Of several calls for one index one is at work, the others follow in order; several indexes are filled at once.

        >>> report = await rag.aindex("photos/*.jpg")  # doctest: +SKIP

        Cancelled, it stops after the batch in hand, and then is cancelled; what was committed stays. Cancelled twice,
        it stops at its next step.

        Parameters
        ----------
        sources, **how
            As for :meth:`index`.
        progress
            Told of each step, in the loop's thread; what it raises ends the run.
        """
        loop = asyncio.get_running_loop()
        failed: list[BaseException] = []

        def tell(stage: str, done: int, total: int | None) -> None:
            assert progress is not None
            try:
                if not failed:
                    progress(stage, done, total)
            except BaseException as error:  # noqa: BLE001 - raised below
                failed.append(error)
                job.stop(now=True)

        def told(stage: str, done: int, total: int | None) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(tell, stage, done, total)

        job = self.index_in_background(sources, progress=told if progress is not None else None, **how)
        await job.over()
        if failed:
            raise failed[0]
        report = job.wait()
        assert report is not None
        return report

    @property
    def jobs(self) -> Jobs:
        """What is being indexed, and what waits to be."""
        return self._jobs

    def _job(
        self, sources: Any, how: Mapping[str, Any], progress: Progress | None, settings: Settings | None = None
    ) -> Job:
        """Make the job of one run, under a copy of the ``settings`` where one is given."""
        if unknown := sorted(set(how) - _HOW):
            raise TypeError(f"index() got an unexpected keyword argument {unknown[0]!r}")
        parts = self._parts if settings is None else self._parts.under(settings)
        given = as_sources(sources)
        run = {**how, "ignore": as_patterns(how.get("ignore", ()))}
        engine = run.pop("engine", "")
        if run.get("prune") and not engine and isinstance(self._catalog, Corpus):
            raise MMRagError(
                "prune=True (--prune) is for an index in a file: one in Milvus does not note what folders held; "
                "%mmrag_remove takes out what you name"
            )

        def work(job: Job) -> None:
            settle(parts, self._catalog, job)
            way = partial(Scaled, engine) if engine else Indexing
            indexing = way(parts, self._catalog, settings or self.settings, job)
            interrupted = True
            try:
                indexing.run(given, **run)
                interrupted = False
            finally:
                job.report = self.report = indexing.tally.report(interrupted=interrupted)

        return Job(self._jobs, work, progress)

    # -- elsewhere ----------------------------------------------------------------------------------------------

    def save(self, path: str | Path, *, progress: Progress | None = None) -> Path | str:
        """Write the index elsewhere, as :meth:`~mmrag_nb.keeping.Kept.save`; into Milvus not while it is filled."""
        if isinstance(self._catalog, Corpus) or str(path).startswith(MILVUS):
            self._jobs.must_be_over("be kept elsewhere")
        return super().save(path, progress=progress)

    def switch(self, path: str | Path, *, discard: bool = False) -> None:
        """Go on with the index file at ``path``, as :meth:`~mmrag_nb.keeping.Kept.switch`; not while this is filled."""
        self._jobs.must_be_over("be left for another")
        super().switch(path, discard=discard)
        self._jobs.last = None

    def reset(self, *, discard: bool = False) -> Removal:
        """Start over, as :meth:`~mmrag_nb.keeping.Kept.reset`; not while the index is filled."""
        self._jobs.must_be_over("be started over")
        removed = super().reset(discard=discard)
        self._jobs.last = None
        return removed

    def close(self) -> None:
        """Close the index's file and stores; what fills it in the background ends at its next step."""
        for job in self._jobs:
            job.stop(now=True)
        for job in self._jobs:
            with suppress(Exception):  # it is told where somebody waits
                job.wait()
        self._parts.close()
        super().close()
