"""Passages fit the encoder, break between sentences, and lose nothing."""

import time
from itertools import pairwise

import pytest

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.passages import OVERLAP, passages, sentences

STORY = (
    "Dr. Smith went to Washington, D.C. on Monday. He met Mr. Jones at No. 5 Main St. near the river, e.g. for lunch. "
    "J. R. R. Tolkien was a veteran of World War I. The book is long! Is it good? Yes... It cost 3.50 dollars. "
)


def split(text, budget, count_tokens):
    return [text[a:b] for a, b in passages(text, budget, count_tokens)]


def lost(text, budget, count_tokens):
    """The characters outside white space that are in no passage."""
    left = list(text)
    for a, b in passages(text, budget, count_tokens):
        left[a:b] = " " * (b - a)
    return "".join("".join(left).split())


def test_sentences_are_not_cut_at_abbreviations_and_initials():
    found = [STORY[a:b].strip() for a, b in sentences(STORY)]
    assert found == [
        "Dr. Smith went to Washington, D.C. on Monday.",
        "He met Mr. Jones at No. 5 Main St. near the river, e.g. for lunch.",
        "J. R. R. Tolkien was a veteran of World War I.",
        "The book is long!",
        "Is it good?",
        "Yes...",
        "It cost 3.50 dollars.",
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("今天天气很好。我们去公园吧！你来吗？", 3),
        ("सभी मनुष्य स्वतन्त्र हैं। उन्हें बुद्धि है।", 2),
        ("كيف حالك؟ أنا بخير.", 2),
        ("A line that was wrapped\nby an editor.\n\nA new paragraph", 2),
        ("- first item\n- second item\n- third item", 3),
        ('He said "Go." Then he left. (So it was.) The end.', 4),
    ],
)
def test_sentences_of_other_scripts_and_layouts(text, count):
    spans = sentences(text)
    assert len(spans) == count
    assert "".join(text[a:b] for a, b in spans) == text


def test_passages_end_with_sentences_and_fit(count_tokens):
    text = STORY * 30
    parts = split(text, 77, count_tokens)
    assert len(parts) > 10
    assert max(map(count_tokens, parts)) <= 77
    whole = {text[a:b].strip() for a, b in sentences(text)}
    longest = max(count_tokens(sentence) for sentence in whole)
    assert longest <= 77, "the test's own sentences have to fit"
    for passage in parts:
        assert all(passage[a:b].strip() in whole for a, b in sentences(passage))
    assert not lost(text, 77, count_tokens)


def test_the_next_passage_repeats_a_short_last_sentence():
    def count(text):
        return len(text.split()) + 2

    text = " ".join(f"Sentence {i} has six words. Short {i}." for i in range(40))
    parts = split(text, 42, count)
    repeated = 0
    for before, after in pairwise(parts):
        last = before[sentences(before)[-1][0] :]
        if after.startswith(last):
            repeated += 1
            assert count(last) - 2 <= OVERLAP * 40
    assert repeated >= len(parts) // 2
    assert not lost(text, 42, count)


def test_a_long_sentence_is_cut_between_words_and_overlaps(count_tokens):
    words = [f"word{i}" for i in range(400)]
    parts = split(" ".join(words), 77, count_tokens)
    assert max(map(count_tokens, parts)) <= 77
    assert all(word in set(words) for passage in parts for word in passage.split())
    assert not lost(" ".join(words), 77, count_tokens)
    for before, after in pairwise(parts):
        assert after.split()[0] in before.split(), "each begins with words of the one before"


def test_words_beyond_the_budget_are_cut_inside(count_tokens):
    text = "".join(f"x{i}y" for i in range(1000))
    parts = split(text, 77, count_tokens)
    assert max(map(count_tokens, parts)) <= 77
    assert not lost(text, 77, count_tokens)


def test_a_paragraph_closes_a_passage_that_is_half_full():
    def count(text):
        return len(text.split())

    text = "a b c d e f g h.\n\nI j k l."
    assert split(text, 14, count) == ["a b c d e f g h.", "I j k l."]
    assert split(text, 40, count) == ["a b c d e f g h.\n\nI j k l."], "a short text stays whole"


def test_a_budget_without_room_is_refused_not_overrun(count_tokens):
    with pytest.raises(LoadError, match="no passage fits 3 tokens"):
        split("日本語", 3, lambda text: 2 + 2 * len(text))


@pytest.mark.parametrize("budget", [16, 77])
def test_five_hundred_languages_lose_no_character(cases, count_tokens, budget):
    text = (cases / "hostile" / "doc_UDHR_first_article_all.txt").read_text(encoding="utf-8")
    parts = split(text, budget, count_tokens)
    assert max(map(count_tokens, parts)) <= budget
    assert not lost(text, budget, count_tokens)


def test_wikipedia_keeps_its_sentences(cases):
    def by_length(part):
        return 2 + len(part) // 4

    text = (cases / "warfield" / "Wiki.txt").read_text(encoding="utf-8")
    parts = split(text, 77, by_length)
    assert not lost(text, 77, by_length)
    assert any(passage.startswith("The book describes") for passage in parts)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("prose", STORY * 4500),
        ("one line of words", "word " * 200_000),
        ("no space at all", "a" * 1_000_000),
        ("no space, no Latin", "ทุกคนเกิดมามีอิสระและเสมอภาค" * 30_000),
        ("blank lines", "a\n\n" * 300_000),
    ],
)
def test_a_megabyte_takes_seconds_and_few_counts(name, text):
    calls = characters = 0

    def count(part):
        nonlocal calls, characters
        calls += 1
        characters += len(part)
        return 2 + len(part) // 4

    begin = time.process_time()
    parts = split(text, 77, count)
    assert time.process_time() - begin < 20
    assert max(2 + len(passage) // 4 for passage in parts) <= 77
    assert calls < 600_000
    assert characters < 60 * len(text), "a tokenizer's time goes by the characters it is shown"
