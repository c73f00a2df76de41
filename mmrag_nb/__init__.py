"""Multimodal RAG in a notebook: index pictures, sound and text in one cell, ask in the next, see why.

In a notebook: ``%load_ext mmrag_nb``. In Python: ``from mmrag_nb import MultimodalRAG``.
Importing this package costs nothing: models and libraries are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .rag import MultimodalRAG

__all__ = ["MultimodalRAG", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "MultimodalRAG":
        from .rag import MultimodalRAG

        return MultimodalRAG
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(ipython: Any) -> None:
    """Register the magics; called by ``%load_ext mmrag_nb``."""
    from .notebook.extension import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Take the magics away again; called by ``%unload_ext mmrag_nb``."""
    from .notebook.extension import unload

    unload(ipython)
