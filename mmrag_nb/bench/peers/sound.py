"""What else decodes sound, computes features of it and writes down what is said, each as its documentation shows it."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.bench.hearing import clips, featured, fixed, loaded
from mmrag_nb.bench.rounds import Entrant
from mmrag_nb.loaders.resampling import RATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmrag_nb.types import Samples

_HERE = __name__
EXTRACTOR = "transformers' extractor"


def decoding() -> list[Entrant]:
    """An MP3 to 16 kHz mono."""
    found = [
        Entrant("pydub", f"{_HERE}:Pydub", {}, ("pydub",), peer=True),
        Entrant("PyAV, frame by frame", f"{_HERE}:PlainPyAV", {}, ("av",), peer=True),
        Entrant("librosa", f"{_HERE}:Librosa", {}, ("librosa",), peer=True),
        Entrant("soundfile + scipy", f"{_HERE}:SoundFile", {}, ("soundfile",), peer=True),
    ]
    return [*found, Entrant("ffmpeg, a pipe", f"{_HERE}:Ffmpeg", {}, peer=True)]


def features() -> list[Entrant]:
    """Samples to log-mel features of Speech2Text."""
    return [Entrant(EXTRACTOR, f"{_HERE}:Extractor", {"save_as": "theirs.npy"}, peer=True)]


def transcribing(model: str, tokens: int) -> list[Entrant]:
    """Samples to text; ``tokens`` new ones a clip where it is not 0."""
    how = {"model": model, "tokens": tokens}
    return [
        Entrant("transformers, one at a time", f"{_HERE}:Generate", {**how, "batch": 1}, ("transformers",), peer=True),
        Entrant("transformers, batches of 8", f"{_HERE}:Generate", {**how, "batch": 8}, ("transformers",), peer=True),
        Entrant("transformers' pipeline", f"{_HERE}:Pipeline", how, ("transformers",), peer=True),
    ]


class _Decode:
    def setup(self) -> None:
        """Nothing to load."""

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Decode ``file``."""
        return {"n": len(self._samples(str(task["file"]))) / RATE}

    def _samples(self, file: str) -> Samples:
        raise LookupError(file)


class Pydub(_Decode):
    """``from_file``, channels before rate."""

    def _samples(self, file: str) -> Samples:
        from pydub import AudioSegment

        sound = AudioSegment.from_file(file).set_channels(1).set_frame_rate(RATE)
        return np.frombuffer(sound.raw_data, np.int16).astype(np.float32) / np.float32(32768)


class PlainPyAV(_Decode):
    """A resampler fed with each frame."""

    def _samples(self, file: str) -> Samples:
        import av

        out = []
        resampler = av.AudioResampler("s16", "mono", RATE)
        with av.open(file) as container:
            for frame in (*container.decode(audio=0), None):
                out += [one.to_ndarray()[0] for one in resampler.resample(frame)]
        return np.concatenate(out).astype(np.float32) / np.float32(32768)


class Librosa(_Decode):
    """``load`` at 16 kHz."""

    def _samples(self, file: str) -> Samples:
        import librosa  # type: ignore[import-not-found,unused-ignore]

        return np.asarray(librosa.load(file, sr=RATE, mono=True)[0], np.float32)


class SoundFile(_Decode):
    """libsndfile, and scipy's polyphase filter."""

    def _samples(self, file: str) -> Samples:
        import soundfile  # type: ignore[import-not-found,unused-ignore]
        from scipy.signal import resample_poly

        sound, rate = soundfile.read(file, dtype="float32", always_2d=True)
        return np.asarray(resample_poly(sound.mean(axis=1), RATE, rate), np.float32)


class Ffmpeg(_Decode):
    """The program, its output read whole."""

    def setup(self) -> None:
        """It must be there."""
        self._program = shutil.which("ffmpeg")
        if self._program is None:
            raise LookupError("the program ffmpeg is not installed")

    def _samples(self, file: str) -> Samples:
        options = ["-v", "error", "-i", file, "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-"]
        done = subprocess.run([str(self._program), *options], capture_output=True, check=True)  # noqa: S603
        return np.frombuffer(done.stdout, np.int16).astype(np.float32) / np.float32(32768)


class Extractor:
    """``Speech2TextFeatureExtractor``, a batch of 8 at a time."""

    def __init__(self, save_as: str = "") -> None:
        self._save_as = save_as

    def setup(self) -> None:
        """Make it."""
        from transformers import Speech2TextFeatureExtractor

        self._extractor = Speech2TextFeatureExtractor()

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Features of the utterances in ``file``."""
        return featured(task, self._save_as, self._features)

    def _features(self, batch: list[Samples]) -> Any:
        made = self._extractor(batch, sampling_rate=RATE, padding=True, return_attention_mask=True, return_tensors="np")
        return made["input_features"]


class Generate:
    """Processor, ``generate`` and ``batch_decode``, as the model's page shows it."""

    def __init__(self, model: str, tokens: int, batch: int) -> None:
        self._how = (model, tokens, batch)

    def setup(self) -> None:
        """Load the model."""
        model, tokens, _ = self._how
        self._network, self._tokenizer, self._extractor = loaded(model)
        fixed(self._network, tokens)

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write down the utterances in ``file``."""
        import torch

        sounds, seconds = clips(task)
        size = self._how[2]
        with torch.no_grad():
            for start in range(0, len(sounds), size):
                inputs = self._extractor(
                    sounds[start : start + size],
                    sampling_rate=RATE,
                    padding=True,
                    return_attention_mask=True,
                    return_tensors="pt",
                )
                written = self._network.generate(**inputs)
                self._tokenizer.batch_decode(written, skip_special_tokens=True)
        return {"n": seconds}


class Pipeline(Generate):
    """``pipeline("automatic-speech-recognition")``."""

    def __init__(self, model: str, tokens: int) -> None:
        super().__init__(model, tokens, 8)

    def setup(self) -> None:
        """Load the model."""
        from transformers import pipeline

        super().setup()
        self._pipeline = pipeline(
            "automatic-speech-recognition",
            model=self._network,
            tokenizer=self._tokenizer,
            feature_extractor=self._extractor,
        )

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write down the utterances in ``file``."""
        sounds, seconds = clips(task)
        self._pipeline([{"raw": one, "sampling_rate": RATE} for one in sounds], batch_size=self._how[2])
        return {"n": seconds}
