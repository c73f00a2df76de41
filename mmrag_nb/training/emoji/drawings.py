"""The drawings: every style's pictures as one array of small RGBA rasters, made once and kept."""

from __future__ import annotations

import hashlib
import io
import json
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.errors import NotInstalled

from .names import Emoji, plain_code, squeeze
from .packages import unpack
from .sets import NAMES_PACKAGE, NAMES_VERSION, EmojiSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE = 80
"""Pixels a side of a stored raster: a little more than the model sees, so that there is something to zoom into."""


@dataclass(frozen=True)
class Drawings:
    """One style's pictures."""

    style: str
    emoji: NDArray[np.int64]
    """(n,) which emoji each shows, as an index into the list of names."""
    pixels: NDArray[np.uint8]
    """(n, SIDE, SIDE, 4) RGBA, straight alpha."""
    digests: tuple[str, ...]
    """n short hashes of the source drawings, for the recorded split."""


def load_drawings(which: EmojiSet, names: Sequence[Emoji], cache: Path, workers: int = 2) -> Drawings:
    """Read one style from ``cache``, rasterising it there the first time (a minute or less a style)."""
    wanted = hashlib.sha256(" ".join(each.code for each in names).encode()).hexdigest()[:8]
    stem = f"{which.style}-{which.version}-{SIDE}-{wanted}"
    table, raster = cache / "rasters" / f"{stem}.json", cache / "rasters" / f"{stem}.npy"
    if not table.is_file() or not raster.is_file():
        sources = list(drawing_sources(which, names, cache))
        with ProcessPoolExecutor(workers) as pool:
            pictures = list(pool.map(partial(rasterise, side=SIDE), [source for _, source in sources], chunksize=32))
        kept = [
            (code, source, picture)
            for (code, source), picture in zip(sources, pictures, strict=True)
            if picture is not None
        ]
        raster.parent.mkdir(parents=True, exist_ok=True)
        np.save(raster, np.stack([picture for _, _, picture in kept]))
        rows = [[code, hashlib.sha256(source.content).hexdigest()[:10]] for code, source, _ in kept]
        table.write_text(json.dumps(rows), "utf-8")
    position = {each.code: row for row, each in enumerate(names)}
    rows = json.loads(table.read_text("utf-8"))
    known = np.array([code in position for code, _ in rows])
    return Drawings(
        which.style,
        np.array([position[code] for code, _ in rows if code in position], dtype=np.int64),
        np.load(raster)[known],
        tuple(digest for code, digest in rows if code in position),
    )


@dataclass(frozen=True)
class DrawingSource:
    """A drawing as its package has it."""

    form: str
    """``svg``, ``picture`` (a PNG or WebP file) or ``glyph``."""
    content: bytes
    """The file, or for a glyph the font's path and the character, as JSON."""


def rasterise(source: DrawingSource, side: int) -> NDArray[np.uint8] | None:
    """Draw ``source`` as (side, side, 4) RGBA, the whole drawing centred; ``None`` where it turns out blank."""
    from PIL import Image

    if source.form == "svg":
        image = _open(_render(source.content, 2 * side))
    elif source.form == "glyph":
        image = _draw_glyph(source.content, 2 * side)
    else:
        image = _open(source.content)
    box = image.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox()
    if box is None:
        return None
    # Every house leaves another margin; the same one for all keeps size from telling the style.
    image = image.crop(box)
    longest = max(image.size)
    square = Image.new("RGBA", (longest, longest))
    square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
    return np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))


def _open(content: bytes) -> Image:
    from PIL import Image

    return Image.open(io.BytesIO(content)).convert("RGBA")


def _render(svg: bytes, side: int) -> bytes:
    try:
        import resvg_py  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise NotInstalled("resvg-py", extra="train") from error
    return bytes(resvg_py.svg_to_bytes(svg_string=svg.decode("utf-8"), width=side, skip_system_fonts=True))


def drawing_sources(which: EmojiSet, names: Sequence[Emoji], cache: Path) -> Iterable[tuple[str, DrawingSource]]:
    """Yield (code, drawing) of every emoji in ``names`` that the set draws, one or more drawings an emoji."""
    folder = unpack(which.package, which.version, cache)
    if which.form == "iconify":
        yield from _iconify(folder, names, cache)
    elif which.form == "pictures":
        files = {plain_code(path.stem): path for path in sorted((folder / "assets").glob("*.webp"))}
        for each in names:
            if each.code in files:
                yield each.code, DrawingSource("picture", files[each.code].read_bytes())
    else:
        yield from _font(folder, names)


def _iconify(folder: Path, names: Sequence[Emoji], cache: Path) -> Iterable[tuple[str, DrawingSource]]:
    collection: dict[str, Any] = json.loads((folder / "icons.json").read_text("utf-8"))
    codes: dict[str, str] = json.loads((folder / "chars.json").read_text("utf-8"))
    wanted = {each.code for each in names}
    by_name = {} if codes else _codes_by_name(names, cache)
    if codes:
        pairs = [(plain_code(code), icon) for code, icon in codes.items()]
    else:
        pairs = [(by_name.get(squeeze(re.sub(r"-[123]$", "", icon)), ""), icon) for icon in collection["icons"]]
    for code, name in sorted(set(pairs)):
        alias = collection.get("aliases", {}).get(name)
        if alias and alias.keys() - {"parent", "hidden"}:
            continue  # a mirrored or turned parent, which would need drawing rules of its own
        icon = collection["icons"].get(alias["parent"] if alias else name)
        if code not in wanted or icon is None:
            continue
        left, top, width, height = (
            icon.get(key, collection.get(key, default))
            for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
        )
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" color="#222222" '
            f'viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">{icon["body"]}</svg>'
        )
        yield code, DrawingSource("svg", svg.encode("utf-8"))


def _codes_by_name(names: Sequence[Emoji], cache: Path) -> dict[str, str]:
    # Older sets name their drawings freely. Names go before aliases, and an alias that two emoji share decides nothing.
    shortcodes = unpack(NAMES_PACKAGE, NAMES_VERSION, cache) / "en" / "shortcodes"
    table: dict[str, set[str]] = {}
    for source in ("joypixels", "iamcal", "github", "emojibase"):
        for code, found in json.loads((shortcodes / f"{source}.json").read_text("utf-8")).items():
            for alias in [found] if isinstance(found, str) else found:
                table.setdefault(squeeze(alias), set()).add(plain_code(code))
    wanted = {each.code for each in names}
    codes = {alias: next(iter(owners)) for alias, owners in table.items() if len(owners) == 1 and owners <= wanted}
    for each in names:
        codes[squeeze(each.name)] = each.code
        if each.name.startswith("flag: "):
            codes[squeeze("flag for " + each.name[6:])] = each.code
    return codes


def _font(folder: Path, names: Sequence[Emoji]) -> Iterable[tuple[str, DrawingSource]]:
    from PIL import ImageFont

    fonts = [
        (path, ImageFont.truetype(str(path), 64))
        for path in sorted((folder / "files").glob("noto-emoji-*-400-normal.woff"))
    ]
    blanks = [bytes(font.getmask("\U0010fffd")) for _, font in fonts]
    for each in names:
        if "-" in each.code:
            continue  # sequences need a shaping engine
        character = chr(int(each.code, 16))
        for (path, font), blank in zip(fonts, blanks, strict=True):
            mask = font.getmask(character)
            if mask.getbbox() and bytes(mask) != blank:
                content = json.dumps([str(path), character])
                yield each.code, DrawingSource("glyph", content.encode("utf-8"))
                break


def _draw_glyph(content: bytes, side: int) -> Image:
    from PIL import Image, ImageDraw, ImageFont

    path, character = json.loads(content)
    image = Image.new("RGBA", (2 * side, 2 * side))
    font = ImageFont.truetype(path, side)
    ImageDraw.Draw(image).text((side // 2, side // 2), character, font=font, fill="#222222")
    return image
