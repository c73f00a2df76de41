"""Which OCR reads slides, screenshots, charts and signs better: RapidOCR or Tesseract.

    python tests/bench/ocr.py [--save FOLDER]

Draws pictures whose words are known and has both read them. Prints, by kind of picture: CER and WER (jiwer, of the
words in reading order, without case and punctuation), ``found``, the share of the words that are read wherever they
stand (what finds a slide), ``made up``, words read that are not there by word that is, and seconds a picture. Tesseract
is left out, saying so, where it is not installed, and photographs where ../shared/cases is absent.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # Tesseract's

import jiwer
import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

mpl.use("agg")
import matplotlib.pyplot as plt

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
CASES = Path(os.environ.get("MMRAG_CASES", Path(__file__).parents[2].parent / "shared" / "cases"))

SLIDES = (
    ("Tuning a concert harp", "Forty-seven strings and seven pedals", "Each pedal has three positions", "Retune daily"),
    ("Quarterly revenue", "Up 12% to $4.3 million", "Three new customers in Norway", "Next review on 14 March 2025"),
    ("How bees dance", "Direction: angle to the sun", "Distance: length of the waggle run", "von Frisch, 1967"),
)
TERMINAL = (
    "$ git status --short",
    " M src/engine/parser.py",
    "?? notes/todo.txt",
    "$ pytest -q tests/test_parser.py",
    "2 failed, 31 passed in 4.07s",
    "ModuleNotFoundError: No module named 'yaml'",
)
CODE = (
    "def retry(call, attempts=3):",
    "    for attempt in range(attempts):",
    "        try:",
    "            return call()",
    "        except TimeoutError as error:",
    "            logger.warning('slow', exc_info=error)",
    "    raise RuntimeError('no answer')",
)
PAGE = (
    "Island Ferries",
    "Timetable  Tickets  Contact",
    "The morning boat leaves Stromness at 6.30 and calls at Graemsay",
    "Bicycles travel free; cars must be booked two days ahead",
    "In strong westerly winds the Hoy crossing may be cancelled",
    "Copyright 2024 Island Ferries Ltd",
)
LANGUAGES = {
    "German": ("Änderungen der Straßenverkehrsordnung", "Größere Bußgelder für Falschparker", "gültig ab Frühjahr"),
    "French": ("Les élèves français étudient la forêt", "où naît le fleuve, à côté du château", "déjà vu"),
    "Russian": ("Расписание движения поездов", "Москва, Казанский вокзал", "отправление в полдень"),
}
SIGNS = ("CAFE MARGOT", "Road closed", "EXIT 42", "No parking", "Fresh bread", "Platform 9", "Museum", "Beware of dog")


def font(size: int, name: str = "DejaVuSans.ttf") -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / name), size)


def written(lines, *, size, ink="black", paper="white", face="DejaVuSans.ttf", width=1280, lead=1.8, height=0):
    room = height or round((len(lines) + 1.5) * lead * size)
    picture = Image.new("RGB", (width, room), paper)
    for number, line in enumerate(lines):
        place = (2 * size, (number + 0.7) * lead * size)
        ImageDraw.Draw(picture).text(place, line, fill=ink, font=font(size, face))
    return picture


def jpeg(picture, quality):
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")


def drawn(figure):
    out = io.BytesIO()
    figure.savefig(out, dpi=100)
    plt.close(figure)
    return Image.open(out).convert("RGB")


def slides():
    for place, lines in enumerate(SLIDES):
        ink, paper = [("black", "white"), ("#ffd54f", "#20304a"), ("#f5f5f5", "#6a1b4d")][place]
        yield written(lines, size=44, ink=ink, paper=paper, height=720), lines
        yield jpeg(written(lines, size=26, ink=ink, paper=paper, width=800, height=450), 40), lines


def screenshots():
    mono = "DejaVuSansMono.ttf"
    yield written(TERMINAL, size=15, ink="#d0d0d0", paper="#101418", face=mono, width=760, lead=1.35), TERMINAL
    yield written(CODE, size=14, ink="#9cdcfe", paper="#1e1e1e", face=mono, width=640, lead=1.4), CODE
    yield written(CODE, size=14, ink="#24292f", paper="white", face=mono, width=640, lead=1.4), CODE
    yield written(PAGE, size=16, ink="#333333", width=900), PAGE
    yield written(PAGE, size=16, ink="#e8e8e8", paper="#18191c", width=900), PAGE


def tall():
    lines = [f"Entry {n}: {line}" for n in range(1, 31) for line in PAGE[2:5]]
    yield written(lines, size=15, width=900, lead=3.6), lines


def charts():
    figure, axes = plt.subplots(figsize=(7, 4.5))
    axes.plot([2019, 2020, 2021, 2022], [3, 5, 4, 7], label="Rainfall")
    axes.plot([2019, 2020, 2021, 2022], [6, 2, 3, 1], label="Sunshine")
    axes.set(
        xlabel="Season", ylabel="Millimetres per week", title="Weather at Lerwick", xticks=[2019, 2020, 2021, 2022]
    )
    axes.set_yticks([])
    axes.legend()
    yield (
        drawn(figure),
        ("Weather at Lerwick", "Rainfall", "Sunshine", "Millimetres per week", "2019 2020 2021 2022", "Season"),
    )
    names = ("Barley", "Buckwheat", "Chickpeas", "Lentils", "Sorghum")
    figure, axes = plt.subplots(figsize=(7, 5))
    axes.bar(names, [5, 3, 6, 2, 4])
    axes.set(title="Harvest by crop", ylabel="Tonnes per hectare")
    axes.set_yticks([])
    axes.tick_params(axis="x", rotation=90)
    figure.tight_layout()
    yield drawn(figure), ("Harvest by crop", "Tonnes per hectare", *names)
    figure, axes = plt.subplots(figsize=(7, 5))
    axes.pie([4, 3, 2, 1], labels=["Housing", "Transport", "Groceries", "Savings"])
    axes.set_title("Household budget")
    yield drawn(figure), ("Household budget", "Housing", "Transport", "Groceries", "Savings")


def small_print():
    for size in (9, 11, 13):
        yield written(PAGE[2:], size=size, width=560, lead=1.6), PAGE[2:]
        yield (
            written(PAGE[2:], size=size, ink="#777777", paper="#f4f4f4", width=560, lead=1.6, face="DejaVuSerif.ttf"),
            PAGE[2:],
        )


def languages():
    for lines in LANGUAGES.values():
        yield written(lines, size=28, width=900), lines


def signs():
    for photo, sign in zip(sorted((CASES / "coco9").glob("*.jpg")), SIGNS, strict=False):
        picture = Image.open(photo).convert("RGB")
        board = Image.new("RGBA", (260, 70), "#f8f4e0" if len(sign) % 2 else "#153d73")
        ink = "#7a1010" if len(sign) % 2 else "white"
        ImageDraw.Draw(board).text((130, 35), sign, fill=ink, font=font(30), anchor="mm")
        board = board.rotate(len(sign) % 5 * 3 - 6, expand=True)
        picture.paste(board, (picture.width // 3, picture.height // 3), board)
        yield jpeg(picture, 80), (sign,)


KINDS = {
    "slides": slides,
    "screenshots": screenshots,
    "tall screenshot": tall,
    "charts": charts,
    "small print": small_print,
    "languages": languages,
    "signs in photographs": signs,
}


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def readers():
    from mmrag_nb.models.rapid_ocr import RapidOCRReader

    rapid = RapidOCRReader()
    yield "rapidocr", lambda picture: rapid.describe([picture])[0]
    try:
        import pytesseract

        print(f"tesseract {pytesseract.get_tesseract_version()}, languages {pytesseract.get_languages()}")
    except Exception as error:  # noqa: BLE001  # the package or the program may be absent
        print(f"tesseract is left out: {error}", file=sys.stderr)
        return
    yield "tesseract", pytesseract.image_to_string
    # As small letters are its known weakness: the same, with pictures enlarged twice.
    yield (
        "tesseract x2",
        lambda picture: pytesseract.image_to_string(
            picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.BICUBIC)
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--save", type=Path, help="keep the pictures in this folder")
    options = parser.parse_args()
    pictures = {kind: list(make()) for kind, make in KINDS.items()}
    if not pictures["signs in photographs"]:
        print(f"photographs are left out: there is no {CASES / 'coco9'}")
        del pictures["signs in photographs"]
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        for kind, made in pictures.items():
            for place, (picture, _) in enumerate(made):
                picture.save(options.save / f"{kind.replace(' ', '_')}_{place}.png")
    print(f"{'':22}{'':14}{'n':>4}{'CER':>8}{'WER':>8}{'found':>8}{'made up':>9}{'s':>8}")
    for name, read in readers():
        read(pictures["slides"][0][0])
        for kind, made in pictures.items():
            start = time.perf_counter()
            texts = [read(picture) for picture, _ in made]
            seconds = (time.perf_counter() - start) / len(made)
            truths = [" ".join(words(" ".join(lines))) for _, lines in made]
            heard = [" ".join(words(text)) for text in texts]
            there = sum((Counter(truth.split()) for truth in truths), Counter())
            found = sum(
                sum((Counter(truth.split()) & Counter(said.split())).values())
                for truth, said in zip(truths, heard, strict=True)
            )
            said = sum(len(one.split()) for one in heard)
            total = there.total()
            print(
                f"{kind:22}{name:14}{len(made):4}{jiwer.cer(truths, heard):8.3f}{jiwer.wer(truths, heard):8.3f}"
                f"{found / total:8.3f}{(said - found) / total:9.3f}{seconds:8.2f}"
            )


if __name__ == "__main__":
    main()
