"""The lexical channel counts the words that matter and marks them."""

import pytest

from mmrag_nb.retrieval.lexical import content_terms, matches, relative


def test_question_words_do_not_count():
    assert content_terms(["who", "is", "my", "harpist"]) == ["harpist"]
    assert content_terms(["who", "is"]) == ["who", "is"], "where nothing else is left, they do"


def test_a_full_match_of_average_length_is_worth_one_and_half_of_it_less():
    import math

    idf = [math.log((100 - n + 0.5) / (n + 0.5)) for n in (1, 10)]
    shares = relative({1: sum(idf), 2: idf[1], 3: 99.0}, [1, 10], 100)
    assert shares[1] == pytest.approx(1.0)
    assert shares[2] == pytest.approx(idf[1] / sum(idf))
    assert shares[3] == 1.0
    assert relative({}, [], 5) == {}


@pytest.mark.parametrize(
    ("text", "terms", "marked"),
    [
        ("The harpists painted it.", ["harpist", "painting"], ["harpists painted"]),
        ("My favorite harp is here", ["favorite", "harpist"], ["favorite harp"]),
        ("Nothing of that kind", ["zebra"], []),
        ("a cat, a dog", ["cat", "dog"], ["cat", "dog"]),
        ("我最喜欢的竖琴", ["竖琴"], ["竖琴"]),
        ("", ["x"], []),
    ],
)
def test_marked_words(text, terms, marked):
    assert [text[start:end] for start, end in matches(text, terms)] == marked
