"""The network that is measured: the model asked for or, where it cannot be had, one of CLIP ViT-B/32's true size.

How long a network takes does not depend on what its weights are.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import ModelUnavailable
from mmrag_nb.weights.reading import quiet

from . import media

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "openai/clip-vit-base-patch32"
_WORDS = 49_406
"""Entries of CLIP's vocabulary before the two that begin and end a text."""
_WORD = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def clip(model: str = "") -> tuple[Path, str]:
    """Folder of a CLIP checkpoint, and what to say of it.

    Parameters
    ----------
    model
        Hub id or folder; empty for OpenAI's ViT-B/32 or, where it cannot be had, random weights of its size.

    Raises
    ------
    ModelUnavailable
        The model that was asked for cannot be had.
    """
    from mmrag_nb.weights.hub import find

    try:
        found = find(model or MODEL)
    except ModelUnavailable as error:
        if model:
            raise ModelUnavailable(f"cannot load {model!r}: {error}") from error
        return random_clip(), f"random weights of CLIP ViT-B/32's size ({MODEL}: {error})"
    return found.folder, found.id


def random_clip() -> Path:
    """Folder of a CLIP of ViT-B/32's size in the cache: random weights, a vocabulary trained on Python's help."""
    with quiet():
        return media.kept("clip-vit-b32-random", _write)


def _write(folder: Path) -> None:
    import torch
    import transformers

    _vocabulary(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text: dict[str, Any] = {"bos_token_id": _WORDS, "eos_token_id": _WORDS + 1, "pad_token_id": 1}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = transformers.CLIPModel(transformers.CLIPConfig(text_config=text))
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    pixels = transformers.CLIPImageProcessor()
    transformers.CLIPProcessor(image_processor=pixels, tokenizer=tokenizer).save_pretrained(folder)
    pixels.save_pretrained(folder)  # transformers 5 keeps it in the processor's file alone


def _vocabulary(folder: Path) -> None:
    """Train byte pairs as CLIP's tokenizer has them, and fill up to its number of entries."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORD), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=_WORDS, end_of_word_suffix="</w>", min_frequency=2, show_progress=False, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(_lines(), trainer)
    tokenizer.model.save(str(folder))
    words = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    taken = set(words.values())
    words |= {f"<|unused{number}|>": number for number in range(_WORDS) if number not in taken}
    words |= {"<|startoftext|>": _WORDS, "<|endoftext|>": _WORDS + 1}
    _lasting(folder / "vocab.json", words)
    about = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>"}
    marks = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    _lasting(folder / "tokenizer_config.json", {**about, **marks})


def _lines() -> Iterator[str]:
    """English, and the sources of the standard library, whose comments are English too."""
    yield from media.english()
    for path in sorted(Path(os.__file__).parent.glob("*.py")):
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()


def _lasting(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
