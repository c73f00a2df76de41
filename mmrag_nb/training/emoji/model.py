"""The small CLIP: transformers' own classes with a small configuration, so that it loads as OpenAI's does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

START, END = "<|startoftext|>", "<|endoftext|>"


@dataclass(frozen=True)
class Shape:
    """Sizes of the two towers."""

    side: int = 64
    """Pixels a side of a picture."""
    patch: int = 8
    width: int = 192
    layers: int = 6
    heads: int = 3
    text_width: int = 128
    text_layers: int = 3
    text_heads: int = 4
    tokens: int = 64
    """Longest text."""
    projection: int = 128
    vocabulary: int = 2048


def build_tokenizer(texts: Sequence[str], size: int, folder: Path, tokens: int) -> Any:
    """Train CLIP's kind of tokenizer (byte-level BPE, lower case) on ``texts`` and return transformers' class of it."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer
    from transformers import CLIPTokenizerFast

    tokenizer = Tokenizer(BPE(unk_token=END, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = BpeTrainer(
        vocab_size=size - 2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    # As in OpenAI's, the two marks come last: transformers finds the end of a text as its highest token.
    vocabulary = {**learned["vocab"], START: len(learned["vocab"]), END: len(learned["vocab"]) + 1}
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in learned["merges"]]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", "utf-8")
    made = CLIPTokenizerFast.from_pretrained(folder, model_max_length=tokens)
    made.save_pretrained(folder)
    return made


def build_processor(tokenizer: Any, side: int) -> Any:
    """Return transformers' `CLIPProcessor` for pictures of ``side`` pixels."""
    from transformers import CLIPImageProcessor, CLIPProcessor

    pictures = CLIPImageProcessor(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    return CLIPProcessor(image_processor=pictures, tokenizer=tokenizer)


def build_model(shape: Shape, tokenizer: Any) -> Any:
    """Return a `CLIPModel` with random weights."""
    from transformers import CLIPConfig, CLIPModel

    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": shape.text_width,
        "intermediate_size": 4 * shape.text_width,
        "num_hidden_layers": shape.text_layers,
        "num_attention_heads": shape.text_heads,
        "max_position_embeddings": shape.tokens,
        "hidden_act": "gelu",
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "projection_dim": shape.projection,
    }
    vision = {
        "hidden_size": shape.width,
        "intermediate_size": 3 * shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "image_size": shape.side,
        "patch_size": shape.patch,
        "hidden_act": "gelu",
        "projection_dim": shape.projection,
    }
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=shape.projection)
    # torch's fused attention has a slow backward pass on CPUs
    return CLIPModel._from_config(config, attn_implementation="eager")  # noqa: SLF001


def load(source: Path, folder: Path) -> tuple[Any, Any]:
    """Return the tokenizer and the model, ready to be trained on, of ``source``; copy the tokenizer to ``folder``."""
    import shutil

    from transformers import CLIPModel, CLIPTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(source / name, folder / name)
    tokenizer = CLIPTokenizerFast.from_pretrained(source)
    tokenizer.save_pretrained(folder)
    model = CLIPModel.from_pretrained(source, attn_implementation="eager").float().train()
    return tokenizer, model


def image_vectors(model: Any, pictures: torch.Tensor, keep: int | None = None) -> torch.Tensor:
    """Embed pictures.

    Parameters
    ----------
    pictures : (n, 3, side, side) float
        RGB in [0, 1].
    keep : int, optional
        How many of the patches to look at, chosen anew for each picture: cheaper, and no picture is seen twice (Li et
        al. 2023, "Scaling Language-Image Pre-training via Masking"). All where absent.

    Returns
    -------
    (n, d) float32, unit rows.
    """
    tower = model.vision_model
    pixels = (pictures - 0.5) / 0.5
    hidden = tower.embeddings(pixels) if keep is None else _embed_some(tower.embeddings, pixels, keep)
    hidden = tower.encoder(inputs_embeds=tower.pre_layrnorm(hidden)).last_hidden_state
    projected = model.visual_projection(tower.post_layernorm(hidden[:, 0]))
    return functional.normalize(projected.float(), dim=1)


def _embed_some(embeddings: Any, pixels: torch.Tensor, keep: int) -> torch.Tensor:
    # what embeddings(pixels) gives, for the chosen patches only; the class token, first, always stays
    count, side, patch = len(pixels), embeddings.image_size, embeddings.patch_size
    across = side // patch
    patches = (
        pixels.view(count, 3, across, patch, across, patch).permute(0, 2, 4, 1, 3, 5).reshape(count, across**2, -1)
    )
    chosen = torch.rand(count, across**2).argsort(dim=1)[:, :keep]
    patches = patches.gather(1, chosen[:, :, None].expand(-1, -1, patches.shape[2]))
    hidden = functional.linear(patches, embeddings.patch_embedding.weight.flatten(1))
    hidden = hidden + embeddings.position_embedding(chosen + 1)
    first = embeddings.class_embedding + embeddings.position_embedding.weight[0]
    return torch.cat([first.expand(count, 1, -1).to(hidden.dtype), hidden], dim=1)


def text_vectors(model: Any, tokenizer: Any, texts: Sequence[str]) -> torch.Tensor:
    """Embed texts: (n, d) float32, unit rows."""
    batch = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
    out = model.get_text_features(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    return functional.normalize(getattr(out, "pooler_output", out).float(), dim=1)


def save(model: Any, processor: Any, folder: Path) -> None:
    """Write weights (float16 safetensors), configuration, tokenizer and processor to ``folder``."""
    import copy

    folder.mkdir(parents=True, exist_ok=True)
    backend = processor.tokenizer.backend_tokenizer
    backend.no_truncation()  # how the last batch was padded and cut is not the tokenizer's business
    backend.no_padding()
    copy.deepcopy(model).half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    processor.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)  # transformers 4 looks for a file of its own
    # float16 saves space on disk only: processors without it would compute slowly, or not at all
    _edit(folder / "config.json", lambda config: {**config, "dtype": "float32", "torch_dtype": "float32"})
    keep = {
        "bos_token",
        "eos_token",
        "unk_token",
        "pad_token",
        "model_max_length",
        "tokenizer_class",
        "processor_class",
    }
    _edit(folder / "tokenizer_config.json", lambda config: {key: config[key] for key in sorted(keep & config.keys())})


def _edit(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text("utf-8"))), indent=2) + "\n", "utf-8")
