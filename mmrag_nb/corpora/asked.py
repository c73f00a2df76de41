"""What looks at the whole of a corpus, and so is asked of Milvus."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.catalog.conditions import BUILT_IN
from mmrag_nb.errors import UnknownName
from mmrag_nb.milvus.tables import among, literal
from mmrag_nb.types import MODALITIES, Preview

from .filtering import condition
from .lexicon import SAMPLE, Lexicon, Limit, window
from .shapes import CHUNKS, ITEMS, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mmrag_nb.types import Modality, Vectors

_SPACE, _FIELD = "space ", "field "
"""Begin the keys of notes on spaces and on fields that filters may name."""


class Asked(Lexicon):
    """The searching half of a :class:`~mmrag_nb.corpora.corpus.Corpus`."""

    completes = False

    # -- what there is ---------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Items by modality."""
        found = {kind: self.count(ITEMS, f"modality == {literal(kind)}") for kind in sorted(MODALITIES)}
        return {kind: n for kind, n in found.items() if n}

    def kinds(self) -> set[Modality]:
        """The modalities of all chunks."""
        return {
            kind for kind in MODALITIES if self.holding.tables.where(CHUNKS, f"modality == {literal(kind)}", ("id",), 1)
        }

    def embeddable(self, views: Sequence[str]) -> int:
        """Number of chunks of which something is embedded: as a picture, or at all.

        What a strategy lacks is not computed when it is first used, so that all that it cannot find has to be told.
        """
        only_seen = set(views) == {"image"}
        return self.count(CHUNKS, 'array_contains(places, "image")' if only_seen else "array_length(places) > 0")

    def size(self) -> int:
        """Bytes that Milvus Lite takes on disk; of a cluster, those of the vectors."""
        file = self.holding.tables.address.file
        if file is None:
            return sum(self.vector_bytes().values())
        return sum(part.stat().st_size for part in file.rglob("*") if part.is_file())

    # -- spaces ----------------------------------------------------------------------------------------------------

    def spaces_noted(self) -> dict[str, dict[str, Any]]:
        """Dimension, fingerprint and versions of each space, as noted."""
        self.meta()
        return {key[len(_SPACE) :]: json.loads(told) for key, told in self._noted[1].items() if key.startswith(_SPACE)}

    def spaces(self) -> dict[str, int]:
        """Number of vectors by space, of those that have some."""
        found = {space: self.count(table_of(space)) for space in sorted(self.spaces_noted())}
        return {space: n for space, n in found.items() if n}

    def vector_bytes(self) -> dict[str, int]:
        """Bytes of the vectors themselves, by space."""
        known = self.spaces_noted()
        return {space: 4 * n * int(known[space]["dimension"]) for space, n in self.spaces().items()}

    def fingerprint(self, space: str) -> dict[str, str] | None:
        """The fingerprint of the model that made the vectors of ``space``; ``None`` where there are none."""
        known = self.spaces_noted().get(space)
        if known is None or not self.count(table_of(space)):
            return None
        return dict(known["fingerprint"])

    def missing(self, space: str, keys: Sequence[str]) -> list[str]:
        """Those of ``keys`` that have no vector in ``space``, each once, in order. Asked in batches."""
        there = self.holding.keys_there(space, keys)
        return [key for key in dict.fromkeys(keys) if key not in there]

    def lacking_items(self, space: str, views: Sequence[str], item_hashes: Sequence[str]) -> list[str]:
        """Those of these items of which no chunk has a vector of any of ``views`` in ``space``."""
        there: set[str] = set()
        for start in range(0, len(item_hashes), 100):
            where = f"{among('item', item_hashes[start : start + 100])} and {among('view', views)}"
            there |= {row["item"] for row in self.holding.tables.every(table_of(space), ("item",), where)}
        return [one for one in item_hashes if one not in there]

    def sample(self, space: str, where: str, n: int) -> tuple[NDArray[np.int64], Vectors]:
        """Chunk ids, ascending, and vectors of about ``n`` that fit, or of all where these are no more.

        Keys are hashes, so those of a window are a random sample.
        """
        table, within = table_of(space), where
        if self.count(table) > n and (total := self.count(table, where)) > n:
            within = f"{where} and {window(total, n)}"
        rows = self.holding.tables.where(table, within, ("chunk", "vector"))
        ids = np.asarray([row["chunk"] for row in rows], np.int64)
        order = np.argsort(ids, kind="stable")
        dimension = int(self.spaces_noted()[space]["dimension"]) if space in self.spaces_noted() else 0
        vectors = np.asarray([row["vector"] for row in rows], np.float32).reshape(len(rows), dimension)
        return ids[order], vectors[order]

    def matrix(self, space: str, view: str, part: Modality | None = None) -> tuple[NDArray[np.int64], Vectors]:
        """Chunk ids (n,), ascending, and vectors (n, d) of ``view`` s in ``space``: a random sample of many."""
        ids, vectors = self.sample(space, of_channel(view, part), SAMPLE)
        self.fetch(ids.tolist())
        return ids, vectors

    # -- filters ---------------------------------------------------------------------------------------------------

    def limit(self, modalities: Sequence[Modality] | None, where: str | None) -> Limit:
        """What may be found: chunks of these modalities that fit the filter; Milvus goes by it while it searches.

        Raises
        ------
        InvalidSetting
            It is no filter, or one that Milvus cannot answer.
        UnknownName
            It names what no item has.
        """
        parts = []
        if modalities is not None:
            kinds = among("modality", modalities)
            parts.append(f'({kinds} or item_modality == "video")' if "video" in modalities else kinds)
        if where is not None:
            names, fitting = condition(where)
            self.meta()
            known = {key[len(_FIELD) :] for key in self._noted[1] if key.startswith(_FIELD)}
            for name in sorted(names - BUILT_IN - known):
                raise UnknownName("field", name, {*known, *BUILT_IN})
            parts.append(f"({fitting})")
        return Limit(" and ".join(parts))

    def within(self, ids: NDArray[np.int64], limit: Limit) -> NDArray[np.int64]:
        """Those of ``ids`` that may be found."""
        found: list[int] = []
        for start in range(0, len(ids), 1_000):
            where = f"{among('id', ids[start : start + 1_000].tolist())} and {limit.condition}"
            found += [row["id"] for row in self.holding.tables.where(CHUNKS, where, ("id",))]
        return np.sort(np.asarray(found, np.int64))

    def chunks_where(self, where: str) -> NDArray[np.int64]:
        """Ids, ascending, of those chunks at hand that fit a filter."""
        ids = np.asarray([row[0] for row in self._rows("SELECT id FROM chunks")], np.int64)
        return self.within(ids, self.limit(None, where))

    # -- what is usual ---------------------------------------------------------------------------------------------

    def background(self, space: str, modality: Modality, digest: str) -> Vectors | None:
        """The vectors (b, d) kept by :meth:`set_background`."""
        kept = self.holding.pieces(f"background {space} {modality}", (digest[:32],))
        if not kept:
            return None
        vectors: Vectors = np.load(io.BytesIO(kept[digest[:32]].data), allow_pickle=False)
        return vectors

    def set_background(self, space: str, modality: Modality, digest: str, vectors: Vectors) -> None:
        """Keep the vectors (b, d) in ``space`` of the background queries of ``modality`` that ``digest`` stands for."""
        out = io.BytesIO()
        np.save(out, vectors.astype("<f4"), allow_pickle=False)
        self.holding.put_pieces(
            {(f"background {space} {modality}", digest[:32]): Preview("application/x-npy", out.getvalue())}
        )

    def statistics(self, channel: tuple[str, str, str, str], digest: str) -> tuple[int, bytes] | None:
        """What :meth:`set_statistics` kept: of how many vectors, and the bytes."""
        kept = self.holding.pieces(f"statistics {' '.join(channel)}", (digest[:32],)).get(digest[:32])
        return None if kept is None else (int(kept.mime), kept.data)

    def set_statistics(
        self,
        channel: tuple[str, str, str, str],
        digest: str,
        last: int,
        statistics: bytes,
        state: object,  # noqa: ARG002
    ) -> None:
        """Keep what background queries reach in ``channel``, which had ``last`` vectors."""
        self.holding.put_pieces({(f"statistics {' '.join(channel)}", digest[:32]): Preview(str(last), statistics)})


def of_channel(view: str, part: Modality | None) -> str:
    """A condition: the vectors of one channel."""
    where = f"view == {literal(view)}"
    return f"{where} and modality == {literal(part)}" if part else where
