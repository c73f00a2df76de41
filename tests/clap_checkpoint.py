"""A tiny random CLAP checkpoint, written as a user would find it, with or without feature fusion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import transformers
from checkpoints import HIDDEN, _byte_level, _random, _save, _write

if TYPE_CHECKING:
    from pathlib import Path


def clap(folder: Path, *, fusion: bool = False) -> Path:
    """Write one that hears ten seconds at 48 kHz in 251 frames of 16 bands."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    _byte_level(folder, special)
    about = {"bos_token": "<s>", "cls_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "sep_token": "</s>"}
    about |= {"unk_token": "<unk>", "mask_token": "<mask>", "model_max_length": 62}
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "RobertaTokenizer", **about})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = {**HIDDEN, "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "initializer_factor": 10.0}
    text |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    # RoBERTa's positions begin behind the padding token's number.
    text |= {"max_position_embeddings": tokenizer.pad_token_id + 1 + 62}
    audio = {"num_mel_bins": 16, "spec_size": 64, "window_size": 4, "depths": [1, 1], "num_attention_heads": [2, 2]}
    audio |= {"patch_embeds_hidden_size": 16, "hidden_size": 32, "enable_fusion": fusion, "initializer_factor": 3.0}
    configuration = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=16)
    model = _random(transformers.ClapModel, configuration)
    features = {"feature_extractor_type": "ClapFeatureExtractor", "processor_class": "ClapProcessor"}
    features |= {"feature_size": 16, "hop_length": 1920, "fft_window_size": 4096, "padding": "repeatpad"}
    features |= {"truncation": "fusion" if fusion else "rand_trunc"}
    return _save(folder, model, tokenizer, features)
