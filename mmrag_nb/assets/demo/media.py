"""The shipped demo: where its media lie, what is said of them, and what to ask of them."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any


def demo_folder() -> Path:
    """Folder of the demo's recordings, pictures and texts."""
    return Path(str(files(__package__)))


def demo_sources() -> list[dict[str, Any]]:
    """What to index, in order: ``path`` (absolute) and metadata (of pictures, a ``caption``) in one dict."""
    return [{**source, "path": str(demo_folder() / source["path"])} for source in _demo()["sources"]]


def questions() -> list[dict[str, str]]:
    """What to ask: ``question``, and where its answer lies: ``modality``, ``file`` (name), ``answer`` (words there)."""
    asked: list[dict[str, str]] = _demo()["questions"]
    return asked


def _demo() -> dict[str, Any]:
    demo: dict[str, Any] = json.loads((demo_folder() / "demo.json").read_text(encoding="utf-8"))
    return demo
