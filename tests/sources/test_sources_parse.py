"""The body of %%mmrag_index: one source a line, then its metadata."""

import random

import pytest

from mmrag_nb.errors import SourceError
from mmrag_nb.sources.parse import parse_sources
from mmrag_nb.types import Source


def parse(text, **names):
    return parse_sources(text, lambda expression: eval(expression, names))


def one(line, **names):
    (source,) = parse(line, **names)
    return source


def test_one_source_a_line_and_the_rest_ignored():
    body = """
    # my collection
    photos/*.jpg

    talk.mp3   speaker="D. Warfield"   # the harpist
    ---
    https://example.org/Wiki.txt
    """
    assert parse(body) == [
        Source("photos/*.jpg"),
        Source("talk.mp3", {"speaker": "D. Warfield"}),
        Source("https://example.org/Wiki.txt"),
    ]


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ('"my talk.mp3"', "my talk.mp3"),
        ("'my talk.mp3'", "my talk.mp3"),
        ('"it\'s.jpg"', "it's.jpg"),
        ("it's.jpg", "it's.jpg"),
        ("a=b.jpg", "a=b.jpg"),
        ("photo[1].jpg", "photo[1].jpg"),
        ("a#b.jpg", "a#b.jpg"),
        ('"#1.jpg"', "#1.jpg"),
        ("https://example.org/a?x=1&y=2#part", "https://example.org/a?x=1&y=2#part"),
        (r"C:\photos\new\table.jpg", r"C:\photos\new\table.jpg"),
        (r'"C:\my photos\new.jpg"', r"C:\my photos\new.jpg"),
        ('"C:\\my photos\\"', "C:\\my photos\\"),
        (r"\\server\share\a.jpg", r"\\server\share\a.jpg"),
        ('"{not python}.txt"', "{not python}.txt"),
        ("ひな祭り.jpg", "ひな祭り.jpg"),
    ],
)
def test_the_first_word_is_the_source_as_typed(line, path):
    assert one(line) == Source(path)
    assert one(line + " price=3") == Source(path, {"price": 3})


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("3", 3),
        ("-3.5", -3.5),
        ("1e3", 1000.0),
        ("true", True),
        ("false", False),
        ("null", None),
        ("True", "True"),
        ("007", "007"),
        ("1e999", "1e999"),
        ("NaN", "NaN"),
        ("red", "red"),
        ("", ""),
        ('"3"', "3"),
        ("'a b'", "a b"),
        (r'"she said \"hi\""', 'she said "hi"'),
        (r'"C:\new"', r"C:\new"),
        ("a=b", "a=b"),
        ("#x", "#x"),
        ("2024-05-01", "2024-05-01"),
        ("{{[1, {'a': 2}]}}", [1, {"a": 2}]),
        ("{{name.upper()}}", "ANNA"),
    ],
)
def test_values(typed, value):
    metadata = one(f"a.jpg k={typed} last=1", name="anna").metadata
    assert metadata == {"k": value, "last": 1}
    assert type(metadata["k"]) is type(value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("picture", 7),
        (" picture ", 7),
        ('{"text": "a"}', {"text": "a"}),
        (' {"text": "a"} ', {"text": "a"}),
        ('{"a": {"b": 1}}', {"a": {"b": 1}}),
        ("'}}'", "}}"),
        (' "a }} b" + f"{picture}" ', "a }} b7"),
        ("[i for i in range(3)]", [0, 1, 2]),
        ("{k: {k} for k in 'ab'}", {"a": {"a"}, "b": {"b"}}),
    ],
)
def test_python_ends_where_it_is_whole(expression, value):
    source = one("{{" + expression + "}}  caption='x y'", picture=7)
    assert source.value == value
    assert source.metadata == {"caption": "x y"}
    assert source.label == "{{" + expression.strip() + "}}"


def test_two_expressions_on_one_line():
    assert one("{{a}} caption={{b}}", a=1, b=2) == Source(1, {"caption": 2}, "{{a}}")


def test_a_long_expression_has_a_short_label():
    label = one("{{[" + ", ".join("1" * 60) + "]}}").label
    assert len(label) == 40
    assert label.startswith("{{[1, 1")
    assert label.endswith("…}}")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("my talk.mp3", "'talk.mp3' is not name=value: quote a name that has spaces"),
        ("a.jpg caption = x", "without spaces"),
        ("a.jpg =x", "not name=value"),
        ("a.jpg 2x=3", "'2x' cannot name metadata: names are letters, digits and _, such as _2x"),
        ("a.jpg unit-price=3", "such as unit_price"),
        ("a.jpg x=1 x=2", "x is given twice"),
        ('"a.jpg', 'the quote " is not closed'),
        ("a.jpg caption='x", "the quote ' is not closed"),
        ('"a.jpg"caption=x', "a space is missing before 'caption=x'"),
        ("{{picture", "{{ has no closing }}"),
        ("{{}}", "nothing stands between {{ and }}"),
        ("{{a b}}", "no Python expression"),
        ("{{x = 1}}", "no Python expression"),
        ("{{a}}[0]", "a space is missing before '[0]'"),
        ("{{nowhere}}", "nowhere failed: NameError: name 'nowhere' is not defined"),
        ("%mmrag_ask who", "a magic needs a cell of its own"),
    ],
)
def test_errors_name_the_line_and_what_is_right(line, what):
    with pytest.raises(SourceError) as caught:
        parse(f"# first\ngood.jpg\n{line}", a=1)
    message = str(caught.value)
    assert message.startswith("line 3, ")
    assert line in message or repr(line)[1:-1] in message
    assert what in message
    assert "\n" not in message


def test_an_error_keeps_secrets():
    with pytest.raises(SourceError) as caught:
        parse("https://anna:pw123@example.org/a?key=SECRET&x=1 my caption")
    assert "SECRET" not in str(caught.value)
    assert "pw123" not in str(caught.value)
    assert "x=1" in str(caught.value)


def test_nothing_is_evaluated_before_all_lines_are_read():
    ran = []
    with pytest.raises(SourceError):
        parse_sources("{{slow()}}\nbad line here", ran.append)
    assert ran == []


def test_whatever_is_typed_comes_back():
    dice = random.Random(3)
    alphabet = "ab =#{}\\/'?é.*[]-"
    for _ in range(2_000):
        path = "".join(dice.choices(alphabet, k=dice.randint(1, 9)))
        caption = "".join(dice.choices(alphabet, k=dice.randint(0, 9))).rstrip("\\")
        assert one(f'"{path}" caption="{caption}" n={len(path)}') == Source(path, {"caption": caption, "n": len(path)})
