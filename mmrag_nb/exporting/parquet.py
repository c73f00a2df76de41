"""An index as one Parquet file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write(place: Path, schema: Any, batches: Iterable[Any]) -> int:
    """Write Arrow tables of ``schema``, each a row group, as they come; returns the number of rows."""
    from pyarrow import parquet

    texts = [name for name in schema.names if str(schema.field(name).type) == "string"]
    rows = 0
    with parquet.ParquetWriter(place, schema, compression="zstd", use_dictionary=texts) as writer:
        for batch in batches:
            writer.write_table(batch)
            rows += len(batch)
    return rows
