"""What generators cost: told before, counted after, kept within a limit."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmrag_nb.errors import GenerationBlocked, GenerationEmpty, GenerationTimeout, SpendLimitReached
from mmrag_nb.types import Estimate, Generation

from .prices import dollars, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmrag_nb.protocols import Generator
    from mmrag_nb.types import Prompt, Stream

_OCTETS = 4
"""Of UTF-8 to a token, about: four letters of English, one and a third of Chinese."""

_UNSEEN = (GenerationEmpty, GenerationTimeout)
"""Ends after which the model may have thought, unseen, for all the tokens it had."""

_REACHED = (*_UNSEEN, GenerationBlocked, KeyboardInterrupt, GeneratorExit)
"""Ends after which the provider has read the prompt, and bills it. What it refuses or fails at, it does not bill."""


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
    """Counts what generators take, and what those at work may still take; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent = Spent()
        self._held: list[float] = []

    @property
    def spent(self) -> Spent:
        """The count so far."""
        return self._spent

    def hold(self, cost: float, most: float | None) -> bool:
        """Set ``cost`` dollars aside where, with them, no more than ``most`` is spent and set aside; tell whether.

        What costs nothing always fits.
        """
        if not cost:
            return True
        with self._lock:
            fits = most is None or self._spent.dollars + sum(self._held) + cost <= most
            if fits:
                self._held.append(cost)
            return fits

    def release(self, cost: float) -> None:
        """Set ``cost`` dollars aside no longer."""
        if not cost:
            return
        with self._lock:
            self._held.remove(cost)

    def told(self) -> str:
        """What is gone, in words, without the sign of which notebooks make TeX."""
        held = list(self._held)
        aside = f" and {sum(held):.4f} set aside for {len(held)} under way" if held else ""
        return f"spent are {self._spent.dollars:.4f}{aside}"

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
    """Dollars per million tokens, ``input`` and ``output``, which goes before any list; empty for the list's."""
    media: str = "auto"
    """What may be sent as it is: ``auto`` for all that the generator takes, ``none``, ``image``, ``audio``."""


class Metered:
    """A generator whose use is counted and kept within a limit.

    A request is let through where the dearest answer it may get, one of ``max_tokens``, still fits beside what is spent
    and what others under way may take; so the limit holds as far as the input is estimated well, however many ask at
    once. Most answers are far shorter, so the last few cents of a limit may stay unspent.

    Counted is what the provider says it was. Where it says nothing, the input is counted as estimated, with what had
    come of an answer that was stopped or blocked, and ``max_tokens`` of one that came late or empty, as models think
    unseen. Attempts that were refused or failed are not counted, since providers do not bill them.

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
        self.side, self.instant = generator.side, generator.instant

    @property
    def takes(self) -> frozenset[str]:
        """See :class:`mmrag_nb.protocols.Generator`; no more than may be sent."""
        media = self._limits().media
        return self._generator.takes if media == "auto" else self._generator.takes & {media}

    def tokens(self, prompt: Prompt) -> int:
        """See :class:`mmrag_nb.protocols.Generator`."""
        return self._generator.tokens(prompt)

    def estimate(self, prompt: Prompt) -> Estimate:
        """What ``prompt`` will take."""
        sent = self._sent(prompt)
        most = {**sent, "output_tokens": prompt.max_tokens}
        return Estimate(sent["input_tokens"], dollars(self.api, self.model, most, self._limits().price))

    def stream(self, prompt: Prompt) -> Stream:
        """See :class:`mmrag_nb.protocols.Generator`.

        Raises
        ------
        SpendLimitReached
            It could cost more than is left; nothing was sent.
        """
        held = 0.0
        octets, unseen, reached, counted = 0, 0, False, False
        try:
            held = self._hold(prompt) if self.api else 0.0
            with closing(self._generator.stream(prompt)) as pieces:
                for piece in pieces:
                    if isinstance(piece, Generation):
                        counted = True
                        wrote = len(piece.text.encode("utf-8", "replace"))
                        cost = self._count(piece.usage or self._about(prompt, wrote), piece.model)
                        known = piece.usage or not self.api
                        yield replace(piece, dollars=cost if known else None)
                    else:
                        octets += len(piece.encode("utf-8", "replace"))
                        yield piece
        except _REACHED as end:
            reached, unseen = True, prompt.max_tokens * isinstance(end, _UNSEEN)
            raise
        finally:
            if not counted and (reached or octets):
                self._count(self._about(prompt, octets, unseen), self.model)
            self._ledger.release(held)

    def _sent(self, prompt: Prompt) -> dict[str, int]:
        tokens = self.tokens(prompt)
        if not self.api:  # to count them is work, for a model that runs here
            return {"input_tokens": tokens}
        silent = tuple(
            replace(one, media=tuple(medium for medium in one.media if not medium.mime.startswith("audio/")))
            for one in prompt.evidence
        )
        if silent == prompt.evidence:
            return {"input_tokens": tokens}
        sound = tokens - self.tokens(replace(prompt, evidence=silent))
        return {"input_tokens": tokens, "input_audio_tokens": max(0, sound)}

    def _about(self, prompt: Prompt, octets: int, least: int = 0) -> dict[str, int]:
        sent = self._sent(prompt) if self.api else {}
        return {**sent, "output_tokens": max(octets // _OCTETS, least)}

    def _count(self, usage: Mapping[str, int], model: str) -> float | None:
        price = self._limits().price
        cost = dollars(self.api, model, usage, price)
        if cost is None:  # a name that the provider gave to what was asked for by another, known one
            cost = dollars(self.api, self.model, usage, price)
        self._ledger.add(usage, cost)
        return cost

    def _hold(self, prompt: Prompt) -> float:
        estimate, most = self.estimate(prompt), self._limits().most
        cost = estimate.dollars or 0.0
        if most is not None and estimate.dollars is None:
            brings = "" if listed() else '; pip install "genai-prices" brings a list of prices'
            raise SpendLimitReached(
                f"no price of {self.model!r} is known, so spend_limit cannot be kept: set %config MMRag.price = "
                "{'input': 0.3, 'output': 2.5} (dollars per million tokens), or %config MMRag.spend_limit = None"
                + brings
            )
        if not self._ledger.hold(cost, most):
            raise SpendLimitReached(
                f"{self._ledger.told()} of the {most:g} dollars of spend_limit, and this could cost up to {cost:.4f} "
                f"(about {estimate.input_tokens:,} tokens sent, at most {prompt.max_tokens:,} written): set %config "
                "MMRag.spend_limit higher, max_tokens or k lower, or another generator"
            )
        return cost
