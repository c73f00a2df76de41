"""What is installed, which device and precision serve, which keys are set. Never the keys themselves."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING

import apsw

from .errors import InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEEDED = (
    "torch",
    "transformers",
    "scikit-learn",
    "numpy",
    "pillow",
    "apsw",
    "av",
    "pydub",
    "pypdfium2",
    "nbformat",
    "ipython",
    "ipywidgets",
    "matplotlib",
)
_OPTIONAL = {
    "pocketsphinx": ("offline", "hears speech without a download"),
    "google-genai": ("gemini", "writes answers"),
    "google-generativeai": ("gemini-legacy", "writes answers, with Google's earlier SDK"),
    "openai": ("openai", "writes answers: OpenAI, Ollama, vLLM, any such endpoint"),
    "tenacity": ("gemini", "asks a provider again that fails; no provider is asked without it"),
    "genai-prices": ("gemini", "knows what answers cost"),
    "sentence-transformers": ("sbert", "reads texts, reranks"),
    "rapidocr": ("ocr", "reads what is written in pictures"),
    "onnxruntime": ("ocr", "what rapidocr computes with"),
    "resvg-py": ("train", "draws emoji to train on"),
    "pandas": ("tables", "CSV files, tables of results"),
    "pyarrow": ("tables", "Parquet files"),
    "ImageHash": ("clean", "tells doubled pictures"),
    "pillow-heif": ("heif", "HEIC pictures, as telephones make them"),
    "numkong": ("speed", "searches large indexes by int8 products"),
    "faiss-cpu": ("faiss", "keeps vectors in FAISS: exact, or approximate"),
    "chromadb": ("chroma", "keeps vectors in Chroma: in a folder, or on a server"),
    "pymilvus": ("milvus", "keeps vectors, or a whole index, in Milvus"),
    "milvus-lite": ("milvus", "Milvus in a file, without a server"),
    "ray": ("ray", "indexes on many machines"),
    "datasets": ("datasets", "exports Hugging Face datasets"),
    "jupyterlab": ("lab", "notebooks in the browser"),
}

_SDKS = {"gemini": ("google-genai", "google-generativeai"), "openai": ("openai",)}
"""By provider: one of these is enough."""


def examine() -> Iterator[str]:
    """One finding a line."""
    yield f"mmrag_nb {_version('mmrag-nb')} on Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}"
    yield ""
    for name in _NEEDED:
        yield f"  {name:22} {_version(name) or 'MISSING: pip install ' + name}"
    yield ""
    for name, (extra, use) in _OPTIONAL.items():
        remedy = f'not installed ({use}): pip install "mmrag-nb[{extra}]"'
        yield f"  {name:22} {_version(name) or remedy}"
    yield ""
    if _version("torch"):
        from .weights.device import choose

        placement = choose()
        yield f"  models run on {placement.device} in {placement.dtype}: {placement.reason}"
    for provider, sdks in _SDKS.items():
        ready = any(map(_version, sdks)) and _version("tenacity")
        yield f"  {provider:22} {'' if ready else 'not installed (see above), '}{_key(provider)}"
    yield f"  {'openai endpoint':22} {_endpoint()}"
    yield f"  {'offline preset':22} {'ready' if _version('pocketsphinx') else 'ready, but deaf without pocketsphinx'}"


def _key(provider: str) -> str:
    from .generation.keys import NAMES, find_key

    try:
        found = find_key(provider)
    except InvalidSetting as error:
        return str(error)
    return f"key from {found.origin}" if found else f"no key in {' or '.join(NAMES[provider])}: %mmrag_key {provider}"


def _endpoint() -> str:
    from .generation.openai_endpoint import OPENAI, endpoint

    own = os.environ.get("OPENAI_BASE_URL", "").strip()
    try:
        return f"{endpoint(own).url}, from OPENAI_BASE_URL" if own else OPENAI
    except InvalidSetting as error:
        return f"OPENAI_BASE_URL cannot be used: {error}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
