"""Texts and web pages to passages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmrag_nb.errors import LoadError
from mmrag_nb.types import LoadedChunk, LoadedItem

from .content import open_binary
from .decoding import decode
from .markup import is_html, readable_text
from .normalising import normalised
from .passages import passages

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmrag_nb.types import Content, Modality

SUFFIXES = frozenset(
    ".txt .text .md .markdown .rst .adoc .org .tex .bib .html .htm .xhtml .xml .json .jsonl .ndjson .yaml .yml .toml "
    ".ini .cfg .csv .tsv .log .srt .vtt .py .js .ts .java .c .h .cpp .hpp .rs .go .rb .r .jl .sh .sql .css".split()
)
MEDIA_TYPES = frozenset(
    "text/plain text/html text/markdown text/csv text/tab-separated-values text/xml text/vtt text/x-rst text/x-python "
    "application/json application/x-ndjson application/xml application/xhtml+xml application/yaml application/toml "
    "application/x-tex".split()
)
MAX_BYTES = 50_000_000
"""Largest text that is read."""


class TextLoader:
    """Passages of a text, each within the encoder's budget by the encoder's own count.

    Parameters
    ----------
    max_tokens
        Longest passage, in tokens, special tokens included.
    count_tokens
        The encoder's count of a text's tokens, special tokens included.
    max_bytes
        Largest text that is read.
    clean
        As the setting: unless it is ``off``, texts are normalised before they are cut.
    """

    modality: Modality = "text"

    def __init__(
        self,
        max_tokens: int,
        count_tokens: Callable[[str], int],
        *,
        max_bytes: int = MAX_BYTES,
        clean: str = "off",
    ) -> None:
        self._normalises = clean != "off"
        self.version = f"text-1{', normalised' * self._normalises}/{max_tokens}"
        self._max_tokens = max_tokens
        self._count_tokens = count_tokens
        self._max_bytes = max_bytes

    def load(self, content: Content, name: str) -> LoadedItem:
        """Read a file, a downloaded body or a ``str`` into one chunk per passage.

        Facts: ``characters`` (of the readable text), ``passages``; ``flags`` where normalising finds lines that repeat.

        Raises
        ------
        LoadError
            The content is missing, empty, too large or no text.
        """
        text, note = self._read(content)
        text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        if not isinstance(content, str) and is_html(name, text):
            text = readable_text(text)
        notes = [note] if note else []
        flags: dict[str, list[str]] = {}
        if self._normalises:
            made = normalised(text)
            text = made.text
            notes += made.notes()
            flags = {"flags": ["repeated"]} if made.repeated else {}
        if not text.strip():
            raise LoadError("empty: no text in it")
        spans = passages(text, self._max_tokens, self._count_tokens)
        return LoadedItem(
            chunks=tuple(LoadedChunk("text", text=text[start:end]) for start, end in spans),
            notes=tuple(notes),
            facts={"characters": len(text), "passages": len(spans), **flags},
        )

    def _read(self, content: Content) -> tuple[str, str]:
        if isinstance(content, str):
            if "\0" in content:
                raise LoadError("not text: it holds NUL characters")
            # Lone surrogates can be neither stored nor tokenised.
            return content.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), ""
        if not isinstance(content, (Path, bytes)):
            raise LoadError(f"not a text but an object of type {type(content).__name__}")
        with open_binary(content, max_bytes=self._max_bytes) as handle:
            return decode(handle.read())
