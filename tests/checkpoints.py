"""Tiny random checkpoints, written as a user would find them: real tokenizers, real preprocessing, random weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import sentencepiece
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINES = (
    "who is my favorite harpist",
    "the harpist plays an old tune on a wire strung harp",
    "a red apple lies on the kitchen table beside a cup of coffee",
    "a photo of a cat sleeping on a window sill in the sun",
    "the attractor has two wings like a butterfly",
    "we recorded a more complex audio file this morning",
    "one two three four five six seven eight nine ten",
    "红色的苹果在桌子上",
    "一只猫在窗台上睡觉",
)
HIDDEN = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**HIDDEN, "image_size": 32, "patch_size": 8, "initializer_range": 0.3}
PICTURE = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the folder of a tiny checkpoint by the name of its maker below: ``checkpoint("clip")``."""
    root = tmp_path_factory.mktemp("checkpoints")

    def folder(name: str) -> Path:
        place = root / f"tiny-{name.replace('_', '-')}"
        return place if place.exists() else MAKERS[name](place)

    return folder


def clip(folder: Path) -> Path:
    """Write a CLIP checkpoint with a byte-level BPE tokenizer of 77 tokens."""
    vocabulary = _byte_level(folder, ["<|startoftext|>", "<|endoftext|>"], end_of_word="</w>")
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = {**HIDDEN, "vocab_size": len(vocabulary), "max_position_embeddings": 77, "projection_dim": 16}
    text |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "initializer_factor": 2.0}
    text |= {"pad_token_id": tokenizer.pad_token_id}
    configuration = transformers.CLIPConfig(
        text_config=text, vision_config={**VISION, "projection_dim": 16}, projection_dim=16
    )
    model = _random(transformers.CLIPModel, configuration)
    return _save(folder, model, tokenizer, {"image_processor_type": "CLIPImageProcessor", **PICTURE})


def siglip(folder: Path) -> Path:
    """Write a SigLIP checkpoint with a sentencepiece tokenizer of 64 tokens."""
    _sentencepiece(folder / "spiece.model", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    about = {"tokenizer_class": "SiglipTokenizer", "model_max_length": 64, "pad_token": "</s>"}
    _write(folder / "tokenizer_config.json", {**about, "model_input_names": ["input_ids"]})  # as Google's have it
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = {**HIDDEN, "vocab_size": len(tokenizer), "max_position_embeddings": 64, "projection_size": 32}
    text |= {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    model = _random(transformers.SiglipModel, transformers.SiglipConfig(text_config=text, vision_config=VISION))
    size = {"height": 32, "width": 32}
    return _save(folder, model, tokenizer, {"image_processor_type": "SiglipImageProcessor", "size": size})


def chinese_clip(folder: Path) -> Path:
    """Write a Chinese-CLIP checkpoint with a WordPiece tokenizer."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = sorted({character for line in LINES for character in line if character != " "})
    words = sorted({word for line in LINES for word in line.split() if word.isascii()})
    vocabulary = [*special, *pieces, *(f"##{piece}" for piece in pieces if piece.isascii()), *words]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf-8")
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 52})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = {**HIDDEN, "vocab_size": len(tokenizer), "max_position_embeddings": 64, "initializer_range": 0.3}
    configuration = transformers.ChineseCLIPConfig(
        text_config=text, vision_config={**VISION, "projection_dim": 16}, projection_dim=16
    )
    model = _random(transformers.ChineseCLIPModel, configuration)
    size = {"height": 32, "width": 32}
    return _save(
        folder, model, tokenizer, {"image_processor_type": "ChineseCLIPImageProcessor", "size": size, "crop_size": size}
    )


def speech2text(folder: Path) -> Path:
    """Write a Speech2Text checkpoint with a sentencepiece tokenizer."""
    pieces = _sentencepiece(folder / "sentencepiece.bpe.model", pad_id=-1, eos_id=2, unk_id=0, bos_id=1)
    vocabulary = dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>", *pieces])
    _write(folder / "vocab.json", {piece: number for number, piece in enumerate(vocabulary)})
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "Speech2TextTokenizer"})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    configuration = transformers.Speech2TextConfig(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64,
        decoder_ffn_dim=64, encoder_attention_heads=2, decoder_attention_heads=2, conv_channels=32, init_std=0.3,
        decoder_start_token_id=2, bos_token_id=0, pad_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = _random(transformers.Speech2TextForConditionalGeneration, configuration)
    features = {"feature_extractor_type": "Speech2TextFeatureExtractor", "processor_class": "Speech2TextProcessor"}
    return _save(folder, model, tokenizer, {**features, "feature_size": 80, "num_mel_bins": 80})


def whisper_english(folder: Path) -> Path:
    """Write a Whisper checkpoint for one language, whose generation config lacks all that is Whisper's own."""
    return whisper(folder, languages=())


def whisper(folder: Path, languages: tuple[str, ...] = ("en", "de")) -> Path:
    """Write a Whisper checkpoint with a byte-level BPE tokenizer."""
    languages_ = [f"<|{code}|>" for code in languages or ("en",)]
    special = ["<|endoftext|>", "<|startoftranscript|>", *languages_, "<|translate|>", "<|transcribe|>"]
    special += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    _byte_level(folder, ["<|endoftext|>"])
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "WhisperTokenizer", "pad_token": "<|endoftext|>"})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in special}
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    configuration = transformers.WhisperConfig(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64,
        decoder_ffn_dim=64, encoder_attention_heads=2, decoder_attention_heads=2, init_std=0.3, max_target_positions=64,
        decoder_start_token_id=start, bos_token_id=end, pad_token_id=end, eos_token_id=end,
        suppress_tokens=[], begin_suppress_tokens=None,
    )  # fmt: skip
    model = _random(transformers.WhisperForConditionalGeneration, configuration)
    if languages:
        model.generation_config._from_model_config = False  # else loading drops the fields that only Whisper has
        model.generation_config.is_multilingual = True
        model.generation_config.lang_to_id = {token: ids[token] for token in languages_}
        model.generation_config.task_to_id = {task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")}
        model.generation_config.no_timestamps_token_id = ids["<|notimestamps|>"]
    features = {"feature_extractor_type": "WhisperFeatureExtractor", "processor_class": "WhisperProcessor"}
    return _save(folder, model, tokenizer, {**features, "feature_size": 80})


MAKERS = {
    "clip": clip,
    "siglip": siglip,
    "chinese_clip": chinese_clip,
    "speech2text": speech2text,
    "whisper": whisper,
    "whisper_english": whisper_english,
}


def tone(seconds: float, pitch: float = 440.0, rate: int = 16_000) -> np.ndarray:
    """Make a sound that changes all the time, so that a random network has something to hear."""
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(int(pitch)).normal(0, 0.02, time.size)
    return (0.3 * np.sin(2 * np.pi * pitch * time * (1 + 0.2 * np.sin(3 * time))) + noise).astype(np.float32)


def _random(kind: type, configuration: object) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return kind(configuration).eval()


def _save(folder: Path, model: torch.nn.Module, tokenizer: object, preprocessing: dict[str, object]) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _write(folder / "preprocessor_config.json", preprocessing)
    return folder


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _byte_level(folder: Path, special: list[str], end_of_word: str = "") -> dict[str, int]:
    """Train a byte-level BPE on ``LINES`` and write its vocab.json and merges.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = {"end_of_word_suffix": end_of_word} if end_of_word else {}
    tokenizer = Tokenizer(models.BPE(**suffix))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, show_progress=False, initial_alphabet=alphabet, **suffix)
    tokenizer.train_from_iterator(LINES, trainer)
    tokenizer.model.save(str(folder))
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    for token in [*(letter + end_of_word for letter in alphabet), *special]:
        vocabulary.setdefault(token, len(vocabulary))
    _write(folder / "vocab.json", vocabulary)
    return vocabulary


def _sentencepiece(path: Path, **ids: int) -> list[str]:
    """Train a sentencepiece model on ``LINES``, write it, and return its pieces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(LINES * 4), model_writer=file, vocab_size=150, hard_vocab_limit=False,
            character_coverage=1.0, minloglevel=2, **ids,
        )  # fmt: skip
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [pieces.id_to_piece(number) for number in range(pieces.get_piece_size())]
