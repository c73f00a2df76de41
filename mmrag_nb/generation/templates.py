"""Prompts as files: what a generator is told to be, and worked examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .prompt import INSTRUCTIONS

if TYPE_CHECKING:
    from mmrag_nb.types import Example


@dataclass(frozen=True)
class Template:
    """How an answer is asked for."""

    name: str
    description: str
    instructions: str
    """Whole, as they are sent."""
    examples: tuple[Example, ...] = ()


def template(name: str) -> Template:
    """Return the prompt of that name or path."""
    return Template(name, "", INSTRUCTIONS)
