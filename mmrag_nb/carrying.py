"""What of a text or a picture carries its cosine: leave something out, embed the rest, see what is lost."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from .errors import LoadError
from .insight import occlusion, word_shares
from .insight.why import Heat

if TYPE_CHECKING:
    from PIL.Image import Image

    from .insight.why import WordShare
    from .protocols import Encoder
    from .results import Hits
    from .types import Preview, Vectors

_LEAST_FINE, _LEAST_COARSE = 0.25, 0.5
"""Standard deviations that the fall where a part is covered must exceed to tell anything: small parts cost less."""
_FIRM = 0.0
"""Score from which on a picture matches firmly enough for a part of it to be pointed at: more than by chance."""
_REGIONS = 2
"""Pictures of an answer in which the matching region is looked for."""
_PATIENCE = 1.0
"""Seconds that the regions of one answer may take; a slower encoder goes without."""
_PIXELS, _BYTES = 4_000_000, 4_000_000
"""Most pixels and bytes of a stored preview; a larger one did not come from us."""


def shares(text: str, encoder: Encoder, other: Vectors) -> list[WordShare]:
    """What each word of ``text`` brings to its cosine with the vector ``other`` (d,)."""
    ranges = word_shares.spans(text)
    if not ranges:
        return []
    cosines = (encoder.embed_texts([text, *word_shares.versions(text, ranges)]) @ other).tolist()
    return word_shares.shares(text, ranges, cosines[0], cosines[1:])


def heat(thumbnail: Preview | None, encoder: Encoder, other: Vectors, deviation: float) -> Heat | None:
    """Which parts of a picture bring its cosine with ``other`` (d,), by its stored stand-in: the original may be gone.

    ``deviation`` is one standard deviation of such cosines. ``None`` where there is no stand-in, or none to be read.
    """
    from .insight.overlay import overlay

    picture = pixels_of(thumbnail)
    if picture is None:
        return None
    small = occlusion.shrunk(picture)
    cells, window = occlusion.FINE
    cosines = encoder.embed_images([small, *occlusion.covered(small, cells, window)]) @ other
    falls = occlusion.heat(cosines[0] - cosines[1:], cells, window)
    least = _LEAST_FINE * deviation
    region = occlusion.region(falls, least)
    return Heat(
        cells=tuple(map(tuple, falls.tolist())),
        cosine=float(cosines[0]),
        window=window,
        region=region,
        where=occlusion.where(region) if region else "",
        overlay=overlay(picture, falls, least),
    )


def regions(hits: Hits, encoder: Encoder, query: Vectors, deviation: float) -> Hits:
    """The same hits; of the best pictures, found by ``encoder`` and ``query`` (d,), with the part that matches.

    An encoder that would take longer than a second is let off.
    """
    chosen = [hit for hit in hits if hit.seen_as == "image" and hit.calibrated >= _FIRM][:_REGIONS]
    there = {hit.rank: one for hit in chosen if (one := pixels_of(hit.previews.get("thumbnail"))) is not None}
    if not there:
        return hits
    pictures = [occlusion.shrunk(picture) for picture in there.values()]
    cells, window = occlusion.COARSE
    covered = [version for picture in pictures for version in occlusion.covered(picture, cells, window)]
    start = time.perf_counter()
    whole = encoder.embed_images(pictures) @ query
    if (time.perf_counter() - start) / len(pictures) * len(covered) > _PATIENCE:
        return hits
    falls = whole[:, None] - (encoder.embed_images(covered) @ query).reshape(len(pictures), -1)
    found = {
        rank: occlusion.region(occlusion.heat(row, cells, window), _LEAST_COARSE * deviation)
        for rank, row in zip(there, falls, strict=True)
    }
    return replace(hits, hits=tuple(replace(hit, region=found.get(hit.rank)) for hit in hits))


def pixels_of(preview: Preview | None) -> Image | None:
    """The pixels of a stored preview; ``None`` where none can be read: an index can come from anywhere."""
    from .loaders.image import ImageLoader

    if preview is None:
        return None
    try:
        return ImageLoader(max_pixels=_PIXELS, max_bytes=_BYTES).decoded(preview.data).pixels
    except LoadError:
        return None
