"""What a filter can be put into: SQL for a file, another engine's own words elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .conditions import Value

T = TypeVar("T")


class Language(Protocol[T]):
    """The conditions of a filter, each true, false or unknown; :mod:`mmrag_nb.catalog.conditions` has them in SQL."""

    def equals(self, name: str, values: Sequence[Value]) -> T:
        """Whether the field is one of ``values``."""
        ...

    def ordered(self, name: str, order: str, value: Value) -> T:
        """Whether the field is before or after ``value``."""
        ...

    def contains(self, name: str, value: Value) -> T:
        """Whether ``value`` is in the list that the field is, or a part of its text."""
        ...

    def missing(self, name: str) -> T:
        """Whether the field has no value."""
        ...

    def true(self, name: str) -> T:
        """Whether the field is true."""
        ...

    def compared(self, name: str, comparison: str, other: str) -> T:
        """How two fields compare."""
        ...

    def negated(self, part: T) -> T:
        """The opposite; what is unknown stays so."""
        ...

    def joined(self, word: str, parts: Sequence[T]) -> T:
        """``parts`` with AND or OR between them."""
        ...
