"""``mmrag-nb bench ...``: what can be measured, and what may be said about how."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def declare(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` a command for each thing to measure."""
    measured = parser.add_subparsers(dest="measured", required=True)
    _pictures(measured.add_parser("images", help="pictures a second: files on disk to vectors in an index"))
    _texts(measured.add_parser("text", help="texts a second: passages, sentences, one query at a time"))
    _sounds(measured.add_parser("audio", help="times real time: decoding, features, writing down what is said"))
    _start(measured.add_parser("start", help="time from a fresh kernel to the first answer"))
    _ask(measured.add_parser("ask", help="time from Enter to the card of %%mmrag_ask, by stage, models warm"))
    _search(measured.add_parser("search", help="time of a search, by stage, in indexes of several sizes"))
    card = measured.add_parser("card", help="bytes of an evidence card with five hits of all kinds")
    card.add_argument("--html", type=Path, metavar="FILE", help="page to write the card to")


def lines(options: argparse.Namespace) -> Iterator[str]:
    """Measure what ``options`` say; lines to be printed, as they come."""
    return _MEASURES[options.measured](options)


def _measure_images(options: argparse.Namespace) -> Iterator[str]:
    from . import images

    how = {"against": options.against, "plain": options.plain, "model": options.model, "json_file": options.json}
    grow = options.grow or ()
    return images.measure(options.pictures, options.sets, options.rounds, grow=grow, plot=options.plot, **how)


def _measure_text(options: argparse.Namespace) -> Iterator[str]:
    from . import text

    how = {"against": options.against, "plain": options.plain, "model": options.model, "json_file": options.json}
    return text.measure(options.texts, options.rounds, **how)


def _measure_audio(options: argparse.Namespace) -> Iterator[str]:
    from . import audio

    how = {"model": options.model, "json_file": options.json, "plot": options.plot}
    return audio.measure(options.minutes, options.rounds, against=options.against, **how)


def _measure_start(options: argparse.Namespace) -> Iterator[str]:
    from . import start

    return start.measure(options.rounds, options.against, options.json)


def _measure_ask(options: argparse.Namespace) -> Iterator[str]:
    from . import ask

    return ask.measure(options.items, options.questions, options.json, preset=options.preset)


def _measure_search(options: argparse.Namespace) -> Iterator[str]:
    from . import search

    sizes, how = (
        options.sizes or search.SIZES,
        {"against": options.against, "json_file": options.json, "plot": options.plot},
    )
    return search.measure(sizes, options.dimension, options.questions, options.folder, **how)


def _measure_card(options: argparse.Namespace) -> Iterator[str]:
    from . import card

    return card.measure(options.html)


_MEASURES = {
    "images": _measure_images,
    "text": _measure_text,
    "audio": _measure_audio,
    "start": _measure_start,
    "ask": _measure_ask,
    "search": _measure_search,
    "card": _measure_card,
}


def _pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pictures", type=int, default=96, metavar="N", help="of 12 megapixels; 4 and 2 times as many smaller ones"
    )
    parser.add_argument(
        "--sets",
        type=lambda text: tuple(filter(None, text.split(","))),
        default=("12mp", "0.3mp", "png512"),
        metavar="SET,SET",
        help="of 12mp, 0.3mp, png512, or folders (default: the three)",
    )
    parser.add_argument(
        "--grow",
        nargs="?",
        type=counts,
        const=(100, 1_000, 10_000),
        metavar="N,N",
        help="how cost grows with the number of (small) pictures: 100,1000,10000",
    )
    _plotted(parser, ", with --grow")
    _compared(parser)


def _texts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--texts", type=int, default=400, metavar="N", help="passages, and sentences")
    _compared(parser)


def _compared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plain", action="store_true", help="beside loops over transformers")
    parser.add_argument("--model", default="", metavar="CLIP", help="hub id or folder (default: OpenAI's ViT-B/32)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds, of which medians are taken")
    _against(parser)


def _against(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--against", action="store_true", help="beside what else is installed, in the same run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file to write every figure to")


def _sounds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10, metavar="N", help="of sound")
    parser.add_argument("--model", default="", metavar="SPEECH", help="hub id or folder of a Speech2Text")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds, of which medians are taken")
    _plotted(parser)
    _against(parser)


def _start(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="fresh kernels, of which medians are taken")
    _against(parser)


def _ask(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=1_000, metavar="N", help="items to index first, of all kinds")
    parser.add_argument("--questions", type=int, default=30, metavar="N", help="questions to ask")
    parser.add_argument("--preset", choices=("offline", "colab"), default="offline", help="whose encoders are used")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file to write the figures to")


def _search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sizes", type=counts, metavar="N,N", help="vectors of each index (default 1000,10000,100000,1000000)"
    )
    parser.add_argument("--dimension", type=int, default=512, metavar="D", help="numbers of a vector")
    parser.add_argument("--questions", type=int, default=20, metavar="N", help="questions to ask of each")
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help="where to make the indexes: 5 GB for a million")
    _plotted(parser)
    _against(parser)


def _plotted(parser: argparse.ArgumentParser, when: str = "") -> None:
    parser.add_argument("--plot", type=Path, metavar="FILE", help=f"a .png or .svg of how cost grows{when}")


def counts(text: str) -> tuple[int, ...]:
    """``1000,10000`` as numbers."""
    try:
        return tuple(map(int, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers: 1000,10000") from None
