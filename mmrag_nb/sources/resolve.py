"""What the user typed to items: the one door of this package."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import SourceError
from mmrag_nb.results import Skipped

from .exchange import is_url
from .metadata import plain_metadata
from .objects import resolve_object, take_apart
from .paths import ModalityOf, resolve_path
from .redaction import brief
from .sound import is_sound
from .urls import resolve_url

if TYPE_CHECKING:
    from mmrag_nb.types import Metadata, Resolved, Source

MAX_DEPTH = 8
"""Lists and dicts within each other; one that holds itself has no end."""


def resolve(
    sources: Iterable[Source], *, modality_of: ModalityOf, allow_private: bool = False, base: Path | None = None
) -> Iterator[Resolved | Skipped]:
    """Turn sources into items, lazily and in the order typed; what fails is skipped with its reason.

    A ``str`` is a path, a glob, a folder or a URL; where the source's label begins with ``{{`` it is a text. Content
    that came before in the same call is skipped, and the reason names the first.

    Parameters
    ----------
    modality_of
        Which modality a file name and a MIME type (empty where unknown) are loaded as; ``None`` where unsupported.
    allow_private
        Let URLs lead to loopback and private addresses.
    base
        What relative paths are relative to; the working directory where ``None``.
    """
    door = _Door(modality_of, allow_private=allow_private, base=Path.cwd() if base is None else base)
    first: dict[str, Resolved] = {}
    for number, source in enumerate(sources, start=1):
        label = source.label or f"{type(source.value).__name__} #{number}"
        is_text = source.label.startswith("{{")
        for outcome in door.enter(source.value, label, source.metadata, is_text=is_text):
            if isinstance(outcome, Skipped):
                yield replace(outcome, reason=brief(outcome.reason, 400))
            elif outcome.item.id in first:
                yield _repeated(outcome, first[outcome.item.id])
            else:
                # Only the name and the metadata are needed later: the content is let go.
                first[outcome.item.id] = replace(outcome, content="")
                yield outcome


def _repeated(again: Resolved, before: Resolved) -> Skipped:
    reason = f"same content as {before.item.uri}, indexed once"
    if again.item.uri == before.item.uri:
        reason = "named twice, indexed once"
    lost = [name for name, value in again.item.metadata.items() if before.item.metadata.get(name, ...) != value]
    if lost:
        reason += f"; the metadata given here ({', '.join(lost)}) is not used: put this source first"
    return Skipped(again.item.uri, reason)


@dataclass(frozen=True)
class _Door:
    modality_of: ModalityOf
    allow_private: bool
    base: Path

    def enter(
        self, value: Any, label: str, metadata: Metadata, *, is_text: bool, depth: int = 0
    ) -> Iterator[Resolved | Skipped]:
        """Everything that ``value`` leads to, shown as ``label`` where it has no name of its own."""
        if depth > MAX_DEPTH:
            yield Skipped(label, f"nested more than {MAX_DEPTH} deep")
            return
        if isinstance(value, (list, tuple)) and not is_sound(value):
            if not value:
                yield Skipped(label, "an empty list")
            for number, member in enumerate(value):
                yield from self.enter(member, f"{label}[{number}]", metadata, is_text=is_text, depth=depth + 1)
            return
        named = (isinstance(value, str) and not is_text) or isinstance(value, os.PathLike)
        try:
            plain = plain_metadata(metadata)
            if isinstance(value, Mapping):
                record = take_apart(value)
                merged = {**plain, **record.metadata}
                # A picture or sound of a record may be named; a text is never a name.
                yield from self.enter(record.content, label, merged, is_text=record.kind == "text", depth=depth + 1)
            elif named and isinstance(value, str) and is_url(value):
                yield resolve_url(value, plain, modality_of=self.modality_of, allow_private=self.allow_private)
            elif named:
                typed = os.fsdecode(value)
                yield from resolve_path(typed, plain, modality_of=self.modality_of, base=self.base)
            else:
                yield resolve_object(value, label, plain, base=self.base)
        except SourceError as error:
            yield Skipped(brief(os.fsdecode(value)) if named else label, str(error))
