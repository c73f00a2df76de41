"""The index as a map: which vectors, which of them, and what is drawn beside them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .carrying import pixels_of
from .errors import InvalidSetting, MissingVectors, UnknownName
from .insight.embedding_map import EmbeddingMap, measured_gap, portions, project, scattered
from .truncation import truncated
from .types import MODALITIES, Preview

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from .catalog.catalog import Catalog
    from .catalog.entries import Stored
    from .parts import Parts
    from .protocols import Encoder
    from .queries import Query
    from .searching import Searching
    from .settings import Settings
    from .types import Vectors

DRAWN: Mapping[str, int] = {"pca": 3_000, "tsne": 1_000}
"""Points at most, by method: t-SNE of 3,000 takes half a minute."""
EMBEDDED = 500
"""Texts at most that are embedded for a map and for nothing else."""
_PICTURES, _PICTURE_SIDE = 40, 72
"""Small pictures that are prepared at most, and the pixels of their longer side."""


@dataclass(frozen=True)
class _Cloud:
    """Chunks with their vectors in one space."""

    ids: NDArray[np.int64]
    """(n,) ascending."""
    vectors: Vectors
    """(n, d)."""
    seen: NDArray[np.bool_]
    """(n,) whether the vector is of pixels."""
    notes: tuple[str, ...] = field(default=())


class Mapping2D:
    """Maps of one index."""

    def __init__(self, parts: Parts, catalog: Catalog, searching: Searching, settings: Settings) -> None:
        self._parts, self._catalog, self._searching, self._settings = parts, catalog, searching, settings

    def map(self, question: str = "", method: str = "pca", space: str | None = None) -> EmbeddingMap:
        """Lay the index on a plane; see :meth:`mmrag_nb.MultimodalRAG.map`."""
        import numpy as np

        if method not in DRAWN:
            raise UnknownName("method", method, DRAWN)
        start = time.perf_counter()
        encoders = self._searching.encoders()
        space = self._space(space, encoders)
        encoder = encoders.get(space)
        asked, found = None, []
        query: Query | None = None
        if question.strip():
            query = self._searching.query(question)
            asked = query.vectors.get((space, "text"))
            if asked is None:
                raise InvalidSetting(
                    f"a question cannot be put into {space}: choose its model first, or draw the map without one"
                )
            found = self._searching.ranking(query).order.chunks[: self._settings.k].tolist()
        cloud = self._drawn(self._cloud(space, encoder, found), DRAWN[method], found)
        embedded = time.perf_counter()
        plane = project(cloud.vectors, asked, method)
        projected = time.perf_counter()
        records = self._catalog.records(cloud.ids.tolist())
        ordered = [records[chunk] for chunk in cloud.ids.tolist()]
        place = {chunk: index for index, chunk in enumerate(cloud.ids.tolist())}
        hits = {rank: place[chunk] for rank, chunk in enumerate(found, 1) if chunk in place}
        unplaced = len(found) - len(hits)
        notes = (
            *cloud.notes,
            *([plane.note] if plane.note else []),
            *([f"{unplaced} of {len(found)} hits have no vector in this space"] if unplaced else []),
        )
        return EmbeddingMap(
            plane.points,
            tuple(record.chunk for record in ordered),
            tuple(record.item for record in ordered),
            space,
            plane.method,
            plane.axes,
            measured_gap(cloud.vectors, cloud.seen, plane.points),
            question if query is not None else "",
            plane.query,
            None if asked is None else (cloud.vectors @ asked).astype(np.float32),
            hits,
            self._pictures(ordered, plane.points, list(hits.values())),
            notes,
            (encoder.description if encoder is not None else space,),
            {"embed": embedded - start, "project": projected - embedded},
        )

    def _space(self, wanted: str | None, encoders: Mapping[str, Encoder]) -> str:
        """The space to draw: the one named, else that of the pictures where there are some, else the texts'."""
        filled = list(self._catalog.spaces())
        if wanted:
            exact = [space for space in filled if wanted in {space, space.split(":")[0]}] or [
                space for space in filled if space.startswith(wanted)
            ]
            if len(exact) != 1:
                raise UnknownName("space", wanted, filled)
            return exact[0]
        seeing = [space for space, encoder in encoders.items() if "image" in encoder.modalities]
        for space in (*seeing, *encoders):
            if space in filled:
                return space
        made = f"vectors in {', '.join(filled)}" if filled else "no vectors"
        raise MissingVectors(
            f"the index has {made}, none in {' and '.join(encoders)}: index the sources again, or choose the models it "
            "was made with"
        )

    def _cloud(self, space: str, encoder: Encoder | None, first: Sequence[int]) -> _Cloud:
        """All that is in ``space``; where its pictures are but no texts, texts are put there for the map."""
        import numpy as np

        pictures, pixels = self._catalog.matrix(space, "image")
        texts, read = self._read(space)
        fresh = ~np.isin(texts, pictures)  # a captioned picture is one point, where its pixels are
        texts, read = texts[fresh], read[fresh]
        notes: tuple[str, ...] = ()
        if not len(texts) and len(pictures) and encoder is not None and "text" in encoder.modalities:
            texts, read, notes = self._embedded(encoder, pictures, first)
        both = [part for part in (pixels, read) if len(part)]
        ids = np.concatenate([pictures, texts])
        order = np.argsort(ids)
        seen = np.arange(len(ids)) < len(pictures)
        return _Cloud(ids[order], np.vstack(both)[order], seen[order], notes)

    def _read(self, space: str) -> tuple[NDArray[np.int64], Vectors]:
        """All that is in ``space`` as text, under whatever view."""
        for view in ("titled", "text", "grounded"):
            texts, read = self._catalog.matrix(space, view)
            if len(texts):
                return texts, read
        return texts, read

    def _embedded(
        self, encoder: Encoder, pictures: NDArray[np.int64], first: Sequence[int]
    ) -> tuple[NDArray[np.int64], Vectors, tuple[str, ...]]:
        import numpy as np

        ids = np.setdiff1d(self._catalog.chunks_among([kind for kind in MODALITIES if kind != "image"]), pictures)
        chosen = _sample(ids, EMBEDDED, first)
        records = self._catalog.records(chosen.tolist())
        read = {chunk: text for chunk in chosen.tolist() if (text := records[chunk].chunk.text.strip())}
        if not read:
            return np.empty(0, np.int64), np.empty((0, encoder.dimension), np.float32), ()
        seen = [truncated(text, encoder) for text in read.values()]
        many = f"{len(read):,} texts" if len(ids) <= EMBEDDED else f"{len(read):,} of {len(ids):,} texts"
        cut = sum(len(part) < len(text) for part, text in zip(seen, read.values(), strict=True))
        told = f", {cut:,} of them cut to {encoder.max_tokens} tokens" if cut else ""
        note = f"{many} embedded by {encoder.space} for this map only{told}; searching has them in a space of their own"
        vectors = encoder.embed_texts(seen)
        return np.fromiter(read, np.int64, len(read)), vectors, (note,)

    def _drawn(self, cloud: _Cloud, most: int, first: Sequence[int]) -> _Cloud:
        """At most ``most`` of the cloud, every modality among them, those of ``first`` in any case."""
        import numpy as np

        if len(cloud.ids) <= most:
            return cloud
        kinds = {kind: np.intersect1d(cloud.ids, self._catalog.chunks_among([kind])) for kind in MODALITIES}
        kinds = {kind: ids for kind, ids in kinds.items() if len(ids)}
        sizes = portions([len(ids) for ids in kinds.values()], most)
        kept = [_sample(ids, size, first) for ids, size in zip(kinds.values(), sizes, strict=True)]
        rows = np.searchsorted(cloud.ids, np.sort(np.concatenate(kept)))
        told = ", ".join(
            f"{n:,} of {len(ids):,} of {kind}" for n, (kind, ids) in zip(sizes, kinds.items(), strict=True)
        )
        note = f"Drawn is a sample: {told}"
        return _Cloud(cloud.ids[rows], cloud.vectors[rows], cloud.seen[rows], (*cloud.notes, note))

    def _pictures(
        self, records: Sequence[Stored], points: NDArray[np.float32], hits: Sequence[int]
    ) -> dict[int, Preview]:
        """Small pictures of the hits, and of others from all over the map."""
        import numpy as np

        seen = np.array([i for i, record in enumerate(records) if record.chunk.modality in {"image", "video"}], int)
        first = [int(np.searchsorted(seen, i)) for i in hits if i in seen]
        small = {}
        for index in seen[scattered(points[seen], first, _PICTURES)].tolist() if len(seen) else []:
            record = records[index]
            kept = self._catalog.previews(record.item.id, record.chunk.ordinal, ["thumbnail"])
            picture = pixels_of(kept.get("thumbnail"))
            if picture is not None:
                small[index] = _shrunk(picture)
        return small


def _sample(ids: NDArray[np.int64], n: int, first: Sequence[int]) -> NDArray[np.int64]:
    """``n`` of ``ids``, ascending, those of ``first`` among them; the same each time."""
    import numpy as np

    if len(ids) <= n:
        return ids
    kept = np.intersect1d(ids, np.asarray(first, np.int64))[:n]
    others = np.setdiff1d(ids, kept)
    drawn = np.random.default_rng(0).choice(others, n - len(kept), replace=False)
    return np.sort(np.concatenate([kept, drawn]))


def _shrunk(picture: Image) -> Preview:
    import io

    picture.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=70, method=2)
    return Preview("image/webp", out.getvalue())
