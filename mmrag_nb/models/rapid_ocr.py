"""What is written in a picture, read by RapidOCR with the PaddleOCR models that its package brings along."""

from __future__ import annotations

import math
import os
import threading
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmrag_nb.errors import ModelUnavailable, NotInstalled
from mmrag_nb.types import Written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

PREPROCESSING = "canvas-2"
"""Changes when the same picture would be read in another way."""

CONFIDENT = 0.9
"""Mean probability of its characters from which a line is believed. All of 418 lines on slides, in letters of 11 to 46
pixels, reach 0.95; nothing of two characters that is made out in photographs and drawings without text reaches 0.85."""

LONGEST = 2000
"""Pixels of the longer side that is looked at; larger pictures are shrunk, page-long ones read in pieces."""
SMALLEST = 8
"""Pixels of the shorter side below which no letter can be told."""
THREADS = 2

_PAGE = 2  # ratio of the sides from which a large picture is a page-long one, which is read in pieces
_OVERLAP = 160  # pixels of neighbouring pieces: the tallest line that is read whole
_MOST_PIECES = 24
_COMFORTABLE = 736  # pixels of the shorter side up to which smaller pictures are enlarged, as the network was tuned
_ENLARGED = 2  # times at most: what is smaller still has no letters in it that enlarging would bring out
_ELONGATED = 8  # ratio of the sides up to which a picture stays as it is; shorter sides are filled up
_CHARACTERS = 2  # of a line, at least: single ones are "read" in anything round or crossed
_STAGES = {"Det": "det", "Rec": "rec"}  # find lines, read them


class _Part(NamedTuple):
    """A picture to look at, and what it is of another one, in pixels of that."""

    picture: Image
    left: float
    top: float
    width: float
    height: float


class RapidOCRReader:
    """Read printed text, line by line, on the CPU, without network.

    Cui et al., "PaddleOCR 3.0 Technical Report", 2025. English, Chinese, Japanese and the languages of Latin script;
    lines of a single character are left out.

    Raises
    ------
    NotInstalled
        rapidocr or onnxruntime is absent.
    ModelUnavailable
        The installed rapidocr comes without its models.
    """

    def __init__(self) -> None:
        for library in ("rapidocr", "onnxruntime"):
            if find_spec(library) is None:
                raise NotInstalled(library, extra="ocr")
        models = _models()
        self._lock = threading.Lock()
        self._engine = _engine(models)
        self.fingerprint: Mapping[str, str] = {
            "model": " ".join(path.stem for path in models.values()),
            "revision": version("rapidocr"),
            "preprocessing": f"{PREPROCESSING} {CONFIDENT}",
        }
        self.description = f"rapidocr {version('rapidocr')} ({models['Rec'].stem}, cpu)"

    def describe(self, pictures: Sequence[Image]) -> list[str]:
        """Each picture's lines from the top down, joined by newlines; empty where none is read with confidence.

        Each is a :class:`~mmrag_nb.types.Written`, which tells where its lines are.
        """
        return [self._read(picture) for picture in pictures]

    def _read(self, picture: Image) -> Written:
        lines = [line for part, axis, own in _pieces(picture) for line in self._lines(part, axis, own)]
        return Written("\n".join(text for _, text in lines), [_upright(box, picture.size) for box, _ in lines])

    def _lines(self, part: _Part, axis: int, own: tuple[float, float]) -> list[tuple[NDArray[np.float32], str]]:
        """The lines whose middles lie in ``own``, pixels from the top (``axis`` 0) or left (1) of the whole picture.

        With their corners, (4, 2) x, y, in pixels of that.
        """
        shown = _canvas(part.picture)
        if shown is None:
            return []
        canvas, seen = shown
        sure = []
        with self._lock:  # it keeps what it is told on itself
            found = self._engine(canvas, use_det=True)
            for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True) if found else ():
                if score < CONFIDENT:
                    text, score = self._turned(canvas, box)  # noqa: PLW2901  # a second look at the same line
                place = _placed(box, seen, part)
                middle = float(place[:, 1 - axis].mean())
                if own[0] <= middle < own[1] and score >= CONFIDENT and sum(map(str.isalnum, text)) >= _CHARACTERS:
                    sure.append((place, " ".join(text.split())))
        return _in_order(sure)

    def _turned(self, canvas: NDArray[np.uint8], box: NDArray[np.float32]) -> tuple[str, float]:
        """Read the line in ``box``, (4, 2) corners, the other way up: the axis of a chart, say."""
        import numpy as np
        from rapidocr.utils.process_img import get_rotate_crop_image

        line = np.ascontiguousarray(get_rotate_crop_image(canvas, box)[::-1, ::-1])
        read = self._engine(line, use_det=False)
        return (read.txts[0], read.scores[0]) if read.txts else ("", 0.0)


def _models() -> dict[str, Path]:
    """The shipped model of each stage.

    They are named to RapidOCR one by one: where it chooses by itself, it downloads what it does not find.
    """
    spec = find_spec("rapidocr")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "models"
    found = {}
    for stage, mark in _STAGES.items():
        shipped = sorted(folder.glob(f"*_{mark}_*.onnx"))
        if not shipped:
            raise ModelUnavailable(
                f"rapidocr {version('rapidocr')} comes without its model *_{mark}_*.onnx: "
                'pip install --force-reinstall rapidocr, or set ocr to "none"'
            )
        found[stage] = shipped[0]
    return found


def _engine(models: Mapping[str, Path]) -> Any:
    from rapidocr import RapidOCR

    # It takes as many threads as it is told only where there are as many cores.
    threads = min(THREADS, os.cpu_count() or 1)
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": 0.0,
            # Its third model is to turn lines that stand on their head, and turns some long upright ones.
            "Global.use_cls": False,
            "Global.max_side_len": LONGEST,
            "Det.limit_type": "max",  # nothing is enlarged beyond what _canvas did
            "Det.limit_side_len": LONGEST,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            **{f"{stage}.model_path": str(path) for stage, path in models.items()},
        }
    )


def _pieces(picture: Image) -> Iterator[tuple[_Part, int, tuple[float, float]]]:
    """A page-long picture in pieces of a length that need not be shrunk; others come as they are.

    Each with the axis along which it was cut (0: height) and what along that is its own, in pixels of the picture:
    neighbours overlap, so that each line is whole in the piece that has its middle.
    """
    (width, height), long, short = picture.size, max(picture.size), min(picture.size)
    axis = int(width > height)
    if long <= max(LONGEST, _PAGE * short):
        yield _Part(picture, 0, 0, width, height), axis, (-math.inf, math.inf)
        return
    scale = min(1.0, LONGEST / short, _MOST_PIECES * (LONGEST - _OVERLAP) / long)
    if scale < 1:
        picture = picture.resize((max(1, round(width * scale)), max(1, round(height * scale))))
        long = max(picture.size)
    back = max(width, height) / long
    count = max(1, math.ceil((long - _OVERLAP) / (LONGEST - _OVERLAP)))
    borders = [round(place * (long - _OVERLAP) / count) for place in range(count + 1)]
    for place, (start, end) in enumerate(pairwise(borders)):
        own = (
            (start + _OVERLAP / 2) * back if place else -math.inf,
            (end + _OVERLAP / 2) * back if place < count - 1 else math.inf,
        )
        end += _OVERLAP  # noqa: PLW2901  # the first lines of the next
        if axis:
            piece = picture.crop((start, 0, end, picture.height))
            yield _Part(piece, start * back, 0, (end - start) * back, height), axis, own
        else:
            piece = picture.crop((0, start, picture.width, end))
            yield _Part(piece, 0, start * back, width, (end - start) * back), axis, own


def _canvas(picture: Image) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]] | None:
    """(height, width, 3) BGR, of bounded size, and the picture's place in it; ``None`` where no letter would fit.

    RapidOCR left to itself blows a strip of 5 x 300 pixels up to 736 x 44,160.
    """
    import numpy as np
    from PIL import Image

    rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
    short, long = min(rgb.size), max(rgb.size)
    scale = min(_ENLARGED, max(1, _COMFORTABLE / short), LONGEST / long)
    if short * min(scale, 1) < SMALLEST:
        return None
    if scale != 1:
        width, height = (round(side * scale) for side in rgb.size)
        rgb = rgb.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    place = (0, 0, *rgb.size)
    least = max(rgb.size) // _ELONGATED
    if min(rgb.size) < least:
        width, height = (max(side, least) for side in rgb.size)
        filled = Image.new("RGB", (width, height), rgb.getpixel((0, 0)))
        place = ((width - rgb.width) // 2, (height - rgb.height) // 2, *rgb.size)
        filled.paste(rgb, place[:2])
        rgb = filled
    return np.ascontiguousarray(np.asarray(rgb)[:, :, ::-1]), place


def _placed(box: NDArray[np.float32], seen: tuple[int, int, int, int], part: _Part) -> NDArray[np.float32]:
    """Corners on a canvas, of which the place ``seen`` (left, top, width, height) shows ``part``, on the picture."""
    import numpy as np

    left, top, width, height = seen
    scale = np.array([part.width / width, part.height / height])
    placed: NDArray[np.float32] = ((box - (left, top)) * scale + (part.left, part.top)).astype(np.float32)
    return placed


def _upright(box: NDArray[np.float32], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in shares of a picture of ``size`` of what has these corners, from the upper left.

    Where the picture was scanned a little askew, that is where the line is in the middle of its length: what would hold
    all of it would hold half of its neighbours.
    """
    left, top = float(box[[0, 3], 0].mean()) / size[0], float(box[[0, 1], 1].mean()) / size[1]
    right, bottom = float(box[[1, 2], 0].mean()) / size[0], float(box[[2, 3], 1].mean()) / size[1]
    left, top, right, bottom = (min(1.0, max(0.0, share)) for share in (left, top, right, bottom))
    return left, top, max(left, right), max(top, bottom)


def _in_order(lines: Iterable[tuple[NDArray[np.float32], str]]) -> list[tuple[NDArray[np.float32], str]]:
    """Lines as they are read: by rows from the top, each from the left.

    A box, (4, 2) corners x, y, belongs to the row whose first box its middle lies beside.
    """
    rows: list[tuple[float, list[tuple[NDArray[np.float32], str]]]] = []
    for box, text in sorted(lines, key=lambda line: float(line[0][:, 1].mean())):
        if rows and float(box[:, 1].mean()) < rows[-1][0]:
            rows[-1][1].append((box, text))
        else:
            rows.append((float(box[:, 1].max()), [(box, text)]))
    return [line for _, row in rows for line in sorted(row, key=lambda one: (float(one[0][:, 0].min()), one[1]))]
