"""Each magic explains itself: a readable page, every flag, examples that are true, and ``--out``."""

import re

import pytest
import shells

from mmrag_nb.notebook.arguments import flags, free_words, page, parse
from mmrag_nb.notebook.extension import _MAGICS

DECLARED = {
    name: getattr(magics, method)
    for magics in _MAGICS
    for table in magics.magics.values()
    for name, method in table.items()
}
EXAMPLE = re.compile(r"^\s*(?:\w+ = )?(%%?)(mmrag_\w+)(.*)$", re.MULTILINE)

every_magic = pytest.mark.parametrize("name", sorted(DECLARED))


@pytest.fixture(scope="module")
def shell():
    with shells.started() as shell:
        yield shell


def examples(name):
    """(escape, magic, rest of the line) of the examples on a magic's page."""
    _, heading, below = page(DECLARED[name]).partition("\nExamples:\n")
    assert heading, "no Examples"
    text = re.split(r"\n(?:positional arguments|options):\n", below)[0]
    return EXAMPLE.findall(text)


def test_all_that_is_registered_is_looked_at_here(shell):
    registered = {name for table in shell.magics_manager.magics.values() for name in table if name.startswith("mmrag_")}
    assert registered == set(DECLARED)
    assert {"mmrag_index", "mmrag_ask", "mmrag_save", "mmrag_open", "mmrag_status"} <= registered


@every_magic
def test_the_page_begins_with_how_to_call_it_and_what_it_does(name):
    usage, said = page(DECLARED[name]).split("\n\n")[:2]
    assert usage.startswith(f"%{name}")
    assert re.match(r"[A-Z].*[.]", said, re.DOTALL)


@every_magic
def test_the_page_is_plain_text(name):
    text = page(DECLARED[name])
    debris = [mark for mark in ("::", "``", "`", ":class:", ":meth:", "<<", "%%(", "None") if mark in text]
    assert not debris
    assert max(map(len, text.splitlines())) <= 120
    assert not re.search(r"^Returns|^Parameters|^-{3,}", text, re.MULTILINE)


@every_magic
def test_every_flag_and_free_word_is_explained(name):
    magic = DECLARED[name]
    declared = {action.dest: action for action in flags(magic).values()}
    if (words := free_words(magic)) is not None:
        declared[words.dest] = words
    for dest, action in declared.items():
        assert (action.help or "").endswith("."), f"{dest} has no help that is a sentence"
        if action.nargs != 0 and not action.choices:
            assert str(action.metavar).isupper(), f"{dest} has no metavar in capitals"


@every_magic
def test_the_result_can_be_bound_to_a_name(name, shell):
    known = flags(DECLARED[name])
    assert known["-o"] is known["--out"]
    assert known["--out"].dest == "out"
    assert parse(DECLARED[name], "--out result").out == "result"


@every_magic
def test_its_examples_are_read_by_its_own_parser(name):
    own = [(escape, line) for escape, magic, line in examples(name) if magic == name]
    assert own, "no example of its own"
    for _, line in own:
        assert parse(DECLARED[name], line) is not None
    assert {magic for _, magic, _ in examples(name)} <= set(DECLARED)
    kinds = {kind for magics in _MAGICS for kind, table in magics.magics.items() if name in table}
    assert ("cell" in kinds) >= any(escape == "%%" for escape, _ in own), "a cell's example of a line magic"


@every_magic
def test_a_question_mark_and_the_flag_show_that_page(name, shell, capsys):
    expected = page(DECLARED[name]).rstrip()
    assert shell.run_cell(f"%{name} --help").success
    assert capsys.readouterr().out == expected + "\n"
    assert shell.run_cell(f"%{name}?").success
    shown = capsys.readouterr().out
    assert expected in re.sub("\x1b\\[[0-9;]*m", "", shown)
    assert "::" not in shown


def test_a_flag_that_is_not_there_is_told_with_the_nearest(shell, capsys):
    for name, magic in DECLARED.items():
        flag = max(flags(magic), key=len)
        typed = flag[:-2] + flag[-1] + flag[-2]
        result = shell.run_cell(f"%{name} {typed}")
        assert f"unknown flag {typed}: did you mean {flag}? known are " in str(result.error_in_exec)
    capsys.readouterr()


def test_a_choice_that_is_not_there_is_told_with_the_nearest():
    import argparse

    from IPython.core.error import UsageError
    from IPython.core.magic_arguments import argument, magic_arguments

    @magic_arguments()
    @argument("--colour", choices=("red", "green"), help="Which.")
    def paint(line):
        """Paint."""

    assert parse(paint, "--colour green", free="what") == argparse.Namespace(colour="green", what="")
    with pytest.raises(UsageError, match="unknown value of --colour 'gren': did you mean 'green'"):
        parse(paint, "--colour gren", free="what")
    assert parse(paint, "a wall --colour='red'", free="what").colour == "red"
