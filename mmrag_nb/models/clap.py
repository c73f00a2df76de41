"""Texts and sounds in one space: any checkpoint of the CLAP family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmrag_nb.assets.background import of_sounds
from mmrag_nb.errors import InvalidSetting, ModelUnavailable
from mmrag_nb.weights.device import checked, choose, computing
from mmrag_nb.weights.reading import quiet

from . import checkpoint
from .lengths import all_fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from PIL.Image import Image

    from mmrag_nb.types import Modality, Samples, Vectors

PREPROCESSING = "even-windows-1"
"""Changes when the same sound or text would reach the network differently."""


class ClapEncoder:
    """Embed texts and sounds with a network that was trained to bring the two together.

    Wu et al., "Large-Scale Contrastive Language-Audio Pretraining with Feature Fusion and Keyword-to-Caption
    Augmentation", 2023.

    The network hears ten seconds. A shorter sound is repeated as the checkpoint wants it; a longer one is cut into as
    few windows as cover it, evenly spread, and its vector is the mean of theirs. Chance, by which the checkpoints' own
    preprocessing crops long sounds and marks one short sound of a batch for fusion, has no part in it.

    Parameters
    ----------
    model
        Hub id or folder.
    device, precision
        As for :func:`mmrag_nb.weights.device.choose`.
    batch_size
        Texts or windows of sound that go through the network at once.

    Raises
    ------
    ModelUnavailable
        The checkpoint cannot be had, or is not of the CLAP family.
    InvalidSetting
        The device is not there.
    """

    modalities: frozenset[Modality] = frozenset({"text", "audio"})
    least_deviation = 1e-3

    def __init__(
        self,
        model: str = "laion/clap-htsat-unfused",
        *,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int = 8,
    ) -> None:
        wanted = choose(device, precision)
        loaded = checkpoint.load(model, "AutoModel", "AutoTokenizer", "ClapFeatureExtractor", setting="sound")
        self._network = loaded.network
        self._tokenizer, self._extractor = loaded.parts
        config = self._network.config
        if config.model_type != "clap":
            raise ModelUnavailable(
                f"{model!r} is of the kind {config.model_type!r}, which does not bring texts and sounds together: "
                'name a CLAP model, %config MMRag.sound = "laion/clap-htsat-unfused"'
            )
        self.background: Sequence[str] = of_sounds()
        self.rate: int = self._extractor.sampling_rate
        self._window = int(self._extractor.nb_max_samples)
        self._batch_size = batch_size
        text = config.text_config
        # RoBERTa's positions begin behind the number of the padding token.
        positions = text.max_position_embeddings - text.pad_token_id - 1
        self.max_tokens: int = min(positions, self._tokenizer.model_max_length)
        self._placement = wanted
        self._placement = checked(wanted, self._probe)
        self.dimension: int = self._probe(self._placement.device).shape[1]
        self.space = f"clap:{loaded.id}"
        self.fingerprint: Mapping[str, str] = {
            "model": loaded.id,
            "revision": loaded.revision,
            "preprocessing": PREPROCESSING,
        }
        self.description = f"{loaded.name} ({self._placement.instead_of(wanted)})"

    def count_tokens(self, text: str) -> int:
        """Count ``text``'s tokens, start and end included."""
        return self._lengths([text])[0]

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows.

        Raises
        ------
        ValueError
            A text is longer than ``max_tokens``: nothing is cut silently.
        """
        import numpy as np

        lengths = self._lengths(texts)
        all_fit(texts, lengths, self.max_tokens)
        by_length = sorted(range(len(texts)), key=lengths.__getitem__)  # so that a batch holds little padding
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        with computing(self._placement, alone=len(texts) == 1):
            for start in range(0, len(texts), self._batch_size):
                batch = by_length[start : start + self._batch_size]
                vectors[batch] = self._of_texts([texts[i] for i in batch])
        return vectors

    def embed_sounds(self, clips: Sequence[Samples]) -> Vectors:
        """(n, dimension) float32, unit rows, of mono float32 samples in [-1, 1] at ``rate``, of any length.

        Raises
        ------
        ValueError
            A clip has no samples.
        """
        import numpy as np

        if empty := [number for number, clip in enumerate(clips) if not len(clip)]:
            raise ValueError(f"clip {empty[0]} of {len(clips)} has no samples: leave empty sounds out")
        windows = [(number, window) for number, clip in enumerate(clips) for window in self._windows(clip)]
        sums = np.zeros((len(clips), self.dimension), dtype=np.float32)
        with computing(self._placement), quiet():
            for start in range(0, len(windows), self._batch_size):
                batch = windows[start : start + self._batch_size]
                np.add.at(sums, [number for number, _ in batch], self._of_windows([window for _, window in batch]))
        vectors: Vectors = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return vectors

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """Refuse: this network hears and reads.

        Raises
        ------
        InvalidSetting
            Always.
        """
        raise InvalidSetting(
            f"the encoder 'clap' embeds sounds and texts only, not {len(images)} picture(s): "
            "choose a CLIP model for pictures"
        )

    def _windows(self, clip: Samples) -> Iterator[Samples]:
        """Cut ``clip`` into as few windows as cover it; they overlap rather than end in one that is mostly padding."""
        if len(clip) <= self._window:
            yield clip
            return
        steps = -(-len(clip) // self._window) - 1
        for i in range(steps + 1):
            start = i * (len(clip) - self._window) // steps
            yield clip[start : start + self._window]

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        return [len(ids) for ids in self._tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]]

    def _of_texts(self, texts: list[str]) -> Vectors:
        tokens = self._tokenizer(texts, padding="longest", return_tensors="pt")
        return self._features("get_text_features", tokens)

    def _of_windows(self, windows: list[Samples]) -> Vectors:
        """(n, dimension) of sounds that are no longer than a window."""
        import torch

        spectrograms = self._extractor(windows, sampling_rate=self.rate, return_tensors="pt")["input_features"]
        # Checkpoints with fusion would have a sound picked at random taken for a longer one where none is.
        longer = torch.zeros(len(windows), 1, dtype=torch.bool)
        return self._features("get_audio_features", {"input_features": spectrograms.float(), "is_longer": longer})

    def _features(self, method: str, inputs: Mapping[str, Any]) -> Vectors:
        from torch.nn.functional import normalize

        on_device = {name: tensor.to(self._network.device) for name, tensor in inputs.items()}
        output = getattr(self._network, method)(**on_device)
        features = getattr(output, "pooler_output", output)  # transformers 4 returns the tensor itself
        vectors: Vectors = normalize(features.float(), dim=-1).cpu().numpy()
        return vectors

    def _probe(self, device: str) -> Vectors:
        """Move to ``device`` and embed a text and a second of noise there, (2, dimension)."""
        import numpy as np

        noise = np.random.default_rng(0).normal(0, 0.1, self.rate).astype(np.float32)
        self._network.to(device)
        with computing(self._placement), quiet():
            return np.concatenate([self._of_texts(["the sound of a cat"]), self._of_windows([noise])])
