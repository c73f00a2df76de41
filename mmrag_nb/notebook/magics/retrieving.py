"""What the magics that retrieve have in common: their flags, and how a line becomes what is asked."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument

from mmrag_nb.notebook.arguments import out

from .base import SessionMagics

if TYPE_CHECKING:
    from collections.abc import Callable


def _modalities(text: str) -> list[str]:
    if text.endswith(","):
        raise argparse.ArgumentTypeError("write the modalities without blanks between them: --only image,audio")
    return [part.strip() for part in text.split(",") if part.strip()]


def finding(result: str) -> Callable[[Any], Any]:
    """Declare how much of what is to be found; ``result`` is what ``--out`` binds."""
    return _all(
        argument("-k", type=int, metavar="K", help="How many hits to retrieve."),
        argument("--raw", action="store_true", default=None, help="Rank by raw cosines, as naive systems do."),
        argument(
            "--strategy",
            metavar="STRATEGY",
            help="How it becomes ranked hits, this time: shared, grounded or separate.",
        ),
        argument("--only", type=_modalities, metavar="MODALITIES", help="Find only these: image,audio."),
        argument("--where", metavar="FILTER", help='Find only what fits, by its metadata: "price < 50", in quotes.'),
        out(result),
    )


def asking(result: str) -> Callable[[Any], Any]:
    """Declare how something is asked, in words, by voice or with a picture, and what is to be found."""
    return _all(
        argument("question", nargs="*", metavar="QUESTION", help="What is asked; {{expr}} where a variable holds it."),
        argument("--image", metavar="PICTURE", help="Ask with a picture, with or without words: a path or {{expr}}."),
        argument("--audio", metavar="SOUND", help="Ask by voice, with or without a picture: a path or {{expr}}."),
        argument(
            "--balance",
            type=float,
            metavar="SHARE",
            help="Of a picture beside words, what it counts: 0 (words alone) to 1 (picture alone).",
        ),
        finding(result),
    )


def _all(*flags: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def declare(magic: Any) -> Any:
        for flag in reversed(flags):  # as a stack of decorators does
            magic = flag(magic)
        return magic

    return declare


class RetrievalMagics(SessionMagics):
    """Magics that put a question to the index."""

    def _asked(
        self, options: argparse.Namespace, cell: str | None, local_ns: dict[str, Any] | None, magic: str
    ) -> dict[str, Any]:
        """What the flags of :func:`asking` say, as arguments of ``rag.ask`` and ``rag.search``."""
        text = f"{options.question}\n{cell or ''}".strip()
        with_media = options.image is not None or options.audio is not None
        if options.balance is not None and (options.image is None or not (text or options.audio)):
            raise UsageError(
                f"--balance weighs a picture against words: %{magic} in red --image shoe.jpg --balance 0.7"
            )
        return {
            "question": "" if with_media and not text else self._question(text, local_ns, magic),
            "image": None if options.image is None else self._value(options.image, local_ns),
            "audio": None if options.audio is None else self._value(options.audio, local_ns),
            "balance": options.balance,
            **self._found(options, local_ns),
        }

    def _found(self, options: argparse.Namespace, local_ns: dict[str, Any] | None) -> dict[str, Any]:
        """What the flags of :func:`finding` say."""
        return {
            "k": options.k,
            "raw": options.raw,
            "strategy": options.strategy,
            "modalities": options.only,
            "where": None if options.where is None else self._value(options.where, local_ns),
        }
