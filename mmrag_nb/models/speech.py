"""Speech to text with the Speech2Text and Whisper families."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting, UnknownName
from mmrag_nb.weights.device import checked, choose, computing
from mmrag_nb.weights.reading import quiet

from . import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mmrag_nb.types import Samples

PREPROCESSING = "windows-1"
"""Changes when the same sound would reach the network differently."""

WINDOW = 30.0
"""Seconds that are heard at once: all that Whisper takes, and longer than what Speech2Text was trained on."""

SHORTEST = 0.1
"""Seconds below which there is no word, and too few frames for the features."""

SILENCE = 1e-4
"""Peak below which nothing is heard: three steps of 16 bits."""

_TOLD_BY = 3
"""Clips by which the language of a recording is told."""
_TOKENS_PER_SECOND = 12  # no one speaks faster, so a network that repeats itself ends
_MARGIN = 8  # frames beyond a clip's end that reach its last vector through Speech2Text's convolutions, rounded up


def audible(clip: Samples, rate: int) -> bool:
    """Tell whether ``clip`` is long and loud enough to hold a word; recognisers make up words for silence."""
    import numpy as np

    return len(clip) >= SHORTEST * rate and float(np.abs(clip).max()) > SILENCE


class SpeechTranscriber:
    """Transcribe speech with an encoder-decoder network.

    Wang et al., "fairseq S2T: Fast Speech-to-Text Modeling with fairseq", 2020; Radford et al., "Robust Speech
    Recognition via Large-Scale Weak Supervision", 2022.

    Parameters
    ----------
    model
        Hub id or folder.
    device, precision
        As for :func:`mmrag_nb.weights.device.choose`, but ``auto`` means float32 on any CPU.
    batch_size
        Windows that go through the network at once.
    language
        ``de`` or ``german``, for multilingual Whisper checkpoints, which tell it by listening where it is empty.

    Raises
    ------
    ModelUnavailable
        The checkpoint cannot be had, or does not turn speech to text.
    InvalidSetting, UnknownName
        The device is not there; the checkpoint does not know the language.
    """

    def __init__(
        self,
        model: str = "facebook/s2t-medium-librispeech-asr",
        *,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int = 8,
        language: str = "",
    ) -> None:
        wanted = choose(device, precision)
        if precision == "auto" and wanted.kind == "cpu":
            wanted = replace(wanted, dtype="float32", reason="an error made in one word is carried into the next")
        loaded = checkpoint.load(
            model, "AutoModelForSpeechSeq2Seq", "AutoTokenizer", "AutoFeatureExtractor", setting="speech"
        )
        self._network = loaded.network
        self._tokenizer, self._extractor = loaded.parts
        self._batch_size = batch_size
        self._languages = _languages(self._network.generation_config)
        self._options = _options(self._languages, self._network.generation_config, language, model)
        self.rate: int = self._extractor.sampling_rate
        self._placement = wanted
        self._placement = checked(wanted, self._probe)
        self._network.to(self._placement.device)
        self.fingerprint: Mapping[str, str] = {
            "model": loaded.id,
            "revision": loaded.revision,
            "preprocessing": PREPROCESSING,
            **({"language": language} if language else {}),
        }
        self.description = f"{loaded.name} ({self._placement.instead_of(wanted)})"

    def language_of(self, clips: Sequence[Samples]) -> str:
        """The code of the language that is spoken in ``clips``, which belong together, to be handed to `transcribe`.

        The longest ones are listened to: a short one alone is easily mistaken. Empty where there is nothing to choose:
        the checkpoint knows one language, the language is set, or nothing is heard.
        """
        import torch

        if not self._languages or "language" in self._options:
            return ""
        longest = sorted(clips, key=len, reverse=True)[:_TOLD_BY]
        windows = [window for clip in longest for window in islice(self._windows(clip), 1)]
        if not windows:
            return ""
        codes, tokens = zip(*self._languages.items(), strict=True)
        start = self._network.generation_config.decoder_start_token_id
        with computing(self._placement), quiet():
            begun = torch.full((len(windows), 1), start, device=self._network.device)
            logits = self._network(**self._inputs(windows), decoder_input_ids=begun).logits[:, -1, list(tokens)]
            likely = logits.float().log_softmax(-1).sum(0)
        return str(codes[int(likely.argmax())])

    def transcribe(self, clips: Sequence[Samples], language: str = "") -> list[str]:
        """One transcript per clip of mono float32 samples in [-1, 1] at ``rate``; empty where nothing was heard.

        Clips longer than ``WINDOW`` are cut where they are quietest. Multilingual checkpoints tell the language of each
        clip by itself, unless it was set or is given, see `language_of`.
        """
        told = {**self._options, "language": language} if language else self._options
        windows = [(number, window) for number, clip in enumerate(clips) for window in self._windows(clip)]
        by_length = sorted(range(len(windows)), key=lambda i: len(windows[i][1]))  # little padding in a batch
        heard = [""] * len(windows)
        with computing(self._placement), quiet():
            for start in range(0, len(by_length), self._batch_size):
                batch = by_length[start : start + self._batch_size]
                for i, text in zip(batch, self._hear([windows[i][1] for i in batch], told), strict=True):
                    heard[i] = text
        texts: list[list[str]] = [[] for _ in clips]
        for (number, _), text in zip(windows, heard, strict=True):
            texts[number].append(text)
        return [" ".join(filter(None, parts)) for parts in texts]

    def _hear(self, windows: Sequence[Samples], told: Mapping[str, str]) -> list[str]:
        inputs = self._inputs(windows)
        seconds = math.ceil(max(len(window) for window in windows) / self.rate)
        room = self._network.config.max_target_positions - 8  # the prompt's tokens count as well
        tokens = self._network.generate(**inputs, **told, max_new_tokens=min(10 + _TOKENS_PER_SECOND * seconds, room))
        return [text.strip() for text in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    def _inputs(self, windows: Sequence[Samples]) -> dict[str, Any]:
        from torch.nn.functional import pad

        whole = hasattr(self._extractor, "chunk_length")  # Whisper sees 30 s, however short the clip
        features = self._extractor(
            list(windows),
            sampling_rate=self.rate,
            padding="max_length" if whole else "longest",
            return_attention_mask=True,
            return_tensors="pt",
        )
        frames, mask = features["input_features"], features["attention_mask"]
        if not whole:
            # Padding leaks through the convolutions into the last frames; with some behind every clip, a clip gets
            # the same transcript alone as beside a longer one.
            frames, mask = pad(frames, (0, 0, 0, _MARGIN)), pad(mask, (0, _MARGIN))
        # A band that never changes (upsampled telephone sound) has deviation 0, and Speech2Text divides by it.
        frames = frames.nan_to_num(posinf=0.0, neginf=0.0)
        return {"input_features": frames.to(self._network.device), "attention_mask": mask.to(self._network.device)}

    def _windows(self, clip: Samples) -> Iterator[Samples]:
        """Cut ``clip`` into windows, leaving out those that hold no word."""
        for window in _cut(clip, int(WINDOW * self.rate)):
            if audible(window, self.rate):
                yield window

    def _probe(self, device: str) -> NDArray[np.float32]:
        """Move to ``device`` and encode a second of noise there, (frames, d)."""
        import numpy as np

        noise = np.random.default_rng(0).normal(0, 0.1, self.rate).astype(np.float32)
        self._network.to(device)
        with computing(self._placement), quiet():
            states = self._network.get_encoder()(**self._inputs([noise])).last_hidden_state[0]
        vectors: NDArray[np.float32] = states.float().cpu().numpy()
        return vectors


def _cut(clip: Samples, longest: int) -> Iterator[Samples]:
    """Cut ``clip`` into parts of at most ``longest`` samples, at the quietest place of each one's last sixth."""
    import numpy as np

    step = max(1, longest // 300)
    while len(clip) > longest:
        first = longest - longest // 6
        tail = clip[first:longest]
        loudness = np.abs(tail[: len(tail) // step * step]).reshape(-1, step).sum(axis=1)
        end = first + int(loudness.argmin()) * step + step // 2
        yield clip[:end]
        clip = clip[end:]
    yield clip


def _languages(generation: Any) -> dict[str, int]:
    """The tokens of the languages that a checkpoint tells apart, by code; empty where it knows one only."""
    known = getattr(generation, "lang_to_id", None) or {}
    return {name.strip("<|>"): token for name, token in known.items() if getattr(generation, "is_multilingual", False)}


def _options(languages: Mapping[str, int], generation: Any, language: str, model: str) -> dict[str, str]:
    """What ``generate`` has to be told: of multilingual Whisper checkpoints the task and the language.

    With the task told, English that old checkpoints have as a forced beginning does not count.
    """
    if not languages:
        if language:
            raise InvalidSetting(
                f"{model!r} knows one language only, so language {language!r} cannot be set: leave it out, or name a "
                'multilingual Whisper model, %config MMRag.speech = "openai/whisper-base"'
            )
        return {}
    options = {"task": "transcribe"} if getattr(generation, "task_to_id", None) else {}
    if language:
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        code = TO_LANGUAGE_CODE.get(language.lower(), language.lower())
        if code not in languages:
            raise UnknownName("language", language, languages)
        options["language"] = code
    return options
