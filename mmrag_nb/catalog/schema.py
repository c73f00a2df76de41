"""The format of an index file: one SQLite database, its tables and its version."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from mmrag_nb.errors import IndexFileError

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 2
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
text, or the text alone. Of what is no picture, these are the same."""


def connect(path: Path | None) -> sqlite3.Connection:
    """Open the index at ``path``, creating it where absent; ``None`` keeps it in memory.

    Raises
    ------
    IndexFileError
        The file is no index, is damaged, or was written by a later version.
    """
    if path is not None and not path.parent.is_dir():
        raise IndexFileError(f"there is no folder {path.parent} to keep {path.name} in: make it, or name another")
    frozen = read_only(path)  # taken as it lies there, no lock or log beside it
    name = f"{path.resolve().as_uri()}?mode=ro&immutable=1" if path is not None and frozen else str(path or ":memory:")
    try:
        # A kernel runs callbacks (widgets, timers) on other threads; Catalog serialises them with a lock.
        connection = sqlite3.connect(name, check_same_thread=False, isolation_level=None, uri=frozen)
        if frozen and connection.execute("PRAGMA user_version").fetchone()[0] in range(1, VERSION):
            connection = _copied(connection)  # what may not be written is brought up to date in memory
    except sqlite3.Error as error:
        raise IndexFileError(f"{path} cannot be opened: {error}") from error
    try:
        _prepare(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise IndexFileError(f"{path} cannot be read as an index: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def read_only(path: Path | None) -> bool:
    """Whether the index at ``path`` may be read but not written, neither it nor a log beside it."""
    return path is not None and path.is_file() and not all(os.access(part, os.W_OK) for part in (path, path.parent))


def _prepare(connection: sqlite3.Connection, path: Path | None) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    empty = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if not empty and application != APPLICATION_ID:
        raise IndexFileError(f"{path} is a database, but not an index made by mmrag_nb")
    if version > VERSION:
        raise IndexFileError(
            f"{path} has format {version}, this version reads up to {VERSION}: pip install --upgrade mmrag-nb"
        )
    if path is not None and not read_only(path):
        connection.execute("PRAGMA journal_mode = WAL")  # readers never wait for the writer
        connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    if empty or version < VERSION:
        script = f"{TABLES} {_ADDED} PRAGMA application_id = {APPLICATION_ID};" if empty else _FROM_1
        connection.executescript(f"BEGIN; {script} PRAGMA user_version = {VERSION}; COMMIT;")


def _copied(connection: sqlite3.Connection) -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    connection.backup(copy)
    connection.close()
    return copy
