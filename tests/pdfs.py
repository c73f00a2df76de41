"""PDF files for tests, written by hand: no library between a test and what it checks."""

import io
from collections.abc import Iterable, Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

A4 = (595, 842)
Line = tuple[float, float, str] | tuple[float, float, str, float]
"""x, y (points from the lower left corner), text, size."""


def text_page(lines: Iterable[Line], *, turned: str = "1 0 0 1") -> bytes:
    """A page's content; ``turned`` is the linear part of the text matrix."""
    drawn = []
    for x, y, text, *size in lines:
        said = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("cp1252")
        drawn.append(b"BT /F1 %g Tf %s %g %g Tm (%s) Tj ET" % (*(size or [10]), turned.encode(), x, y, said))
    return b"\n".join(drawn)


def pdf(
    contents: Sequence[bytes],
    *,
    size: Sequence[float] = A4,
    page: str = "",
    catalog: str = "",
    font: str = "",
    resources: str = "",
    more: Mapping[int, bytes] | None = None,
) -> bytes:
    """A document of these pages; ``page`` and its like are further entries, ``more`` further objects, by number."""
    objects = {
        1: f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode(),
        2: b"<< /Type /Pages /Count %d /Kids [%s] >>"
        % (len(contents), b" ".join(b"%d 0 R" % (100 + 2 * n) for n in range(len(contents)))),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding %s >>" % font.encode(),
    }
    for n, content in enumerate(contents):
        box = " ".join(f"{side:g}" for side in (0, 0, *size))
        objects[100 + 2 * n] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents {101 + 2 * n} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> {resources} >> {page} >>"
        ).encode()
        objects[101 + 2 * n] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
    return assembled({**objects, **(more or {})})


def assembled(objects: dict[int, bytes]) -> bytes:
    """A file of numbered objects, the first of which is its catalog."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 1\n0000000000 65535 f \n"
    for number, place in places.items():
        out += b"%d 1\n%010d 00000 n \n" % (number, place)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (max(objects) + 1, start)
    return bytes(out)


def paragraph(text: str, x: float, y: float, width: int, *, size: float = 10, leading: float = 12) -> list[Line]:
    """Lines of about ``width`` characters."""
    lines: list[str] = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [(x, y - n * leading, line, size) for n, line in enumerate(lines)]


def scan_picture(lines: Sequence[str], *, size: tuple[int, int] = (1240, 1754), at: tuple[int, int] = (120, 150)):
    """A white sheet with printed lines."""
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype("DejaVuSans.ttf", 36)
    for n, line in enumerate(lines):
        draw.text((at[0], at[1] + 60 * n), line, fill="black", font=font)
    return picture


def scans(pictures: Sequence[Image.Image]) -> bytes:
    """A document of pictures, as scanners save it."""
    out = io.BytesIO()
    pictures[0].save(out, "PDF", save_all=True, append_images=list(pictures[1:]), resolution=150)
    return out.getvalue()
