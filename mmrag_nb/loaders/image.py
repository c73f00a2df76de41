"""Pictures to RGB pixels."""

from __future__ import annotations

import re
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mmrag_nb.errors import LoadError
from mmrag_nb.types import LoadedChunk, LoadedItem

from .content import beginning, open_binary
from .pixels import eight_bit, on_white
from .previews import picture_previews

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from PIL.Image import Image

    from mmrag_nb.types import Content, Modality

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
SIDE = 1000
"""Large pictures keep at least this long side: a quarter of a 12-megapixel photograph, as JPEG can decode it."""

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "ICO", "PPM", "AVIF")
_BAD_EXIF = "damaged EXIF ignored"
_REFUSED = (
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"8BPS", "PSD"),
    (b"<svg", "SVG"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    (b"%PDF", "PDF"),
)
_SIGNATURES = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
# EXIF orientation to Pillow's Transpose: 0 mirrors, 1 flips, 2..4 turn by 90, 180, 270 degrees, 5 and 6 swap the axes.
_UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


class ImageLoader:
    """One chunk a picture: RGB, upright, on white; its text is the caller's to add.

    Parameters
    ----------
    max_pixels
        Largest picture that is decoded, by the size that its header claims.
    max_bytes
        Largest file that is read.
    """

    modality: Modality = "image"
    version = "image-1"

    def __init__(self, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> None:
        self._max_pixels = max_pixels
        self._max_bytes = max_bytes

    def load(self, content: Content, name: str) -> LoadedItem:  # noqa: ARG002  # Pillow tells the format by the content
        """Read a file, a downloaded body or a ``PIL.Image`` into one chunk.

        The pixels of a large picture are reduced by a whole factor, to a long side of at least `SIDE`. Facts: ``width``
        and ``height``, pixels of the original, upright. Previews: ``thumbnail`` and ``proxy``.

        Raises
        ------
        LoadError
            The content is missing, damaged, too large or not of a safe format.
        """
        from PIL import Image

        if isinstance(content, (Path, bytes)):
            with open_binary(content, max_bytes=self._max_bytes) as handle, _damage_told():
                image, notes = _opened(handle)
                size = image.size
                self._check(size)
                shrink = max(max(size) / SIDE, 1)
                drafted = image.draft(None, (max(int(size[0] / shrink), 1), max(int(size[1] / shrink), 1)))  # JPEG only
                image.load()  # before all else that may: a second attempt "succeeds" on some damaged files
                if drafted is None:
                    size = image.size  # older Pillows turn a TIFF upright by themselves
                return _loaded(image, size, [*notes, *_frames(image)])
        if not isinstance(content, Image.Image):
            raise LoadError(f"not a picture but an object of type {type(content).__name__}")
        self._check(content.size)
        with _damage_told():
            content.load()
            return _loaded(content, content.size, [])

    def _check(self, size: tuple[int, int]) -> None:
        if size[0] * size[1] > self._max_pixels:
            limit = f"at most {self._max_pixels / 1e6:,.0f} million"
            raise LoadError(f"too large: {size[0]:,} x {size[1]:,} pixels, {limit}: make it smaller")


def _loaded(image: Image, size: tuple[int, int], notes: list[str]) -> LoadedItem:
    """Make the chunk of a decoded picture, whose full ``size`` (width, height) was read from its header."""
    from PIL import Image

    shades, stretched = eight_bit(image)
    orientation, damaged = _orientation(image)
    if orientation in _UPRIGHT:
        shades = shades.transpose(Image.Transpose(_UPRIGHT[orientation]))
    width, height = size if orientation < 5 else size[::-1]  # from 5 on it lies on its side
    pixels = on_white(shades)
    if (factor := max(pixels.size) // SIDE) > 1:
        pixels = pixels.reduce(factor)
    pixels.info.clear()  # no EXIF, place or comment of the original travels on
    return LoadedItem(
        chunks=(LoadedChunk("image", pixels=pixels),),
        notes=tuple(dict.fromkeys([*notes, *damaged, *stretched])),
        facts={"width": width, "height": height},
        previews=picture_previews(pixels),
    )


_warnings_lock = threading.Lock()


@contextmanager
def _warnings_caught() -> Iterator[list[warnings.WarningMessage]]:
    """Collect warnings one thread at a time, since the list of filters is the whole process's."""
    with _warnings_lock, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def _opened(handle: BinaryIO) -> tuple[Image, list[str]]:
    from PIL import Image, UnidentifiedImageError

    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]  # AVIF is not in every build
    if _register_heif():
        formats.append("HEIF")
    try:
        with _warnings_caught() as caught:
            return Image.open(handle, formats=formats), _exif_notes(caught)
    except UnidentifiedImageError as error:
        handle.seek(0)
        raise _unidentified(handle.read(4096)) from error


def _orientation(image: Image) -> tuple[int, list[str]]:
    """Orientation by EXIF, 1..8, and a note where the metadata are damaged. `image` is loaded already."""
    from PIL import ExifTags

    try:
        with _warnings_caught() as caught:
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001  # damaged in one of many ways; the picture itself is whole
        return 1, [_BAD_EXIF]
    return orientation if orientation in range(1, 9) else 1, _exif_notes(caught)


def _exif_notes(caught: list[warnings.WarningMessage]) -> list[str]:
    return [_BAD_EXIF] if any("EXIF" in str(warning.message) for warning in caught) else []


def _register_heif() -> bool:
    try:
        from pillow_heif import register_heif_opener  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return False
    register_heif_opener()
    return True


def _unidentified(head: bytes) -> LoadError:
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return LoadError("HEIC/HEIF needs a plug-in: pip install pillow-heif, or save it as JPEG")
    for mark, kind in _REFUSED:
        if head.startswith(mark) or (kind == "SVG" and mark in head.lower()):
            return LoadError(f"{kind} is not on the list of safe formats: save it as PNG or JPEG")
    for mark, kind in _SIGNATURES:
        if head.startswith(mark):
            return LoadError(f"damaged {kind} picture: its header cannot be read")
    return LoadError(f"damaged, or no picture of a supported format: it begins with {beginning(head)}")


def _frames(image: Image) -> list[str]:
    if image.format == "MPO":  # its other frames are stereo views and gain maps
        return []
    count = getattr(image, "n_frames", 1)
    return [f"first of {count} frames"] if count > 1 else []


@contextmanager
def _damage_told() -> Iterator[None]:
    """Damaged pictures raise eight classes, ``SyntaxError`` among them; each becomes a `LoadError`."""
    from PIL import Image

    try:
        yield
    except LoadError:
        raise
    except Image.DecompressionBombError as error:
        claimed = re.search(r"\d+", str(error))
        size = f"{int(claimed[0]) / 1e6:,.0f} million pixels claimed" if claimed else str(error)
        raise LoadError(f"too large: {size}: make it smaller") from error
    except MemoryError as error:
        raise LoadError("damaged, or too large for the memory") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise LoadError(f"damaged picture: {reason}") from error
