"""What is known of a picture in words, as a generator is told it: who says what stays apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LABELS = {
    "own": "Caption",
    "caption": "Caption made by a model",
    "ocr": "Words read in the picture by a machine",
}
"""Before each text on a line of its own: the user's caption, a captioner's, what a reader of writing made out."""

_LABELLED = re.compile(rf"^({'|'.join(LABELS.values())}): ", re.MULTILINE)
_NEXT = "\n  "
"""Begin of further lines: what stands in a picture cannot pose as another's words."""


def told(own: str, described: Mapping[str, str]) -> str:
    """Put together what is known of a picture; the user's caption alone stays as it is.

    Parameters
    ----------
    own
        The caption that the user gave.
    described
        ``caption`` and ``ocr``, as models told them.
    """
    said = {"own": own, **{kind: described.get(kind, "") for kind in LABELS if kind != "own"}}
    lines = {kind: _NEXT.join(kept) for kind, text in said.items() if (kept := _lines(text))}
    if not lines.keys() - {"own"}:
        return own
    return "\n".join(f"{LABELS[kind]}: {text}" for kind, text in lines.items())


def taken_apart(text: str) -> list[tuple[str, str]]:
    """Return (kind, text) of what :func:`told` put together, the kinds those of :data:`LABELS`."""
    kinds = {label: kind for kind, label in LABELS.items()}
    pieces = _LABELLED.split(text)  # what stands before the first label, then label and text by turns
    apart = [("own", pieces[0].strip())]
    apart += [(kinds[label], said.strip()) for label, said in zip(pieces[1::2], pieces[2::2], strict=True)]
    return [(kind, said) for kind, said in apart if said]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
