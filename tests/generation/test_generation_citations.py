import time

import pytest

from mmrag_nb.generation.citations import ABSENT, Mark, cited, declined, invalid, marks, without_code, without_marks

SENT = {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("text", "found", "wrong"),
    [
        ("It is Turlough [1].", (1,), ()),
        ("Turlough[2]. A harpist [1].", (2, 1), ()),
        ("Both say so [1, 2].", (1, 2), ()),
        ("Both say so [1][3] and again [1].", (1, 3), ()),
        ("Both [1 and 3], both [2 & 4], these [1, 2, and 5].", (1, 3, 2, 4, 5), ()),
        ("All [2-4], all [2–4].", (2, 3, 4), ()),
        ("Mixed [1, 3-4; 2].", (1, 3, 4, 2), ()),
        ("Made up [7], half [1, 9].", (1,), (7, 9)),
        ("Too far [4-6].", (4, 5), (6,)),
        ("In [2024] and [0] and [0, 1] and [4-2].", (), ()),
        ("A [1](https://example.org) link.", (), ()),
        ("[1]: https://example.org", (), ()),
        ("[1]: the speaker says so", (1,), ()),
        ("Write `x[1]` or\n```\ny[2] = 3\n```\nas in [3].", (3,), ()),
        ("```\nunclosed [1]", (), ()),
        ("[one] [1a] [] [ 2 ] [-1] [1.5]", (2,), ()),
        ("Full-width 【1】, as OpenAI writes 【2†notes.txt】 and 【3:0†source】, ［4］.", (1, 2, 3, 4), ()),
        ("A footnote[^3] and [^9].", (3,), (9,)),
        ("By name [Evidence 1], [source 2, source 3], [Doc #4].", (1, 2, 3, 4), ()),
        ("A list (1) and (2), a note 3), an exponent ^4.", (), ()),
        ("[[1]](https://example.org) and [[2]].", (1, 2), ()),
        ("An interval [1-900], a row [1, 2, 3].", (1, 2, 3), ()),
        ("``x[1] ` y`` and ~~~\n[2]\n~~~ as in [3].", (3,), ()),
        ("**bold [1]** (see [2])", (1, 2), ()),
        ("", (), ()),
    ],
)
def test_citations_are_read_as_people_write_them(text, found, wrong):
    assert cited(text, SENT) == found
    assert invalid(text, SENT) == wrong


def test_nothing_was_sent():
    assert cited("So [1].", ()) == ()
    assert invalid("So [1].", ()) == (1,)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('the greatest war novel of all time".[1]', 'the greatest war novel of all time".'),
        ("Twice.[1][12] Then more.", "Twice. Then more."),
        ("a list[1] and see [2, 3]", "a list(1) and see (2, 3)"),
        ("no `code` here", "no 'code' here"),
        ("[a link](x) and [2024]", "[a link](x) and [2024]"),
    ],
)
def test_quoted_text_cites_nothing(text, quoted):
    assert without_marks(text) == quoted
    assert cited(quoted, range(1, 1000)) == ()


def test_a_mark_has_its_place():
    assert list(marks("So [1, 3-4].")) == [Mark(3, 11, (1, 3, 4))]


def test_code_is_blanked_in_place():
    assert without_code("a `b[1]` c") == "a        c"


@pytest.mark.parametrize(
    ("said", "absent", "text"),
    [
        (f"{ABSENT} It is not there.", True, "It is not there."),
        ("  [NONE]\nIt is not there.", True, "It is not there."),
        (ABSENT, True, ""),
        ("[no", False, ""),
        ("[nobody] came", False, "[nobody] came"),
        ("It is [none] of these.", False, "It is [none] of these."),
    ],
)
def test_a_generator_declines_by_its_first_word(said, absent, text):
    assert declined(said) == (absent, text)


@pytest.mark.parametrize(
    "hostile",
    ["[" * 200_000, "[1," * 66_000, "[" + "1," * 100_000, "[1" + " " * 200_000, "[1-99]" * 33_000, "`" * 200_001,
     "```\n" * 50_000, "``a\n" * 50_000, "【1†" * 66_000, "[   " * 50_000, "[source " * 25_000],
)  # fmt: skip
def test_no_text_takes_long_to_read(hostile):
    start = time.perf_counter()
    cited(hostile, {1})
    without_marks(hostile)
    assert time.perf_counter() - start < 3
