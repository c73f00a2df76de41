"""The text half of a small CLIP in numpy alone: a question need not wait until torch and transformers are imported.

These two take longer to import than a small network takes for a thousand texts.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

    Array = NDArray[np.float32]


class TextTower:
    """Embed texts as the whole network does, in float32, but for the last digit.

    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021: a transformer with
    causal attention, normalisation first, whose output is taken where the text ends.

    Parameters
    ----------
    folder
        A checkpoint of transformers of the kind ``clip``, with ``tokenizer.json`` and exact GELU.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors import safe_open
        from threadpoolctl import ThreadpoolController
        from tokenizers import Tokenizer

        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        text = config["text_config"]
        assert text["hidden_act"] == "gelu"
        self.dimension: int = config["projection_dim"]
        self.max_tokens: int = text["max_position_embeddings"]
        self._layers: int = text["num_hidden_layers"]
        self._heads: int = text["num_attention_heads"]
        self._end: int = text["eos_token_id"]
        self._epsilon: float = text["layer_norm_eps"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        with safe_open(folder / "model.safetensors", framework="np") as file:
            self._weights = {
                name.removeprefix("text_model."): file.get_tensor(name).astype("float32")  # from float16
                for name in file.keys()  # noqa: SIM118  # it is no dict
                if name.startswith(("text_model.", "text_projection."))
            }
        # On a busy machine BLAS's threads, which wait for each other by spinning, make of a millisecond a hundred. This
        # knows the libraries that are loaded by now, numpy's among them.
        self._threads = ThreadpoolController()

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, start and end included."""
        return [len(one.ids) for one in self._tokenizer.encode_batch(list(texts))]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows; each text must fit."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dimension), np.float32)
        encoded = self._tokenizer.encode_batch(list(texts))
        with self._threads.limit(limits=1, user_api="blas"):
            for row, one in enumerate(encoded):
                vectors[row] = self._features(one.ids[: one.ids.index(self._end) + 1])
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors

    def _features(self, ids: Sequence[int]) -> Array:
        """(dimension,) of a text's (t,) tokens, of which the last ends it."""
        import numpy as np

        own = self._weights
        x = (
            own["embeddings.token_embedding.weight"][list(ids)]
            + own["embeddings.position_embedding.weight"][: len(ids)]
        )
        unseen = np.triu(np.full((len(ids), len(ids)), -np.inf, np.float32), 1)  # what comes later
        for number in range(self._layers):
            layer = f"encoder.layers.{number}."
            x = x + self._attention(self._normalised(x, f"{layer}layer_norm1"), f"{layer}self_attn.", unseen)
            inner = self._linear(self._normalised(x, f"{layer}layer_norm2"), f"{layer}mlp.fc1")
            x = x + self._linear(_gelu(inner), f"{layer}mlp.fc2")
        end: Array = (self._normalised(x[-1:], "final_layer_norm") @ own["text_projection.weight"].T)[0]
        return end

    def _attention(self, x: Array, place: str, unseen: Array) -> Array:
        import numpy as np

        def split(name: str) -> Any:  # (heads, t, d)
            return self._linear(x, place + name).reshape(len(x), self._heads, -1).transpose(1, 0, 2)

        queries, keys, values = split("q_proj"), split("k_proj"), split("v_proj")
        scores = queries @ keys.transpose(0, 2, 1) / np.float32(math.sqrt(keys.shape[-1])) + unseen
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return self._linear((weights @ values).transpose(1, 0, 2).reshape(len(x), -1), place + "out_proj")

    def _linear(self, x: Array, place: str) -> Array:
        made: Array = x @ self._weights[f"{place}.weight"].T + self._weights[f"{place}.bias"]
        return made

    def _normalised(self, x: Array, place: str) -> Array:
        import numpy as np

        middle = x.mean(-1, keepdims=True)
        spread = np.sqrt(((x - middle) ** 2).mean(-1, keepdims=True) + np.float32(self._epsilon))
        made: Array = (x - middle) / spread * self._weights[f"{place}.weight"] + self._weights[f"{place}.bias"]
        return made


def _gelu(x: Array) -> Array:
    """The exact one (Hendrycks and Gimpel, 2016)."""
    import numpy as np

    # numpy has no erf, and scipy.special takes longer to import than this takes for a hundred questions.
    erf = np.fromiter(map(math.erf, (x.ravel() / math.sqrt(2)).tolist()), np.float32, x.size).reshape(x.shape)
    made: Array = x * (1 + erf) * np.float32(0.5)
    return made
