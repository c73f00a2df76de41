"""What can go wrong on the user's side. Each message: what was wrong, what is right, what to type.

Only ``notebook/`` shortens these to one line; anything else that is raised is a bug and shows its traceback.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .results import Answer


_MOST_LISTED = 20
"""Known names that a message lists; of more (the items of an index) it says how many there are."""


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """The one of ``known`` most like ``name``, capitals aside; empty where none is like it.

    >>> nearest("photos/Aple.jpg", ["photos/apple.jpg", "talk.mp3"])
    'photos/apple.jpg'
    """
    lowered = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), lowered, n=1, cutoff=cutoff)
    return lowered[near[0]] if near else ""


class MMRagError(Exception):
    """Base of all errors that a user can mend."""


class UnknownName(MMRagError, ValueError):
    """A name that is not among the known ones; the message has the nearest."""

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        names = sorted(set(known))
        near = nearest(str(name), names)
        hint = f"did you mean {near!r}? " if near else ""
        told = f"known are {', '.join(names)}" if len(names) <= _MOST_LISTED else f"{len(names):,} others are known"
        told = told if names else "there is none"
        super().__init__(f"unknown {kind} {str(name)!r}: {hint}{told}")


class InvalidSetting(MMRagError, ValueError):
    """A setting's value that cannot be."""


class NotInstalled(MMRagError, ImportError):
    """An optional library is absent."""

    def __init__(self, library: str, *, extra: str = "") -> None:
        what = f"mmrag-nb[{extra}]" if extra else library
        super().__init__(f'{library} is not installed: pip install "{what}"')


class SourceError(MMRagError):
    """A source that leads to nothing: a missing file, a refused address."""


class LoadError(MMRagError):
    """Content that cannot be read as what it claims to be."""


class ModelUnavailable(MMRagError):
    """A model's files cannot be had."""


class IndexMismatch(MMRagError):
    """An index made by other models than the ones asked for."""

    def __init__(self, space: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        keys = [k for k in sorted({*found, *wanted}) if found.get(k) != wanted.get(k)]
        there = ", ".join(f"{k}={found.get(k, '-')}" for k in keys)
        here = ", ".join(f"{k}={wanted.get(k, '-')}" for k in keys)
        super().__init__(
            f"the index's space {space!r} was made by another model: index has {there}; settings ask for {here}. "
            "Choose the index's model, or index again into a new file"
        )


class IndexFileError(MMRagError):
    """A file that is no index, or one of a later format."""


class StoreError(MMRagError):
    """A store that cannot be reached, or failed."""


class EmptyIndex(MMRagError):
    """A question before anything was indexed."""

    def __init__(self) -> None:
        super().__init__("nothing is indexed yet: run %%mmrag_index, or rag.index([...]), first")


class MissingVectors(MMRagError):
    """A question to an index that other models filled."""


class GenerationError(MMRagError):
    """The generator failed; ``answer`` holds the question and the retrieved hits all the same."""

    answer: Answer | None = None


class GenerationTimeout(GenerationError):
    """The generator did not answer within its time."""


class GenerationDenied(GenerationError):
    """There is no key, or the provider does not accept it (401, 403)."""


class GenerationRefused(GenerationError):
    """The provider does not take the request (400 and its like)."""


class UnknownModel(GenerationError):
    """The provider has no model of that name (404); the message has close ones."""


class GenerationLimited(GenerationError):
    """The provider's quota is used up (429), after all attempts."""


class GenerationUnavailable(GenerationError):
    """The provider failed (408, 5xx), after all attempts."""


class GenerationBroken(GenerationError):
    """The connection did not hold, after all attempts, or the reply cannot be read."""


class GenerationBlocked(GenerationError):
    """The provider blocked the question, its evidence or the answer."""


class GenerationEmpty(GenerationError):
    """The reply holds no text."""


class SpendLimitReached(GenerationError):
    """Another request could cost more than the setting ``spend_limit`` leaves; nothing was sent."""


INTERRUPTED = "interrupted: this is what had come"
"""What an answer says that Ctrl-C stopped."""


class GenerationInterrupted(KeyboardInterrupt):
    """Ctrl-C while an answer was written; ``answer`` has what had come."""

    answer: Answer | None = None
