import pytest

from mmrag_nb.generation.citations import cited, invalid, without_marks

SENT = {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("text", "found", "wrong"),
    [
        ("It is Turlough [1].", (1,), ()),
        ("Turlough[2]. A harpist [1].", (2, 1), ()),
        ("Both say so [1, 2].", (1, 2), ()),
        ("Both say so [1][3] and again [1].", (1, 3), ()),
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
        ("[one] [1a] [] [ 2 ] [-1] [1.5] [^3]", (2,), ()),
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
