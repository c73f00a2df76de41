"""A model's tokens as text, piece by piece, without the thoughts that some models write down first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .thoughts import AnswerAlone

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # what the bytes of half a letter decode to


class Decoding:
    """Gathers tokens; the pieces that it gives out join to ``text``.

    Parameters
    ----------
    tokenizer
        Of the model that writes.
    thinking
        Whether the first token belongs to thoughts.
    """

    def __init__(self, tokenizer: Any, *, thinking: bool = False) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._from, self._to = 0, 0  # decoded again each time, for blanks between words; given out before
        self._alone = AnswerAlone(thinking=thinking)
        self._blanks = ""
        self.text = ""

    @property
    def thinking(self) -> bool:
        """Whether it is within its thoughts."""
        return self._alone.thinking

    @property
    def count(self) -> int:
        """Tokens that were written, the end's own and thoughts included."""
        return len(self._ids)

    def ended(self, ends: int | Iterable[int] | None) -> bool:
        """Whether the last token is one of those with which the model ends."""
        known = [ends] if isinstance(ends, int) else list(ends or [])
        return bool(self._ids) and self._ids[-1] in known

    def add(self, token: int) -> str:
        """What can be shown now; often nothing."""
        self._ids.append(token)
        before = self._decode(self._ids[self._from : self._to])
        now = self._decode(self._ids[self._from :])
        if len(now) <= len(before) or now.endswith(_UNFINISHED):
            return ""
        self._from, self._to = self._to, len(self._ids)
        return self._shown(self._alone.feed(now[len(before) :]))

    def end(self) -> str:
        """What is left."""
        before = self._decode(self._ids[self._from : self._to])
        left = self._decode(self._ids[self._from :])[len(before) :]
        self._from = self._to = len(self._ids)
        return self._shown(self._alone.feed(left) + self._alone.rest())

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _shown(self, piece: str) -> str:
        """Hold back blanks until something follows them, and leave those at the start out."""
        piece = self._blanks + piece if self.text else piece.lstrip()
        shown = piece.rstrip()
        self._blanks = piece[len(shown) :] if self.text or shown else ""
        self.text += shown
        return shown
