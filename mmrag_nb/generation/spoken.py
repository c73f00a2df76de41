"""A model's tokens as text, piece by piece, without the thoughts that some models write down first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_OPEN, _CLOSE = "<think>", "</think>"
_UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # what the bytes of half a letter decode to


class Spoken:
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
        self._held = ""
        self.thinking = thinking
        """Whether it is within its thoughts."""
        self.text = ""

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
        self._held += now[len(before) :]
        return self._shown(last=False)

    def end(self) -> str:
        """What is left."""
        before = self._decode(self._ids[self._from : self._to])
        self._held += self._decode(self._ids[self._from :])[len(before) :]
        self._from = self._to = len(self._ids)
        return self._shown(last=True)

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _shown(self, *, last: bool) -> str:
        piece = ""
        while True:
            mark = _CLOSE if self.thinking else _OPEN
            found = self._held.find(mark)
            if found < 0:
                break
            piece += "" if self.thinking else self._held[:found]
            self._held = self._held[found + len(mark) :]
            self.thinking = not self.thinking
        kept = 0 if last else _begun(self._held, mark)
        if not self.thinking:
            piece += self._held[: len(self._held) - kept]
        self._held = self._held[len(self._held) - kept :]
        return self._trimmed(piece)

    def _trimmed(self, piece: str) -> str:
        """Hold back blanks until something follows them, and leave those at the start out."""
        if not self.text:
            piece = piece.lstrip()
        shown = piece.rstrip()
        # Blanks wait in front of what is held, where no mark can begin with them.
        self._held = piece[len(shown) :] + self._held if not self.thinking else self._held
        self.text += shown
        return shown


def _begun(text: str, mark: str) -> int:
    """How many of the last letters of ``text`` may be the beginning of ``mark``."""
    return next((n for n in range(min(len(mark) - 1, len(text)), 0, -1) if text.endswith(mark[:n])), 0)
