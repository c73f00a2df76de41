"""How fast a model of a true size reads and writes on this machine; its weights are random, which costs the same.

python tests/bench/local_generator.py --model smolvlm-256m --pictures 2 --words 300 --most 64
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import transformers
from describer_checkpoints import scenes
from vlm_checkpoints import idefics3_of, qwen3_vl_of

from mmrag_nb.generation.local import LocalGenerator
from mmrag_nb.generation.media import jpeg
from mmrag_nb.types import Evidence, Generation, Prompt

SIZES = {
    "smolvlm-256m": (idefics3_of, {
        "vision_config": {
            "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
            "image_size": 512, "patch_size": 16,
        },
        "text_config": {
            "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
            "num_key_value_heads": 3, "head_dim": 64, "vocab_size": 49280, "max_position_embeddings": 8192,
        },
        "scale_factor": 4, "longest_edge": 2048,
    }),
    "qwen3-vl-2b": (qwen3_vl_of, {
        "vision_config": {
            "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16, "out_hidden_size": 2048,
            "deepstack_visual_indexes": [5, 11, 17], "num_position_embeddings": 2304,
        },
        "text_config": {
            "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "num_attention_heads": 16,
            "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936, "max_position_embeddings": 32768,
            "tie_word_embeddings": True,
        },
        "sections": [24, 20, 20],
    }),
}  # fmt: skip
"""As their ``config.json`` on the hub have them."""


def main() -> None:
    """Print tokens per second of reading and of writing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smolvlm-256m", help=f"{', '.join(SIZES)}, a hub id or a folder")
    parser.add_argument("--pictures", type=int, default=2)
    parser.add_argument("--words", type=int, default=300, help="of evidence in words")
    parser.add_argument("--most", type=int, default=64, help="tokens to be written")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        model = options.model
        if model in SIZES:
            maker, size = SIZES[model]
            model = str(maker(Path(place) / model, **size))
        start = time.perf_counter()
        generator = LocalGenerator(model, device=options.device, precision=options.precision)
        generator._local.network.generation_config.eos_token_id = None  # else random weights end anywhere
        _speakable(generator)
        millions = sum(weight.numel() for weight in generator._local.network.parameters()) / 1e6
        print(f"{generator.description}: {millions:,.0f} M weights, loaded in {time.perf_counter() - start:.1f} s")
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, {os.cpu_count()} cores")
    prompt = _prompt(options, generator)
    rates = [_run(generator, prompt) for _ in range(options.runs)]
    given = generator.tokens(prompt)
    ready, first, pace = (statistics.median(column) for column in zip(*rates, strict=True))
    print(f"prompt of {given:,} tokens, {options.pictures} pictures: prepared in {ready:.2f} s")
    print(
        f"read in {first:.2f} s: {given / first:,.0f} tokens/s; written at {pace:.1f} tokens/s ({options.most} tokens)"
    )


def _speakable(generator: LocalGenerator) -> None:
    """Let it choose among the few tokens only that its small tokenizer knows."""
    known = len(generator._local.tokenizer)
    generator._local.network.get_output_embeddings().register_forward_hook(lambda *seen: seen[-1][..., :known])


def _prompt(options: argparse.Namespace, generator: LocalGenerator) -> Prompt:
    pictures = [jpeg(scene.resize((1024, 768)), 1024) for scene in scenes(options.pictures)]
    shown = [Evidence(n, f"{n}.jpg", "image", "", (picture,)) for n, picture in enumerate(pictures, start=1)]
    told = Evidence(len(shown) + 1, "talk.txt", "text", "the harpist plays an old tune " * (options.words // 6))
    return Prompt("who plays what?", "Answer briefly.", (*shown, told), max_tokens=options.most)


def _run(generator: LocalGenerator, prompt: Prompt) -> tuple[float, float, float]:
    """Seconds to prepare, seconds to the first token, tokens per second after that."""
    seen: list[float] = []
    forward = generator._local.network.register_forward_hook(lambda *_: seen.append(time.perf_counter()))
    start = time.perf_counter()
    generator.tokens(prompt)
    ready = time.perf_counter()
    whole = [piece for piece in generator.stream(prompt) if isinstance(piece, Generation)][-1]
    forward.remove()
    assert whole.usage["output_tokens"] == len(seen)
    return ready - start, seen[0] - ready, (len(seen) - 1) / (seen[-1] - seen[0])


if __name__ == "__main__":
    main()
