"""One run of ``index`` on Ray: the notebook's side."""

from __future__ import annotations

import os
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import MMRagError, NotInstalled, SourceError
from mmrag_nb.indexing import Indexing
from mmrag_nb.jobs.stopping import leave_off
from mmrag_nb.reports import Skipped
from mmrag_nb.settings import Settings
from mmrag_nb.sources.metadata import plain_metadata
from mmrag_nb.sources.redaction import brief
from mmrag_nb.workload import Tally

from .encoding import Task
from .engine import address_of, reach
from .hosting import hosted
from .listing import Named, Wanted
from .place import place_of
from .rows import add_tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmrag_nb.catalog.catalog import Catalog
    from mmrag_nb.parts import Parts
    from mmrag_nb.protocols import Progress
    from mmrag_nb.types import Source

_NOT_FOLLOWED = "an index in Milvus does not note what folders held; %mmrag_remove takes out what you name"


class Scaled:
    """One run of ``index`` on Ray, see :class:`~mmrag_nb.indexing.Indexing`; Python objects are indexed here first."""

    def __init__(
        self, engine: str, parts: Parts, catalog: Catalog, settings: Settings, progress: Progress | None
    ) -> None:
        self._parts, self._catalog, self._settings = parts, catalog, settings
        self._progress: Progress = progress or (lambda *_: None)
        self._address = address_of(engine)
        self.tally = Tally()

    def run(
        self,
        sources: Sequence[Source],
        *,
        records: bool = False,
        columns: Mapping[str, str] | None = None,
        ignore: Sequence[str] = (),
        prune: bool = False,
    ) -> None:
        """Index ``sources``; :attr:`tally` grows as batches are written.

        Raises
        ------
        MMRagError
            The index is not in Milvus, there is no Ray, a model cannot be had, or what is asked needs the whole corpus
            in one place.
        """
        place = place_of(self._catalog)
        if find_spec("ray") is None:
            raise NotInstalled("ray", extra="ray")
        if records:
            raise MMRagError("engine='ray' does not take records=True: index these folders without an engine")
        if prune:
            raise MMRagError(f"engine='ray' does not take prune=True: {_NOT_FOLLOWED}")
        filled = self._catalog.chunk_count() > 0
        names = [one for one in sources if _is_name(one)]
        objects = [one for one in sources if not _is_name(one)]
        if objects:
            here = Indexing(self._parts, self._catalog, self._settings, self._progress)
            self.tally = here.tally
            here.run(objects, columns=columns, ignore=ignore)
            self.tally.note("Python objects", "indexed here: what is in this notebook's memory does not go to Ray")
        if names and filled:
            self.tally.note("files that changed since they were indexed", f"what they held stays: {_NOT_FOLLOWED}")
        if names:
            wanted = Wanted(list(self._plain(names)), Path.cwd(), (*self._settings.ignore, *ignore))
            chosen = {name: getattr(self._settings, name) for name in Settings.class_trait_names(config=True)}
            self._on_ray(wanted, Task(place, chosen, str(Path.cwd()), columns))

    def _plain(self, names: Sequence[Source]) -> Iterator[Named]:
        """The sources with what is said of them as JSON values; where that cannot be, the tally tells."""
        for one in names:
            name = os.fsdecode(one.value)
            try:
                yield Named(name, plain_metadata(one.metadata))
            except SourceError as error:
                self.tally.skipped.append(Skipped(brief(name), str(error)))

    def _on_ray(self, wanted: Wanted, task: Task) -> None:
        self._progress("starting Ray", 0, None)
        reach(self._address)
        with closing(hosted(self._address, wanted, task)) as news:
            for one in news:
                if "error" in one:
                    raise MMRagError(str(one["error"]))
                if "told" in one:
                    self._take(one["told"])
                elif "through" in one:
                    self._progress("indexed", one["through"], one["listed"])
                leave_off()

    def _take(self, told: Mapping[str, Any]) -> None:
        if "failed" in told:
            raise MMRagError(str(told["failed"]))
        if "lost" in told:
            self.tally.skipped.append(Skipped(str(told["lost"]), str(told["reason"])))
        else:
            add_tally(self.tally, told)


def _is_name(source: Source) -> bool:
    """Whether ``source`` names what workers can open themselves."""
    named = isinstance(source.value, (str, os.PathLike))
    return named and not source.label.startswith("{{")
