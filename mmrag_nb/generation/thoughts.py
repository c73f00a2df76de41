"""What a model writes down before its answer, between ``<think>`` and ``</think>``, told from the answer."""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"


class AnswerAlone:
    """Leaves out the thoughts that an answer begins with, while it comes in pieces of any length.

    Later ones are the answer's own words: it may be about such marks.

    Parameters
    ----------
    thinking
        Whether the first letter belongs to thoughts already.
    """

    def __init__(self, *, thinking: bool = False) -> None:
        self._held = ""
        self._where = "thinking" if thinking else "before"

    @property
    def thinking(self) -> bool:
        """Whether what came last belongs to thoughts."""
        return self._where == "thinking"

    def feed(self, piece: str) -> str:
        """Take a piece; return what of the answer it completes."""
        self._held += piece
        if self._where == "before":
            self._begin()
        if self._where == "thinking":
            _, closed, after = self._held.partition(_CLOSE)
            if closed:
                self._where, self._held = "after", after
            else:
                self._held = self._held[-len(_CLOSE) :]  # the end may have come in part
        if self._where == "after":  # nothing of the answer yet, only the lines between
            self._held = self._held.lstrip()
            self._where = "answer" if self._held else "after"
        if self._where != "answer":
            return ""
        piece, self._held = self._held, ""
        return piece

    def rest(self) -> str:
        """Return what was held back in case it began a thought, at the end of the stream."""
        return self._held if self._where == "before" else ""

    def _begin(self) -> None:
        self._held = self._held.lstrip()
        if self._held.startswith(_OPEN):
            self._where, self._held = "thinking", self._held[len(_OPEN) :]
        elif not _OPEN.startswith(self._held):
            self._where = "answer"
