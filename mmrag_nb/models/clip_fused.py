"""CLIP's two towers in bfloat16 with weights packed for oneDNN: less than half of autocast's time on a CPU with AMX.

The residual stream, the norms and what comes before and after the layers stay float32. Queries, keys and values are one
product; the activation is done inside of its product; the last layer computes the one token that is used. Packing and
products are private operators of torch's: :func:`fuse` returns nothing where they are missing, and its caller compares
vectors before it believes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from .resizing import Framing

QUICK = 1.702  # quick_gelu(x) = x * sigmoid(1.702 x) = swish(1.702 x) / 1.702, and swish is an activation of oneDNN's
UNABLE = (AttributeError, RuntimeError, TypeError)
"""What a torch raises that has the operators no more, or takes them otherwise."""

_ACTIVATIONS = {
    "quick_gelu": ("swish", ""),
    "gelu": ("gelu", "none"),
    "gelu_new": ("gelu", "tanh"),
    "gelu_pytorch_tanh": ("gelu", "tanh"),
}


class Product(NamedTuple):
    """A linear layer, packed."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor, activation: tuple[str, str] = ("none", "")) -> Tensor:
        """(rows, out) of ``x`` (rows, in), both bfloat16."""
        import torch

        name, algorithm = activation
        made: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, name, [], algorithm)  # noqa: SLF001
        return made


class Norm(NamedTuple):
    """A layer norm over the last dimension, in float32."""

    weight: Tensor
    bias: Tensor
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        """Float32, in ``x``'s shape."""
        import torch

        return torch.nn.functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class Layer(NamedTuple):
    """One block of a tower."""

    before: Norm
    attended: Product
    """Queries, keys and values side by side."""
    out: Product
    between: Norm
    rise: Product
    fall: Product


class Tower:
    """The layers of a transformer whose output is one token's state.

    Parameters
    ----------
    model
        A vision or text model of transformers' CLIP, float32.
    rows
        Tokens that come at once, for which the weights are packed.
    """

    def __init__(self, model: Any, rows: int) -> None:
        config = model.config
        self.heads: int = config.num_attention_heads
        self._activation = _ACTIVATIONS[config.hidden_act]
        scale = QUICK if config.hidden_act == "quick_gelu" else 1.0
        self._layers = [_layer(layer, config.layer_norm_eps, scale, rows) for layer in model.encoder.layers]

    def __call__(self, x: Tensor, picked: Tensor, *, causal: bool) -> Tensor:
        """(n, width) float32: the states of the tokens ``picked`` (n,) of ``x`` (n, length, width) float32.

        ``x`` is written over. ``causal``: a token sees itself and what comes before it.
        """
        import torch
        from torch.nn.functional import scaled_dot_product_attention as attention

        n, length, width = x.shape
        rows, state = torch.arange(n), x.view(n * length, width)
        *layers, last = self._layers
        for layer in layers:
            queries, keys, values = self._split(layer.attended(layer.before(state).bfloat16()), n, length)
            seen = attention(queries, keys, values, is_causal=causal)
            state = self._rest(state, seen.transpose(1, 2).reshape(n * length, width), layer)
        queries, keys, values = self._split(last.attended(last.before(state).bfloat16()), n, length)
        mask = (torch.arange(length) <= picked[:, None])[:, None, None] if causal else None
        seen = attention(queries[rows, :, picked][:, :, None], keys, values, attn_mask=mask)
        return self._rest(state.view(n, length, width)[rows, picked], seen.reshape(n, width), last)

    def _split(self, attended: Tensor, n: int, length: int) -> tuple[Tensor, ...]:
        """Queries, keys and values, each (n, heads, length, width / heads)."""
        return attended.view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind()

    def _rest(self, state: Tensor, seen: Tensor, layer: Layer) -> Tensor:
        state.add_(layer.out(seen))
        return state.add_(layer.fall(layer.rise(layer.between(state).bfloat16(), self._activation)))


class FusedVision:
    """Pixels to vectors. Normalising the pixels is part of the weights of the patches.

    Parameters
    ----------
    network
        A CLIPModel, float32.
    framing
        How its pictures are prepared.
    pictures
        That come at once, for which the weights are packed.
    """

    def __init__(self, network: Any, framing: Framing, pictures: int) -> None:
        import torch

        vision = network.vision_model
        weight = vision.embeddings.patch_embedding.weight.detach()
        position = vision.embeddings.position_embedding.weight.detach()
        self._patch: int = weight.shape[-1]
        mean, std = (torch.tensor(value)[:, None, None] for value in (framing.mean, framing.std))
        # Levels less 128 are whole numbers that bfloat16 holds, and nearer to a picture's mean than those from 0 on.
        self._patches = _packed(
            (weight / (255 * std)).permute(0, 2, 3, 1).flatten(1), None, pictures * (len(position) - 1)
        )
        offset = (weight * ((128 / 255 - mean) / std)).sum((1, 2, 3))
        start = position[:1] + vision.embeddings.class_embedding.detach()
        self._position = torch.cat([start, position[1:] + offset])
        eps = vision.config.layer_norm_eps
        self._before, self._after = _norm(vision.pre_layrnorm, eps), _norm(vision.post_layernorm, eps)
        self._projection = _kept(network.visual_projection.weight)
        self._tower = Tower(vision, pictures * len(position))

    def __call__(self, pixels: NDArray[np.uint8]) -> Tensor:
        """(n, dimension) float32, of any length, of (n, height, width, 3) uint8."""
        import torch

        n, height, width, _ = pixels.shape
        size, down, across = self._patch, height // self._patch, width // self._patch
        levels = (torch.from_numpy(pixels) ^ 128).view(torch.int8)
        patches = levels.view(n, down, size, across, size, 3).transpose(2, 3).reshape(n * down * across, -1)
        state = torch.empty(n, *self._position.shape)
        state[:, 0] = self._position[0]
        torch.add(self._patches(patches.bfloat16()).view(n, down * across, -1), self._position[1:], out=state[:, 1:])
        first = self._tower(self._before(state), torch.zeros(n, dtype=torch.long), causal=False)
        return torch.nn.functional.linear(self._after(first), self._projection)


class FusedText:
    """Tokens to vectors.

    Parameters
    ----------
    network
        A CLIPModel, float32.
    tokens
        That come at once, for which the weights are packed.
    """

    def __init__(self, network: Any, tokens: int) -> None:
        text = network.text_model
        self._tokens = _kept(text.embeddings.token_embedding.weight)
        self._position = _kept(text.embeddings.position_embedding.weight)
        self._end: int = text.config.eos_token_id
        self._after = _norm(text.final_layer_norm, text.config.layer_norm_eps)
        self._projection = _kept(network.text_projection.weight)
        self._tower = Tower(text, tokens)

    def __call__(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """(n, dimension) float32, of any length, of the texts' tokens."""
        import torch

        longest = max(map(len, texts))
        # What stands behind a text's end is seen by nothing in front of it, so that any token pads.
        ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts])
        ends = torch.tensor([self._pooled(text) for text in texts])
        last = self._tower(self._tokens[ids] + self._position[:longest], ends, causal=True)
        return torch.nn.functional.linear(self._after(last), self._projection)

    def _pooled(self, text: Sequence[int]) -> int:
        """Which token stands for the text: as transformers has it, in old configs (end token 2) the highest number."""
        if self._end == 2:
            return max(range(len(text)), key=text.__getitem__)
        return text.index(self._end) if self._end in text else 0


def fuse(network: Any, framing: Framing | None, *, pictures: int, tokens: int) -> tuple[FusedVision, FusedText] | None:
    """Fuse both towers of ``network``, or none where this torch, this CPU or this checkpoint is not made for it.

    ``pictures``, ``tokens``: how many will come at once. Takes as much memory as the weights in bfloat16, beside
    ``network``, which may go afterwards.
    """
    import torch

    if framing is None or network.config.model_type != "clip":
        return None
    vision, text = network.config.vision_config, network.config.text_config
    square = framing.height == framing.width == vision.image_size and vision.image_size % vision.patch_size == 0
    if not square or {vision.hidden_act, text.hidden_act} - _ACTIVATIONS.keys():
        return None
    try:
        if not torch.ops.mkldnn._is_mkldnn_bf16_supported():  # noqa: SLF001
            return None
        with torch.inference_mode():
            return FusedVision(network, framing, pictures), FusedText(network, tokens)
    except UNABLE:
        return None


def _layer(layer: Any, eps: float, scale: float, rows: int) -> Layer:
    import torch

    attention, mlp = layer.self_attn, layer.mlp
    three = (attention.q_proj, attention.k_proj, attention.v_proj)
    return Layer(
        _norm(layer.layer_norm1, eps),
        _packed(torch.cat([part.weight for part in three]), torch.cat([part.bias for part in three]), rows),
        _packed(attention.out_proj.weight, attention.out_proj.bias, rows),
        _norm(layer.layer_norm2, eps),
        _packed(mlp.fc1.weight * scale, mlp.fc1.bias * scale, rows),
        _packed(mlp.fc2.weight / scale, mlp.fc2.bias, rows),
    )


def _norm(norm: Any, eps: float) -> Norm:
    return Norm(_kept(norm.weight), _kept(norm.bias), eps)


def _kept(weight: Tensor) -> Tensor:
    """Copy ``weight``, so that the file whose pages it is part of is let go with the network."""
    return weight.detach().clone()


def _packed(weight: Tensor, bias: Tensor | None, rows: int) -> Product:
    """Pack ``weight`` (out, in) in the order in which oneDNN reads it for ``rows`` rows."""
    import torch

    packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach().bfloat16().contiguous(), rows)  # noqa: SLF001
    return Product(packed, None if bias is None else bias.detach().bfloat16())
