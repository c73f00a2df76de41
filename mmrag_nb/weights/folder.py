"""A checkpoint's folder: what must be in it, what must not, and what tells it from others."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from mmrag_nb.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SMALL = (".json", ".txt", ".model", ".jinja")
"""How the names of configuration, vocabulary, preprocessing and chat template end."""

_WHOLE = "model.safetensors"
_INDEX = f"{_WHOLE}.index.json"
_WEIGHTS = re.compile(r"model((\.safetensors)?-\d+-of-\d+)?\.safetensors")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt")
_VOCABULARY = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model")


def is_weights(name: str) -> bool:
    """Whether a file of this name holds weights, all or, where they are in several files, some."""
    return bool(_WEIGHTS.fullmatch(name))


def check(folder: Path) -> None:
    """Refuse what transformers would read amiss.

    Raises
    ------
    ModelUnavailable
        There is no configuration; weights are missing or pickled; there is no vocabulary, in whose stead transformers
        makes one up.
    """
    names = sorted(path.name for path in folder.iterdir())
    if "config.json" not in names:
        raise ModelUnavailable("the folder has no config.json, so it is no checkpoint of transformers")
    if lacking := missing(folder):
        raise ModelUnavailable(why_without_weights(names) or f"the folder has no {lacking}")
    if not any(next(folder.glob(pattern), None) for pattern in _VOCABULARY):
        raise ModelUnavailable("the folder has no tokenizer (tokenizer.json, vocab.json, vocab.txt or *.model)")


def missing(folder: Path) -> str:
    """Name a file of the weights that is not there; empty where all are.

    Large checkpoints are in several files, of which an index tells; a download that broke off has some of them.
    """
    if (folder / _WHOLE).is_file():
        return ""
    try:
        parts = json.loads((folder / _INDEX).read_text(encoding="utf-8"))["weight_map"].values()
    except OSError:
        return _INDEX if any(is_weights(path.name) for path in folder.iterdir()) else _WHOLE
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""  # transformers tells what is wrong with it
    return next((part for part in sorted(set(map(str, parts))) if not (folder / part).is_file()), "")


def why_without_weights(names: Iterable[str]) -> str:
    """Why a checkpoint of these files is not read, where its weights are pickled; empty otherwise."""
    names = list(names)
    pickled = [name for name in names if name.endswith(_PICKLED)]
    if not pickled or any(map(is_weights, names)):
        return ""
    return (
        f"its weights are pickled ({pickled[0]}), and a pickle can run code when it is opened; where you trust it, "
        "load it with transformers and save it again with save_pretrained, which writes model.safetensors"
    )


def weight(folder: Path) -> int:
    """Bytes of the weights."""
    return sum(path.stat().st_size for path in folder.iterdir() if is_weights(path.name))


def contents(folder: Path) -> str:
    """Hash what decides a checkpoint's vectors: weights, configuration, vocabulary."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if is_weights(path.name) or path.name.endswith(SMALL):
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()
