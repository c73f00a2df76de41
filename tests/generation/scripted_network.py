"""A network on this machine that says what it is told, whatever its weights would, and keeps what it was given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmrag_nb.generation.local import LocalGenerator

_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>\n", re.DOTALL)
_PICTURE = re.compile(r"<\|vision_start\|>(?:<\|image_pad\|>)+<\|vision_end\|>")


class ScriptedNetwork:
    """Takes the place of what ``generator``, of the Qwen family, thinks; all else is its own."""

    def __init__(self, generator: LocalGenerator) -> None:
        self._tokenizer = generator._local.tokenizer
        self._given: list[str] = []
        self.say("It is Turlough [1].")
        network = generator._local.network
        network.register_forward_pre_hook(self._begin, with_kwargs=True)
        network.get_output_embeddings().register_forward_hook(self._go_on)

    def say(self, text: str) -> None:
        self._script = [*self._tokenizer.encode(text, add_special_tokens=False), self._tokenizer.eos_token_id]
        self._said = 0

    @property
    def given(self) -> list[tuple[str, list[str]]]:
        """(instructions, all texts in their order) of each conversation that it read, parsed back from its tokens."""
        return [_parsed(text) for text in self._given]

    def _begin(self, _network: Any, _args: Any, inputs: dict[str, Any]) -> None:
        ids = inputs["input_ids"][0]
        if len(ids) > 1:  # then its own tokens come one by one
            self._given.append(self._tokenizer.decode(ids, clean_up_tokenization_spaces=False))
            self._said = 0

    def _go_on(self, _head: Any, _args: Any, logits: Any) -> Any:
        told = logits.new_zeros(logits.shape)
        told[..., self._script[self._said]] = 1
        self._said += 1
        return told


def _parsed(text: str) -> tuple[str, list[str]]:
    turns = _TURN.findall(text)
    assert _TURN.sub("", text) == "<|im_start|>assistant\n", "nothing stands outside the turns"
    said = [part for role, told in turns if role != "system" for part in _PICTURE.split(told)]
    return "".join(told for role, told in turns if role == "system"), said
