"""Made-up media, encoded here, and a real (tiny) tokenizer."""

import io
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import pytest

LINES = [
    "The quick brown fox jumps over the lazy dog and runs away from the hunters in the forest.",
    "All human beings are born free and equal in dignity and rights, and they have reason.",
    "The book describes the extreme physical and mental trauma of the soldiers during the war.",
]


@pytest.fixture(scope="session")
def count_tokens() -> Callable[[str], int]:
    """Tokens as CLIP counts them: byte-level pairs of a small vocabulary, with a token before and one after."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(LINES, trainer)
    tokenizer.post_processor = processors.BertProcessing(("</s>", 1), ("<s>", 0))
    return lambda text: len(tokenizer.encode(text).ids)


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """Encode (n,) float samples: ``encoded(wave, rate, "mp3")``; channels are copies of the one."""
    codecs = {
        "wav": ("wav", "pcm_s16le", "s16"),
        "mp3": ("mp3", "libmp3lame", "fltp"),
        "flac": ("flac", "flac", "s16"),
        "ogg": ("ogg", "flac", "s16"),
        "opus": ("ogg", "libopus", "s16"),
        "m4a": ("ipod", "aac", "fltp"),
        "aiff": ("aiff", "pcm_s16be", "s16"),
        "au": ("au", "pcm_s16be", "s16"),
    }

    def encode(wave: np.ndarray, rate: int, kind: str, *, channels: int = 1) -> bytes:
        container, codec, layout = *codecs[kind][:2], "mono" if channels == 1 else "stereo"
        out = io.BytesIO()
        with av.open(out, mode="w", format=container) as file:
            stream = file.add_stream(codec, rate=rate, layout=layout)
            resampler = av.AudioResampler(format=codecs[kind][2], layout=layout, rate=rate)
            sound = np.repeat(np.asarray(wave, np.float32)[None], channels, axis=0)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout=layout)
            frame.sample_rate = rate
            frame.pts, frame.time_base = 0, Fraction(1, rate)
            for part in resampler.resample(frame):
                file.mux(stream.encode(part))
            file.mux(stream.encode(None))
        return out.getvalue()

    return encode


@pytest.fixture(scope="session")
def speech_like() -> Callable[..., np.ndarray]:
    """Bursts of a buzzing voice between (start, end) seconds, over faint noise: (n,) floats at ``rate``."""

    def make(spans: list[tuple[float, float]], seconds: float, rate: int = 16_000) -> np.ndarray:
        rng = np.random.default_rng(7)
        time = np.arange(round(seconds * rate)) / rate
        wave = 0.001 * rng.standard_normal(len(time))
        voice = 0.3 * np.sign(np.sin(2 * np.pi * 120 * time)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))
        for start, end in spans:
            inside = (time >= start) & (time < end)
            wave[inside] += voice[inside]
        return wave

    return make
