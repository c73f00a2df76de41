"""An index to files that other programs read, a batch of chunks at a time."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mmrag_nb.corpora.corpus import Corpus
from mmrag_nb.errors import EmptyIndex, InvalidSetting, MMRagError, NotInstalled, UnknownName
from mmrag_nb.reports import ExportReport

from . import folder, parquet
from .columns import batch_of, columns_of
from .placing import beside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from mmrag_nb.catalog.catalog import Catalog
    from mmrag_nb.protocols import Progress

    from .columns import Columns

FORMS = ("parquet", "datasets")
BATCH = 1_000
"""Chunks that are in memory at a time, and in a row group: a page of the Hub's viewer is read at once."""


def export(
    catalog: Catalog,
    path: str | Path,
    *,
    form: str = "parquet",
    thumbnails: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write all chunks of an index, with their vectors; see :meth:`mmrag_nb.MultimodalRAG.export`."""
    if form not in FORMS:
        raise UnknownName("form", form, FORMS)
    for library, extra in (("pyarrow", "tables"), ("datasets", "datasets"))[: 1 + (form == "datasets")]:
        if find_spec(library) is None:
            raise NotInstalled(library, extra=extra)
    place = Path(path).expanduser().absolute()
    if form == "parquet" and place.suffix.lower() not in {".parquet", ".pq"}:
        raise InvalidSetting(
            f"{path} does not end in .parquet: export to a file such as lesson.parquet, or to a folder by "
            "form='datasets' (--form datasets)"
        )
    if isinstance(catalog, Corpus):
        raise MMRagError(
            f"export reads an index in a file or in memory, and this one lies in {catalog.place}: rag.save("
            f'"lesson.mmrag") (%mmrag_save) makes a file of it first'
        )
    if not catalog.chunk_count():
        raise EmptyIndex
    start = time.perf_counter()
    columns = columns_of(catalog, thumbnails=thumbnails)
    schema = columns.schema()
    with beside(place, folder=form == "datasets", overwrite=overwrite) as temporary:
        batches = _batches(catalog, columns, schema, progress)
        if form == "datasets":
            rows = folder.write(temporary, schema, batches, columns.description)
        else:
            rows = parquet.write(temporary, schema, batches)
    files = [place] if place.is_file() else [one for one in place.rglob("*") if one.is_file()]
    return ExportReport(
        path=str(place),
        form=form,
        rows=rows,
        items=catalog.counts(),
        vectors={name: f"{one.view} in {one.space}, {one.dimension} numbers" for name, one in columns.channels.items()},
        size=sum(one.stat().st_size for one in files),
        seconds=time.perf_counter() - start,
    )


def _batches(catalog: Catalog, columns: Columns, schema: Any, progress: Progress | None) -> Iterator[Any]:
    ids = catalog.in_order()
    for start in range(0, len(ids), BATCH):
        if progress is not None:
            progress("exporting", start, len(ids))
        yield batch_of(catalog, ids[start : start + BATCH].tolist(), columns, schema)
    if progress is not None:
        progress("exporting", len(ids), len(ids))
