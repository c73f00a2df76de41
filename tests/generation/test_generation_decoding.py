"""Tokens become text piece by piece, blanks kept, half letters and thoughts held back."""

from __future__ import annotations

import pytest
import transformers
from checkpoints import LINES
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from mmrag_nb.generation.decoding import Decoding


class Letters:
    """A tokenizer of single bytes."""

    def decode(self, ids, **_options) -> str:
        return bytes(ids).decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("text", "shown", "thinking"),
    [
        ("<think>let me see</think>\n\nTurlough [1].", "Turlough [1].", False),
        ("let me see\n</think>\nTurlough", "Turlough", True),
        ("  1 < 2 and <b>so</b> <thin air>  ", "1 < 2 and <b>so</b> <thin air>", False),
        ("harpe, Ärger, 红色的苹果, 🍎 \n\n end", "harpe, Ärger, 红色的苹果, 🍎 \n\n end", False),
        ("<think>never ending", "", False),
        ("a <think>b</think> c<thi", "a <think>b</think> c<thi", False),
        ("<thi", "<thi", False),
    ],
)
def test_thoughts_and_half_letters_are_not_shown(text, shown, thinking):
    said = Decoding(Letters(), thinking=thinking)
    pieces = [said.add(byte) for byte in text.encode()]
    assert all("�" not in piece for piece in pieces)
    assert "".join([*pieces, said.end()]) == said.text == shown


def test_blanks_between_words_are_kept_where_tokens_hold_them():
    tokenizer = Tokenizer(models.BPE(byte_fallback=True))  # as Llama's: a blank is a part of the word that follows
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=200, show_progress=False))
    whole = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    said = Decoding(whole)
    pieces = [said.add(token) for token in whole.encode(" ".join(LINES), add_special_tokens=False)]
    assert "".join([*pieces, said.end()]) == said.text == " ".join(LINES)
