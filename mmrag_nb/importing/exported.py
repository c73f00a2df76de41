"""An exported Parquet file to rows and vectors, for a process of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.tables import MAX_CELL, MAX_COLUMNS, check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

LAYOUT, FORMAT = "mmrag_nb", 1
"""As :mod:`mmrag_nb.catalog.rows` has them; that process needs no catalog."""
_PLAIN = (
    "item uri item_modality modality ordinal text start end page record record_name recipe metadata facts "
    "caption caption_by ocr ocr_by views"
).split()
_THUMBNAIL = "thumbnail"
_ROWS = 10_000_000
_BATCH = 256
_WIDEST = 16_384
"""Numbers of a vector."""
_LARGEST = 2_000_000
"""Bytes of a thumbnail."""


def layout_of(handle: BinaryIO) -> Iterator[tuple[dict[str, Any], tuple[bytes, ...]]]:
    """What a Parquet file says that it holds: ``{"layout": ...}``, ``None`` where it is none of ours."""
    _, told = _opened(handle)
    yield {"layout": told}, ()


def rows_of(handle: BinaryIO) -> Iterator[tuple[dict[str, Any], tuple[bytes, ...]]]:
    """Rows of an exported file, a batch at a time.

    Each piece has ``rows`` (dicts), ``lacking`` (by column of vectors, the rows that have none) and ``pictures`` (rows
    that have a thumbnail); its bytes are the columns of vectors, float32, in their order, then the thumbnails.

    Raises
    ------
    LoadError
        It is damaged, too large, or none of ours.
    """
    import pyarrow as pa

    file, told = _opened(handle)
    if told is None:
        raise LoadError("no export of mmrag_nb: give vectors (.npy) and this as the table")
    schema = file.schema_arrow
    names = [name for name in [*_PLAIN, _THUMBNAIL, *told["vectors"]] if name in schema.names]
    absent = [name for name in ("item", "uri", "modality", "ordinal", "views") if name not in names]
    if absent:
        raise LoadError(f"damaged: no column {absent[0]}")
    try:
        for batch in file.iter_batches(batch_size=_BATCH, columns=names, use_threads=False):
            yield _piece(batch, told["vectors"])
    except pa.ArrowMemoryError as error:
        raise MemoryError from error
    except (pa.ArrowException, OSError) as error:
        raise LoadError(f"damaged Parquet: {' '.join(str(error).split())[:120]}") from error


def _opened(handle: BinaryIO) -> tuple[Any, dict[str, Any] | None]:
    import pyarrow as pa
    from pyarrow import parquet

    pa.set_memory_pool(pa.system_memory_pool())  # others reserve more than they use
    try:
        file = parquet.ParquetFile(handle, pre_buffer=False)
        check("rows", file.metadata.num_rows, _ROWS)
        check("columns", file.metadata.num_columns, MAX_COLUMNS + 1_000)
        said = (file.schema_arrow.metadata or {}).get(LAYOUT.encode())
    except pa.ArrowMemoryError as error:
        raise MemoryError from error
    except (pa.ArrowException, OSError) as error:
        raise LoadError(f"damaged Parquet: {' '.join(str(error).split())[:120]}") from error
    if said is None:
        return file, None
    try:
        told = json.loads(said)
        _check(told, file.schema_arrow)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LoadError("damaged: what it says of its vectors cannot be read") from error
    told["rows"] = file.metadata.num_rows
    return file, told


def _check(told: dict[str, Any], schema: Any) -> None:
    from pyarrow import types

    if int(told["format"]) > FORMAT:
        raise LoadError(f"an export of a later version, format {told['format']}: pip install --upgrade mmrag-nb")
    for name, channel in told["vectors"].items():
        dimension = int(channel["dimension"])
        kind = schema.field(name).type
        right = types.is_fixed_size_list(kind) and types.is_float32(kind.value_type) and kind.list_size == dimension
        if not right or not 0 < dimension <= _WIDEST:
            raise LoadError(f"damaged: column {name} holds no vectors of {dimension} numbers")
        if not all(isinstance(channel[key], str) for key in ("space", "view")) or not all(
            isinstance(one, str) for one in (*channel["fingerprint"], *channel["fingerprint"].values())
        ):
            raise LoadError(f"damaged: nothing says whose vectors {name} holds")


def _piece(batch: Any, vectors: dict[str, Any]) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    plain = {name: batch.column(name).to_pylist() for name in _PLAIN if name in batch.schema.names}
    for name, cells in plain.items():
        if any(isinstance(cell, str) and len(cell) > MAX_CELL for cell in cells):
            raise LoadError(f"a cell of more than {MAX_CELL:,} characters in {name}")
    rows = [dict(zip(plain, cells, strict=True)) for cells in zip(*plain.values(), strict=True)]
    blobs: list[bytes] = []
    lacking: dict[str, list[int]] = {}
    for name, channel in vectors.items():
        column = batch.column(name)
        block = np.zeros((len(batch), int(channel["dimension"])), np.float32)
        there = np.asarray(column.is_valid())
        block[there] = np.asarray(column.drop_null().flatten(), np.float32).reshape(-1, block.shape[1])
        blobs.append(block.astype("<f4").tobytes())
        lacking[name] = np.flatnonzero(~there).tolist()
    pictures: list[int] = []
    if _THUMBNAIL in batch.schema.names:
        for place, cell in enumerate(batch.column(_THUMBNAIL).to_pylist()):
            data = (cell or {}).get("bytes")
            if data and len(data) <= _LARGEST:
                pictures.append(place)
                blobs.append(data)
    return {"rows": rows, "lacking": lacking, "pictures": pictures}, tuple(blobs)
