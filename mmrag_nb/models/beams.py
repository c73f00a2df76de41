"""Beam search whose beams look at one copy of what was heard.

All beams of a clip attend to the same encoder states. ``generate`` computes keys and values of those states for each
beam, keeps them for each, and copies them for each at every token it adds, though no beam ever looks at another clip.
Here they are computed and kept once a clip; the beams of a clip are so many queries to them.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def shareable(network: Any) -> bool:
    """Have the decoder of ``network`` look at what was heard once a clip, where :func:`shared` says so.

    ``False``, and nothing is changed, where its attention is not built as Speech2Text's in transformers 5.
    """
    from torch import nn

    layers = getattr(network.get_decoder(), "layers", ())
    found = [getattr(layer, "encoder_attn", None) for layer in layers]
    wanted = {"hidden_states", "key_value_states", "past_key_values", "attention_mask"}
    linear = ("q_proj", "k_proj", "v_proj", "out_proj")
    for attention in found:
        if not isinstance(attention, nn.Module) or not wanted <= set(inspect.signature(attention.forward).parameters):
            return False
        if not all(isinstance(getattr(attention, name, None), nn.Linear) for name in linear):
            return False
        if getattr(attention, "scaling", None) != getattr(attention, "head_dim", 0) ** -0.5:
            return False
    for layer in layers:
        layer.encoder_attn = _attention()(layer.encoder_attn)
    return bool(found)


def shared(beams: int) -> Mapping[str, Any]:
    """What ``generate`` of a :func:`shareable` network is to be handed for a search with ``beams``."""
    return {"past_key_values": _cache()(beams), "num_beams": beams}


@cache
def _cache() -> Any:
    from transformers import DynamicCache, EncoderDecoderCache

    class Shared(EncoderDecoderCache):  # type: ignore[misc]
        """Keys and values of what was said so far, a row a beam, and of what was heard, a row a clip."""

        def __init__(self, beams: int) -> None:
            super().__init__(DynamicCache(), DynamicCache())
            self.beams = beams
            self.heard: dict[int, tuple[Any, Any]] = {}
            """By layer; (clips, heads, frames, d) each."""

        def reorder_cache(self, beam_idx: Any) -> None:
            """Follow the beams that are gone on with; what was heard is the same for all of them."""
            self.self_attention_cache.reorder_cache(beam_idx)

    return Shared


@cache
def _attention() -> Any:
    from torch import nn

    class Attention(nn.Module):
        """Attention to what was heard, in place of ``plain``."""

        def __init__(self, plain: Any) -> None:
            super().__init__()
            self.plain = plain

        def forward(
            self,
            hidden_states: Any,
            key_value_states: Any = None,
            past_key_values: Any = None,
            attention_mask: Any = None,
            **others: Any,
        ) -> tuple[Any, None]:
            """States (rows, tokens, width) to the like, a row a beam and the beams of a clip beside each other."""
            if not isinstance(past_key_values, _cache()):
                told: tuple[Any, None] = self.plain(
                    hidden_states,
                    key_value_states=key_value_states,
                    past_key_values=past_key_values,
                    attention_mask=attention_mask,
                    **others,
                )
                return told
            plain, beams, heard = self.plain, past_key_values.beams, past_key_values.heard
            if plain.layer_idx not in heard:
                states = key_value_states[::beams]
                heard[plain.layer_idx] = _split(plain.k_proj(states), plain), _split(plain.v_proj(states), plain)
            keys, values = heard[plain.layer_idx]
            rows, tokens, width = hidden_states.shape
            queries = _split(plain.q_proj(hidden_states).view(rows // beams, beams * tokens, width), plain)
            mask = None if attention_mask is None else attention_mask[::beams, :, :1]  # the same for every token
            seen = nn.functional.scaled_dot_product_attention(queries, keys, values, mask)
            return plain.out_proj(seen.transpose(1, 2).reshape(rows, tokens, width)), None

    return Attention


def _split(states: Any, attention: Any) -> Any:
    """(n, m, heads * d) to (n, heads, m, d)."""
    return states.unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)
