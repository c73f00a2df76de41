"""What tables may hold, and their rows on the way from the process that reads them: a few thousand at a time.

What a table claims to be and what reading it takes are two things, so it is read in a process of its own
(:mod:`mmrag_nb.isolation`). The first piece says what the table is, each after it holds rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    Pieces = Iterator[tuple[dict[str, Any], tuple[bytes, ...]]]

MAX_BYTES = 100_000_000
"""Largest CSV file that is read; of Parquet, what its columns may hold unpacked."""
MAX_ROWS = 1_000_000
MAX_COLUMNS = 1_000
MAX_CELL = 1_000_000
"""Characters."""
MAX_LIST = 1_000
"""Texts in one cell."""
HEAD = 2_000
"""Rows of the first piece, by which columns are told."""
BATCH = 500
"""Rows of each piece after it."""
_PIECE = 4_000_000
"""Characters after which a piece is full, however few its rows are."""


def check(what: str, claimed: int, most: int) -> None:
    """Raise a `LoadError` where there are more than ``most``."""
    if not 0 <= claimed <= most:
        raise LoadError(f"{claimed:,} {what}, at most {most:,}: cut the table into parts")


def in_pieces(head: dict[str, Any], rows: Iterator[list[Any]], *, counted: bool) -> Pieces:
    """``rows`` as pieces, the first with ``head``; ``counted``, that one alone."""
    some: list[list[Any]] = []
    size, most, first = 0, HEAD, True
    for row in rows:
        some.append(row)
        size += sum(len(cell) for cell in row if isinstance(cell, str))
        if len(some) == most or size > _PIECE:
            yield {**head, "cells": some} if first else {"cells": some}, ()
            if counted:
                return
            some, size, most, first = [], 0, BATCH, False
    if some:
        yield {**head, "cells": some} if first else {"cells": some}, ()
