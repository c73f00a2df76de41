"""Tiny random captioners, written as a user would find them: real tokenizers, real preprocessing, random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import transformers
from checkpoints import HIDDEN, LINES, VISION, _random, _save, _write
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SQUARE = {"size": {"height": 32, "width": 32}}


@pytest.fixture(scope="session")
def captioner_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the folder of a tiny captioner by the name of its maker below: ``captioner_checkpoint("blip")``."""
    root = tmp_path_factory.mktemp("captioners")

    def folder(name: str) -> Path:
        place = root / f"tiny-{name.replace('_', '-')}"
        return place if place.exists() else CAPTIONERS[name](place)

    return folder


def blip(folder: Path) -> Path:
    """Write a BLIP captioner with a WordPiece tokenizer."""
    tokenizer = _word_pieces(folder)
    text = {**HIDDEN, "vocab_size": len(tokenizer), "max_position_embeddings": 64, "encoder_hidden_size": 32}
    text |= {"pad_token_id": 0, "bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3, "initializer_range": 0.3}
    configuration = transformers.BlipConfig(text_config=text, vision_config=VISION)
    model = _lively(_random(transformers.BlipForConditionalGeneration, configuration))
    return _save(folder, model, tokenizer, {"image_processor_type": "BlipImageProcessor", **SQUARE})


def git(folder: Path) -> Path:
    """Write a GIT captioner with a WordPiece tokenizer and centre-cropping."""
    tokenizer = _word_pieces(folder)
    configuration = transformers.GitConfig(
        **HIDDEN, vision_config={**VISION, "num_channels": 3}, vocab_size=len(tokenizer), max_position_embeddings=64,
        initializer_range=0.3, pad_token_id=0, bos_token_id=2, eos_token_id=3,
    )  # fmt: skip
    model = _lively(_random(transformers.GitForCausalLM, configuration))
    picture = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    return _save(folder, model, tokenizer, {"image_processor_type": "CLIPImageProcessor", **picture})


def vit_gpt2(folder: Path) -> Path:
    """Write a ViT that a GPT-2 describes."""
    tokenizer = _word_pieces(folder)
    eyes = transformers.ViTConfig(**VISION)
    writer = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=64, initializer_range=0.3,
        bos_token_id=2, eos_token_id=3, pad_token_id=0,
    )  # fmt: skip
    configuration = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(eyes, writer)
    configuration.decoder_start_token_id, configuration.pad_token_id, configuration.eos_token_id = 2, 0, 3
    model = _lively(_random(transformers.VisionEncoderDecoderModel, configuration))
    model.generation_config.decoder_start_token_id = 2
    model.generation_config.pad_token_id, model.generation_config.eos_token_id = 0, 3
    return _save(folder, model, tokenizer, {"image_processor_type": "ViTImageProcessor", **SQUARE})


CAPTIONERS = {"blip": blip, "git": git, "vit_gpt2": vit_gpt2}


def scenes(count: int = 5) -> list[Image.Image]:
    """Pictures that differ much, of different sizes."""
    chance = np.random.default_rng(4)
    found = []
    for number in range(count):
        coarse = chance.integers(0, 255, (4, 4, 3), dtype=np.uint8)
        found.append(Image.fromarray(coarse).resize((40 + 9 * number, 64), Image.Resampling.NEAREST))
    return found


def _word_pieces(folder: Path) -> transformers.PreTrainedTokenizerBase:
    words = sorted({word for line in LINES for word in line.split() if word.isascii()})
    letters = sorted({letter for word in words for letter in word})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{one}" for one in letters), *words]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf-8")
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 64})
    return transformers.AutoTokenizer.from_pretrained(folder)


def _lively(model: torch.nn.Module) -> torch.nn.Module:
    """Make what is seen weigh more, or a random network writes the same about everything."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.dim() > 1 and ("cross" in name or "visual_projection" in name):
                weights.mul_(4)
    return model
