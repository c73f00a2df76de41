"""A vision-language model, or a plain language model, that writes on this machine."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import GenerationBroken, GenerationEmpty, GenerationRefused
from mmrag_nb.types import Generation, Preview
from mmrag_nb.weights.reading import line

from .decoding import Decoding
from .local_chat import Chat
from .local_model import load
from .local_writing import Work
from .media import fitting
from .prompt import describe, messages

if TYPE_CHECKING:
    from mmrag_nb.types import Prompt, Stream

DEFAULT = "Qwen/Qwen3-VL-2B-Instruct"
"""Sees, and with its two billion weights fits Colab's smallest GPU."""

_LEAST = 16  # tokens that must be left for an answer


@dataclass(frozen=True)
class _Request:
    """What the network is given."""

    inputs: Any
    sent: str
    tokens: int
    thinks: bool
    """Whether the prompt itself opens a block of thoughts."""


class LocalGenerator:
    """Let a model of transformers answer on this machine: LLaVA, Qwen-VL, SmolVLM, or one that reads text alone.

    Always takes the likeliest token, so that an answer repeats. Several questions at once wait for one another.

    Parameters
    ----------
    model
        A hub id, or a folder as ``save_pretrained`` writes it; it needs a chat template.
    device
        ``auto``, ``cpu``, ``cuda`` (or ``cuda:1``), ``mps``.
    precision
        ``auto``, ``float32``, ``bfloat16``, ``float16``; see :func:`mmrag_nb.generation.local_model.load`.

    Raises
    ------
    ModelUnavailable
        The model cannot be had, or cannot hold a conversation.
    InvalidSetting, UnknownName
        The device is not there, or no device or precision is called that.
    """

    api = ""
    instant = False

    def __init__(self, model: str = DEFAULT, *, device: str = "auto", precision: str = "auto") -> None:
        self._local = load(model, device, precision)
        self._chat = Chat(self._local)
        self.model = self._local.id
        self.description = self._local.description
        self.takes: frozenset[str] = frozenset({"image"} if self._chat.sees else ())
        self.side = self._local.side if self._chat.sees else 0
        self._turn = threading.Lock()
        self._last: tuple[Prompt, _Request] | None = None

    def tokens(self, prompt: Prompt) -> int:
        """Count the tokens of ``prompt`` exactly, those of its pictures included."""
        return self._prepared(prompt).tokens

    def stream(self, prompt: Prompt) -> Stream:
        """Write the answer; see :class:`mmrag_nb.protocols.Generator`.

        Closed early, the network stops at its next layer.

        Raises
        ------
        GenerationRefused
            The prompt is longer than the model can read, or the memory does not hold it.
        GenerationEmpty
            The model wrote nothing.
        GenerationBroken
            transformers failed.
        """
        request = self._prepared(prompt)
        self._last = None  # a picture's pixels need not be kept
        most = self._room(request.tokens, prompt.max_tokens)
        said = Decoding(self._local.tokenizer, thinking=request.thinks)
        work = Work(self._local.network, self._turn, request.inputs, most)
        try:
            for token in work.tokens():
                if piece := said.add(token):
                    yield piece
        finally:
            work.stop()
        if piece := said.end():
            yield piece
        trouble = self._trouble(said, most, prompt.max_tokens)
        if not said.text:
            raise GenerationEmpty(self._nothing(said, trouble))
        usage = {"input_tokens": request.tokens, "output_tokens": said.count}
        yield Generation(said.text, self.model, usage, request.sent, trouble)

    def _prepared(self, prompt: Prompt) -> _Request:
        """What is given for ``prompt``; of the last one it is known: what was counted is asked next."""
        last = self._last
        if last is None or last[0] is not prompt:
            self._last = last = (prompt, self._request(prompt))
        return last[1]

    def _request(self, prompt: Prompt) -> _Request:
        laid = messages(self._fitted(prompt))
        try:
            pictures = [_decoded(part) for one in laid for part in one.parts if isinstance(part, Preview)]
            text = self._chat.layout(prompt.instructions, laid)
            inputs = self._chat.inputs(text, pictures)
        except Exception as error:  # a foreign template and processor can fail in any way
            raise GenerationBroken(f"{self.model} cannot be given this question ({line(error)})") from error
        thinks = text.rstrip().endswith("<think>")
        return _Request(inputs, describe(prompt, laid), int(inputs["input_ids"].shape[1]), thinks)

    def _fitted(self, prompt: Prompt) -> Prompt:
        """``prompt`` with the pictures that it takes, and no larger than it makes use of."""

        def fit(media: tuple[Preview, ...]) -> tuple[Preview, ...]:
            seen = [one for one in media if self._chat.sees and one.mime.startswith("image/")]
            return tuple(fitting(one, self.side) for one in seen)

        evidence = tuple(replace(piece, media=fit(piece.media)) for piece in prompt.evidence)
        return replace(prompt, evidence=evidence, pictures=fit(prompt.pictures))

    def _room(self, given: int, wanted: int) -> int:
        longest = self._local.longest
        if longest is None or given + wanted <= longest:
            return wanted
        if given + _LEAST > longest:
            raise GenerationRefused(
                f"the question and its evidence take {given:,} tokens, and {self.model} reads {longest:,}: lower k "
                '(%mmrag_ask -k 3), set %config MMRag.media = "none", or choose a model with a longer context'
            )
        return longest - given

    def _trouble(self, said: Decoding, most: int, wanted: int) -> str:
        if said.count < most or said.ended(self._local.network.generation_config.eos_token_id):
            return ""
        if most < wanted:
            return f"cut off: the model's context of {self._local.longest:,} tokens is full; lower k"
        return f"cut off: the answer reached {most:,} tokens; raise %config MMRag.max_tokens"

    def _nothing(self, said: Decoding, trouble: str) -> str:
        if said.thinking and trouble:
            return f"{self.model} was still thinking when it was {trouble}"
        return f"{self.model} wrote nothing: ask in other words, or choose a larger model"


def _decoded(picture: Preview) -> Any:
    from PIL import Image

    with Image.open(io.BytesIO(picture.data)) as opened:
        return opened.convert("RGB")
