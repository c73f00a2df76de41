"""Where an index is kept: in memory or in a file, started over, or left for another one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .catalog.catalog import Catalog
from .catalog.verifying import verify_file
from .contents import Contents
from .corpora.corpus import Corpus
from .corpora.uploading import write_up
from .errors import IndexFileError, InvalidSetting, MMRagError, nearest
from .milvus.connecting import read
from .presets import MODELS
from .reports import Removal
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Container

    from .protocols import Progress
    from .verification import Compaction, Verification

MILVUS = "milvus:"
"""Begins the path of an index that lies in Milvus."""
_OF_FILES = "{0} is for index files, such as lesson.mmrag: Milvus checks and compacts what it keeps by itself"


class Kept(Contents):
    """An index that can be saved and exchanged for another, under the same settings and models."""

    def save(self, path: str | Path, *, progress: Progress | None = None) -> Path | str:
        """Write the index to ``path`` and keep it there from now on: later work is committed there.

        Into Milvus it is written a batch at a time; interrupted, the index at hand is as it was, and doing it again
        goes on where it was.

        Parameters
        ----------
        path
            A file, of which an index that is there is replaced; or ``milvus:FILE.db`` or
            ``milvus:http://host:port/name``, where there must be none yet.
        progress
            Told of each step, to or from Milvus.

        Raises
        ------
        IndexFileError
            The file cannot be written; the index is as it was.
        StoreError
            Milvus failed, or has too much for a file.
        MMRagError
            There is another index in Milvus at that address.
        """
        if _in_milvus(path):
            self._save_to_milvus(str(path), progress)
            return str(path)
        path = Path(path).expanduser()
        if isinstance(self._catalog, Corpus):
            self._catalog.save(path, progress)
        else:
            self._catalog.save(path)
        return path

    def _save_to_milvus(self, path: str, progress: Progress | None) -> None:
        address = read(path.removeprefix(MILVUS))
        if isinstance(self._catalog, Corpus) and self._catalog.address == f"{MILVUS}{address}":
            return
        corpus = Corpus(str(address))
        try:
            write_up(self._catalog, corpus, progress)
        except BaseException:
            corpus.close()
            raise
        self._go_on(corpus)

    def verify(self, path: str | Path | None = None) -> Verification:
        """Look at all of the index, or of the file at ``path``: what is not as it was written, and what to do.

        Every page of a file is compared with its checksum; whether the parts fit together is looked at, too. Nothing is
        written, and a file that cannot be read is a finding, no error.

        Raises
        ------
        IndexFileError
            There is no file.
        MMRagError
            The index lies in Milvus, which looks after itself.
        """
        if path is not None:
            if _in_milvus(found := existing(path)):
                raise MMRagError(_OF_FILES.format("verify"))
            return verify_file(Path(found))
        if isinstance(self._catalog, Corpus):
            raise MMRagError(_OF_FILES.format("verify"))
        return self._catalog.verify()

    def compact(self) -> Compaction:
        """Make the index as small as what is in it: what nothing refers to goes, and the room between.

        Raises
        ------
        IndexFileError
            It may only be read, is being written elsewhere, or there is no room for a second copy of it.
        MMRagError
            The index lies in Milvus, which does so by itself.
        """
        if isinstance(self._catalog, Corpus):
            raise MMRagError(_OF_FILES.format("compact"))
        return self._catalog.compact()

    def switch(self, path: str | Path, *, discard: bool = False) -> None:
        """Go on with the index file at ``path`` and the models that made it; those that are loaded already stay.

        A file that was open is closed and stays. Whoever holds this object, a panel say, sees the other index.

        Parameters
        ----------
        path
            The file, or ``milvus:`` and an address.
        discard
            Give up an index in memory that was not saved.

        Raises
        ------
        MMRagError
            The index is in memory, has items, and ``discard`` was not asked for.
        IndexFileError, InvalidSetting
            As :meth:`open`; the index at hand stays.
        """
        self._must_be_kept(f"%mmrag_open {path} --discard", discard=discard)
        catalog = opened(existing(path))
        try:
            made = _made_with(catalog)
        except InvalidSetting:
            catalog.close()
            raise
        self._go_on(catalog)
        for name, model in made.items():
            setattr(self.settings, name, model)

    def use_models_of_index(self, but: Container[str] = ()) -> None:
        """Set the settings, except those named in ``but``, to what the index was made with.

        Raises
        ------
        InvalidSetting
            One of them is unknown here; the settings stay.
        """
        for name, model in _made_with(self._catalog, but).items():
            setattr(self.settings, name, model)

    def reset(self, *, discard: bool = False) -> Removal:
        """Start over with an empty index in memory. A file is closed and stays; settings and loaded models stay, too.

        Parameters
        ----------
        discard
            Give up an index in memory that was not saved.

        Raises
        ------
        MMRagError
            The index is in memory, has items, and ``discard`` was not asked for.
        """
        self._must_be_kept("%mmrag_reset --discard", discard=discard)
        items, path, chunks = self.items(), self.path, self._catalog.chunks_by_item()
        self._go_on(Catalog())
        return Removal(tuple(items), chunks, closed=str(path or ""))

    def _must_be_kept(self, otherwise: str, *, discard: bool) -> None:
        n = len(self.items())
        if self.path is None and n and not discard:
            items = f"{n} item{'s' * (n != 1)}"
            raise MMRagError(
                f"the index in memory has {items} and is not saved: %mmrag_save FILE first, or {otherwise}"
            )

    def _go_on(self, catalog: Catalog) -> None:
        """Exchange the index; what is remembered of the one before is forgotten."""
        self._catalog.become(catalog)


def opened(path: str | Path) -> Catalog:
    """The index at ``path``, made where it is absent: a file, or with ``milvus:`` before an address in Milvus.

    Raises
    ------
    IndexFileError
        It is no index.
    StoreError
        Milvus cannot be reached.
    """
    if isinstance(path, str) and path.startswith(MILVUS):
        return Corpus(path.removeprefix(MILVUS))
    return Catalog(Path(path).expanduser())


def existing(path: str | Path) -> str | Path:
    """The index at ``path``, as :func:`opened` takes it, which must be there.

    Raises
    ------
    IndexFileError
        There is no file; the message has the nearest name.
    """
    if isinstance(path, str) and path.startswith(MILVUS):
        file = read(path.removeprefix(MILVUS)).file
        if file is not None and not file.is_dir():
            raise IndexFileError(f"there is no index at {path}: %mmrag_save {path} writes the one at hand there")
        return path
    path = Path(path).expanduser()
    if not path.is_file():
        near = nearest(path.name, [one.name for one in path.parent.glob("*.mmrag")], cutoff=0.7)
        hint = f"did you mean {str(path.parent / near)!r}? " if near else ""
        what = f"{path} is a folder, not an index" if path.is_dir() else f"there is no index at {path}"
        raise IndexFileError(f"{what}: {hint}MultimodalRAG(path=...) or %mmrag_save makes a new one")
    return path


def _in_milvus(path: str | Path) -> bool:
    return isinstance(path, str) and path.startswith(MILVUS)


def _made_with(catalog: Catalog, but: Container[str] = ()) -> dict[str, Any]:
    """The settings, except those named in ``but``, that an index was made with.

    Raises
    ------
    InvalidSetting
        One of them cannot be here.
    """
    names = {"preset", *MODELS}
    known = catalog.meta()
    made: dict[str, Any] = {name: model for name, model in known.items() if name in names and name not in but}
    if "preset" in known and "augment" not in but:
        made["augment"] = bool(known.get("augment"))
    try:
        Settings(**made)
    except InvalidSetting as error:
        raise InvalidSetting(f"{catalog.place} was made with what is not here: {error}") from error
    return made
