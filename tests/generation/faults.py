"""One thing that can go wrong between a question and its answer: how a server behaves, and how that has to end.

Plain data, for whatever asks: a generator alone, or a whole notebook. ``server.play(*fault.script)``, then ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopback import Reply

    from mmrag_nb.errors import GenerationError

TEXT = "It is Turlough [1]."
"""What the servers answer where they are told nothing else."""


@dataclass(frozen=True)
class Fault:
    """One way of misbehaving, and its end."""

    name: str
    script: tuple[Reply, ...]
    """One reply a request; the last repeats."""
    error: type[GenerationError] | None = None
    """What is raised; ``None`` where there is an answer."""
    told: str = ""
    """In the error's message."""
    text: str = ""
    """Of the answer; of an error, what had been shown before it."""
    trouble: str = ""
    """How that of the answer begins."""
    requests: int | None = 1
    """Sent to the model; ``None``: as many as are allowed."""
    waits: bool = False
    """Whether it lasts until the timeout, and not longer."""
    seconds: tuple[float, float] = (0.0, 4.0)
    """How long it may take otherwise. Pauses are taken to be short, but for those that the server asks for."""
    legacy: Fault | None = None
    """Where an older SDK leads elsewhere."""

    def asked(self, attempts: int) -> int:
        """How many requests are sent where ``attempts`` are allowed."""
        return attempts if self.requests is None else self.requests
