"""What a generator wrote, taken as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrag_nb.errors import GenerationEmpty
from mmrag_nb.types import Generation

if TYPE_CHECKING:
    from mmrag_nb.protocols import Generator
    from mmrag_nb.types import Prompt


def written(generator: Generator, prompt: Prompt) -> Generation:
    """Let ``generator`` write to the end, and return what it wrote.

    Raises
    ------
    GenerationError
        As :meth:`mmrag_nb.protocols.Generator.stream`.
    """
    for piece in generator.stream(prompt):
        if isinstance(piece, Generation):
            return piece
    raise GenerationEmpty(f"{generator.description} ended without an answer: ask again")
