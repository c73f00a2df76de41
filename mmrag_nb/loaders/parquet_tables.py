"""Parquet to rows of plain values, for a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError

from .tables import BATCH, MAX_BYTES, MAX_CELL, MAX_COLUMNS, MAX_LIST, MAX_ROWS, check, in_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from .tables import Pieces


def parquet_rows(handle: BinaryIO, *, counted: bool = False) -> Pieces:
    """Rows of a Parquet file: texts, numbers, booleans, lists of texts; dates and times as ISO texts.

    What its footer claims is checked before anything is unpacked, what is unpacked as it comes.

    Parameters
    ----------
    handle
        The file.
    counted
        Yield no more than the head: the number of rows, and the first of them.

    Raises
    ------
    LoadError
        It is damaged, or too large.
    """
    import pyarrow as pa
    from pyarrow import parquet

    pa.set_memory_pool(pa.system_memory_pool())  # others reserve more than they use
    try:
        file = parquet.ParquetFile(handle, pre_buffer=False)
        claimed = file.metadata
        check("rows", claimed.num_rows, MAX_ROWS)
        check("columns", claimed.num_columns, MAX_COLUMNS)
        unpacked = sum(claimed.row_group(number).total_byte_size for number in range(claimed.num_row_groups))
        check("bytes unpacked", unpacked, MAX_BYTES)
        schema = file.schema_arrow
        kept = [place for place in range(len(schema)) if _is_plain(schema.field(place).type)]
        dropped = [schema.field(place).name for place in range(len(schema)) if place not in kept]
        names = [schema.field(place).name for place in kept if schema.names.count(schema.field(place).name) == 1]
        if not names:
            raise LoadError("no column of text, numbers or dates: save these as columns of their own")
        if not claimed.num_rows:
            raise LoadError("a table without rows")
        plain = [not _is_textual(schema.field(name).type) for name in names]
        notes = [f"{', '.join(dropped[:8])}: lists of numbers, bytes or nested values, left out"] if dropped else []
        head: dict[str, Any] = {"names": names, "plain": plain, "rows": claimed.num_rows, "notes": notes}
        head["numbered"] = names[0] == "__index_level_0__"
        yield from in_pieces(head, _unpacked(file, names), counted=counted)
    except pa.ArrowMemoryError as error:
        raise MemoryError from error
    except (pa.ArrowException, OSError) as error:
        raise LoadError(f"damaged Parquet: {' '.join(str(error).split())[:120]}") from error


def _is_textual(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_list(kind) or types.is_large_list(kind):
        kind = kind.value_type
    return any(getattr(types, test, _never)(kind) for test in ("is_string", "is_large_string", "is_string_view"))


def _never(_: Any) -> bool:
    return False


def _is_plain(kind: Any) -> bool:
    """Whether each of its values is one thing that JSON can say, or a list of texts."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    tests = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_temporal, types.is_null)
    return _is_textual(kind) or (any(test(kind) for test in tests) and not types.is_interval(kind))


def _unpacked(file: Any, names: list[str]) -> Iterator[list[Any]]:
    taken = 0
    for batch in file.iter_batches(batch_size=BATCH, columns=names, use_threads=False):
        columns = []
        for name in names:
            column = batch.column(name)
            if _is_textual(column.type):
                taken += _characters(column)
                check("bytes unpacked", taken, MAX_BYTES)
            columns.append([_said(value) for value in column.to_pylist()])
        yield from (list(row) for row in zip(*columns, strict=True))


def _characters(column: Any) -> int:
    """Bytes of a column of texts, counted before they become Python's: a dictionary unpacks to many times itself."""
    import pyarrow as pa
    from pyarrow import compute

    if isinstance(column, pa.DictionaryArray):
        # the length of each value, by the row that holds it
        lengths = compute.take(compute.binary_length(column.dictionary), column.indices)
    else:
        flat = column
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            check("texts in one cell", compute.max(compute.list_value_length(column)).as_py() or 0, MAX_LIST)
            flat = column.flatten()
        lengths = compute.binary_length(flat)
    longest = compute.max(lengths).as_py() or 0
    if longest > MAX_CELL:
        raise LoadError(f"a cell of {longest:,} characters, at most {MAX_CELL:,}: shorten it")
    return compute.sum(lengths).as_py() or 0


def _said(value: Any) -> Any:
    """A value as JSON says it."""
    if value is None or isinstance(value, (str, bool, int, float, list)):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "as_tuple"):  # a decimal
        return float(value)
    return str(value)
