"""The format of an index file: one SQLite database, its tables and its version."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import apsw

from mmrag_nb.errors import IndexFileError

from .checksums import FORMAT
from .database import OF_THE_DISK, PAGE, Database, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = FORMAT
"""``PRAGMA user_version`` of the files this code writes."""

APPLICATION_ID = 0x6D6D7267
"""``PRAGMA application_id``: 'mmrg', so that ``file`` and we can tell an index from any other database."""

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE spaces (
    name        TEXT PRIMARY KEY,
    dimension   INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,      -- JSON: model, revision, preprocessing
    versions    TEXT NOT NULL       -- JSON: library versions that made the first vectors
);

-- Queries that have nothing to do with the index, for calibration.
CREATE TABLE backgrounds (
    space    TEXT NOT NULL,
    modality TEXT NOT NULL,         -- of the queries
    digest   TEXT NOT NULL,         -- hash of the queries
    vectors  BLOB NOT NULL,         -- (b, dimension) float32 little-endian, unit rows
    UNIQUE (space, modality)
);

CREATE TABLE items (
    id       INTEGER PRIMARY KEY,
    hash     TEXT NOT NULL UNIQUE,  -- SHA-256 of the content
    uri      TEXT NOT NULL,
    modality TEXT NOT NULL,
    metadata TEXT NOT NULL,         -- JSON: what the user said
    facts    TEXT NOT NULL,         -- JSON: what the loader found
    recipe   TEXT NOT NULL,         -- what made its chunks: loader, transcriber
    record   TEXT,                  -- id of what it is a part of
    record_name TEXT
);
CREATE INDEX items_by_record ON items (record);

CREATE TABLE chunks (
    id       INTEGER PRIMARY KEY,
    item     INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    ordinal  INTEGER NOT NULL,
    modality TEXT NOT NULL,
    text     TEXT NOT NULL,
    start    REAL,                  -- seconds
    "end"    REAL,
    page     INTEGER,
    UNIQUE (item, ordinal)
);

-- What of a chunk is embedded: a captioned picture has a view as image and one as text.
CREATE TABLE views (
    chunk    INTEGER NOT NULL REFERENCES chunks ON DELETE CASCADE,
    view     TEXT NOT NULL,         -- image, audio, text, titled, grounded: see retrieval/ways.py
    key      TEXT NOT NULL,         -- hash of what is embedded: equal content is embedded once
    PRIMARY KEY (chunk, view, key)
) WITHOUT ROWID;
CREATE INDEX views_by_key ON views (key);

CREATE TABLE vectors (
    space  TEXT NOT NULL,
    key    TEXT NOT NULL,
    vector BLOB NOT NULL,           -- (dimension,) float32 little-endian, unit length
    UNIQUE (space, key)
);

CREATE TABLE previews (
    item    INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,       -- of the chunk; -1 for the whole item
    kind    TEXT NOT NULL,
    mime    TEXT NOT NULL,
    data    BLOB NOT NULL,
    UNIQUE (item, ordinal, kind)
);

CREATE VIRTUAL TABLE words USING fts5(text, name, described, tokenize = 'porter unicode61 remove_diacritics 2');
CREATE TRIGGER chunk_words_go AFTER DELETE ON chunks BEGIN DELETE FROM words WHERE rowid = old.id; END;
"""

_ADDED = """
-- What models say of pictures, for strategies that turn everything into text.
CREATE TABLE descriptions (
    chunk INTEGER NOT NULL REFERENCES chunks ON DELETE CASCADE,
    kind  TEXT NOT NULL,            -- caption, ocr
    model TEXT NOT NULL,            -- fingerprint of what said it
    text  TEXT NOT NULL,            -- empty where it saw nothing
    PRIMARY KEY (chunk, kind)
) WITHOUT ROWID;

-- What background queries reach in a channel, so that only what is new has to be measured.
CREATE TABLE calibrations (
    space      TEXT NOT NULL,
    view       TEXT NOT NULL,
    part       TEXT NOT NULL,       -- modality of the chunks that make up the channel; empty: all
    asked      TEXT NOT NULL,       -- modality of the queries
    digest     TEXT NOT NULL,       -- hash of the queries
    last       INTEGER NOT NULL,    -- id of the last chunk that is in it
    statistics BLOB NOT NULL,
    PRIMARY KEY (space, view, part, asked)
) WITHOUT ROWID;
CREATE TRIGGER view_goes AFTER DELETE ON views BEGIN DELETE FROM calibrations; END;
"""

_FROM_1 = f"""
ALTER TABLE items ADD COLUMN record TEXT;
ALTER TABLE items ADD COLUMN record_name TEXT;
CREATE INDEX items_by_record ON items (record);
ALTER TABLE views RENAME COLUMN modality TO view;
INSERT INTO views SELECT chunk, 'titled', key FROM views JOIN chunks ON chunks.id = chunk JOIN items ON items.id = item
    WHERE view = 'text' AND (items.modality <> 'image' OR recipe LIKE '% and names');
DELETE FROM views WHERE view = 'text' AND chunk IN (
    SELECT chunks.id FROM chunks JOIN items ON items.id = item WHERE recipe LIKE '% and names');
UPDATE items SET recipe = substr(recipe, 1, instr(recipe || ';', ';') - 1);
UPDATE items SET recipe = 'text-1 by ' || CASE
        WHEN recipe LIKE '% by words:%' THEN 'words' ELSE substr(recipe, instr(recipe, ' by clip:') + 9) END
    WHERE recipe LIKE 'text-1/% by words:%' OR recipe LIKE 'text-1/% by clip:%';
DROP TRIGGER chunk_words_go;
CREATE VIRTUAL TABLE words2 USING fts5(text, name, described, tokenize = 'porter unicode61 remove_diacritics 2');
INSERT INTO words2 (rowid, text, name, described) SELECT rowid, text, name, '' FROM words;
DROP TABLE words;
ALTER TABLE words2 RENAME TO words;
CREATE TRIGGER chunk_words_go AFTER DELETE ON chunks BEGIN DELETE FROM words WHERE rowid = old.id; END;
{_ADDED}
"""  # noqa: S608
"""Version 1 knew neither records nor descriptions, and said in a recipe what was embedded: a picture's name beside its
text, or the text alone. Of what is no picture, these are the same. Version 2 had no checksums."""


_CACHE = 32_768
"""KiB of pages that are kept in memory at most: the inner pages of the vectors' index, of 100,000 of them and more."""


def connect(path: Path | None) -> Database:
    """Open the index at ``path``, creating it where absent; ``None`` keeps it in memory.

    Raises
    ------
    IndexFileError
        The file is no index, is damaged, or was written by a later version.
    """
    if path is not None and not path.parent.is_dir():
        raise IndexFileError(f"there is no folder {path.parent} to keep {path.name} in: make it, or name another")
    frozen = read_only(path)
    try:
        return _opened(path, frozen=frozen)
    except IndexFileError as error:
        # On a disk that is full, the log that even readers need cannot be made.
        if path is None or frozen or not path.is_file() or not isinstance(error.__cause__, OF_THE_DISK):
            raise
        with suppress(IndexFileError):
            return _opened(path, frozen=True)
        raise


def _opened(path: Path | None, *, frozen: bool) -> Database:
    with told(path):
        db = Database(path, frozen=frozen)
    try:
        if frozen and version_of(db, path) in range(1, VERSION):
            db = _copied(db)  # what may not be written is brought up to date in memory
        _prepare(db, path)
    except apsw.Error as error:
        db.close()
        raise IndexFileError(f"{path} cannot be read as an index: {error}") from error
    except BaseException:
        db.close()
        raise
    return db


def read_only(path: Path | None) -> bool:
    """Whether the index at ``path`` may be read but not written, neither it nor a log beside it."""
    return path is not None and path.is_file() and not all(os.access(part, os.W_OK) for part in (path, path.parent))


def _prepare(db: Database, path: Path | None) -> None:
    version = version_of(db, path)
    writable = path is not None and not db.frozen
    if version == 0:
        db.execute(f"PRAGMA page_size = {PAGE}")
        db.reserve()
    if writable:
        db.execute("PRAGMA journal_mode = WAL")  # readers never wait for the writer
        db.execute("PRAGMA synchronous = NORMAL")
        version = version_of(db, path)  # a log that cannot be made is noticed now
    db.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten; pages that were split long before have leftovers of it, too, unless it always was.
    db.execute("PRAGMA secure_delete = ON")
    db.execute(f"PRAGMA cache_size = -{_CACHE}")
    if version < VERSION:
        _bring_up_to_date(db, path)


def version_of(db: Database, path: object) -> int:
    """The format of an index, 0 of an empty one.

    Raises
    ------
    IndexFileError
        It is another database, or of a later format.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    if not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        return 0
    if application != APPLICATION_ID:
        raise IndexFileError(f"{path} is a database, but not an index made by mmrag_nb")
    if version > VERSION:
        raise IndexFileError(
            f"{path} has format {version}, this version reads up to {VERSION}: pip install --upgrade mmrag-nb"
        )
    return int(version)


def _bring_up_to_date(db: Database, path: Path | None) -> None:
    """Make the tables, or make them those of now. Wherever this is stopped, it is gone on with the next time."""
    with _alone(db):
        if (version := version_of(db, path)) == 0:  # another may have made them while this one waited
            db.execute(f"{TABLES} {_ADDED} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};")
        elif version == 1:
            db.execute(f"{_FROM_1} PRAGMA user_version = 2;")
    if version_of(db, path) == 2:
        # Only format 3 says that there are checksums, and so comes last. The new pages go by way of the log: until
        # all are in it, the file is what it was.
        if db.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
            raise IndexFileError(f"{path} cannot be brought up to date on this disk: copy it to another")
        db.reserve()
        db.execute("VACUUM")
        with _alone(db):
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _alone(db: Database) -> Iterator[None]:
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _copied(db: Database) -> Database:
    copy = Database()
    db.copy_to(copy)
    db.close()
    copy.frozen = True
    return copy
