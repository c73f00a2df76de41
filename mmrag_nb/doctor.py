"""What is installed, which device and precision serve, which keys are set. Never the keys themselves."""

from __future__ import annotations

import platform
import sqlite3
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEEDED = (
    "torch",
    "transformers",
    "scikit-learn",
    "numpy",
    "pillow",
    "av",
    "pydub",
    "ipython",
    "ipywidgets",
    "matplotlib",
)
_OPTIONAL = {
    "pocketsphinx": ("offline", "hears speech without a download"),
    "google-genai": ("gemini", "writes answers"),
    "google-generativeai": ("gemini-legacy", "writes answers, with Google's earlier SDK"),
    "sentence-transformers": ("sbert", "reads texts, reranks"),
    "rapidocr": ("ocr", "reads what is written in pictures"),
    "onnxruntime": ("ocr", "what rapidocr computes with"),
    "resvg-py": ("train", "draws emoji to train on"),
    "pandas": ("pandas", "tables of results"),
    "jupyterlab": ("lab", "notebooks in the browser"),
}


def examine() -> Iterator[str]:
    """One finding a line."""
    yield f"mmrag_nb {_version('mmrag-nb')} on Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    yield ""
    for name in _NEEDED:
        yield f"  {name:22} {_version(name) or 'MISSING: pip install ' + name}"
    yield ""
    for name, (extra, use) in _OPTIONAL.items():
        remedy = f'not installed ({use}): pip install "mmrag-nb[{extra}]"'
        yield f"  {name:22} {_version(name) or remedy}"
    yield ""
    if _version("torch"):
        from .models.device import choose

        placement = choose()
        yield f"  models run on {placement.device} in {placement.dtype}: {placement.reason}"
    from .generation.keys import NAMES, find_key

    for provider, keys in NAMES.items():
        found = find_key(provider)
        remedy = f"no key in {' or '.join(keys)}: %mmrag_key {provider}"
        yield f"  {provider:22} {f'key from {found.origin}' if found else remedy}"
    yield f"  {'offline preset':22} {'ready' if _version('pocketsphinx') else 'ready, but deaf without pocketsphinx'}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
