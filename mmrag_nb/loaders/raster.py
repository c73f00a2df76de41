"""Picture files to upright RGB pixels: here what is quick for sure, the rest where it can be stopped."""

from __future__ import annotations

import math
import re
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from mmrag_nb.errors import LoadError

from .content import beginning, kind_of
from .pixels import of_bytes, rgb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from PIL.Image import Image

SIDE = 1000
"""Large pictures keep at least this long side: a quarter of a 12-megapixel photograph, as JPEG can decode it."""
_PAGE = 2
"""Ratio of the sides above which a picture keeps it of the short side: in a tall screenshot is small print."""
_KEPT_PIXELS, _KEPT_LENGTH = 8_000_000, 40_000
"""Of such a picture, at most."""

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "ICO", "PPM", "AVIF")
_AT_HAND = ((b"\xff\xd8\xff", 0, "JPEG"), (b"\x89PNG\r\n\x1a\n", 0, "PNG"), (b"WEBP", 8, "WEBP"))
"""What is decoded in this very process: most of what there is, by libraries that are attacked all day. The others'
plug-ins are slow where they want to be: frame after frame of a GIF, run after run of a BMP, strip after strip of a
TIFF are Python's business."""
_AT_HAND_BYTES = 8_000_000
"""Larger ones are decoded elsewhere: of a million headers without a picture each takes its microsecond."""
_AT_HAND_PIXELS = 25_000_000
WHOLE_PIXELS = 25_000_000
"""Of the largest picture that is kept as it is, where that is wished."""
_AT_HAND_SCANS = 30
"""A progressive JPEG has ten or so; each is a pass over all pixels, and costs the file a few bytes."""
_BAD_EXIF = "damaged EXIF ignored"
_REFUSED = (
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"8BPS", "PSD"),
    (b"<svg", "SVG"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
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


class Raster(NamedTuple):
    """A decoded picture."""

    pixels: Image
    """RGB, upright, on white, perhaps reduced by a whole factor."""
    width: int
    """Of the original, upright, in pixels."""
    height: int
    notes: list[str]


def decode(handle: BinaryIO, *, max_pixels: int, whole: bool = False) -> Iterator[tuple[dict[str, Any], tuple[bytes]]]:
    """Decode a file of any safe format: what is called in a process of its own, and read by `received`."""
    with damage_told():
        image, notes = _opened(handle, _FORMATS)
        check(image.size, max_pixels)
        raster = _loaded(image, notes, whole=whole)
    said = {"size": raster.pixels.size, "width": raster.width, "height": raster.height, "notes": raster.notes}
    yield said, (raster.pixels.tobytes(),)


def received(said: dict[str, Any], blobs: Sequence[bytes]) -> Raster:
    """What `decode` has sent.

    Raises
    ------
    LoadError
        It is no picture.
    """
    return Raster(of_bytes(said["size"], blobs[0], "the decoded picture"), said["width"], said["height"], said["notes"])


def decode_at_hand(handle: BinaryIO, *, max_pixels: int, whole: bool = False) -> Raster | None:
    """Decode a file in this process; ``None`` where that could take long or much memory.

    ``whole``: up to `WHOLE_PIXELS` it is not reduced.
    """
    from PIL import ImageFile

    head = handle.read(16)
    kind = next((name for mark, at, name in _AT_HAND if head[at : at + len(mark)] == mark), "")
    # A notebook may have told Pillow to make do with half a picture: elsewhere nobody has.
    if not kind or ImageFile.LOAD_TRUNCATED_IMAGES or handle.seek(0, 2) > _AT_HAND_BYTES:
        return None
    with damage_told():
        scans = 1
        if kind == "JPEG":
            handle.seek(0)
            scans = handle.read().count(b"\xff\xda")
        handle.seek(0)
        image, notes = _opened(handle, (kind,))
        check(image.size, max_pixels)
        pixels = image.size[0] * image.size[1]
        if scans > _AT_HAND_SCANS or (pixels > _AT_HAND_PIXELS and (scans > 1 or kind != "JPEG")):
            return None
        return _loaded(image, notes, whole=whole)


def of_image(image: Image, *, max_pixels: int, whole: bool = False) -> Raster:
    """Turn a picture in memory, which stays as it is, to pixels."""
    check(image.size, max_pixels)
    with damage_told():
        image.load()
        return _upright(image, image.size, [], 1 if _stays(image.size, whole) else _factor(image.size))


def check(size: tuple[int, int], max_pixels: int) -> None:
    """Hold the pixel budget.

    Raises
    ------
    LoadError
        ``size`` (width, height) is more than ``max_pixels``.
    """
    if size[0] * size[1] > max_pixels:
        limit = f"at most {max_pixels / 1e6:,.0f} million"
        raise LoadError(f"too large: {size[0]:,} x {size[1]:,} pixels, {limit}: make it smaller")


def _loaded(image: Image, notes: list[str], *, whole: bool) -> Raster:
    size = image.size
    stays = _stays(size, whole)
    factor = 1 if stays else _factor(size)
    drafted = image.draft(None, (max(size[0] // factor, 1), max(size[1] // factor, 1)))  # JPEG only
    image.load()  # before all else that may: a second attempt "succeeds" on some damaged files
    if drafted is None:
        size = image.size  # older Pillows turn a TIFF upright by themselves
    return _upright(image, size, [*notes, *_frames(image)], 1 if stays else _factor(image.size))


def _stays(size: tuple[int, int], whole: bool) -> bool:
    return whole and size[0] * size[1] <= WHOLE_PIXELS


def _upright(image: Image, size: tuple[int, int], notes: list[str], factor: int) -> Raster:
    """Make the pixels of a decoded picture, whose full ``size`` (width, height) was read from its header."""
    from PIL import Image

    orientation, damaged = _orientation(image)
    pixels, stretched = rgb(image, factor)
    if orientation in _UPRIGHT:
        pixels = pixels.transpose(Image.Transpose(_UPRIGHT[orientation]))
    width, height = size if orientation < 5 else size[::-1]  # from 5 on it lies on its side
    pixels.info.clear()  # no EXIF, place or comment of the original travels on
    return Raster(pixels, width, height, list(dict.fromkeys([*notes, *damaged, *stretched])))


def _factor(size: tuple[int, int]) -> int:
    """How many times smaller a picture of ``size`` is kept."""
    long, short = max(size), min(size)
    if long <= _PAGE * short:
        return max(long // SIDE, 1)
    least = max(math.sqrt(long * short / _KEPT_PIXELS), long / _KEPT_LENGTH)
    return max(short // SIDE, math.ceil(least))


_warnings_lock = threading.Lock()


@contextmanager
def _warnings_caught() -> Iterator[list[warnings.WarningMessage]]:
    """Collect warnings one thread at a time, since the list of filters is the whole process's."""
    with _warnings_lock, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def _opened(handle: BinaryIO, formats: Sequence[str]) -> tuple[Image, list[str]]:
    from PIL import Image, UnidentifiedImageError

    Image.init()
    known = [name for name in formats if name in Image.OPEN]  # AVIF is not in every build
    if len(formats) > 1 and _register_heif():
        known.append("HEIF")
    try:
        with _warnings_caught() as caught:
            return Image.open(handle, formats=known), _exif_notes(caught)
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
    if kind := kind_of(head):
        return LoadError(f"no picture but {kind}")
    return LoadError(f"damaged, or no picture of a supported format: it begins with {beginning(head)}")


def _frames(image: Image) -> list[str]:
    if image.format == "MPO":  # its other frames are stereo views and gain maps
        return []
    count = getattr(image, "n_frames", 1)
    return [f"first of {count} frames"] if count > 1 else []


@contextmanager
def damage_told() -> Iterator[None]:
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
        raise LoadError("damaged, or too large for the memory: make it smaller") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        reason = "".join(char if char.isprintable() else "?" for char in reason)  # it may quote the file
        if "could not create decoder" in reason:  # what WebP says when it gets no memory
            raise LoadError("damaged, or too large for the memory: make it smaller") from error
        raise LoadError(f"damaged picture: {reason}") from error
