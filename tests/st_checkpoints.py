"""Tiny random checkpoints of sentence-transformers, made and saved with its own classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import checkpoints
import pytest
import transformers
from checkpoints import HIDDEN, LINES, VISION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROMPTS = {"query": "harp question ", "passage": "a very old harp passage "}
_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}{% endfor %}<|answer|>"
)


@pytest.fixture(scope="session")
def st_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the folder of a tiny checkpoint by the name of its maker below: ``st_checkpoint("sentences")``."""
    pytest.importorskip("sentence_transformers")
    root = tmp_path_factory.mktemp("st-checkpoints")

    def folder(name: str) -> Path:
        place = root / f"tiny-{name.replace('_', '-')}"
        return place if place.exists() else MAKERS[name](place)

    return folder


def sentences(folder: Path, **settings: object) -> Path:
    """Write an embedder of texts: BERT, mean pooling, a projection in a folder of its own, unit length."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

    place = _bert(folder.with_name(f"{folder.name}-network"), transformers.BertModel)
    network = Transformer(str(place), max_seq_length=48)
    with checkpoints.torch.random.fork_rng(devices=[]):
        checkpoints.torch.manual_seed(7)
        projection = Dense(HIDDEN["hidden_size"], 16)
    modules = [network, Pooling(HIDDEN["hidden_size"], "mean"), projection, Normalize()]
    return _saved(SentenceTransformer(modules=modules, device="cpu", **settings), folder)


def prompted(folder: Path) -> Path:
    """Write an embedder of texts that was trained with a prompt before questions, and another before passages."""
    return sentences(folder, prompts=PROMPTS)


def seeing(folder: Path) -> Path:
    """Write an embedder of texts and pictures: CLIP, as sentence-transformers wraps it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Transformer

    place = checkpoints.clip(folder.with_name(f"{folder.name}-network"))
    return _saved(SentenceTransformer(modules=[Transformer(str(place))], device="cpu"), folder)


def ranking(folder: Path, labels: int = 1) -> Path:
    """Write a cross-encoder of texts: BERT with a head of so many classes."""
    from sentence_transformers import CrossEncoder

    kind = transformers.BertForSequenceClassification
    place = _bert(folder.with_name(f"{folder.name}-network"), kind, num_labels=labels)
    return _saved(CrossEncoder(str(place), device="cpu"), folder)


def classifying(folder: Path) -> Path:
    """Write a cross-encoder that puts pairs into three classes."""
    return ranking(folder, labels=3)


def seeing_ranking(folder: Path) -> Path:
    """Write a cross-encoder of texts and pictures: LLaVA, of which the answers "yes" and "no" are compared."""
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.modules import LogitScore
    from sentence_transformers.sentence_transformer.modules import Transformer

    place = _llava(folder.with_name(f"{folder.name}-network"))
    network = Transformer(str(place), transformer_task="any-to-any")
    yes, no = (network.tokenizer.convert_tokens_to_ids(word) for word in ("yes", "no"))
    return _saved(CrossEncoder(modules=[network, LogitScore(yes, no)], device="cpu"), folder)


MAKERS = {
    "sentences": sentences,
    "prompted": prompted,
    "seeing": seeing,
    "ranking": ranking,
    "classifying": classifying,
    "seeing_ranking": seeing_ranking,
}


def _saved(model: object, folder: Path) -> Path:
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def _bert(folder: Path, kind: type, **settings: object) -> Path:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = sorted({letter for line in LINES for letter in line if letter != " "} | set("0123456789,.:!?"))
    words = sorted({word for line in LINES for word in line.split() if word.isascii()})
    vocabulary = dict.fromkeys([*special, *letters, *(f"##{letter}" for letter in letters), *words])
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    about = {"tokenizer_class": "BertTokenizer", "model_max_length": 64}
    checkpoints._write(folder / "tokenizer_config.json", about)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    sizes = {**HIDDEN, "vocab_size": len(tokenizer), "max_position_embeddings": 64, "initializer_range": 0.3}
    model = checkpoints._random(kind, transformers.BertConfig(**sizes, **settings))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _llava(folder: Path) -> Path:
    special = ["<pad>", "<|endoftext|>", "<image>", "<|query|>", "<|document|>", "<|answer|>", "yes", "no"]
    checkpoints._byte_level(folder, special)
    about = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 256, "pad_token": "<pad>"}
    checkpoints._write(folder / "tokenizer_config.json", about)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": special[2:6]})
    pixels = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = transformers.LlavaProcessor(
        pixels, tokenizer, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )  # fmt: skip
    text = transformers.LlamaConfig(
        **HIDDEN, vocab_size=len(tokenizer), max_position_embeddings=256, initializer_range=0.3,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    configuration = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION), text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"), vision_feature_layer=-1,
    )  # fmt: skip
    checkpoints._random(transformers.LlavaForConditionalGeneration, configuration).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
