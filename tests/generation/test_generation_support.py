"""What an answer states, and what words, numbers and names tell of its support."""

import time

import pytest

from mmrag_nb.generation.numbers import numbers
from mmrag_nb.generation.passages import locate, outside, quotations
from mmrag_nb.generation.statements import absent, statements
from mmrag_nb.generation.support import Grounds, framing
from mmrag_nb.types import Evidence

HARP = "A concert harp has forty-seven strings and seven pedals. Gut strings break more often. Dogs are not allowed."
TALK = "the lighthouse was built in eighteen forty seven and its first keeper was thomas hale"


def grounds(*texts, modality="text"):
    return Grounds([Evidence(n, f"notes_{n}.txt", modality, text) for n, text in enumerate(texts, start=1)])


def said(text):
    return [(one.text, one.cites or one.lent) for one in statements(text)]


# -- statements --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("He did [1]. She did.[2] They did. [3]", [("He did.", (1,)), ("She did.", (2,)), ("They did.", (3,))]),
        ("He did. [2] says when.", [("He did.", (2,)), ("says when.", (2,))]),
        ("[1] says so. He agrees [2].", [("says so.", (1,)), ("He agrees.", (2,))]),
        ("He was there. She was not [3].", [("He was there.", (3,)), ("She was not.", (3,))]),
        ("He was there [3]. She was not.", [("He was there.", (3,)), ("She was not.", ())]),
        ("He was there.\n\nShe was not [3].", [("He was there.", ()), ("She was not.", (3,))]),
        ("By [2]:\n- flour\n- eggs [1]", [("flour", (2,)), ("eggs", (1,))]),
        ("1. **Mix** the `dry.parts` [1]\n2) Bake\n   slowly.", [("Mix the dry.parts", (1,)), ("Bake slowly.", ())]),
        ("# Strings [1]\n**Pedals**\nSeven [2].", [("Seven.", (2,))]),
        ("| a | b |\n|---|---|\n| 1 | two [1] |", [("1, two", (1,))]),
        ("```\nx[1]. y.\n```\nIt runs [1].", [("It runs.", (1,))]),
        ("Is it so [1]? 是吗？ It is [1].", [("It is.", (1,))]),
        ("他是竖琴家[1]。他住在都柏林。【2】", [("他是竖琴家。", (1,)), ("他住在都柏林。", (2,))]),
        ("He said “It was good. We stayed.” [1] Then he left [2].",
         [("He said “It was good. We stayed.”", (1,)), ("Then he left.", (2,))]),
        ("At 3.5 m, e.g. by Dr. Roth of the U.S. Army [1].", [("At 3.5 m, e.g. by Dr. Roth of the U.S. Army.", (1,))]),
        ("It is so [1].\n\nSources:\n[1] notes.txt\n[2] talk.mp3", [("It is so.", (1,))]),
        ("Here is what I found:\n\nIt is so [1].", [("It is so.", (1,))]),
        ("It is so [1]. I hope this helps! Let me know.", [("It is so.", (1,))]),
        ("The harp has 47 strings [1]. The sources do not say who built it.", [("The harp has 47 strings.", (1,))]),
        ("The picture a.png matches best [1].", []),
        ("[1]", []),
        ("", []),
    ],
)  # fmt: skip
def test_an_answers_statements_and_what_each_rests_on(text, found):
    assert said(text) == found


def test_what_holds_no_word_states_nothing():
    assert statements("`++` [1]. ** ** `` `- -` [2]") == []


def test_a_statement_knows_its_place():
    text = "Well.  **He did** [1].\n- She [2]"
    assert [text[slice(*one.span)] for one in statements(text)] == ["Well.", "**He did** [1].", "She [2]"]


@pytest.mark.parametrize(
    "text",
    [
        "The evidence does not say who wrote it.",
        "Sorry, the provided documents don't contain information on that.",
        "I could not find this in the sources. Would you like to know anything else?",
        "This is not mentioned in the sources.",
        "There is no information about a harp in the evidence.",
        "None of the texts mentions a harp.",
        "The recording says nothing about the price.",
        "Not enough information.",
        "Die Quellen sagen dazu nichts.",
        "Les sources ne mentionnent pas cela.",
        "Las fuentes no lo mencionan.",
        "来源中没有提到。",
        "情報源には記載がありません。",
    ],
)
def test_not_in_the_sources_is_understood_in_plain_words(text):
    assert absent(text)


@pytest.mark.parametrize(
    "text",
    [
        "The sources do not mention it. Paris is the capital of France.",
        "The recording can't be older than 1912.",
        "He did not answer the letter.",
        "The ship has no sails.",
        "No.",
        "It is not in Paris.",
        "The harp has 47 strings [1]. The evidence does not say who built it. It is old.",
        "The document was not signed.",
        "",
    ],
)
def test_an_answer_is_not_taken_for_none(text):
    assert not absent(text)


# -- support -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "lacking"),
    [
        ("A concert harp has 47 strings.", ()),
        ("A concert harp has 40 strings.", ("40",)),
        ("A harp has seven pedals and nine lives.", ("nine",)),
        ("Ines Roth played a harp with 7 pedals.", ("Ines", "Roth")),
        ("Gut strings of Dublin break.", ("Dublin",)),
        ("Players curse.", ()),
    ],
)
def test_numbers_and_names_have_to_be_there(statement, lacking):
    assert grounds(HARP).support(statement, [1]).lacking == lacking


@pytest.mark.parametrize(
    ("statement", "least", "most"),
    [
        ("Gut strings break more often.", 1, 1),
        ("A gut string breaks often.", 0.8, 1),
        ("Sixteen penguins swim.", 0, 0.1),
        ("Gut strings are made of polished brass.", 0.2, 0.6),
    ],
)
def test_overlap_is_the_share_of_the_words_by_rarity(statement, least, most):
    assert least <= round(grounds(HARP).support(statement, [1]).overlap, 6) <= most


def test_what_is_heard_may_be_spelt_as_it_sounds():
    heard = grounds(TALK, modality="audio").support("Its first keeper was Thomas Hayle, from 1847 on.", [1])
    assert heard.lacking == ()
    assert heard.overlap > 0.8


@pytest.mark.parametrize(
    ("statement", "denied"),
    [("Dogs are allowed.", "“not” is missing"), ("Gut strings never break often.", "“never” is not in"),
     ("Dogs are not allowed.", ""), ("Gut strings break often.", "")],
)  # fmt: skip
def test_a_not_in_one_of_them_tells(statement, denied):
    assert grounds(HARP).support(statement, [1]).denied.startswith(denied)
    assert bool(grounds(HARP).support(statement, [1]).denied) == bool(denied)


def test_words_about_the_source_do_not_count():
    assert grounds(HARP).support("As the passage explains, gut strings break.", [1]).overlap == pytest.approx(1)


def test_another_clauses_not_denies_nothing():
    castle = grounds("The Swedes destroyed the tower in 1634, and it was never rebuilt.")
    assert castle.support("The tower was destroyed by the Swedes.", [1]).denied == ""


def test_what_was_added_is_named():
    assert grounds(HARP).support("A concert harp has pedals made of polished brass.", [1]).added == (
        "made of polished brass"
    )


def test_only_what_is_given_counts():
    both = grounds(HARP, "The ferry leaves at noon.")
    assert both.support("The ferry leaves at noon.", [1]).overlap < 0.3
    assert both.support("The ferry leaves at noon.", [2]).overlap == pytest.approx(1)
    assert both.support("The harp has strings, and the ferry leaves at noon.", [1, 2]).overlap == pytest.approx(1)


def test_where_it_stands():
    (place,) = grounds(HARP).support("Often, gut strings break.", [1]).places
    assert HARP[slice(*place[1])].strip() == "Gut strings break more often."


def test_another_language_cannot_be_told_by_words():
    support = grounds(HARP).support("Die Harfe hat sieben Pedale und ist ein Instrument.", [1])
    assert support.overlap is None
    assert support.content


def test_a_statement_without_words_that_count():
    assert not grounds(HARP).support("Yes, it is.", [1]).content


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,200", {1200, 1.2}), ("1.200", {1200, 1.2}), ("1,234,567.5", {1234567.5}), ("3,5", {3.5}),
        ("forty-seven", {47}), ("two hundred and five", {205}), ("one thousand two hundred", {1200}),
        ("nineteen twelve", {1912, 19, 12}), ("two and a half million", {2_500_000}), ("1.2 million", {1.2, 1.2e6}),
        ("21st", {21}), ("9:30", {9, 30}), ("3 May 2021", {3, 5, 2021}), ("2021-05-03", {3, 5, 2021}),
        ("a dozen", {12}), ("x² ①", set()), ("no number", set()),
    ],
)  # fmt: skip
def test_numbers_are_read_as_they_are_written(text, values):
    assert numbers(text).values == values


def test_a_quotation_is_found_whatever_stands_between_its_words():
    text = "It is billed as “the greatest\nwar novel of all time”.[1] A list[2] follows."
    place = locate("billed as 'The greatest war novel of all time'. A list", text)
    assert text[slice(*place)] == "billed as “the greatest\nwar novel of all time”.[1] A list"
    assert locate("war novel of all times", text) is None
    assert locate("st war", text) is None
    assert locate("…", text) is None


def test_quotations_and_what_frames_them():
    text = "The picture sign.png reads “… OPEN 9-5 …”."
    assert list(quotations(text)) == ["OPEN 9-5"]
    assert framing(outside(text), "sign.png")
    assert not framing("Ines Roth said", "sign.png")
    assert not framing("In 1912:", "sign.png")


@pytest.mark.parametrize(
    "hostile",
    ["[1]. " * 40_000, "“a. " * 50_000, "- a\n" * 50_000, '"a. ' * 50_000, "the evidence " * 15_000, "*" * 200_000,
     "| a |\n" * 30_000, "a" * 200_000, ":\n" * 100_000, "here is " * 25_000, "`a" * 100_001, "A. " * 66_000],
)  # fmt: skip
def test_no_answer_takes_long_to_split(hostile):
    start = time.perf_counter()
    statements(hostile)
    absent(hostile)
    assert time.perf_counter() - start < 5
