"""Recordings to measure with, and a network of Speech2Text medium's true size, made on this machine and kept."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.weights.reading import quiet

from . import media

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MODEL = "facebook/s2t-medium-librispeech-asr"
RATE = 44_100
BEAMS = 5
"""Of the hub's checkpoint, and so of the one that stands in for it."""
_VOCABULARY = 10_000


def recording(minutes: float) -> Path:
    """An MP3 of that length, stereo, 44.1 kHz, 128 kbit/s: what has the pitch, syllables and pauses of speech."""
    import av

    place = media.cache() / "sounds"
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"{minutes:g}-minutes.mp3"
    if file.exists():
        return file
    part = file.with_name(f".{os.getpid()}.{file.name}")
    left = round(minutes * 60 * RATE)
    with av.open(str(part), mode="w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="stereo", bit_rate=128_000, format="s16p")
        number = 0
        while left > 0:
            sound = _utterance(number)[:left]
            left, number = left - len(sound), number + 1
            frame = av.AudioFrame.from_ndarray(np.stack([sound, sound]), format="s16p", layout="stereo")
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    part.replace(file)
    return file


def _utterance(number: int) -> NDArray[np.int16]:
    """Some seconds of gliding harmonics in syllables, and a pause, in the hiss of a room."""
    rng = np.random.default_rng([number % 40, 4])
    seconds, pause = rng.uniform(3, 13), rng.uniform(0.6, 1.2)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = rng.uniform(90, 220) * (1 + 0.15 * np.sin(2 * np.pi * rng.uniform(0.3, 0.8) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    colour = 1 + 0.8 * np.sin(2 * np.pi * rng.uniform(2, 3) * time)
    voice = sum(np.sin(n * phase) * np.exp(-n * (0.1 + 0.1 * colour)) for n in range(1, 16))
    syllables = np.clip(np.sin(2 * np.pi * 3.5 * time) + 0.6, 0, 1)
    sound = np.concatenate([voice * syllables * 3_000, np.zeros(round(pause * RATE))])
    sound += rng.normal(0, 12, len(sound))
    return np.asarray(np.clip(sound, -32_768, 32_767), np.int16)


def speech(model: str = "") -> tuple[str, str, bool]:
    """A Speech2Text checkpoint, what to say of it, and whether its weights are random.

    Parameters
    ----------
    model
        Hub id or folder; empty for the preset's or, where it cannot be had, random weights of its size.

    Raises
    ------
    ModelUnavailable
        The model that was asked for cannot be had.
    """
    from mmrag_nb.weights.hub import find

    try:
        return str(find(model or MODEL).folder), model or MODEL, False
    except ModelUnavailable as error:
        if model:
            raise ModelUnavailable(f"cannot load {model!r}: {error}") from error
        return str(random_speech()), f"random weights of Speech2Text medium's size ({MODEL}: {error})", True


def random_speech() -> Path:
    """Folder of a Speech2Text of medium size in the cache: random weights, a vocabulary of Python's help."""
    with quiet():
        return media.kept("s2t-medium-random", _write)


def _write(folder: Path) -> None:
    import sentencepiece
    import torch
    import transformers

    path = folder / "sentencepiece.bpe.model"
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(media.english()), model_writer=file, vocab_size=2_000, hard_vocab_limit=False,
            minloglevel=2, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
        )  # fmt: skip
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(path))
    known = ["<s>", "<pad>", "</s>", "<unk>", *(pieces.id_to_piece(one) for one in range(pieces.get_piece_size()))]
    words = {piece: number for number, piece in enumerate(dict.fromkeys(known))}
    words |= {f"unused{number}": number for number in range(len(words), _VOCABULARY)}
    (folder / "vocab.json").write_text(json.dumps(words), encoding="utf-8")
    about = {"tokenizer_class": "Speech2TextTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")
    configuration = transformers.Speech2TextConfig(
        vocab_size=_VOCABULARY, d_model=512, encoder_layers=12, decoder_layers=6, encoder_ffn_dim=2048,
        decoder_ffn_dim=2048, encoder_attention_heads=8, decoder_attention_heads=8, conv_channels=1024,
        decoder_start_token_id=2, bos_token_id=0, pad_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = transformers.Speech2TextForConditionalGeneration(configuration)
    network.generation_config.num_beams = BEAMS
    network.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    transformers.Speech2TextFeatureExtractor().save_pretrained(folder)
    kinds = {"feature_extractor_type": "Speech2TextFeatureExtractor", "processor_class": "Speech2TextProcessor"}
    features = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    (folder / "preprocessor_config.json").write_text(json.dumps(features | kinds), encoding="utf-8")
