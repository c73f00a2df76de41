"""What is noted of an index beside its contents, and how anything is written at all: in turn with other notebooks."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mmrag_nb.errors import IndexFileError

from .lexicon import Lexicon
from .spaces import LITTLE
from .turns import MOMENT, Turn, begun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mmrag_nb.types import Modality, Vectors

    from .database import Database


class Noting(Lexicon):
    """What of a :class:`~mmrag_nb.catalog.catalog.Catalog` is noted."""

    path: Path | None
    read_only: bool

    @contextmanager
    def _write(self, *, contents: bool = True, patience: float | None = None) -> Iterator[Database]:
        """One transaction, of what is in the index or else of what is noted beside it, when it is this one's turn."""
        if self.read_only:
            raise IndexFileError(
                f"{self.path} may only be read: copy it to a folder of your own, or save under a new name"
            )
        turn, ours = Turn(self.path, patience), False
        while not ours:
            with self._lock:
                try:  # an interrupt may come between any two of these
                    if ours := begun(self._db):
                        yield self._db
                        self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:  # SQLite has done it itself where the disk was full
                        self._db.execute("ROLLBACK")
                    raise
                finally:
                    self._changes += contents and ours
            if not ours:
                turn.wait()  # other threads may read meanwhile

    def amend(self, key: str, change: Callable[[str | None], str]) -> None:
        """Keep as ``key`` what ``change`` makes of what is known by it, in one transaction; see :meth:`meta`.

        Raises
        ------
        IndexFileError
            The file may only be read, or is being written elsewhere.
        """
        with self._write(contents=False) as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, change(self.meta().get(key))))

    def note(self, key: str, value: str) -> None:
        """Keep ``value`` among what is known of the index as a whole, see :meth:`meta`; where it can be written."""
        with suppress(IndexFileError), self._write(contents=False) as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @property
    def identity(self) -> str:
        """Stands for this index wherever it lies: what is kept of it elsewhere goes by this."""
        known = self.meta().get("identity")
        if known is None:
            drawn = secrets.token_hex(8)
            with suppress(IndexFileError):  # it may only be read, or another writes
                self.amend("identity", lambda now: now or drawn)  # another may have been first
            known = self.meta().get("identity", str(self.path))
        return known

    def set_background(self, space: str, modality: Modality, digest: str, vectors: Vectors) -> None:
        """Keep the vectors (b, d) in ``space`` of the background queries of ``modality`` that ``digest`` stands for.

        They only save time, so an index that cannot be written now goes without.
        """
        row = (space, modality, digest, vectors.astype(LITTLE).tobytes())
        with suppress(IndexFileError), self._write(contents=False, patience=MOMENT) as db:
            db.execute("INSERT OR REPLACE INTO backgrounds VALUES (?, ?, ?, ?)", row)

    def set_statistics(
        self, channel: tuple[str, str, str, str], digest: str, last: int, statistics: bytes, state: object
    ) -> None:
        """Keep what background queries reach in ``channel``: (space, view, part, asked); see :meth:`statistics`.

        They were measured while :attr:`generation` was ``state``, and are of no use where something has changed since.
        They only save time, so an index that cannot be written now goes without, too.
        """
        row = (*channel, digest, last, statistics)
        with suppress(IndexFileError), self._write(contents=False, patience=MOMENT) as db:
            if self.generation == state:
                db.execute("INSERT OR REPLACE INTO calibrations VALUES (?, ?, ?, ?, ?, ?, ?)", row)
