"""An index that goes to other programs, and takes from them what they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .explained import Explained
from .exporting.exporting import export
from .importing.bringing import bring
from .importing.settling import settle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .explaining import Explaining
    from .protocols import Progress
    from .reports import ExportReport, ImportReport
    from .searching import Searching


class Exchangeable(Explained):
    """An index with what exports and imports it; see :class:`~mmrag_nb.explained.Explained`."""

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
            Something is there already, or it cannot be written; what was there stays. Or the index lies in Milvus.
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
            The vectors are not the model's, or cannot be compared now, and the index lies in Milvus.
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
