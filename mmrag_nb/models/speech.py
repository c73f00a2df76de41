"""Speech to text with the Speech2Text and Whisper families."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting, UnknownName
from mmrag_nb.weights.device import checked, choose, computing, cores
from mmrag_nb.weights.reading import quiet

from . import beams, checkpoint
from .log_mel import LogMel

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
_FULL = 40.0  # seconds of utterances that make a batch: its products take little longer than those of one utterance
_LANES = 4
"""Batches at most that are heard side by side, a thread each: between its products, Python lets one of them go on."""
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
        As for :func:`mmrag_nb.weights.device.choose`, but ``auto`` means float32 on any CPU. ``exact``: with the
        checkpoint's own feature extractor and plain ``generate``, a window at a time.
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
        exact = wanted.exact
        if precision == "auto" and wanted.kind == "cpu":
            wanted = replace(wanted, dtype="float32", reason="an error made in one word is carried into the next")
        loaded = checkpoint.load(
            model, "AutoModelForSpeechSeq2Seq", "AutoTokenizer", "AutoFeatureExtractor", setting="speech"
        )
        self._network = loaded.network
        self._tokenizer, self._extractor = loaded.parts
        self._batch_size = 1 if exact else batch_size
        self._languages = _languages(self._network.generation_config)
        self._options = _options(self._languages, self._network.generation_config, language, model)
        self.rate: int = self._extractor.sampling_rate
        self._whole = hasattr(self._extractor, "chunk_length")  # Whisper sees 30 s, however short the clip
        self._features: LogMel | None = None
        self._placement = wanted
        self._placement = checked(wanted, self._probe)
        self._network.to(self._placement.device)
        self._features = None if exact else LogMel.of(self._extractor)
        searched = self._network.generation_config.num_beams or 1
        shared = not exact and searched > 1 and not self._whole and beams.shareable(self._network)
        self._beams = searched if shared else 0
        self.lanes: int = 1
        if self._placement.kind == "cpu" and not exact and not self._whole:
            self.lanes = min(cores(), _LANES)
        self.at_once: float = _FULL * self.lanes
        """Seconds of sound that fill a batch for each thread: to be handed over together."""
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
        heard = [""] * len(windows)
        with quiet():
            for batch, said in self._batches([window for _, window in windows], told):
                for i, text in zip(batch, said, strict=True):
                    heard[i] = text
        texts: list[list[str]] = [[] for _ in clips]
        for (number, _), text in zip(windows, heard, strict=True):
            texts[number].append(text)
        return [" ".join(filter(None, parts)) for parts in texts]

    def _batches(
        self, windows: Sequence[Samples], told: Mapping[str, str]
    ) -> Iterator[tuple[Sequence[int], Sequence[str]]]:
        """Places of windows and what is heard in them, batch by batch: of like lengths, so that little is padded.

        On a CPU several batches are heard at once, each on a thread of its own. That is faster than all threads at each
        step of one batch, which are short, and costs nothing where other programs have the cores, while threads that
        wait for each other spin.
        """
        lanes = min(self.lanes, len(windows))
        count = max(math.ceil(len(windows) / self._batch_size), lanes)
        by_length = sorted(range(len(windows)), key=lambda i: -len(windows[i]))  # what takes longest begins first
        ends = [len(windows) * n // count for n in range(count + 1)] if count else []
        batches = [by_length[start:end] for start, end in pairwise(ends)]

        def hear(batch: Sequence[int]) -> list[str]:
            with computing(self._placement, alone=self.lanes > 1):
                return self._hear([windows[i] for i in batch], told)

        if lanes < 2:
            yield from ((batch, hear(batch)) for batch in batches)
            return
        with ThreadPoolExecutor(lanes, thread_name_prefix="mmrag-speech") as pool:
            try:
                yield from zip(batches, pool.map(hear, batches), strict=True)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _hear(self, windows: Sequence[Samples], told: Mapping[str, str]) -> list[str]:
        inputs = self._inputs(windows)
        seconds = math.ceil(max(len(window) for window in windows) / self.rate)
        room = self._network.config.max_target_positions - 8  # the prompt's tokens count as well
        most = min(10 + _TOKENS_PER_SECOND * seconds, room)
        search = beams.shared(self._beams) if self._beams else {}
        tokens = self._network.generate(**inputs, **told, **search, max_new_tokens=most)
        return [text.strip() for text in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    def _inputs(self, windows: Sequence[Samples]) -> dict[str, Any]:
        import torch
        from torch.nn.functional import pad

        if self._features is not None:
            frames, mask = (torch.from_numpy(one) for one in self._features(windows))
        else:
            features = self._extractor(
                list(windows),
                sampling_rate=self.rate,
                padding="max_length" if self._whole else "longest",
                return_attention_mask=True,
                return_tensors="pt",
            )
            frames, mask = features["input_features"], features["attention_mask"]
        if not self._whole:
            # Padding leaks through the convolutions into the last frames; with some behind every clip, a clip gets
            # the same transcript alone as beside a longer one.
            frames, mask = pad(frames, (0, 0, 0, _MARGIN)), pad(mask, (0, _MARGIN))
        # A band that never changes (upsampled telephone sound) has deviation 0, and Speech2Text divides by it.
        frames = frames.nan_to_num(posinf=0.0, neginf=0.0)
        inputs = {"input_features": frames, "attention_mask": mask}
        device = self._network.device
        if device.type == "cuda":  # what is pinned is copied while the GPU computes
            return {name: one.pin_memory().to(device, non_blocking=True) for name, one in inputs.items()}
        return {name: one.to(device) for name, one in inputs.items()}

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
