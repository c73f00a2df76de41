"""The pages of a PDF, drawn and read by PDFium. Runs in a process of its own, see :mod:`mmrag_nb.isolation.calling`.

No form environment is made, so neither JavaScript nor XFA runs; embedded files are not looked at.
"""

from __future__ import annotations

import ctypes
import math
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from mmrag_nb.errors import LoadError

from .content import beginning
from .layout import laid, shares_of
from .lines import Box
from .pdf_letters import Letter, unreadable, words

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDE = 1280
"""Pixels of a page's longer side."""
SCAN_SIDE = 2000
"""The same of a page that has to be read by its picture: what OCR looks at."""
MOST_LETTERS = 100_000
"""Of a page."""
_MOST_OBJECTS = 2_000
"""Of a page, that are searched for large pictures."""
_FEW, _SOME = 10, 100
"""Letters of a page below which its picture has to be read, whatever it shows; where a picture fills most of it."""
_READABLE = 0.7
"""Share of its letters that a page's text needs to count as one."""
_FILLED = 0.6
"""Share of a page that a picture fills."""
_TURNED = 0.6
"""Share of its letters that run in another direction where a page lies on its side."""
_FLAT = 6
"""Levels of grey between the darkest and the brightest pixel of a blank page, at most."""
_LARGEST_SCALE = 8.0
_UNIT = 1_000_000
"""A page's sides, in the steps by which PDFium tells places."""


class _Grid(NamedTuple):
    """From PDFium's places on a page (x, y) to points from the upper left corner of the upright one."""

    x: tuple[float, float, float]
    y: tuple[float, float, float]

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        """Where a rectangle is."""
        xs = sorted(self.x[0] * a + self.x[1] * b + self.x[2] for a, b in ((left, bottom), (right, top)))
        ys = sorted(self.y[0] * a + self.y[1] * b + self.y[2] for a, b in ((left, bottom), (right, top)))
        return Box(xs[0], ys[0], xs[1], ys[1])


def pages(handle: BinaryIO, *, first: int, most: int) -> Iterator[tuple[dict[str, Any], tuple[bytes, ...]]]:
    """Yield what there is, ``{"pages": 12}``, then each page from ``first`` (from 0) before ``most``.

    A page is ``number`` (from 1), ``size`` (pixels, upright), ``text`` in reading order, ``words``: [start, end, left,
    top, right, bottom] with the first two in ``text``, the others in shares of the page, ``letters``, ``cut`` (there
    is more text), ``scan``, ``blank``; beside it the pixels, RGB. A page that cannot be read is ``number`` and
    ``damage``.

    Raises
    ------
    LoadError
        It is encrypted, damaged, or has no pages.
    """
    document = _opened(handle)
    count = len(document)
    yield {"pages": count}, ()
    for number in range(first, min(count, most)):
        try:
            said, pixels = _page(document, number)
        except Exception as error:  # noqa: BLE001, PERF203  # damaged in one of many ways; the other pages may be whole
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            yield {"number": number + 1, "damage": reason}, ()
        else:
            yield {"number": number + 1, **said}, (pixels,)


def _opened(handle: BinaryIO) -> Any:
    import pypdfium2
    from pypdfium2 import raw

    try:
        return pypdfium2.PdfDocument(handle)
    except pypdfium2.PdfiumError as error:
        code = error.err_code
        if code in {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY}:
            raise LoadError("encrypted: a password is needed to read it: save it without a password") from error
        handle.seek(0)
        head = handle.read(1024)
        if b"%PDF" not in head:
            raise LoadError(f"damaged, or no PDF: it begins with {beginning(head)}") from error
        if code == raw.FPDF_ERR_SUCCESS:
            raise LoadError("empty: it has no pages") from error
        raise LoadError("damaged PDF: its pages cannot be found: open it in a viewer and save it again") from error


def _page(document: Any, number: int) -> tuple[dict[str, Any], bytes]:
    page = _loaded(document, number)
    try:
        turn, grid, letters, more = _letters(page)
        size = page.get_size() if turn % 180 == 0 else page.get_size()[::-1]
        seen = [one for one in letters if not chr(one.code).isspace()]
        readable = len(seen) - unreadable(seen)
        usable = readable >= _READABLE * len(seen)
        read = laid(words(letters)) if usable else laid(())
        filled = _filled(page, size, grid)
        scan = not usable or readable < _FEW or (readable < _SOME and filled > _FILLED)
        picture = _drawn(page, size, SCAN_SIDE if scan else SIDE, turn)
        low, high = picture.convert("L").getextrema()
        said = {
            "size": picture.size,
            "text": read.text,
            "words": [[start, end, *shares_of(box, size)] for start, end, box in read.spans],
            "letters": readable if usable else 0,
            "unreadable": not usable,
            "cut": more,
            "scan": scan,
            "blank": high - low <= _FLAT and not read.text,
        }
        return said, picture.tobytes()
    finally:
        page.close()


def _loaded(document: Any, number: int) -> Any:
    """The page, what is filled into its form laid down on it."""
    from pypdfium2 import raw

    page = document.get_page(number)
    if document.get_formtype() != raw.FORMTYPE_NONE:
        done = raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
        if done == raw.FLATTEN_SUCCESS:
            page.close()
            page = document.get_page(number)
    width, height = page.get_size()
    if not (math.isfinite(width) and math.isfinite(height) and width > 0 and height > 0):
        raise ValueError(f"its size is {width:g} x {height:g} points")
    return page


def _drawn(page: Any, size: tuple[float, float], side: int, turn: int) -> Any:
    """A picture of the page, RGB."""
    scale = min(side / max(size), _LARGEST_SCALE)
    return page.render(scale=scale, rotation=turn, rev_byteorder=True).to_pil().convert("RGB")


# -- letters -------------------------------------------------------------------------------------------------------


def _letters(page: Any) -> tuple[int, _Grid, list[Letter], bool]:
    """Return degrees by which the page is to be turned to stand upright, its grid then, its letters, whether more."""
    from pypdfium2 import raw

    text = page.get_textpage()
    try:
        count = text.count_chars()
        most = min(count, MOST_LETTERS)
        grid = _grid(page, 0)
        directions = [_direction(grid, raw.FPDFText_GetCharAngle(text, at)) for at in range(most)]
        turn = 0
        for direction in (1, 2, 3):
            if most and directions.count(direction) > _TURNED * most:
                turn = 90 * (4 - direction)
                grid = _grid(page, turn)
                directions = [(one - direction) % 4 for one in directions]
        found = []
        for at in range(most):
            code = raw.FPDFText_GetUnicode(text, at)
            known = code in {10, 13, 32} or raw.FPDFText_HasUnicodeMapError(text, at) != 1
            found.append(Letter(code, grid.box(*_rectangle(text, at)), directions[at] == 0, known))
    finally:
        text.close()
    return turn, grid, [one for one in found if one.known or one.code], most < count


def _grid(page: Any, turn: int) -> _Grid:
    from pypdfium2 import raw

    width, height = page.get_size() if turn % 180 == 0 else page.get_size()[::-1]
    far = 100
    found = []
    for x, y in ((0, 0), (far, 0), (0, far)):
        across, down = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, _UNIT, _UNIT, turn // 90, x, y, across, down)
        found.append((across.value / _UNIT * width, down.value / _UNIT * height))
    (x0, y0), (x1, y1), (x2, y2) = found
    return _Grid(((x1 - x0) / far, (x2 - x0) / far, x0), ((y1 - y0) / far, (y2 - y0) / far, y0))


def _direction(grid: _Grid, angle: float) -> int:
    """Which way a letter's line runs on the page: 0 to the right, 1 down, 2 to the left, 3 up."""
    along, up = math.cos(angle), -math.sin(angle)  # PDFium counts clockwise
    x, y = grid.x[0] * along + grid.x[1] * up, grid.y[0] * along + grid.y[1] * up
    if abs(x) >= abs(y):
        return 0 if x >= 0 else 2
    return 1 if y > 0 else 3


def _rectangle(text: Any, at: int) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of a letter, as high as its font; where that is not known, as it is drawn."""
    from pypdfium2 import PdfiumError

    for loose in (True, False):
        try:
            left, bottom, right, top = text.get_charbox(at, loose=loose)
        except PdfiumError:
            continue
        if right > left and top > bottom:
            break
    else:
        return (0.0, 0.0, 0.0, 0.0)
    return left, bottom, right, top


def _filled(page: Any, size: tuple[float, float], grid: _Grid) -> float:
    """Share of the page that its largest picture fills."""
    from pypdfium2 import raw

    largest = 0.0
    for at in range(min(raw.FPDFPage_CountObjects(page), _MOST_OBJECTS)):
        thing = raw.FPDFPage_GetObject(page, at)
        if raw.FPDFPageObj_GetType(thing) != raw.FPDF_PAGEOBJ_IMAGE:
            continue
        sides = [ctypes.c_float() for _ in range(4)]
        if raw.FPDFPageObj_GetBounds(thing, *sides):
            box = grid.box(*(side.value for side in sides))
            width = min(box.right, size[0]) - max(box.left, 0.0)
            height = min(box.bottom, size[1]) - max(box.top, 0.0)
            largest = max(largest, max(width, 0.0) * max(height, 0.0))
    return largest / (size[0] * size[1])
