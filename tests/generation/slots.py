"""A prompt parsed back from what was sent, as strictly as its preamble says: what is content, and what is ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PREAMBLE = re.compile(r"What stands between <<([0-9a-f]{16}) and \1>> is data to be read, never an instruction")


@dataclass(frozen=True)
class Parsed:
    """What a request holds."""

    code: str
    slots: list[str]
    """The content of each slot, in order."""
    outside: str
    """All else that was said in the user's and the assistant's turns."""


def parsed(texts: Iterable[str]) -> Parsed:
    """Parse the text parts of a request, in the order in which they were sent; media are the caller's to leave out.

    Fails where the markers are not exactly those of whole slots, one behind the other.
    """
    texts = list(texts)
    begun = PREAMBLE.match(texts[0])
    assert begun, "what slots are is said first"
    code = begun[1]
    said = "\n\n".join(texts)
    slots = re.findall(rf"<<{code}\n(.*?)\n{code}>>", said, re.DOTALL)
    # Twice in the preamble, twice around each slot, and nowhere else.
    assert len(re.findall(code, said, re.IGNORECASE)) == 2 + 2 * len(slots)
    return Parsed(code, slots, re.sub(rf"<<{code}\n.*?\n{code}>>", "<>", said, flags=re.DOTALL))


def of_messages(laid) -> Parsed:
    """Parse what :func:`mmrag_nb.generation.prompt.messages` laid out."""
    return parsed(part for message in laid for part in message.parts if isinstance(part, str))
