"""Hard-wrapped prose flows again; verses and lists keep their lines."""

from mmrag_nb.notebook.render.highlight import excerpt

PROSE = (
    "New strings stretch for several weeks and must be tuned every day, as\n"
    "changes of warmth and moisture move the wood."
)
VERSE = "From fairest creatures we desire increase,\nThat thereby beauty's rose might never die,"


def test_wrapped_lines_are_joined_and_marks_stay_where_they_were():
    word = PROSE.index("changes")
    part = excerpt(PROSE, [(word, word + 7)], 500)
    assert part.text == PROSE.replace("\n", " ")
    assert [part.text[a:b] for a, b in part.ranges] == ["changes"]


def test_verses_lists_and_paragraphs_keep_their_lines():
    long = "A line that is long enough to look as if an editor had wrapped it there"
    for text in (VERSE, f"{long}\n- an entry", f"{long}\n\nA paragraph", f"{long}\n# A heading", f"{long}\n    code"):
        assert excerpt(text, [], 500).text == text
