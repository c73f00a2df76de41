"""An index that can be filled, and emptied."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from .explained import Explained
from .exporting.exporting import export
from .importing.bringing import bring
from .importing.settling import settle
from .indexing import Indexing
from .jobs import Job, Jobs
from .planning import Planning
from .reports import ExportReport, ImportReport, IndexReport, Plan, Removal
from .scaling.scaled import Scaled
from .settings import Settings
from .sources.given import as_patterns, as_sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .catalog.catalog import Catalog
    from .explaining import Explaining
    from .protocols import Progress
    from .searching import Searching

_HOW = frozenset({"records", "columns", "ignore", "prune", "engine"})
"""What :meth:`Fillable.index` takes beside sources."""


class Fillable(Explained):
    """An index with what indexes, plans that, and removes; see :class:`~mmrag_nb.explained.Explained`."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        super().__init__(catalog, settings)
        self._jobs = Jobs()

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

    # -- from and to elsewhere -------------------------------------------------------------------------------------

    def export(
        self,
        path: str | Path,
        *,
        form: str = "parquet",
        thumbnails: bool = True,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> ExportReport:
        """Write the index, a row a chunk, for other programs; :meth:`import_vectors` brings it in again.

        Columns: ``item`` (id), ``uri``, ``name``, ``modality``, ``ordinal``, ``text``, ``start`` and ``end`` (seconds),
        ``page``, ``record``, ``metadata`` and ``facts`` (JSON), ``meta_NAME`` for metadata of one type, ``caption`` and
        ``ocr`` as models told them, ``thumbnail``, and one of float32 vectors for each view in each space,
        ``vector_image``; the file's metadata tell whose vectors they are. A thousand chunks are in memory at a time.

        Parameters
        ----------
        path
            A file that ends in ``.parquet``, or a folder.
        form
            ``parquet``: a file that ``datasets.load_dataset("parquet", data_files=...)`` and the Hub's viewer show with
            its pictures. ``datasets``: a folder for ``datasets.load_from_disk``.
        thumbnails
            Whether pictures are in it, small.
        overwrite
            Replace what is there.
        progress
            Told of each step.

        Raises
        ------
        EmptyIndex
            Nothing has been indexed.
        NotInstalled
            pyarrow or ``datasets`` is absent.
        MMRagError
            Something is there already, or it cannot be written; what was there stays.
        """
        return export(self._catalog, path, form=form, thumbnails=thumbnails, overwrite=overwrite, progress=progress)

    def import_vectors(
        self,
        vectors: Any,
        table: Any = None,
        *,
        model: str = "",
        columns: Mapping[str, str] | None = None,
        thumbnails: bool = True,
        check: bool = True,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Take over vectors that an image-text model has made already, or an index that was exported.

        Each row becomes an item that is found as if it had been indexed. A picture whose file is at hand is known by
        its content, so that indexing it later embeds nothing; another by its address and its vector. Importing the same
        again changes nothing. Vectors are normalised; rows that are zero or not finite are left out and told.

        A few whose files, or texts, are at hand are made again by the model and compared: another checkpoint, or rows
        in another order, are an error. Where the model cannot be had now, that is done when it first can.

        Parameters
        ----------
        vectors
            A ``.npy`` file, which is mapped and never unpickled, or an array: (n, d) float16, float32 or float64. Or a
            Parquet file that :meth:`export` wrote, and no table.
        table
            A CSV or Parquet file, a pandas ``DataFrame`` or a list of dicts: n rows in the same order. A column
            ``path`` (or ``file_name``, ``uri``, ``url``, ``id``) or ``text`` or ``caption`` says what a vector is of,
            ``modality`` whether of an ``image`` or a ``text``, where that is not plain; the others are metadata.
        model
            What made them, as the setting ``clip`` has it, and by default what that is.
        columns
            What columns of other names are: ``{"photo": "path", "sentence": "caption"}``.
        thumbnails
            Read the pictures that are at hand, to show them.
        check
            Compare with the model.
        progress
            Told of each step.

        Raises
        ------
        LoadError
            The array or the table is not what it should be.
        MMRagError
            The vectors are not the model's.
        InvalidSetting, IndexMismatch
            The index was filled by another model.
        """
        whole = self._catalog.chunk_count() > 0
        report = bring(
            self._catalog,
            self.settings,
            self._variants,
            vectors,
            table,
            model=model,
            columns=columns,
            thumbnails=thumbnails,
            check=check,
            progress=progress,
        )
        if table is None and not whole:
            self.use_models_of_index()
        return report

    def _by(self, strategy: str | None) -> tuple[Searching, Explaining]:
        settle(self._parts, self._catalog)  # what was imported without the model is compared before it is asked
        return super()._by(strategy)

    # -- beforehand, and back --------------------------------------------------------------------------------------

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
        counts = self._catalog.chunks_by_item()
        left = Counter[str](self._catalog.counts())
        left.subtract(item.modality for item in items.values())
        if items and not dry_run:
            self._catalog.remove(list(items))
        chunks = {item_id: counts.get(item_id, 0) for item_id in items}
        return Removal(tuple(items.values()), chunks, dict(+left), dry_run=dry_run)

    # -- another file ----------------------------------------------------------------------------------------------

    def switch(self, path: str | Path, *, discard: bool = False) -> None:
        """Go on with the index file at ``path``, as :meth:`~mmrag_nb.keeping.Kept.switch`; not while this is filled."""
        self._jobs.must_be_over("be left for another")
        super().switch(path, discard=discard)

    def reset(self, *, discard: bool = False) -> Removal:
        """Start over, as :meth:`~mmrag_nb.keeping.Kept.reset`; not while the index is filled."""
        self._jobs.must_be_over("be started over")
        return super().reset(discard=discard)

    def close(self) -> None:
        """Close the index's file and stores; what fills it in the background ends at its next step."""
        for job in self._jobs:
            job.stop(now=True)
        for job in self._jobs:
            with suppress(Exception):  # it is told where somebody waits
                job.wait()
        self._parts.close()
        super().close()
