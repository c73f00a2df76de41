"""What the card says of an answer that was checked: struck out, not borne out, not whole, sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from mmrag_nb.notebook.render.media import ROOM
from mmrag_nb.notebook.render.prose import plain_prose, prose
from mmrag_nb.notebook.render.quantities import dollars
from mmrag_nb.results import Answer, Claim, Hit, Hits, Passage
from mmrag_nb.types import Chunk, Item

TEXT = "A harp has 47 strings [1]. It has **three** wings [2]. It is old [7]."
HARP = "A concert harp has forty-seven strings."


def hit(rank, text=HARP, **chunk):
    return Hit(
        rank,
        1.0,
        0.5,
        0.0,
        Chunk("t", 0, chunk.pop("modality", "text"), text, **chunk),
        Item("t", f"{rank}.txt", "text"),
    )


def claim(sentence, *cites, supported=False, text=TEXT, reason="", overlap=None):
    at = text.index(sentence)
    return Claim(sentence, (at, at + len(sentence)), cites, supported, reason, overlap)


CLAIMS = (
    claim("A harp has 47 strings [1].", 1, supported=True),
    claim("It has **three** wings [2].", 2, reason="“wings” is not in [2]", overlap=0.25),
    claim("It is old [7].", supported=None),
)


def answer(text=TEXT, **changes):
    hits = Hits((hit(1), hit(2, "The ferry leaves at noon.")))
    shown = Answer("what is a harp?", text, hits, {1: hits[0], 2: hits[1]}, (7,), CLAIMS)
    return replace(shown, **changes)


def soup(result):
    return BeautifulSoup(result._repr_html_(), "html.parser")


def test_a_citation_of_what_was_not_sent_is_struck_out_and_reported():
    page = soup(answer())
    struck = page.select_one(".mm-answer del")
    assert (struck.get_text(), struck["title"]) == ("[7]", "nothing with this number was sent")
    assert page.select_one(".mm-struck").get_text() == "Struck out: [7] nothing with this number was sent."
    assert [link.get_text() for link in page.select(".mm-answer a.mm-cite")] == ["[1]", "[2]"]
    text = repr(answer())
    assert "It is old [7: not sent]." in text
    assert "\n\n[7]: nothing with this number was sent.\n" in text


def test_a_sentence_that_is_not_borne_out_is_marked_and_told():
    page = soup(answer())
    marked = page.select(".mm-unsure")
    assert "".join(one.get_text() for one in marked) == "It has three wings [2]."
    assert all("“wings” is not in [2]" in one["title"] for one in marked)
    (mark,) = page.select("a.mm-why")
    assert mark.get_text() == "?"
    assert "not borne out" in mark["aria-label"]
    told = page.find(id=mark["href"].removeprefix("#"))
    assert told.name == "details"
    assert told.summary.get_text() == "1 of 2 sentences is not borne out by what they cite"
    assert told.li.get_text() == "It has three wings [2]. (“wings” is not in [2]; 25% of its words are there)"
    text = repr(answer())
    assert "It has **three** wings [2]. [?] It is old" in text
    assert "[?] 1 of 2 sentences is not borne out by what they cite:\n- “It has three wings [2].”" in text


def test_what_cannot_be_told_is_not_marked_but_counted():
    page = soup(answer(claims=CLAIMS[2:]))
    assert not page.select(".mm-unsure, .mm-why, .mm-claims")
    assert "checked: 1 undecided" in page.select_one(".mm-facts").get_text()
    assert "checked: 1 borne out, 1 not borne out, 1 undecided" in soup(answer()).select_one(".mm-facts").get_text()
    assert "checked" not in repr(answer(claims=()))


def test_that_all_words_are_there_is_not_said_beside_what_is_wrong():
    wrong = claim("It has **three** wings [2].", 2, reason="3 is not in [2]", overlap=1.0)
    assert soup(answer(claims=(wrong,))).li.get_text() == "It has three wings [2]. (3 is not in [2])"


def test_a_sentence_over_several_lines_gets_one_mark_at_its_end():
    text = "It has:\n\n- wings\n- **feet** [1].\nAnd so on."
    doubted = [claim("It has:\n\n- wings\n- **feet** [1].", 1, text=text)]
    page = BeautifulSoup(prose(text, {1: hit(1)}, "x-", doubted=doubted), "html.parser")
    assert [one.get_text() for one in page.select(".mm-unsure")] == ["It has:", "wings", "feet", " [1]."]
    assert len(page.select("a.mm-why")) == 1
    assert page.select("li")[-1].get_text() == "feet [1].?"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_places_hold_whatever_the_lines_end_with(line_end):
    text = f"One.{line_end}{line_end}Two.{line_end}Three."
    at = text.index("Two")
    page = BeautifulSoup(
        prose(text, {}, "x", doubted=[Claim("Two.", (at, at + 4), (), supported=False)]), "html.parser"
    )
    assert page.select_one(".mm-unsure").get_text() == "Two."
    assert [p.get_text(" ") for p in page("p")] == ["One.", "Two. ? Three."]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[1, 7] and [2-3]", "[1][7][2][3]"),
        ("in `a[7]` and\n```\nb[7]\n``` so", ""),
        ("[7](http://x.invalid)", ""),
        ("[2024] and [0, 1]", ""),
        ("【1】", "[1]"),
    ],
)
def test_what_is_a_citation_is_one_everywhere(text, shown):
    known = {n: hit(n) for n in (1, 2, 3)}
    page = BeautifulSoup(prose(text, known, "x", invalid=(7,)), "html.parser")
    assert "".join(one.get_text() for one in page.select("a, del")) == shown
    assert ("not sent" in plain_prose(text, (7,))) == bool(page.select("del"))


def test_code_headings_and_what_is_no_markup():
    text = "# Code\n\nSo:\n```python\nif a < b:\n\n    print('**x** [1]')\n```\nand ![x](https://t.invalid/x.png)"
    page = BeautifulSoup(prose(text, {1: hit(1)}, "x"), "html.parser")
    assert page.select_one("pre > code").get_text() == "if a < b:\n\n    print('**x** [1]')"
    assert [p.get_text() for p in page("p")] == ["Code", "So:", "and ![x](https://t.invalid/x.png)"]
    assert page.p.strong
    assert not page.select("img, a")


def test_code_that_is_not_finished_is_code():
    page = BeautifulSoup(prose("```\n<b>x</b>\n**y", {}, "x"), "html.parser")
    assert page.pre.get_text() == "<b>x</b>\n**y"


TABLE = """\
| Case | Alike | What came of it |
|:---|:-:|--:|
| one [1] | **wood** \\| `a|b` | repaired |
| two [2] | <img src=x onerror=alert(1)> | it has three wings [2] |
| short |

Below it [7]."""


def test_a_table_is_shown_as_one():
    wings = claim("| two [2] | <img src=x onerror=alert(1)> | it has three wings [2] |", 2, text=TABLE)
    page = BeautifulSoup(prose(TABLE, {1: hit(1), 2: hit(2)}, "x", invalid=(7,), doubted=[wings]), "html.parser")
    assert [[cell.get_text() for cell in row] for row in page("tr")] == [
        ["Case", "Alike", "What came of it"],
        ["one [1]", "wood | a|b", "repaired"],
        ["two [2]", "<img src=x onerror=alert(1)>", "it has three wings [2]?"],
        ["short"],
    ]
    assert [cell["scope"] for cell in page("th")] == ["col"] * 3
    assert [cell.get("style") for cell in page("td")[:3]] == [None, "text-align:center", "text-align:end"]
    assert "".join(one.get_text() for one in page.select(".mm-unsure")) == (
        "two [2]<img src=x onerror=alert(1)>it has three wings [2]"
    )
    assert len(page.select("a.mm-why")) == 1
    assert page.select_one("div + p del").get_text() == "[7]"
    assert not page.select("img")


@pytest.mark.parametrize(
    "text", ["| a | b |\nno rule", "| a | b |\n|---|", "a\n---", "| a |\n\n|---|", "```\n| a |\n|---|\n```"]
)
def test_what_only_looks_like_a_table_is_none(text):
    assert "<table" not in prose(text, {}, "x")


def test_bars_at_the_sides_can_be_absent_and_what_is_too_much_stays():
    page = BeautifulSoup(prose("a | b\n--- | ---\n1 | 2 | 3\n\n|  | b |\n|-|-|\n", {}, "x"), "html.parser")
    assert [[cell.get_text() for cell in row] for row in page("tr")] == [["a", "b"], ["1", "2 | 3"], ["", "b"]]
    assert [one.name for one in page("tr")[-1]] == ["td", "th"], "a heading that says nothing is none"


def test_italics_are_shown_and_other_stars_and_strokes_are_themselves():
    shown = prose("*Rosa canina* [1] and _rosa_, 2*3*4, a_b_c, __init__, * x * y", {1: hit(1)}, "x")
    page = BeautifulSoup(shown, "html.parser")
    assert [one.get_text() for one in page("em")] == ["Rosa canina", "rosa"]
    assert page.get_text() == "Rosa canina [1] and rosa, 2*3*4, a_b_c, __init__, * x * y"


@pytest.mark.parametrize("text", ["[1]" * 13_000, "- [1]\n" * 6_000, "|a|b|\n|:-:|:-:|\n" + "|||\n" * 9_000])
def test_an_answer_that_loops_leaves_the_card_its_size(text):
    html = answer(text, claims=(), invalid=())._repr_html_()
    assert len(html.encode()) < ROOM
    assert "more characters in answer.text" in html


def test_why_an_answer_is_another_than_was_asked_for_is_seen_at_once():
    told = "quoted, not written: no Gemini key: %mmrag_key gemini"
    shown = answer(notes=(told, "prompt: mine.yaml"), claims=(), invalid=())
    page = soup(shown)
    assert page.select_one(".mm-answer + p").get_text() == "Quoted, not written: no Gemini key: %mmrag_key gemini"
    assert page.select_one(".mm-facts").get_text() == "prompt: mine.yaml"
    assert "\n\nQuoted, not written: no Gemini key: %mmrag_key gemini\n\n[1] 1.txt" in repr(shown)


def test_trouble_is_no_error():
    page = soup(answer(trouble="cut off at 10 tokens"))
    assert page.select_one(".mm-trouble").get_text() == "Not whole: cut off at 10 tokens"
    assert not page.select(".mm-error")
    assert "Not whole: cut off at 10 tokens" in repr(answer(trouble="cut off at 10 tokens"))


def test_the_sources_do_not_tell():
    shown = answer("The evidence does not say who built it.", abstained=True, claims=(), invalid=(), citations={})
    assert soup(shown).select_one(".mm-doubt .mm-answer").get_text() == "The evidence does not say who built it."
    silent = replace(shown, text="")
    assert soup(silent).select_one(".mm-doubt").get_text() == "The sources do not answer this."
    assert "The sources do not answer this." in repr(silent)


def test_a_follow_up_says_what_was_looked_for():
    shown = answer(question="and its wings?", asked_as="has a harp wings?")
    assert soup(shown).select_one(".mm-question").get_text() == "and its wings? · looked for: has a harp wings?"
    assert repr(shown).startswith("and its wings? (looked for: has a harp wings?)\n")


def test_facts_have_notes_tokens_and_money():
    shown = answer(notes=("history: 1 of 2 earlier questions",), usage={"input_tokens": 9}, dollars=0.0007, claims=())
    told = soup(shown).select_one(".mm-facts").get_text()
    assert told.endswith("history: 1 of 2 earlier questions · 9 tokens in, $0.0007")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "$0"),
        (1e-6, "<$0.0001"),
        (0.0007, "$0.0007"),
        (0.0120, "$0.012"),
        (0.1, "$0.1"),
        (1.5, "$1.50"),
        (1234.5, "$1,234.50"),
    ],
)
def test_money(value, told):
    assert dollars(value) == told


def test_what_was_sent_can_be_opened_as_text():
    shown = answer(sent="system:\n<script>alert(1)</script>\n[image/jpeg, 34 kB]")
    sent = soup(shown).select_one("details.mm-sent")
    assert sent.pre.get_text() == shown.sent
    assert not sent.has_attr("open")
    assert "answer.sent" in repr(shown)
    assert "alert(1)" not in repr(shown)
    assert not soup(answer()).select(".mm-sent")


def test_a_card_of_all_that_is_very_long_stays_below_the_limit():
    claims = tuple(Claim("<&>" * 5_000, (0, 3), (1,), supported=False, reason="<&>" * 100) for _ in range(60))
    long = "<&>" * 100_000
    shown = answer(f"{TEXT} {long}", sent=long, claims=claims, invalid=tuple(range(3, 999)))
    html = shown._repr_html_()
    assert len(html.encode()) < ROOM
    assert "more characters in answer.text" in soup(shown).select_one(".mm-answer").get_text()
    assert "more characters in answer.sent" in soup(shown).select_one(".mm-sent").get_text()


# -- what an answer rests on -------------------------------------------------------------------------------------------


def cited(*passages, **chunk):
    one = replace(hit(1, **chunk), cited=passages, matches=((10, 14),))
    return answer(citations={1: one}, claims=(), invalid=())


def test_the_words_that_bear_a_statement_out_are_marked_beside_the_questions():
    page = soup(cited(Passage("forty-seven strings", (19, 38))))
    (bears,) = page.select(".mm-bears")
    assert bears.get_text() == "forty-seven strings"
    assert bears["title"] == "the answer cites this as [1]"
    assert [one.get_text() for one in page.select("li.mm-item mark")] == ["harp"] * 1
    assert page.select_one(".mm-body").get_text() == HARP
    assert "‹forty-seven strings›" in repr(cited(Passage("forty-seven strings", (19, 38))))


def test_marks_within_each_other_hold():
    page = soup(cited(Passage("concert harp has", (2, 18)), Passage("has forty", (15, 24))))
    assert [one.get_text() for one in page.select(".mm-bears")] == ["concert harp has forty"]
    assert page.select_one(".mm-bears mark").get_text() == "harp"


@pytest.mark.parametrize(
    ("passage", "told"),
    [
        (Passage("forty-seven", (19, 30), 12.0, 13.5), "1.txt, 12.0-13.5 s: “forty-seven”"),
        (Passage("forty-seven", (19, 30), page=3), "1.txt, page 3: “forty-seven”"),
        (Passage("", (0, 0), 4.0), "1.txt, 4.0 s"),
        (Passage("", (0, 0)), "1.txt, passage 1"),
    ],
)
def test_a_citation_tells_the_seconds_the_page_or_the_words(passage, told):
    assert soup(cited(passage)).select_one("a.mm-cite")["title"] == told


def test_a_long_passage_is_cut_around_what_is_cited():
    text = f"harp {'word ' * 2_000}the strings are forty-seven {'word ' * 2_000}"
    at = text.index("the strings")
    page = soup(cited(Passage("the strings are forty-seven", (at, at + 27)), text=text))
    assert page.select_one(".mm-bears").get_text() == "the strings are forty-seven"
