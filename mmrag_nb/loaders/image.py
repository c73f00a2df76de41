"""Pictures to chunks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmrag_nb.errors import LoadError
from mmrag_nb.types import LoadedChunk, LoadedItem

from .content import open_binary
from .previews import picture_previews

if TYPE_CHECKING:
    from mmrag_nb.types import Content, Modality

    from .raster import Raster

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .gif .webp .bmp .dib .tif .tiff .ico .ppm .pgm .pbm .pnm .avif "
    ".heic .heif .eps .psd .svg .wmf .emf".split()
)
"""The last five are recognised to be refused with the reason."""
MEDIA_TYPES = frozenset(
    "image/jpeg image/png image/apng image/gif image/webp image/bmp image/x-ms-bmp image/tiff image/x-icon "
    "image/vnd.microsoft.icon image/x-portable-anymap image/x-portable-pixmap image/x-portable-graymap image/avif "
    "image/heic image/heif image/svg+xml image/vnd.adobe.photoshop".split()
)
MAX_BYTES = 200_000_000
"""Largest file that is read."""
MAX_PIXELS = 120_000_000
"""Largest picture that is decoded; the largest phones make 108 million."""
_PROCESSOR = 4.0
"""Seconds that decoding a picture may take, in a process of its own."""
_MEMORY = 650_000_000
"""Bytes by which that process may grow: the largest picture takes 480 million."""


class ImageLoader:
    """One chunk a picture: RGB, upright, on white; its text is the caller's to add.

    Parameters
    ----------
    max_pixels
        Largest picture that is decoded, by the size that its header claims.
    max_bytes
        Largest file that is read.
    precision
        The encoder's. With ``exact``, pictures of up to 25 million pixels are not reduced: 75 MB each, at most.
    """

    modality: Modality = "image"
    version = "image-1"

    def __init__(self, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES, precision: str = "auto") -> None:
        self._whole = precision == "exact"
        self._max_pixels = max_pixels
        self._max_bytes = max_bytes

    def load(self, content: Content, name: str) -> LoadedItem:  # noqa: ARG002  # Pillow tells the format by the content
        """Read a file, a downloaded body or a ``PIL.Image`` into one chunk.

        The pixels of a large picture are reduced by a whole factor, to a long side of at least
        `~mmrag_nb.loaders.raster.SIDE`, of a page-long one to such a short side, within 8 million. Facts: ``width`` and
        ``height``, pixels of the original, upright. Previews: ``thumbnail`` and ``proxy``.

        Raises
        ------
        LoadError
            The content is missing, damaged, too large or not of a safe format.
        """
        return _item(self.decoded(content))

    def load_at_hand(self, content: Content, name: str) -> LoadedItem | None:  # noqa: ARG002  # as above
        """The same where it is quick for sure, a file in the formats of most; ``None`` otherwise.

        It may be called from several threads at once.
        """
        raster = self._at_hand(content) if isinstance(content, (Path, bytes)) else None
        return None if raster is None else _item(raster)

    def decoded(self, content: Content) -> Raster:
        """Read no more than the pixels; see :meth:`load`."""
        from PIL import Image

        from mmrag_nb.isolation.calling import Limits, stream

        from .raster import of_image, received

        if isinstance(content, Image.Image):
            return of_image(content, max_pixels=self._max_pixels, whole=self._whole)
        if not isinstance(content, (Path, bytes)):
            raise LoadError(f"not a picture but an object of type {type(content).__name__}")
        if (raster := self._at_hand(content)) is not None:
            return raster
        limits = Limits(memory=_MEMORY, processor=_PROCESSOR)
        pieces = stream(
            "mmrag_nb.loaders.raster:decode", content, limits, max_pixels=self._max_pixels, whole=self._whole
        )
        return next(received(said, blobs) for said, blobs in list(pieces))

    def _at_hand(self, content: Path | bytes) -> Raster | None:
        from .raster import decode_at_hand

        with open_binary(content, max_bytes=self._max_bytes) as handle:
            return decode_at_hand(handle, max_pixels=self._max_pixels, whole=self._whole)


def _item(raster: Raster) -> LoadedItem:
    return LoadedItem(
        chunks=(LoadedChunk("image", pixels=raster.pixels),),
        notes=tuple(raster.notes),
        facts={"width": raster.width, "height": raster.height},
        previews=picture_previews(raster.pixels),
    )
