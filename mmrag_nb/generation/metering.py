"""What generators cost: told before, counted after, kept within a limit."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmrag_nb.errors import SpendLimitReached
from mmrag_nb.types import Estimate, Generation

from .prices import dollars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmrag_nb.protocols import Generator
    from mmrag_nb.types import Prompt, Stream


@dataclass(frozen=True)
class Spent:
    """What generators took so far."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    dollars: float = 0.0
    unpriced: int = 0
    """Requests of which no price is known."""


class Ledger:
    """Counts what generators take; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent = Spent()

    @property
    def spent(self) -> Spent:
        """The count so far."""
        return self._spent

    def add(self, usage: Mapping[str, int], cost: float | None) -> None:
        """Count one request."""
        with self._lock:
            before = self._spent
            self._spent = Spent(
                before.requests + 1,
                before.input_tokens + usage.get("input_tokens", 0),
                before.output_tokens + usage.get("output_tokens", 0),
                before.dollars + (cost or 0.0),
                before.unpriced + (cost is None),
            )


SESSION = Ledger()
"""Of this process: a notebook's kernel counts all its indexes together."""


@dataclass(frozen=True)
class Limits:
    """The choices of the moment."""

    most: float | None
    """Dollars that may be spent; ``None`` for no limit."""
    price: Mapping[str, float]
    """Dollars per million tokens, ``input`` and ``output``, where none is known."""


class Metered:
    """A generator whose use is counted.

    Parameters
    ----------
    generator
        Who writes.
    limits
        Returns the limits in force.
    ledger
        What counts.
    """

    def __init__(self, generator: Generator, limits: Callable[[], Limits], ledger: Ledger = SESSION) -> None:
        self._generator, self._limits, self._ledger = generator, limits, ledger
        self.description, self.model, self.api = generator.description, generator.model, generator.api
        self.takes, self.side, self.instant = generator.takes, generator.side, generator.instant

    def tokens(self, prompt: Prompt) -> int:
        """See :class:`mmrag_nb.protocols.Generator`."""
        return self._generator.tokens(prompt)

    def estimate(self, prompt: Prompt) -> Estimate:
        """What ``prompt`` will take."""
        tokens = self.tokens(prompt)
        return Estimate(tokens, dollars(self.api, self.model, tokens, prompt.max_tokens, self._limits().price))

    def stream(self, prompt: Prompt) -> Stream:
        """See :class:`mmrag_nb.protocols.Generator`.

        Raises
        ------
        SpendLimitReached
            It could cost more than is left; nothing was sent.
        """
        limits = self._limits()
        estimate = self.estimate(prompt)
        self._permit(estimate, limits)
        written, counted = 0, False
        with closing(self._generator.stream(prompt)) as pieces:
            try:
                for piece in pieces:
                    if isinstance(piece, Generation):
                        counted = True
                        yield replace(piece, dollars=self._count(piece.usage or _about(estimate, written)))
                    else:
                        written += len(piece)
                        yield piece
            finally:
                if written and not counted:  # stopped on the way: billed all the same, by an amount nobody tells
                    self._count(_about(estimate, written))

    def _count(self, usage: Mapping[str, int]) -> float | None:
        tokens = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
        cost = dollars(self.api, self.model, *tokens, self._limits().price)
        self._ledger.add(usage, cost)
        return cost

    def _permit(self, estimate: Estimate, limits: Limits) -> None:
        if limits.most is None:
            return
        if estimate.dollars is None:
            raise SpendLimitReached(
                f"no price of {self.model!r} is known, so spend_limit cannot be kept: set %config MMRag.price = "
                "{'input': 0.3, 'output': 2.5} (dollars per million tokens), or spend_limit = None"
            )
        spent = self._ledger.spent.dollars
        if spent + estimate.dollars > limits.most:
            raise SpendLimitReached(
                f"${spent:.4f} of ${limits.most:g} is spent, and this could cost up to ${estimate.dollars:.4f}: raise "
                "%config MMRag.spend_limit, lower max_tokens or k, or choose another generator"
            )


def _about(estimate: Estimate, letters: int) -> dict[str, int]:
    return {"input_tokens": estimate.input_tokens, "output_tokens": letters // 4}
