"""What the magics of one shell share: the settings, the index, and how errors and results are shown."""

from __future__ import annotations

from functools import wraps
from traceback import clear_frames
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.error import UsageError

from mmrag_nb.catalog.conditions import BUILT_IN
from mmrag_nb.errors import MMRagError, nearest
from mmrag_nb.results import Answer, Hits

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmrag_nb.conversing import Conversation
    from mmrag_nb.rag import MultimodalRAG
    from mmrag_nb.results import Hit
    from mmrag_nb.types import Item

    from .config import MMRag

Returned = TypeVar("Returned")


class Session:
    """The index behind the magics of one shell."""

    def __init__(self, shell: Any, settings: MMRag) -> None:
        self.shell = shell
        self.settings = settings
        self._rag: MultimodalRAG | None = None
        self._hits: Hits | None = None
        self._conversation: Conversation | None = None

    @property
    def rag(self) -> MultimodalRAG:
        """The index, made on first use, so that loading the extension costs nothing."""
        if self._rag is None:
            from mmrag_nb.rag import MultimodalRAG

            self._rag = MultimodalRAG(settings=self.settings)
        return self._rag

    @property
    def conversation(self) -> Conversation:
        """The conversation of ``%mmrag_ask --chat``, begun on first use."""
        if self._conversation is None:
            self._conversation = self.rag.chat()
        return self._conversation

    def warm(self) -> None:
        """Load in the background, while the next cell is written, what the first question to the index will need."""
        from mmrag_nb.warming import HEAD_START, in_kernel

        if self.settings.warm and in_kernel():
            self.rag.warm(HEAD_START)

    def take_over(self, before: Session) -> None:
        """Go on with the index of an earlier session."""
        self._rag, self._hits, self._conversation = before._rag, before._hits, before._conversation

    def give(self, result: Returned, out: str | None) -> Returned | None:
        """Return ``result`` to be displayed, or bind it to the name ``out`` and stay silent."""
        if isinstance(result, (Answer, Hits)):
            self._hits = result.hits if isinstance(result, Answer) else result
        if out is None:
            return result
        self.shell.user_ns[out] = result
        return None

    def forget(self) -> None:
        """Forget the last result, and what was talked of: another index is open."""
        self._hits = self._conversation = None

    def hit(self, rank: int) -> Hit:
        """The hit of that rank, from 1, of the last result."""
        if self._hits is None:
            raise UsageError(f"there is no hit {rank} yet: %mmrag_search or %mmrag_ask something first")
        for hit in self._hits:
            if hit.rank == rank:
                return hit
        raise UsageError(f"the last result has no hit {rank}: it has {len(self._hits)}")

    def evaluate(self, expression: str, local_ns: dict[str, Any] | None) -> Any:
        """Value of a ``{{expression}}`` where the magic was called: it is the user's own code, in their notebook."""
        names = {**self.shell.user_global_ns, **self.shell.user_ns, **(local_ns or {})}
        try:
            return eval(expression, names)  # noqa: S307 - names as globals: a comprehension sees nothing else
        except NameError as error:
            # Python tells the near name in a traceback only, and a magic shows one line.
            near = nearest(error.name or "", names, cutoff=0.6)
            raise NameError(f"{error}: did you mean {near!r}?" if near else str(error), name=error.name) from error

    def item_names(self) -> list[str]:
        """What is in the index, for completion, by the names it can be asked for; nothing is opened or loaded."""
        return [] if self._rag is None else self._rag.names()

    def example_names(self) -> list[str]:
        """What in the index more can be found of, for completion: its records and items, by name."""
        records = (item.record.name for item in self._items() if item.record is not None)
        return [*dict.fromkeys(records), *self.item_names()]

    def field_names(self) -> list[str]:
        """What a filter can ask for, for completion: what was said of items, what loaders found, what all have."""
        items = self._items()
        said = {key for item in items for key in item.metadata}
        one_of_each = {item.modality: item for item in items}.values()
        found = {key for item in one_of_each for key in self.rag.facts(item)}
        return [key for key in (*sorted(said), *sorted(found - said), *sorted(BUILT_IN - said)) if key.isidentifier()]

    def _items(self) -> list[Item]:
        return [] if self._rag is None else self._rag.items()

    def space_names(self) -> list[str]:
        """The vector spaces of the index, for completion."""
        return [] if self._rag is None else list(self._rag.status().vectors)


def one_line(magic: Callable[..., Returned]) -> Callable[..., Returned]:
    """Show a user's mistake or Ctrl-C as one line. A bug keeps its traceback; either way the cell fails."""

    @wraps(magic)
    def shortened(*args: Any, **options: Any) -> Returned:
        try:
            return magic(*args, **options)
        except MMRagError as error:
            # IPython hides the traceback of exactly this class, not of its subclasses.
            raise UsageError(str(error)) from None
        except KeyboardInterrupt as error:
            # Where our code stood at Ctrl-C is of no use to a reader; IPython asks an exception how to be shown.
            error._render_traceback_ = lambda *_: ["KeyboardInterrupt"]  # type: ignore[attr-defined]
            clear_frames(error.__traceback__)  # IPython keeps it, and so whatever was in hand
            raise

    return shortened
