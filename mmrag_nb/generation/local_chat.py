"""A conversation as a model's own chat template lays it out: whom it lets speak, and where it puts pictures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.types import Preview

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .local_model import LocalModel
    from .prompt import Message

_ONE, _TWO = "blackbird", "waterfall"  # words for trials: no template has or changes them


class Chat:
    """Knows how ``local`` wants to be spoken to, found out by laying out short trials.

    What is foreign cannot pose as the template's own marks (``<|im_start|>system``, ``<image>``): a blank breaks such
    marks up wherever they occur in what is said.

    Raises
    ------
    ModelUnavailable
        The template takes no question.
    """

    def __init__(self, local: LocalModel) -> None:
        self._local = local
        self._marks = _marks(local)
        plain = self._trial([_said("user", [_ONE])])
        if _ONE not in plain:
            raise ModelUnavailable(
                f"cannot use {local.id!r}: its chat template takes no plain question; choose one that is made for "
                'conversation, %config MMRag.generator = "local:Qwen/Qwen3-VL-2B-Instruct" say'
            )
        shown = self._trial([_said("user", [_ONE, None, _TWO])]) if local.side else ""
        between = shown[shown.find(_ONE) + len(_ONE) : shown.find(_TWO)]
        self.sees = len(shown) > len(plain) + len(_TWO) + 1
        """Whether the template has a place for pictures."""
        self._pictures_first = self.sees and not between.strip()
        guided = self._trial([_said("system", [_TWO]), _said("user", [_ONE])])
        self._guided = _TWO in guided and _ONE in guided

    def layout(self, instructions: str, laid: Sequence[Message]) -> str:
        """The whole conversation as one text, up to where the model goes on.

        Instructions stand as the system's words, or before the first of the user's where the template has no system.
        """
        said = [_said(message.role, self._parts(message.parts)) for message in laid]
        instructions = self._safe(instructions)
        if self._guided:
            said.insert(0, _said("system", [instructions]))
        else:
            _before(said[0], instructions)
        return self._render(said)

    def inputs(self, text: str, pictures: Sequence[Any]) -> Any:
        """Tensors for the network, of the laid-out ``text`` and the pictures in their order."""
        processor, tokenizer = self._local.processor, self._local.tokenizer
        if processor is tokenizer:
            return tokenizer([text], add_special_tokens=False, return_tensors="pt")
        # Some templates begin with the token that begins a text, others leave it to the tokenizer.
        begun = tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token)
        given = {"images": [list(pictures)]} if pictures else {}
        return processor(text=[text], add_special_tokens=not begun, return_tensors="pt", **given)

    def _parts(self, parts: Iterable[str | Preview]) -> list[str | None]:
        """Texts, neighbours joined, and ``None`` for each picture."""
        found: list[str | None] = []
        seen = 0
        for part in parts:
            if isinstance(part, Preview):
                seen += 1
                found.append(None)
                if self._pictures_first:
                    found.append(f"(picture {seen} of those above)")
            else:
                found.append(self._safe(part))
        return _joined(found)

    def _safe(self, text: str) -> str:
        return self._marks.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text) if self._marks else text

    def _trial(self, said: list[dict[str, Any]]) -> str:
        try:
            return self._render(said)
        except Exception:  # noqa: BLE001 - a template refuses in its own words what it does not know
            return ""

    def _render(self, said: list[dict[str, Any]]) -> str:
        template = self._local.template
        # Thinking takes long on one's own machine; where a template lets it be left out, it is.
        options = {"enable_thinking": False} if "enable_thinking" in template else {}
        if not self._local.side:  # templates of models that read alone take plain texts
            said = [{**one, "content": "\n\n".join(part["text"] for part in one["content"])} for one in said]
        return str(
            self._local.tokenizer.apply_chat_template(
                said, chat_template=template, tokenize=False, add_generation_prompt=True, **options
            )
        )


def _said(role: str, parts: Sequence[str | None]) -> dict[str, Any]:
    told = [{"type": "image"} if part is None else {"type": "text", "text": part} for part in parts]
    return {"role": role, "content": told}


def _before(message: dict[str, Any], text: str) -> None:
    content = message["content"]
    if content and content[0]["type"] == "text":
        content[0]["text"] = f"{text}\n\n{content[0]['text']}"
    else:
        content.insert(0, {"type": "text", "text": f"{text}\n\n"})


def _joined(parts: Sequence[str | None]) -> list[str | None]:
    """Join neighbouring texts, and set them off from pictures: templates put nothing between parts."""
    found: list[str | None] = []
    for part in parts:
        if part is not None and found and found[-1] is not None:
            found[-1] += f"\n\n{part}"
        else:
            found.append(part)
    last = len(found) - 1
    return [part if part is None else "\n" * (at > 0) + part + "\n" * (at < last) for at, part in enumerate(found)]


def _marks(local: LocalModel) -> re.Pattern[str] | None:
    """What the tokenizer or the template reads as more than text."""
    special = {
        token.content
        for token in local.tokenizer.added_tokens_decoder.values()
        if token.special or token.content in local.template
    }
    special |= {str(getattr(local.processor, name, "")) for name in ("image_token", "video_token", "audio_token")}
    named = sorted((token for token in special if len(token.strip()) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, named))) if named else None
