"""Questions that were embedded before: asked again, for more hits or within other limits, they are known."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from .protocols import Encoder
    from .types import Vectors

MOST = 500
"""Questions of each encoder that are remembered: a megabyte of CLIP's."""


class Remembered:
    """Vectors of the questions that were asked last, by encoder. Safe to use from several threads.

    They are forgotten with their encoder, so that another model, device or precision never meets them. And they stay
    in memory: an index is handed on, and what was asked of it is nobody else's business.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: WeakKeyDictionary[Encoder, OrderedDict[str, Vectors]] = WeakKeyDictionary()

    def vector(self, encoder: Encoder, text: str, embed: Callable[[list[str]], Vectors]) -> Vectors:
        """(d,) what ``embed``, of ``encoder``, makes of ``text``: remembered, or made now."""
        with self._lock:
            known = self._known.setdefault(encoder, OrderedDict())
            if text in known:
                known.move_to_end(text)
                return known[text].copy()
        vector: Vectors = embed([text])[0]  # outside the lock: questions are asked side by side
        with self._lock:
            known[text] = vector.copy()
            while len(known) > self._most:
                known.popitem(last=False)
        return vector
