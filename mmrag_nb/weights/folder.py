"""A checkpoint's folder: what must be in it, what must not, and what tells it from others."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mmrag_nb.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    """Hash what decides a checkpoint's vectors: weights, configuration, vocabulary.

    To read half a gigabyte takes half a second and more, so the hash is kept in the user's cache folder
    (``MMRAG_CACHE``), and holds for as long as the files are the very same: of that name, size, inode and times.
    """
    paths = [path for path in sorted(folder.iterdir()) if is_weights(path.name) or path.name.endswith(SMALL)]
    now = _state(paths)
    place = _cache() / f"{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        known = json.loads(place.read_text(encoding="utf-8"))
        if known["files"] == now and re.fullmatch("[0-9a-f]{64}", known["contents"]):
            return str(known["contents"])
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    found = digest.hexdigest()
    if _state(paths) == now:  # else they were written meanwhile
        with contextlib.suppress(OSError):  # a cache that cannot be written costs the time again
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(f"{place.name}.{os.getpid()}")
            part.write_text(json.dumps({"files": now, "contents": found}), encoding="utf-8")
            part.replace(place)
    return found


def _state(paths: Iterable[Path]) -> list[list[object]]:
    """What changes whenever a file does: a program may set a file's own time back, but not that of the change."""
    stats = [(path.name, path.stat()) for path in paths]
    return [[name, one.st_size, one.st_ino, one.st_mtime_ns, one.st_ctime_ns] for name, one in stats]


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MMRAG_CACHE") or Path(home) / "mmrag_nb").expanduser() / "folders"
