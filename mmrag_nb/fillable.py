"""An index that can be filled, and emptied."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .planning import Planning
from .reports import IndexReport, Plan, Removal
from .sources.given import as_patterns, as_sources
from .working import Working

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .protocols import Progress


class Fillable(Working):
    """An index with what indexes, plans that, and removes; see :class:`~mmrag_nb.working.Working`."""

    def index(
        self,
        sources: Any,
        *,
        records: bool = False,
        columns: Mapping[str, str] | None = None,
        ignore: str | Sequence[str] = (),
        prune: bool = False,
        engine: str = "",
        progress: Progress | None = None,
    ) -> IndexReport:
        """Index ``sources``; what is in the index already, unchanged, is not embedded again.

        What a file or URL held before it changed is taken out of the index; a file that was moved keeps its vectors.

        Parameters
        ----------
        sources
            One or a list of: path, glob, folder, http(s) URL (``str``); ``pathlib.Path``; ``PIL.Image``; sound as
            ``(samples, rate)`` or ``pydub.AudioSegment``; a dict with one of ``text``, ``image``, ``audio``, ``path``
            or ``url`` and any metadata (``caption`` is searchable text). A dict with several of these, or with a list,
            is a record: its parts are scored as one. A ``pandas.DataFrame``, a CSV or a Parquet file gives a record for
            each row.
        records
            Every folder that holds files is a record of them.
        columns
            What columns of tables hold, by name: ``text``, ``image``, ``audio``, ``video``, ``path``, ``url``,
            ``metadata`` or ``ignore``. The others are guessed, and the report says how.
        ignore
            What folders and globs leave out, as in ``.gitignore``, besides what the settings and ``.mmragignore`` files
            in the folders say.
        prune
            Take out of the index what these folders, globs and tables held when they were indexed before, and no longer
            hold. Otherwise the report names it.
        engine
            Who does the work, where that is too much for this process: ``"ray"`` on all processors and GPUs of this
            machine, ``"ray:auto"`` or ``"ray://HOST:10001"`` on a cluster. The index is then one in Milvus; what files
            held before they changed stays in it.
        progress
            Told of each step.

        Returns
        -------
        IndexReport
            What was indexed, reused and skipped, and why.

        Raises
        ------
        ModelUnavailable, NotInstalled
            An encoder cannot be had. What was committed before stays.
        UnknownName
            ``columns`` says what no column can hold.
        """
        how = {"records": records, "columns": columns, "ignore": ignore, "prune": prune, "engine": engine}
        return self._job(sources, how, progress).run()

    def plan(
        self,
        sources: Any,
        *,
        records: bool = False,
        columns: Mapping[str, str] | None = None,
        ignore: str | Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Plan:
        """Tell what :meth:`index` would do with ``sources``, how long it would take and how large the index would grow.

        Nothing is written, fetched or downloaded. The estimates are measured on a few of the very items, with models
        that are on this machine.

        Raises
        ------
        InvalidSetting, IndexMismatch, ModelUnavailable
            As :meth:`index` would raise.
        """
        planning = Planning(self._parts, self._catalog, self.settings, progress)
        return planning.run(as_sources(sources), records=records, columns=columns, ignore=as_patterns(ignore))

    def remove(self, *which: Any, dry_run: bool = False) -> Removal:
        """Take items out of the index, with all that belongs to them alone; ``remove("*")`` empties it.

        Parameters
        ----------
        which
            Each a name, URI or pattern (``"photos/*.jpg"``) of items, the first eight or more digits of an id, an
            ``Item``, a :class:`Hit`, or a sequence of these.
        dry_run
            Tell what would be removed, and leave it.

        Raises
        ------
        EmptyIndex, UnknownName
            Nothing in the index is meant; nothing is removed then.
        MMRagError
            A name stands for items in several places.
        """
        items = {item.id: item for one in which for item in self._meant(one)}
        counts = self._catalog.chunks_by_item(list(items))
        left = Counter[str](self._catalog.counts())
        left.subtract(item.modality for item in items.values())
        if items and not dry_run:
            self._catalog.remove(list(items))
        chunks = {item_id: counts.get(item_id, 0) for item_id in items}
        return Removal(tuple(items.values()), chunks, dict(+left), dry_run=dry_run)
