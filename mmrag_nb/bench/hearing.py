"""Our own engines for sound, and the limits of what they are made of."""

from __future__ import annotations

import time
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.loaders.resampling import RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mmrag_nb.types import Samples

BATCH = 8


@cache
def _cut(file: str) -> list[Samples]:
    from mmrag_nb.loaders.audio import AudioLoader, samples

    path = Path(file)
    return [samples(chunk.audio) for chunk in AudioLoader().load(path, path.name).chunks if chunk.audio is not None]


def clips(task: Mapping[str, Any]) -> tuple[list[Samples], float]:
    """Utterances of the task's ``file``, and their seconds; they are cut when it is first asked for."""
    found = _cut(str(task["file"]))
    return found, sum(map(len, found)) / RATE


def featured(task: Mapping[str, Any], save_as: str, features: Callable[[list[Samples]], Any]) -> Mapping[str, Any]:
    """Features of all utterances in batches of equal length or nearly; saved where the task says."""
    sounds, seconds = clips(task)
    sounds = sorted(sounds, key=len)
    start = time.perf_counter()
    made = [features(sounds[first : first + BATCH]) for first in range(0, len(sounds), BATCH)]
    taken = time.perf_counter() - start
    if save_as and task.get("save"):
        np.save(Path(str(task["save"])) / save_as, np.concatenate([np.ravel(one) for one in made]))
    return {"n": seconds, "seconds": taken}


def loaded(model: str) -> tuple[Any, Any, Any]:
    """Network, tokenizer and extractor of a checkpoint, as transformers loads them."""
    from mmrag_nb.models import checkpoint

    made = checkpoint.load(
        model, "AutoModelForSpeechSeq2Seq", "AutoTokenizer", "AutoFeatureExtractor", setting="speech"
    )
    return made.network, *made.parts


def fixed(network: Any, tokens: int) -> None:
    """Have ``network`` write so many tokens a clip, neither fewer nor more; as many as it likes where it is 0."""
    if not tokens:
        return
    plain = network.generate

    def generate(*arguments: Any, **options: Any) -> Any:
        return plain(*arguments, **{**options, "max_new_tokens": tokens, "min_new_tokens": tokens, "max_length": None})

    network.generate = generate


class Decode:
    """As the loader reads a file: in a process of its own, resampled, in blocks."""

    def setup(self) -> None:
        """Nothing to load."""

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Decode ``file``."""
        from mmrag_nb.loaders.measuring import Source

        blocks = Source(Path(str(task["file"])), film=False).blocks(None)
        return {"n": sum(len(one) for _, part in blocks for one in part) / 2 / RATE}


class DecodeAlone:
    """FFmpeg's decoder as PyAV calls it, nothing done with what comes out."""

    def setup(self) -> None:
        """Nothing to load."""

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Decode ``file``."""
        import av

        with av.open(str(task["file"])) as container:
            return {"n": sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))}


class Features:
    """Log-mel features, all frames at once."""

    def __init__(self, save_as: str = "") -> None:
        self._save_as = save_as

    def setup(self) -> None:
        """Make the filters."""
        from transformers import Speech2TextFeatureExtractor

        from mmrag_nb.models.log_mel import LogMel

        features = LogMel.of(Speech2TextFeatureExtractor())
        if features is None:
            raise LookupError("this version of transformers computes something else")
        self._features = features

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Features of the utterances in ``file``."""
        return featured(task, self._save_as, lambda batch: self._features(batch)[0])


class Transcribe:
    """The transcriber that indexing uses."""

    def __init__(self, model: str, tokens: int, precision: str = "auto") -> None:
        self._how = (model, tokens, precision)

    def setup(self) -> Mapping[str, Any]:
        """Load the model."""
        from mmrag_nb.models.speech import SpeechTranscriber

        model, tokens, precision = self._how
        self._transcriber = SpeechTranscriber(model, precision=precision)
        fixed(self._transcriber._network, tokens)  # noqa: SLF001  # random weights know no end
        return {"model": self._transcriber.description, "lanes": self._transcriber.lanes}

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write down the utterances in ``file``."""
        sounds, seconds = clips(task)
        start = time.perf_counter()
        texts = self._transcriber.transcribe(sounds)
        return {"n": seconds, "seconds": time.perf_counter() - start, "heard": sum(map(bool, texts))}


class Forward:
    """The encoder once, and the decoder once a token, on features that are ready, in batches a core: no search."""

    def __init__(self, model: str, tokens: int, beams: int) -> None:
        self._how = (model, tokens, beams)

    def setup(self) -> None:
        """Load the model."""
        from mmrag_nb.models import beams

        self._network, _, self._extractor = loaded(self._how[0])
        self._shared = beams.shareable(self._network)

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Encode and decode the utterances in ``file``."""
        from concurrent.futures import ThreadPoolExecutor

        from mmrag_nb.weights.device import cores

        sounds, seconds = clips(task)
        sounds = sorted(sounds, key=len)
        count = max(-(-len(sounds) // BATCH), min(cores(), len(sounds)))
        ends = [len(sounds) * n // count for n in range(count + 1)]
        batches = [sounds[first:last] for first, last in pairwise(ends)]
        ready = [
            self._extractor(one, sampling_rate=RATE, padding=True, return_attention_mask=True, return_tensors="pt")
            for one in batches
        ]
        start = time.perf_counter()
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(self._forward, ready))
        return {"n": seconds, "seconds": time.perf_counter() - start}

    def _forward(self, inputs: Any) -> None:
        import torch

        from mmrag_nb.models import beams
        from mmrag_nb.weights.device import on_one_thread

        _, tokens, number = self._how
        features, mask = inputs["input_features"], inputs["attention_mask"]
        with torch.no_grad(), on_one_thread():
            states = self._network.get_encoder()(features, attention_mask=mask)
            states.last_hidden_state = states.last_hidden_state.repeat_interleave(number, 0)
            rows = len(features) * number
            kept = beams.shared(number)["past_key_values"] if self._shared else None
            said = torch.full((rows, 1), self._network.generation_config.decoder_start_token_id)
            for _ in range(tokens):
                made = self._network(
                    encoder_outputs=states,
                    attention_mask=mask.repeat_interleave(number, 0),
                    decoder_input_ids=said,
                    past_key_values=kept,
                    use_cache=True,
                )
                kept, said = made.past_key_values, made.logits[:, -1:].argmax(-1)


class Index:
    """``rag.index(file)``: decoded, cut, previews, words, vectors, index."""

    def __init__(self, model: str = "none", tokens: int = 0) -> None:
        self._how = (model, tokens)

    def setup(self) -> None:
        """Make an empty index; a model loads with what is indexed first."""
        from mmrag_nb.rag import MultimodalRAG

        model, _ = self._how
        self._rag = MultimodalRAG(preset="offline", speech=model)

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Index ``file`` from nothing."""
        from mmrag_nb.models.speech import SpeechTranscriber

        self._rag.reset(discard=True)
        plain, tokens = SpeechTranscriber.__init__, self._how[1]

        def made(transcriber: Any, *arguments: Any, **options: Any) -> None:
            plain(transcriber, *arguments, **options)
            fixed(transcriber._network, tokens)  # noqa: SLF001  # random weights know no end

        try:
            SpeechTranscriber.__init__ = made  # type: ignore[method-assign,assignment]
            start = time.perf_counter()
            report = self._rag.index(str(task["file"]))
            seconds = time.perf_counter() - start
        finally:
            SpeechTranscriber.__init__ = plain  # type: ignore[method-assign]
        if report.skipped:
            raise RuntimeError(report.skipped[0].reason)
        return {"seconds": seconds, "stages": dict(report.seconds)}


def difference(files: Sequence[Path]) -> float:
    """The largest difference between the numbers in two files."""
    first, second = (np.load(file) for file in files)
    return float(np.abs(np.nan_to_num(first) - np.nan_to_num(second)).max())
