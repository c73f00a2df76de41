"""Vectors into an index: people's own with a table, or an index that was exported."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting, LoadError, NotInstalled
from mmrag_nb.settings import model_entry

from .importing import Importing
from .returning import Returning, layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmrag_nb.catalog.catalog import Catalog
    from mmrag_nb.protocols import Progress
    from mmrag_nb.reports import ImportReport
    from mmrag_nb.settings import Settings
    from mmrag_nb.variants import Variants


def bring(
    catalog: Catalog,
    settings: Settings,
    variants: Variants,
    vectors: Any,
    table: Any,
    *,
    model: str,
    columns: Mapping[str, str] | None,
    thumbnails: bool,
    check: bool,
    progress: Progress | None,
) -> ImportReport:
    """Bring vectors into an index; see :meth:`mmrag_nb.MultimodalRAG.import_vectors`."""
    if table is None:
        return _returned(catalog, settings, vectors, progress)
    before = settings.clip
    _choose(catalog, settings, model)
    shared = variants.settings({"strategy": "shared"})
    run = Importing(variants.parts(shared), catalog, shared, progress)
    try:
        run.run(vectors, table, columns=columns, thumbnails=thumbnails, check=check)
    except BaseException:
        if not catalog.chunk_count():
            settings.clip = before
        raise
    return run.report()


def _choose(catalog: Catalog, settings: Settings, model: str) -> None:
    """Let the settings name the model, where nothing was indexed with another."""
    if not model or model_entry("clip", model) == model_entry("clip", settings.chosen("clip")):
        return
    if catalog.chunk_count():
        raise InvalidSetting(
            f"the vectors are of {model}, but clip is {settings.chosen('clip')}, which filled this index: set clip to "
            f'{model!r} first (%config MMRag.clip = "{model}"), or import into a new index'
        )
    settings.clip = model


def _returned(catalog: Catalog, settings: Settings, source: Any, progress: Progress | None) -> ImportReport:
    if not isinstance(source, (str, os.PathLike)):
        raise LoadError("name the table that says what each vector is of: import_vectors(vectors, table)")
    path = Path(source).expanduser()
    if not path.is_file():
        raise LoadError(f"there is no file {source}")
    if path.suffix.lower() not in {".parquet", ".pq"}:
        raise LoadError(
            f"name the table that says what each vector in {source} is of: a CSV, Parquet file or DataFrame with a "
            "column path or text"
        )
    try:
        import pyarrow  # noqa: F401, ICN001 - the process that reads would say it less well
    except ModuleNotFoundError as error:
        raise NotInstalled("pyarrow", extra="tables") from error
    try:
        told = layout(path)
    except LoadError as error:
        raise LoadError(f"{source}: {error}") from error
    if told is None:
        raise LoadError(
            f"{source} was not exported by mmrag_nb: give its vectors as an array, and the rest as the table, "
            "import_vectors(np.stack(frame.pop('vector')), frame)"
        )
    start = time.perf_counter()
    run = Returning(catalog, settings, progress)
    try:
        run.run(path, told)
    except LoadError as error:
        raise LoadError(f"{source}: {error}") from error
    return run.report(time.perf_counter() - start)
