"""The image-text model that ships in the package: a small CLIP that was trained on emoji, from scratch."""

from __future__ import annotations

import hashlib
import threading
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from mmrag_nb.assets.background import of_drawings

from .clip import PREPROCESSING, ClipEncoder
from .lengths import all_fit
from .text_tower import TextTower

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL.Image import Image

    from mmrag_nb.types import Modality, Vectors

_FOLDER = "emoji_clip"
_DECISIVE = ("model.safetensors", "config.json", "preprocessor_config.json", "tokenizer.json")
"""What decides its vectors; the background and the record of the training lie beside it."""
_FEW = 300
"""Texts that are embedded without the whole network; for more, it is worth the seconds that its libraries take."""


class EmojiEncoder:
    """Embed drawings and short captions with the shipped model; its MODEL_CARD.md tells what it can and cannot see.

    Its network is loaded when there are pictures or many texts. A few texts, such as a question, are embedded without
    it and the seconds that its libraries take; the vectors are the same to a cosine of 0.999999.

    Parameters
    ----------
    device, precision
        As for :class:`~mmrag_nb.models.clip.ClipEncoder`; float32 unless told otherwise, since so small a network gains
        little from less. Where one is named, the network is loaded at once and does everything.
    """

    modalities: frozenset[Modality] = frozenset({"text", "image"})
    least_deviation = ClipEncoder.least_deviation

    def __init__(self, *, device: str = "auto", precision: str = "auto") -> None:
        # Importing the package puts its files on disk: it is not installed as a zip.
        self._folder = Path(str(files("mmrag_nb.assets"))) / _FOLDER
        self._device, self._precision = device, "float32" if precision == "auto" else precision
        self._loading = threading.Lock()
        self._loaded: ClipEncoder | None = None
        self._tower = TextTower(self._folder)
        self.dimension, self.max_tokens = self._tower.dimension, self._tower.max_tokens
        self.space = "clip:emoji"
        self.fingerprint: Mapping[str, str] = {
            "model": "mmrag_nb/emoji-clip",
            "revision": _revision(self._folder),
            "preprocessing": PREPROCESSING,
        }
        self.background: Sequence[str] = of_drawings()
        if (device, precision) != ("auto", "auto"):
            self._network()

    @property
    def description(self) -> str:
        """For people: model, precision, device."""
        return f"{_FOLDER} (fp32, cpu)" if self._loaded is None else self._loaded.description

    @property
    def lanes(self) -> int:
        """How many threads may embed pictures side by side."""
        return self._network().lanes

    def count_tokens(self, text: str) -> int:
        """Count ``text``'s tokens, start and end included."""
        return self._tower.lengths([text])[0]

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows.

        Raises
        ------
        ValueError
            A text is longer than ``max_tokens``: nothing is cut silently.
        """
        if self._loaded is not None or len(texts) > _FEW:
            return self._network().embed_texts(texts)
        all_fit(texts, self._tower.lengths(texts), self.max_tokens)
        return self._tower.embed(texts)

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """(n, dimension) float32, unit rows, of pictures of any size and mode."""
        return self._network().embed_images(images)

    def _network(self) -> ClipEncoder:
        with self._loading:
            if self._loaded is None:
                self._loaded = ClipEncoder(str(self._folder), device=self._device, precision=self._precision)
            return self._loaded


def _revision(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in _DECISIVE:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
