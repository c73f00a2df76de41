"""A second look at the best hits: a network that reads question and passage together."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting, MMRagError, ModelUnavailable
from mmrag_nb.weights.device import checked, choose, computing

from . import sentence_hub

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from mmrag_nb.types import Evidence, Modality, Preview

_REMEDY = 'a local folder (%config MMRag.reranker = "cross-encoder:/path"), or %config MMRag.reranker = "none"'
_PROBE = ("who plays the harp", ("the harpist plays an old tune", "the ferry leaves at noon", "harp", "a b c"))


class CrossEncoderReranker:
    """Score each piece of evidence with a network that sees it beside the question.

    Nogueira and Cho, "Passage Re-ranking with BERT", 2019. Where the checkpoint takes pictures, those of the evidence
    and of the question go along; otherwise a picture is judged by its text, and what has no text comes last. Texts
    that are too long are cut by the model's own tokenizer, the longer of the two first.

    Parameters
    ----------
    model
        Hub id or folder.
    device, precision
        As for :func:`mmrag_nb.weights.device.choose`.
    batch_size
        Pieces of evidence that go through the network at once.

    Raises
    ------
    NotInstalled
        sentence-transformers is absent.
    ModelUnavailable
        The checkpoint cannot be had, or gives no single score for a pair.
    InvalidSetting
        The device is not there.
    """

    def __init__(
        self,
        model: str = "cross-encoder/ms-marco-MiniLM-L6-v2",
        *,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int = 32,
    ) -> None:
        wanted = choose(device, precision)
        loaded = sentence_hub.load(model, "CrossEncoder", remedy=_REMEDY)
        self._network = loaded.network
        if self._network.num_labels != 1:
            raise ModelUnavailable(
                f"{model!r} puts a pair into one of {self._network.num_labels} classes, and a reranker gives one "
                "score: name another, cross-encoder/ms-marco-MiniLM-L6-v2"
            )
        kinds = frozenset(getattr(self._network, "modalities", ("text",)))  # sentence-transformers 5 knows texts only
        # Pairs of which a half is a picture go through the model's chat template.
        self._sees = {"image", "message"} <= kinds
        self.modalities: frozenset[Modality] = frozenset({"text", "image"}) if self._sees else frozenset({"text"})
        self._batch_size = batch_size
        self._marks = sentence_hub.marks(self._network)
        _keep_exact(self._network, wanted.kind)
        self._placement = wanted
        sentence_hub.tried(model, lambda: self._probe(wanted.device))
        self._placement = checked(wanted, self._probe)
        self._network.to(self._placement.device)
        self.description = f"{loaded.name} ({self._placement.instead_of(wanted)})"

    def scores(self, question: str, evidence: Sequence[Evidence], pictures: Sequence[Preview] = ()) -> list[float]:
        """How well each piece of ``evidence`` answers ``question``, as the network's logit; higher is better.

        Evidence with nothing that the model can read gets 1 less than the worst of the others.

        Raises
        ------
        InvalidSetting
            The question is a picture without words, and the model reads texts only.
        MMRagError
            What came out are no numbers.
        """
        import numpy as np

        asked = self._side(question, pictures)
        if asked is None:
            raise InvalidSetting(
                f"{self.description} reads texts only, and this question is a picture: add words to it, "
                'or go without a reranker, %config MMRag.reranker = "none"'
            )
        sides = [self._side(piece.text, piece.media) for piece in evidence]
        readable = [i for i, side in enumerate(sides) if side is not None]
        found = self._logits([(asked, sides[i]) for i in readable])
        if not np.isfinite(found).all():
            raise MMRagError(
                f"{self.description} gave scores that are no numbers: set precision to 'float32', or choose another"
            )
        scores = np.full(len(sides), found.min(initial=np.inf) - 1 if readable else 0.0)
        scores[readable] = found
        return [float(score) for score in scores]

    def _side(self, text: str, media: Sequence[Preview]) -> str | dict[str, Any] | None:
        """Make a half of a pair; ``None`` where the model can read nothing of it."""
        text = sentence_hub.plain(text, self._marks) if text.strip() else ""
        if not self._sees:
            return text or None
        pictures = [_opened(preview) for preview in media if preview.mime.startswith("image/")]
        side: dict[str, Any] = {"image": pictures} if pictures else {}
        return side | ({"text": text} if text else {}) or None

    def _logits(self, pairs: Sequence[tuple[Any, Any]]) -> NDArray[np.float64]:
        """(n,) scores before any activation: a sigmoid would make ties of the best."""
        import numpy as np
        from torch.nn import Identity

        if not pairs:
            return np.zeros(0)
        with computing(self._placement), sentence_hub.quiet():
            found = self._network.predict(
                list(pairs), batch_size=self._batch_size, show_progress_bar=False, activation_fn=Identity()
            )
        return np.asarray(found, dtype=np.float64)

    def _probe(self, device: str) -> NDArray[np.float32]:
        """Move to ``device`` and score some pairs there, (1, n)."""
        import numpy as np
        from PIL import Image

        self._network.to(device)
        asked, texts = _PROBE
        sides: list[Any] = [{"text": text} for text in texts] if self._sees else list(texts)
        if self._sees:
            sides.append({"image": [Image.linear_gradient("L").convert("RGB")], "text": "a gradient"})
        half: Any = {"text": asked} if self._sees else asked
        return self._logits([(half, side) for side in sides]).astype(np.float32)[None]


def _keep_exact(network: Any, kind: str) -> None:
    """Compute the last layer of ``network`` in float32: bfloat16 has 3 digits, in which the best would tie."""
    import torch

    head: Any = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    forward = head.forward

    def exactly(states: torch.Tensor) -> Any:
        with torch.autocast(kind, enabled=False):
            return forward(states.float())

    head.forward = exactly


def _opened(preview: Preview) -> Image:
    from PIL import Image

    return Image.open(io.BytesIO(preview.data)).convert("RGB")
