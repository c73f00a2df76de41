"""Words of a page come out as a person reads them."""

import random

import pytest

from mmrag_nb.loaders.layout import MOST_WORDS, laid, shares_of
from mmrag_nb.loaders.lines import Box, Word

LEFT = "alpha begins here and runs along the left column until it ends with omega for good".split()
RIGHT = "beta starts on the other side and goes on from there until it stops with zeta at last".split()


def line(text, x, y, *, place=0, size=10.0):
    """Words as wide as their letters are many."""
    words, at = [], x
    for n, word in enumerate(text.split()):
        words.append(Word(word, Box(at, y, at + 0.5 * size * len(word), y + size), place + n))
        at += 0.5 * size * (len(word) + 1)
    return words


def column(words, x, y, *, per=4, place=0, leading=12.0, size=10.0):
    found = []
    for n in range(0, len(words), per):
        row = line(" ".join(words[n : n + per]), x, y + leading * n / per, place=place, size=size)
        found += row
        place += len(row) + 1
    return found


def renumbered(words):
    """As a file has them that was drawn in this order."""
    return [Word(word.text, word.box, 2 * n) for n, word in enumerate(words)]


def by_rows(words):
    return renumbered(sorted(words, key=lambda word: (word.box.top, word.box.left)))


@pytest.mark.parametrize("shift", [0.0, 4.0, 7.0], ids=["on the same lines", "a little lower", "between the lines"])
def test_columns_are_read_one_after_the_other(shift):
    both = by_rows(column(LEFT, 50, 100) + column(RIGHT, 250, 100 + shift))
    assert laid(both).text.split() == LEFT + RIGHT


def test_a_gutter_may_be_narrow():
    right_edge = max(word.box.right for word in column(LEFT, 50, 100))
    both = by_rows(column(LEFT, 50, 100) + column(RIGHT, right_edge + 7, 100))
    assert laid(both).text.split() == LEFT + RIGHT


def test_a_title_over_two_columns_and_a_line_below_them_stay_in_their_places():
    title = line("A title that spans both of the columns below it and more", 50, 60, size=12)
    foot = line("a closing line that spans both of the columns above it too", 50, 190)
    words = by_rows(title + column(LEFT, 50, 100) + column(RIGHT, 250, 100) + foot)
    read = laid(words).text.split()
    assert read == [w.text for w in title] + LEFT + RIGHT + [w.text for w in foot]


def test_three_columns():
    third = "gamma is the third one of them and it is as long as both of the others".split()
    words = by_rows(column(LEFT, 50, 100) + column(RIGHT, 220, 103) + column(third, 390, 98))
    assert laid(words).text.split() == LEFT + RIGHT + third


def test_a_table_is_read_row_by_row():
    rows = [["Grade", "Price", "Change"], ["Brent", "82.15", "+0.40"], ["Dubai", "80.92", "-0.11"]]
    rows += [["Urals", "70.10", "+0.05"], ["Tapis", "85.00", "+0.31"]]
    cells = [w for n, row in enumerate(rows) for m, cell in enumerate(row) for w in line(cell, 50 + 150 * m, 14 * n)]
    random.Random(1).shuffle(cells)
    assert laid(renumbered(cells)).text.splitlines() == [" ".join(row) for row in rows]


def test_the_scale_of_a_chart_is_one_line():
    ticks = [word for n, tick in enumerate(["800", "700", "600", "-5.5%", "$1,000"]) for word in line(tick, 50, 40 * n)]
    words = line("Prices of the year", 50, -40) + ticks + line("Source: the market", 50, 210)
    assert laid(renumbered(words)).text == "Prices of the year\n\n800 700 600 -5.5% $1,000\n\nSource: the market"


def test_numbers_of_a_table_stay_in_their_rows():
    rows = [["2019", "12"], ["2020", "15"], ["2021", "11"], ["2022", "19"], ["2023", "14"]]
    cells = [
        word for n, row in enumerate(rows) for m, cell in enumerate(row) for word in line(cell, 50 + 150 * m, 14 * n)
    ]
    assert laid(renumbered(cells)).text.splitlines() == [" ".join(row) for row in rows]


def test_two_numbers_below_each_other_are_no_scale():
    assert laid(line("12", 50, 0) + line("14", 50, 40, place=5)).text == "12\n\n14"


def test_a_heading_with_blanks_between_its_letters_is_read_as_words():
    letters = [*line("A R G U S", 50, 100), *line("R E S E A R C H", 105, 100, place=20)]
    read = laid(letters)
    assert read.text == "ARGUS RESEARCH"
    assert [box for *_, box in read.spans] == [Box(50, 100, 95, 110), Box(105, 100, 180, 110)]
    assert laid(line("A B C D", 50, 100)).text == "A B C D"


def test_wrapped_lines_are_joined_and_the_short_last_one_ends_the_paragraph():
    words = column("the first paragraph runs over these lines and then".split(), 50, 100, per=4)
    words += line("A new one starts here now", 50, 136, place=50)
    assert laid(words).text == "the first paragraph runs over these lines and then\nA new one starts here now"


def test_a_wide_gap_is_a_border_of_paragraphs():
    words = line("the first part of it", 50, 100) + line("the second part of it", 50, 125, place=9)
    assert laid(words).text == "the first part of it\n\nthe second part of it"


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        ("a long con-", "struction of it", "a long construction of it"),
        ("the years 1990-", "1995 were good", "the years 1990-1995 were good"),
        ("south of Stratford-", "Upon the river", "south of Stratford-Upon the river"),
    ],
)
def test_a_divided_word_is_made_whole(before, after, whole):
    words = line(before, 50, 100) + line(after, 50, 112, place=9)
    assert laid(words).text == whole


def test_each_half_of_a_divided_word_keeps_its_place():
    words = line("a con-", 50, 100) + line("struction", 50, 112, place=9)
    read = laid(words)
    assert [read.text[start:end] for start, end, _ in read.spans] == ["a", "con", "struction"]
    assert [box for *_, box in read.spans] == [word.box for word in words]


def test_every_word_is_read_once_whatever_the_page():
    rng = random.Random(7)
    for _ in range(60):
        words = [
            Word(f"w{n}", Box(x := rng.uniform(0, 500), y := rng.uniform(0, 700), x + rng.uniform(1, 80), y + 10), n)
            for n in range(rng.randrange(1, 120))
        ]
        read = laid(words)
        assert sorted(read.text.split()) == sorted(word.text for word in words)
        assert all(read.text[start:end] == f"w{words.index(w)}" for (start, end, box), w in _paired(read, words))


def _paired(read, words):
    by_text = {word.text: word for word in words}
    return [(span, by_text[read.text[span[0] : span[1]]]) for span in read.spans]


def test_words_that_run_upwards_stay_together():
    side = [
        Word(text, Box(10, 300 - 40 * n, 20, 335 - 40 * n), 100 + n, level=False)
        for n, text in enumerate("up the side".split())
    ]
    assert "up the side" in laid(column(LEFT, 50, 100) + side).text


def test_scripts_without_blanks_get_none():
    words = [Word(c, Box(50 + 10 * n, 100, 60 + 10 * n, 110), n, glued=n > 0) for n, c in enumerate("港口的历史")]
    words += [Word(c, Box(50 + 10 * n, 112, 60 + 10 * n, 122), 9 + n, glued=n > 0) for n, c in enumerate("很长很长")]
    assert laid(words).text == "港口的历史很长很长"


def test_a_page_of_too_many_words_is_left_in_the_files_order():
    words = [Word("w", Box(0, 0, 1, 1), n) for n in range(MOST_WORDS + 1)]
    assert len(laid(words).text.split()) == MOST_WORDS + 1


def test_no_words_give_no_text():
    assert laid([]).text == ""


def test_shares_lie_within_the_page():
    assert shares_of(Box(-5, 10, 50, 2000), (100, 1000)) == (0.0, 0.01, 0.5, 1.0)
