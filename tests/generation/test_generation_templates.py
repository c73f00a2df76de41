"""Prompts are files that can be read and changed, and a mistake in one is told with its line."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mmrag_nb.errors import InvalidSetting, MMRagError, UnknownName
from mmrag_nb.generation import template_file
from mmrag_nb.generation.citations import cited, declined, invalid
from mmrag_nb.generation.prompt import INSTRUCTIONS, RULES
from mmrag_nb.generation.templates import SHIPPED, copy_template, template, template_names, templates
from mmrag_nb.types import Example

SHIPPED_NAMES = ("general", "case_comparison", "flowchart_to_code", "flower_expert", "product_search")

WHOLE = """\
description: An expert on
  harps.
instructions: |
  You know harps.
  Be brief.
examples:
  - question: How many strings?
    evidence:
      - A concert harp has 47 strings.
      - |
        harp.jpg
        a harp: seen from the side
    answer: It has 47 [1].
  - question: Since when?
    answer: '[none] No evidence says since when.'
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder, text, name="mine.yaml"):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_each_shipped_prompt_is_whole_and_cites(name):
    shown = template(name)
    assert shown.name == name
    assert shown.origin == SHIPPED
    assert 20 < len(shown.description) < 100
    assert shown.instructions.endswith(RULES), "rules are the package's"
    assert len(shown.instructions) < 2_000, "it goes with every question"
    for example in shown.examples:
        there = range(1, len(example.evidence) + 1)
        assert cited(example.answer, there), "its answer shows how evidence is cited"
        assert not invalid(example.answer, there)


def test_what_is_shipped_by_name_and_the_default_first():
    assert template_names() == SHIPPED_NAMES
    assert template("general").instructions == INSTRUCTIONS
    assert sum(bool(template(name).examples) for name in SHIPPED_NAMES) == 4


def test_a_file_is_read_whole(folder):
    shown = template(written(folder, WHOLE))
    assert shown.description == "An expert on harps."
    assert shown.instructions == f"You know harps.\nBe brief.\n{RULES}"
    assert not shown.own_rules
    first, second = shown.examples
    evidence = ("A concert harp has 47 strings.", "harp.jpg\na harp: seen from the side")
    assert first == Example("How many strings?", evidence, "It has 47 [1].")
    assert second == Example("Since when?", (), "[none] No evidence says since when.")
    assert declined(second.answer)[0]


def test_rules_of_its_own_take_the_place_of_the_shipped(folder):
    shown = template(written(folder, "instructions: Quote.\nrules: |\n  - Write verse.\nexamples: []\n"))
    assert shown.instructions == "Quote.\n- Write verse."
    assert shown.own_rules


def test_plain_words_are_words_whatever_yaml_takes_them_for(folder):
    text = (
        "description: 2026-01-01\ninstructions: yes\nexamples:\n- {question: 42, evidence: [no], answer: 'off [1]'}\n"
    )
    shown = template(written(folder, text))
    assert (shown.description, shown.instructions) == ("2026-01-01", f"yes\n{RULES}")
    assert shown.examples == (Example("42", ("no",), "off [1]"),)


@pytest.mark.parametrize("text", [WHOLE.replace("\n", "\r\n"), "\ufeff" + WHOLE, "# a remark\n---\n" + WHOLE])
def test_files_of_any_editor_are_read(folder, text):
    assert template(written(folder, text)).instructions == f"You know harps.\nBe brief.\n{RULES}"


def test_a_name_is_looked_for_here_then_in_prompts_then_among_the_shipped(folder):
    written(folder, "instructions: in prompts", "prompts/flower_expert.yaml")
    assert template("flower_expert").instructions.startswith("in prompts")
    assert template("flower_expert").origin == str(Path("prompts") / "flower_expert.yaml")
    written(folder, "instructions: here", "flower_expert.yaml")
    assert template("flower_expert").instructions.startswith("here")
    (folder / "flower_expert.yaml").unlink()
    (folder / "prompts" / "flower_expert.yaml").unlink()
    assert template("flower_expert").origin == SHIPPED


def test_a_path_is_read_as_one(folder):
    written(folder, "instructions: one", "lesson/one.yml")
    for path in ("lesson/one.yml", "./lesson/one.yml", str(folder / "lesson" / "one.yml")):
        assert template(path).instructions.startswith("one")
        assert template(path).name == "one"


def test_names_here_are_listed_and_other_yaml_is_not(folder):
    written(folder, "instructions: a", "zeta.yml")
    written(folder, "jobs:\n  build: {}\n", "ci.yaml")
    written(folder, "instructions: b", "prompts/alpha.yaml")
    written(folder, "broken: [", "prompts/broken.yaml")
    (folder / "notes.yaml").mkdir()
    assert template_names() == ("alpha", "broken", "zeta", *SHIPPED_NAMES)
    listed = templates("zeta")
    assert [one.name for one in listed.templates] == ["alpha", "zeta", *SHIPPED_NAMES]
    ((name, why),) = listed.broken
    assert name == "broken"
    assert "line 1" in why


def test_what_is_chosen_is_listed_even_where_it_cannot_be_read():
    ((name, why),) = templates("flowr_expert").broken
    assert name == "flowr_expert"
    assert "did you mean 'flower_expert'?" in why


def test_what_is_chosen_by_its_path_is_listed_once(folder):
    written(folder, "instructions: a", "lesson/mine.yaml")
    written(folder, "instructions: b", "general.yaml")
    listed = templates("lesson/mine.yaml")
    assert [one.name for one in listed.templates] == ["mine", *SHIPPED_NAMES]
    for chosen in ("general", "./general.yaml", "general.yaml"):
        listed = templates(chosen)
        assert [one.name for one in listed.templates if listed.uses(one)] == ["general"]
        assert [one.name for one in listed.templates] == list(SHIPPED_NAMES)


def test_a_changed_file_is_read_again_and_another_is_not(folder, monkeypatch):
    name = written(folder, "instructions: first")
    read = []
    whole = template_file.TemplateFile._text
    monkeypatch.setattr(template_file.TemplateFile, "_text", lambda self: read.append(self._path) or whole(self))
    assert template(name).instructions.startswith("first")
    assert template(name).instructions.startswith("first")
    assert len(read) == 1
    written(folder, "instructions: second")
    os.utime(folder / name, ns=(1, 1))
    assert template(name).instructions.startswith("second")
    assert template(name).instructions.startswith("second")
    assert len(read) == 2


def test_the_same_name_in_another_folder_is_another_file(tmp_path, monkeypatch):
    for n, place in enumerate(("one", "two")):
        written(tmp_path, f"instructions: {place}", f"{place}/mine.yaml")
        os.utime(tmp_path / place / "mine.yaml", ns=(5, 5))
        monkeypatch.chdir(tmp_path / place)
        assert template("mine").instructions.startswith(("one", "two")[n])


MISTAKES = [
    ("instruction: x", 1, "unknown key 'instruction': did you mean 'instructions'?"),
    ("instructions: x\nmodel: gpt", 2, "unknown key 'model': a prompt has description, instructions, rules, examples"),
    ("instructions: x\ninstructions: y", 2, "stands there twice"),
    ("description: x", None, "has no instructions: write 'instructions: |'"),
    ("", None, "is empty"),
    ("# only a remark\n", None, "is empty"),
    ("- a\n- b", 1, "is a list where a prompt has description, instructions, rules, examples"),
    ("You are an expert.", 1, "is a text where a prompt has"),
    ("instructions:\n", 1, "instructions is empty"),
    ("description: x\ninstructions: '  '", 2, "instructions is empty"),
    ("instructions: x\nrules:", 2, "rules is empty: write it, or leave the key out; without the key the package's"),
    ("instructions: [a, b]", 1, "instructions is a list: write a text"),
    ("instructions:\n  role: x", 2, "instructions is a set of keys: write a text"),
    ("instructions: x\nexamples: none", 2, "examples is no list"),
    ("instructions: x\nexamples:\n- why?", 3, "is a text where example 1 has question, evidence, answer"),
    ("instructions: x\nexamples:\n- question: a\n  evidence: [b]", 3, "example 1 has no answer"),
    ("instructions: x\nexamples:\n- answer: a [1]\n  evidence: [b]", 3, "example 1 has no question"),
    ("instructions: x\nexamples:\n- question: a\n  evidence: b\n  answer: c [1]", 4, "example 1's evidence is no list"),
    (
        "instructions: x\nexamples:\n- question: a\n  evidences: [b]",
        4,
        "unknown key 'evidences': did you mean 'evidence'?",
    ),
    (
        "instructions: x\nexamples:\n- question: a\n  evidence: [b, c]\n  answer: d [1] [3]",
        5,
        "example 1's answer cites [3], and its evidence is 1 to 2",
    ),
    ("instructions: x\nexamples:\n- question: a\n  answer: d [1]", 4, "cites [1], and its evidence is none"),
    ("instructions: x\nexamples:\n- question: a\n  evidence: [b]\n  answer: d", 5, "answer cites nothing"),
    ("instructions: x\nexamples:\n- question: a\n  evidence: [b]\n  answer: [1] d", 5, "is no YAML here"),
    ("instructions: x\nrules: see: this", 2, "is no YAML here"),
    ("instructions: x\n\tdescription: y", 2, "is no YAML here"),
    ("instructions: 'x", 1, "is no YAML here"),
    ("instructions: x\n---\ninstructions: y", 2, "is no YAML here"),
    ("instructions: *x", 1, "is no YAML here"),
    ("? [a]\n: b", 1, "unknown key '?'"),
    ("? |\n  a\n  b\n: c", 1, r"unknown key 'a\nb\n'"),
    (f"{'k' * 900}: x", 1, f"unknown key '{'k' * 40}'"),
    ("<<: {instructions: x}", 1, "unknown key '<<'"),
    (b"instructions: x\nrules: caf\xe9", 2, "is no text in UTF-8"),
    ("instructions: x".encode("utf-16"), 1, "is no text in UTF-8"),
    (b"instructions: x\n\0\0", 2, "is binary"),
    ("instructions: x\nrules: a\x07b", 2, "a character that YAML does not take (U+0007)"),
    ('instructions: x\nrules: "\\ud800"', 2, "half a character"),
    ("[" * 20_000, None, "nested too deep"),
    ("instructions: " + "x" * 70_000, None, "is too large"),
]


@pytest.mark.parametrize(("text", "line", "told"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_one_line_with_the_file_its_line_and_what_is_right(folder, text, line, told):
    name = written(folder, text)
    with pytest.raises(InvalidSetting) as raised:
        template(name)
    message = str(raised.value)
    assert message.startswith(f"prompt {name}, line {line}: " if line else f"prompt {name}: ")
    assert told in message
    assert "\n" not in message
    assert len(message) < 400


def test_no_code_runs_and_no_alias_grows(folder):
    bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    bomb += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    with pytest.raises(InvalidSetting, match="unknown key 'a'"):
        template(written(folder, "\n".join(bomb)))
    harm = f"instructions: !!python/object/apply:pathlib.Path.touch ['{folder}/harm']\n"
    with pytest.raises(InvalidSetting, match="instructions is a list"):
        template(written(folder, harm, "harm.yaml"))
    assert not (folder / "harm").exists()
    with pytest.raises(InvalidSetting, match="is a list"):
        template(written(folder, "instructions: &a [*a]", "round.yaml"))


def test_an_unknown_name_is_told_with_the_nearest_and_all():
    with pytest.raises(UnknownName, match=r"unknown prompt 'flower': did you mean 'flower_expert'.*product_search"):
        template("flower")
    for odd in ("", "a" * 5000, "nul\0", ".", "..", "/", "a/" * 5000, "nul\0/a.yaml", "~nobody-here/a.yaml"):
        with pytest.raises(MMRagError):
            template(odd)


def test_a_missing_file_is_told_with_the_nearest(folder):
    written(folder, "instructions: x", "lessons/harps.yaml")
    with pytest.raises(
        InvalidSetting, match=r"there is no prompt 'lessons/harp.yaml': did you mean 'lessons/harps.yaml'"
    ):
        template("lessons/harp.yaml")
    with pytest.raises(InvalidSetting, match=r"no prompt 'no/such/file.yaml': %mmrag_prompt general --copy"):
        template("no/such/file.yaml")
    with pytest.raises(InvalidSetting, match="is a folder"):
        template("./lessons")


def test_a_copy_can_be_changed_and_is_never_written_over(folder):
    copied = copy_template("flower_expert", "my_expert.yaml")
    assert copied.choice == "my_expert"
    assert replace(copied.template, name="flower_expert", origin=SHIPPED) == template("flower_expert")
    (folder / "my_expert.yaml").write_text("instructions: changed")
    with pytest.raises(InvalidSetting, match="is there already: choose another name, or add --force"):
        copy_template("flower_expert", "my_expert.yaml")
    assert template("my_expert").instructions.startswith("changed")
    assert copy_template("flower_expert", "my_expert.yaml", force=True).template.examples
    with pytest.raises(InvalidSetting, match="cannot write"):
        copy_template("flower_expert", "a" * 5000 + ".yaml")
    assert copy_template("my_expert", "prompts.yaml").choice == "prompts"


def test_a_copy_says_what_to_choose_it_by(folder):
    (folder / "prompts").mkdir()
    (folder / "other").mkdir()
    assert copy_template("general", "prompts/a.yaml").choice == "a"
    assert copy_template("general", "other/a.yaml").choice == "other/a.yaml"
    with pytest.raises(InvalidSetting, match=r"ends in .yaml: write --copy mine.yaml"):
        copy_template("general", "mine")
    with pytest.raises(InvalidSetting, match="cannot write"):
        copy_template("general", "no/such/folder.yaml")
    with pytest.raises(UnknownName):
        copy_template("generic", "mine.yaml")
    assert not (folder / "mine.yaml").exists()


def test_looking_a_prompt_up_loads_no_yaml_until_it_is_read():
    code = "import sys; import mmrag_nb.generation.templates; print('yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_they_lie_where_the_wheel_takes_them_from():
    folder = Path(template_file.__file__).parents[1] / "assets" / "prompts"
    assert {path.stem for path in folder.glob("*.yaml")} == set(SHIPPED_NAMES)
