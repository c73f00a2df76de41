"""What all our magics are: magics that share one session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics

from mmrag_nb.notebook.arguments import page, unquoted
from mmrag_nb.notebook.progress import ProgressLine

if TYPE_CHECKING:
    from mmrag_nb.notebook.session import Session
    from mmrag_nb.rag import MultimodalRAG


class SessionMagics(Magics):
    """Magics of one shell, over its session's index."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for magic in vars(cls).values():
            if hasattr(magic, "parser"):
                magic.__doc__ = page(magic)  # what %magic? shows

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._session = session

    def _ready(
        self, *, pictures: bool = False, voice: bool = False, generator: bool = False, strategy: str | None = None
    ) -> MultimodalRAG:
        """The index, ready to be asked by ``strategy``.

        Models are loaded, and what it lacks for the strategy is computed: on first use that takes long enough to be
        told of. Interrupted, what was computed stays.
        """
        rag = self._session.rag
        with ProgressLine(self.shell) as progress:
            rag.load_models(pictures=pictures, voice=voice, generator=generator, strategy=strategy, progress=progress)
        return rag

    def _question(self, text: str, local_ns: dict[str, Any] | None, magic: str = "mmrag_ask") -> str:
        """The question that ``text`` is, or that its ``{{expression}}`` holds."""
        value = self._value(text, local_ns)
        if not isinstance(value, str):
            kind = type(value).__name__
            raise UsageError(
                f"{text} is of type {kind}, not text; a picture is looked for with %{magic} --image {text}"
            )
        if value is not text:
            text = value.strip()
        elif len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1].strip()
        if not text:
            raise UsageError(f"nothing was asked: %{magic} who is my favorite harpist?")
        return text

    def _thing(self, word: str, local_ns: dict[str, Any] | None) -> Any:
        """What ``word`` means: the name of an item or record as it stands, else the value of ``{{expression}}``."""
        name, rag = unquoted(word), self._session.rag
        # Python objects are indexed under the very braces they were written in, so a name goes before its value.
        return name if rag.named(name) or rag.recorded(name) else self._value(name, local_ns)

    def _value(self, text: str, local_ns: dict[str, Any] | None) -> Any:
        """The value of ``{{expression}}``; any other text is itself."""
        if not (text.startswith("{{") and text.endswith("}}")):
            return text
        expression = text[2:-2].strip()
        try:
            return self._session.evaluate(expression, local_ns)
        except Exception as error:  # noqa: BLE001 - whatever the user's own code raises
            raise UsageError(f"{expression} failed: {type(error).__name__}: {error}") from None
