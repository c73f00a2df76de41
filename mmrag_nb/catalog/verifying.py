"""Whether an index is what was written, and whether its parts fit together. It is only read."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import apsw
import numpy as np

from mmrag_nb.errors import IndexFileError
from mmrag_nb.verification import Problem, Verification

from .checksums import damaged_pages
from .database import Database, log_of
from .entries import BEGUN
from .schema import VERSION, read_only, version_of
from .spaces import LITTLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_COUNTED = ("items", "chunks", "views", "vectors", "previews")
_MOST = 20
"""Findings of SQLite's own check that are told."""
_BLOCK = 4096
"""Vectors that are read at a time."""
_TOLERANCE = 1e-3
"""By how much the length of a vector may differ from 1."""

_AGAIN = "index the sources again: what is missing is made anew"
_COPY = "take a copy that is whole, or index the sources again into a new file"
_COMPACT = "make it compact: %mmrag_compact, or mmrag-nb compact FILE"


class _Check(NamedTuple):
    part: str
    query: str
    """Counts what is wrong."""
    what: str
    remedy: str


_CHECKS = (
    _Check(
        "vectors",
        "SELECT count(*) FROM vectors WHERE NOT EXISTS (SELECT 1 FROM views WHERE views.key = vectors.key)",
        "{} that no chunk refers to",
        _COMPACT,
    ),
    _Check(
        "vectors",
        "SELECT count(*) FROM views WHERE key NOT IN (SELECT key FROM vectors)",
        "{} missing that a chunk refers to",
        _AGAIN,
    ),
    _Check(
        "vectors",
        "SELECT count(*) FROM vectors JOIN spaces ON name = space WHERE length(vector) <> 4 * dimension",
        "{} of another dimension than their space",
        _COPY,
    ),
    _Check(
        "vectors",
        """SELECT count(*) FROM backgrounds LEFT JOIN spaces ON name = space
        WHERE dimension ISNULL OR length(vectors) % (4 * dimension) <> 0""",
        "{} of background queries that fit no space",
        _COMPACT,
    ),
    _Check(
        "models",
        "SELECT count(DISTINCT space) FROM vectors WHERE space NOT IN (SELECT name FROM spaces)",
        "{} of which there is no fingerprint",
        _COPY,
    ),
    _Check(
        "models",
        "SELECT count(*) FROM spaces WHERE NOT json_valid(fingerprint) OR NOT json_valid(versions) OR dimension < 1",
        "{} of which the fingerprint cannot be read",
        _COPY,
    ),
    _Check(
        "previews",
        """SELECT count(*) FROM previews WHERE ordinal >= 0 AND NOT EXISTS (
        SELECT 1 FROM chunks WHERE (chunks.item, chunks.ordinal) = (previews.item, previews.ordinal))""",
        "{} that belong to no chunk",
        _COMPACT,
    ),
    _Check(
        "words",
        "SELECT count(*) FROM chunks WHERE id NOT IN (SELECT id FROM words_docsize)",
        "those of {} chunks are missing",
        _AGAIN,
    ),
    _Check(
        "words",
        "SELECT count(*) FROM words_docsize WHERE id NOT IN (SELECT id FROM chunks)",
        "those of {} chunks that are not there",
        _COMPACT,
    ),
    _Check(
        "chunks",
        f"""SELECT count(*) FROM (SELECT 1 FROM chunks JOIN items ON items.id = item WHERE recipe NOT LIKE '%{BEGUN}'
        GROUP BY item HAVING min(ordinal) <> 0 OR max(ordinal) >= count(*))""",  # noqa: S608
        "{} items have gaps between theirs",
        _AGAIN,
    ),
    _Check(
        "chunks",
        "SELECT count(*) FROM items WHERE NOT json_valid(metadata) OR NOT json_valid(facts)",
        "of {} items, what is known cannot be read",
        _COPY,
    ),
    _Check(
        "settings",
        "SELECT count(*) FROM meta WHERE typeof(key) <> 'text' OR typeof(value) <> 'text'",
        "{} that cannot be read",
        _COPY,
    ),
)


def verify_file(path: Path) -> Verification:
    """Look at every page of the index at ``path`` and at all that is in it. What cannot be read is a finding, too."""
    start = time.perf_counter()
    found = Verification(str(path), 0, 0)
    try:
        pages, damaged = damaged_pages(path)
        found = replace(found, pages=pages, damaged=damaged, problems=_of_pages(pages, damaged))
        db = _opened(path)
    except (IndexFileError, apsw.Error, OSError) as error:
        cannot = Problem("file", f"cannot be opened: {error}", _COPY)
        return replace(found, problems=(*found.problems, cannot), seconds=time.perf_counter() - start)
    try:
        return replace(_verified(db, found), seconds=time.perf_counter() - start)
    finally:
        db.close(force=True)  # a check that failed may have left a statement


def verify(db: Database) -> Verification:
    """Look at all that is in an index in memory."""
    start = time.perf_counter()
    return replace(_verified(db, Verification("", 0, 0)), seconds=time.perf_counter() - start)


def _opened(path: Path) -> Database:
    # Whoever has it open may write it meanwhile, which only a reader that takes locks can read past.
    db = Database(path, frozen=not log_of(path).exists() or read_only(path))
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return db


def _of_pages(pages: int, damaged: tuple[int, ...]) -> tuple[Problem, ...]:
    if not damaged:
        return ()
    which = ", ".join(map(str, damaged[:_MOST])) + ", ..." * (len(damaged) > _MOST)
    what = f"{len(damaged):,} of {pages:,} do not match their checksums (page {which})"
    return (Problem("pages", what, _COPY),)


def _verified(db: Database, found: Verification) -> Verification:
    problems = list(found.problems)
    counts: dict[str, int] = {}
    try:
        number = version_of(db, found.path or "the index")
    except (IndexFileError, apsw.Error) as error:
        return replace(found, problems=(*problems, Problem("file", str(error), _COPY)))
    problems += _guarded("tables", _integrity, db)
    if number == VERSION:
        for table in _COUNTED:
            problems += _guarded(table, partial(_count, counts, table), db)
        for check in _CHECKS:
            problems += _guarded(check.part, partial(_wrong, check), db)
        problems += _guarded("vectors", _lengths, db)
        notes: tuple[str, ...] = ()
    else:
        notes = (f"format {number} had no checksums: open the file once, and each page has one",) * (number > 0)
    return replace(found, format=number, counts=counts, problems=tuple(problems), notes=notes)


def _guarded(part: str, check: Callable[[Database], Iterable[Problem]], db: Database) -> list[Problem]:
    """What a check finds, or that it cannot be made: the others may tell more."""
    try:
        return list(check(db))
    except (IndexFileError, apsw.Error) as error:
        return [Problem(part, f"cannot all be read: {error}", _COPY)]


def _integrity(db: Database) -> Iterator[Problem]:
    # SQLite's check looks into the full-text index, too.
    for (told,) in db.execute(f"PRAGMA integrity_check({_MOST})").fetchall():
        if told != "ok":
            yield Problem("tables", str(told), _COPY)
    for table, n in db.execute('SELECT "table", count(*) FROM pragma_foreign_key_check GROUP BY 1').fetchall():
        yield Problem("tables", f"{n:,} rows of {table} belong to nothing", _COPY)


def _count(counts: dict[str, int], table: str, db: Database) -> Iterable[Problem]:
    counts[table] = int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608
    return ()


def _wrong(check: _Check, db: Database) -> Iterator[Problem]:
    (n,) = db.execute(check.query).fetchone()
    if n:
        yield Problem(check.part, check.what.format(f"{n:,}"), check.remedy)


def _lengths(db: Database) -> Iterator[Problem]:
    # Those that are no whole numbers long are told already.
    cursor = db.execute("SELECT CAST(vector AS BLOB) FROM vectors WHERE length(CAST(vector AS BLOB)) % 4 = 0")
    wrong = 0
    while rows := cursor.fetchmany(_BLOCK):
        for size in {len(row[0]) for row in rows}:
            joined = b"".join(row[0] for row in rows if len(row[0]) == size)
            vectors = np.frombuffer(joined, LITTLE).reshape(-1, size // LITTLE.itemsize)
            with np.errstate(over="ignore", invalid="ignore"):
                off = np.abs(np.linalg.norm(vectors, axis=1) - 1)
            wrong += int((~(off <= _TOLERANCE)).sum())  # what is no number, too
    if wrong:
        yield Problem("vectors", f"{wrong:,} not of length 1", _COPY)
