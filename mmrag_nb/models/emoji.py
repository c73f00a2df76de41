"""The image-text model that ships in the package: a small CLIP that was trained on emoji, from scratch."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from mmrag_nb.assets.background import of_drawings

from .clip import ClipEncoder

_FOLDER = "emoji_clip"
_DECISIVE = ("model.safetensors", "config.json", "preprocessor_config.json", "tokenizer.json")
"""What decides its vectors; the background and the record of the training lie beside it."""


class EmojiEncoder(ClipEncoder):
    """Embed drawings and short captions with the shipped model; its MODEL_CARD.md tells what it can and cannot see.

    Parameters
    ----------
    device, precision
        As for :class:`~mmrag_nb.models.clip.ClipEncoder`; float32 unless told otherwise, since so small a network gains
        little from less.
    """

    def __init__(self, *, device: str = "auto", precision: str = "auto") -> None:
        # Importing the package puts its files on disk: it is not installed as a zip.
        folder = Path(str(files("mmrag_nb.assets"))) / _FOLDER
        super().__init__(str(folder), device=device, precision="float32" if precision == "auto" else precision)
        self.space = "clip:emoji"
        self.fingerprint = {**self.fingerprint, "model": "mmrag_nb/emoji-clip", "revision": _revision(folder)}
        self.background = of_drawings()


def _revision(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in _DECISIVE:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
