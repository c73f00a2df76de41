"""Vectors that were imported while their model was not at hand: compared with it as soon as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.carrying import pixels_of
from mmrag_nb.catalog.rows import unchecked
from mmrag_nb.corpora.corpus import Corpus
from mmrag_nb.errors import IndexMismatch, MMRagError
from mmrag_nb.truncation import truncated

from .agreement import SAMPLES, Agreement, of_contents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmrag_nb.catalog.catalog import Catalog
    from mmrag_nb.parts import Parts
    from mmrag_nb.protocols import Encoder, Progress

_LEAST = 0.95
"""Mean cosine that will do where pictures are made again from their previews, which are small and compressed."""


def must_be_settled(catalog: Catalog, *fingerprints: Mapping[str, str]) -> None:
    """Keep vectors out of Milvus that are not compared with their models yet: many may ask for them at once.

    Raises
    ------
    MMRagError
        One of the ``fingerprints`` is that of such a model.
    """
    waiting = next((one for one in fingerprints if unchecked(one)), None)
    if waiting is not None and isinstance(catalog, Corpus):
        raise MMRagError(
            f"{waiting.get('model', 'the model')} is not at hand to compare the vectors with, and an index in Milvus "
            "takes only vectors that were: import them into a file, ask it a question where the model can be had, and "
            "save that into Milvus"
        )


def settle(parts: Parts, catalog: Catalog, progress: Progress | None = None) -> None:
    """Compare vectors that nobody has compared yet with the models in force, and take over these models' fingerprints.

    Where nothing is kept by which to compare, they are taken for what they were imported as.

    Raises
    ------
    IndexMismatch
        They are not the model's.
    ModelUnavailable, NotInstalled
        An encoder cannot be had.
    """
    waiting = set(catalog.unsettled()) if not catalog.read_only else set()
    if not waiting:
        return
    for encoder in {way.encoder.space: way.encoder for way in parts.ways(progress, sounds=False)}.values():
        known = catalog.fingerprint(encoder.space)
        if encoder.space not in waiting or known is None:
            continue
        dimension = next(one.dimension for one in catalog.channels() if one.space == encoder.space)
        if dimension != encoder.dimension:
            raise IndexMismatch(
                encoder.space,
                {**known, "dimension": str(dimension)},
                {**encoder.fingerprint, "dimension": str(encoder.dimension)},
            )
        for view in ("image", "text"):
            agreement = _agreement(catalog, encoder, view)
            if agreement is not None and agreement.mean < _LEAST:
                raise IndexMismatch(
                    encoder.space,
                    {**known, "agreement": str(agreement)},
                    {**encoder.fingerprint, "agreement": f"mean cosine {_LEAST} or more"},
                )
        catalog.adopt(encoder.space, encoder.fingerprint)


def _agreement(catalog: Catalog, encoder: Encoder, view: str) -> Agreement | None:
    ids = catalog.samples(encoder.space, view, SAMPLES)
    there = catalog.vectors_of(ids, encoder.space, view)
    contents: dict[int, Any] = {}
    if view == "image":
        proxies, thumbnails = catalog.thumbnails(ids, "proxy"), catalog.thumbnails(ids)
        for one in ids:
            if (picture := pixels_of(proxies.get(one) or thumbnails.get(one))) is not None:
                contents[one] = picture
    else:
        stored = catalog.records(ids)
        contents = {one: stored[one].chunk.text for one in ids if one in stored}
        contents = {one: text for one, text in contents.items() if truncated(text, encoder) == text}
    if not contents:
        return None
    return of_contents(encoder, view, list(contents.values()), np.stack([there[one] for one in contents]))
