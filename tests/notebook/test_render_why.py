"""The explanation's card: whole, small, readable without colours, and of hostile text nothing but text."""

import re
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from hostile import HOSTILE

from mmrag_nb.insight.why import Heat, Placing, Term, View, Why, WordShare
from mmrag_nb.notebook.render.escape import visible
from mmrag_nb.results import Hit
from mmrag_nb.types import Chunk, Item, Preview

ROOM = 400_000


def explained(
    text="a harp sounds", question="who plays a harp?", name="talk.mp3", modality="audio", *, heat=False, **other
):
    ranges, at = [], 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        ranges.append((word, start, at))
    words = tuple(
        WordShare(word, start, end, 0.1 * (i == 1), float(i == 1), 10.0 + i, 10.5 + i)
        for i, (word, start, end) in enumerate(ranges[:60])
    )
    chunk = Chunk("0" * 64, 0, modality, text, 10.0, 14.0)
    hit = Hit(
        rank=2,
        score=1.4,
        cosine=0.3,
        lexical=1.5,
        chunk=chunk,
        item=Item("0" * 64, name, modality, {"speaker": name}),
        calibrated=0.9,
        space=name,
        facts={"seconds": 30.0},
        previews={
            "peaks": Preview("application/octet-stream", bytes(range(100))),
            "thumbnail": Preview("image/webp", b"w" * 9000),
            "clip": Preview("audio/mpeg", b"c" * 9000),
        },
    )
    return Why(
        question,
        name,
        "Hit 2 of 5: 2nd of all 38 chunks.",
        hit,
        Placing(2, 38, 1, 6, 5),
        (View("text", name, 0.3, 0.9, 0.1, 2, 26, counted=True),),
        (Term("harp", 0.5, 0.5, 2), Term(question[:80], 0.0, 0.7, 0)),
        (WordShare(question, 0, len(question), 0.2, 1.0),),
        words,
        text,
        "heard" if modality == "audio" else "",
        Heat(((0.0, 0.2), (0.1, -0.1)), 0.3, 1, (0.5, 0.0, 1.0, 0.5), "upper right", Preview("image/webp", b"o" * 9000))
        if heat
        else None,
        (f"Its text lacks “{question[:80]}”.",),
        ("shared", name),
        {"rank": 0.002},
        **other,
    )


def test_a_sound_is_drawn_with_its_words_where_they_are_said():
    page = BeautifulSoup(explained()._repr_html_(), "html.parser")
    drawing = page.select_one("svg.mm-said")
    assert drawing["role"] == "img"
    assert "most is brought by harp at 11.0 s" in drawing["aria-label"]
    left = {text.get_text(): float(text["x"]) for text in drawing.find_all("text")}
    assert left["a"] < left["harp"] < left["sounds"]
    assert left["11 s"] == pytest.approx(left["harp"], abs=0.5)
    assert page.audio["src"].startswith("data:audio/mpeg;base64,")


def test_nothing_is_told_by_colour_alone():
    page = BeautifulSoup(explained(heat=True, modality="image")._repr_html_(), "html.parser")
    strong = page.select_one(".mm-s4")
    assert strong.get_text() == "harp"
    assert "100%" in strong["title"]
    plain, heated = page.select(".mm-heat img")
    assert plain["alt"] == "picture talk.mp3; what matches lies in the upper right"
    assert "upper right carries most, up to 0.200 of the cosine 0.300" in heated["alt"]
    box = page.select_one(".mm-region")["style"]
    assert box == "left:50.0%;top:0.0%;width:50.0%;height:50.0%"
    for table in page.find_all("table"):
        assert all(head["scope"] == "col" for head in table.thead.find_all("th"))
        assert all(row.th["scope"] == "row" for row in table.tbody.find_all("tr"))


def test_the_plain_text_says_the_same_in_a_hundred_columns():
    shown = repr(explained(heat=True))
    for told in ("Hit 2 of 5", "harp", "11.0 s", "+0.9 σ", "looked up: +0.5", "upper right", "██"):
        assert told in shown
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_what_the_numbers_mean_is_told_where_there_are_any():
    assert "what one arbitrary question in twenty reaches" in explained()._repr_html_()
    assert "what one arbitrary question in twenty reaches" in " ".join(repr(explained()).split())
    assert "arbitrary" not in repr(Why("", "photo.jpg", "It is not in the index."))


def test_a_score_has_its_own_place_where_a_reranker_made_the_order():
    why = explained()
    again = replace(why, hit=replace(why.hit, before=20, reranked=0.7))
    assert "2 of 38" in repr(why).split("    score")[1].splitlines()[0]
    assert "20 of 38" in repr(again).split("    score")[1].splitlines()[0]


def test_every_part_of_a_question_counts():
    why = explained()
    other = replace(why.views[0], cosine=0.1, counted=False)
    told = repr(replace(why, views=(*why.views, other)))
    assert "for part 1 of the question" in told
    assert "for part 2 of the question" in told
    assert "not counted" not in told
    assert "score: all parts of the question" in told
    assert "not counted" in repr(replace(why, views=(*why.views, replace(other, modality="image"))))


def test_what_is_not_in_the_index_is_a_sentence_and_a_reason():
    why = Why("", "photo.jpg", "It is not in the index: it was skipped.", changes=("damaged picture",))
    assert "damaged picture" in why._repr_html_()
    assert "damaged picture" in repr(why)
    assert why.to_pandas().empty


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("modality", ["audio", "image", "text"])
def test_hostile_text_is_text(text, modality):
    why = explained(text, text, text, modality, heat=modality == "image")
    markup = why._repr_html_()
    assert len(markup.encode()) < ROOM
    page = BeautifulSoup(markup, "html.parser")
    harmless = BeautifulSoup(explained(modality=modality, heat=modality == "image")._repr_html_(), "html.parser")
    assert {tag.name for tag in page.find_all()} <= {tag.name for tag in harmless.find_all()} | {"mark", "p"}
    assert not [name for tag in page.find_all() for name in tag.attrs if name.startswith("on")]
    assert not [tag for tag in page.find_all(src=True) if not tag["src"].startswith("data:")]
    assert not page.find_all(href=True)
    assert len(page.find_all("style")) == 1
    shown = repr(why)
    assert shown == visible(shown), "nothing acts in a terminal"


def test_a_preview_of_another_kind_is_not_shown():
    why = explained(heat=True)
    hit = why.hit
    hit.previews["thumbnail"] = Preview("image/svg+xml", b"<svg onload=alert(1)>")
    assert "svg+xml" not in why._repr_html_()


# -- the magic ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(shell, tmp_path):
    (tmp_path / "harp.txt").write_text("A concert harp has forty-seven strings and seven pedals.")
    (tmp_path / "ferry boat.txt").write_text("The ferry leaves at noon.")
    return shell


def run(shell, cell):
    done = shell.run_cell(cell, store_history=True)
    return done.result if done.success else done.error_in_exec


def test_the_magic_takes_ranks_names_hits_and_another_question(shell):
    run(shell, '%%mmrag_index\nharp.txt\n"ferry boat.txt"\n')
    run(shell, "%mmrag_ask how many strings has a harp? --out answer")
    assert run(shell, "%mmrag_why").name == "harp.txt"
    assert run(shell, "%mmrag_why 2").name == "ferry boat.txt"
    assert run(shell, "%mmrag_why ferry boat.txt").name == "ferry boat.txt"
    assert run(shell, "%mmrag_why {{answer.hits[1]}}").name == "ferry boat.txt"
    why = run(shell, '%mmrag_why harp.txt --question "when does the ferry leave?" -k 1')
    assert why.question == "when does the ferry leave?"
    assert not why.placing.found
    assert run(shell, "%mmrag_why 1 --out why") is None
    assert shell.user_ns["why"].name == "harp.txt"


def test_the_magics_mistakes_are_one_line(shell):
    run(shell, "%mmrag_index harp.txt")
    assert "nothing was asked yet" in str(run(shell, "%mmrag_why 1"))
    run(shell, "%mmrag_ask a harp?")
    assert "did you mean 'harp.txt'" in str(run(shell, "%mmrag_why hrap.txt"))
    assert "there is no hit 9" in str(run(shell, "%mmrag_why 9"))
    assert "no hit" in str(run(shell, "%mmrag_why {{2.5}}"))


def test_the_card_is_one_section_whose_rules_stay_in_it():
    markup = explained(heat=True)._repr_html_()
    style = re.search(r"<style>(.*?)</style>", markup, re.DOTALL)[1]
    own = style[style.index(".mmrag .mm-verdict") :]
    selectors = [rule.split("{")[0] for rule in re.sub(r"@\w+[^{]*\{", "", own).split("}") if "{" in rule]
    assert all(one.strip().startswith(".mmrag") for rule in selectors for one in rule.split(","))
