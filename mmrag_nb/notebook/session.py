"""What the magics of one shell share: the settings, the index, and how errors and results are shown."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.error import UsageError

from mmrag_nb.errors import MMRagError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmrag_nb.rag import MultimodalRAG

    from .config import MMRag

Returned = TypeVar("Returned")


class Session:
    """The index behind the magics of one shell."""

    def __init__(self, shell: Any, settings: MMRag) -> None:
        self.shell = shell
        self.settings = settings
        self._rag: MultimodalRAG | None = None

    @property
    def rag(self) -> MultimodalRAG:
        """The index, made on first use, so that loading the extension costs nothing."""
        if self._rag is None:
            from mmrag_nb.rag import MultimodalRAG

            self._rag = MultimodalRAG(settings=self.settings)
        return self._rag

    @rag.setter
    def rag(self, rag: MultimodalRAG) -> None:
        if self._rag is not None:
            self._rag.close()
        self._rag = rag

    def take_over(self, before: Session) -> None:
        """Go on with the index of an earlier session."""
        self._rag = before._rag

    def give(self, result: Returned, out: str | None) -> Returned | None:
        """Return ``result`` to be displayed, or bind it to the name ``out`` and stay silent."""
        if out is None:
            return result
        self.shell.user_ns[out] = result
        return None

    def evaluate(self, expression: str, local_ns: dict[str, Any] | None) -> Any:
        """Value of a ``{{expression}}`` where the magic was called: it is the user's own code, in their notebook."""
        return eval(expression, self.shell.user_global_ns, {**self.shell.user_ns, **(local_ns or {})})  # noqa: S307


def one_line(magic: Callable[..., Returned]) -> Callable[..., Returned]:
    """Show a user's mistake as one line. A bug keeps its traceback; either way the cell fails."""

    @wraps(magic)
    def shortened(*args: Any, **options: Any) -> Returned:
        try:
            return magic(*args, **options)
        except MMRagError as error:
            # IPython hides the traceback of exactly this class, not of its subclasses.
            raise UsageError(str(error)) from None

    return shortened
