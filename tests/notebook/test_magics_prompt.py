"""``%mmrag_prompt`` and ``mmrag-nb prompts``: which prompts there are, one whole, and a copy to change."""

import pytest
from bs4 import BeautifulSoup
from hostile import HOSTILE
from IPython.core.completer import provisionalcompleter
from shells import fails

from mmrag_nb.cli import main
from mmrag_nb.generation.prompt import RULES
from mmrag_nb.generation.templates import Copied, Template, Templates, template
from mmrag_nb.types import Example


def run(shell, cell):
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result.result


def page(result):
    return BeautifulSoup(result._repr_html_(), "html.parser")


def test_alone_it_lists_all_and_marks_the_one_in_use(shell):
    run(shell, '%config MMRag.prompt = "product_search"')
    listed = run(shell, "%mmrag_prompt")
    assert isinstance(listed, Templates)
    lines = [line for line in repr(listed).splitlines() if line.startswith(("* ", "  "))]
    assert [line.split()[1] for line in lines if line.startswith("* ")][:1] == ["product_search"]
    for name in ("general", "case_comparison", "flowchart_to_code", "flower_expert"):
        assert name in repr(listed)
    rows = {row.th.code.text: row for row in page(listed).select("tbody tr")}
    assert [name for name, row in rows.items() if "in use" in row.th.text] == ["product_search"]
    assert template("general").description in rows["general"].text
    table = listed.to_pandas()
    assert list(table[table["in use"]]["name"]) == ["product_search"]


def test_one_is_shown_as_it_is_sent(shell):
    shown = run(shell, "%mmrag_prompt flower_expert")
    assert isinstance(shown, Template)
    folded = " ".join(repr(shown).split())
    for said in (
        shown.instructions,
        *(text for one in shown.examples for text in (one.question, one.answer, *one.evidence)),
    ):
        assert " ".join(said.split()) in folded.replace("Rules, the package's own: ", "")
    shapes = [block.text for block in page(shown).select(".mm-wording")]
    assert shapes[:2] == [shown.instructions.removesuffix(RULES).rstrip(), RULES]
    assert shapes[2:] == [*shown.examples[0].evidence, shown.examples[0].question, shown.examples[0].answer]
    assert max(map(len, repr(shown).splitlines())) <= 100


def test_a_copy_is_changed_and_chosen(shell, tmp_path):
    copied = run(shell, "%mmrag_prompt flower_expert --copy my_expert.yaml")
    assert isinstance(copied, Copied)
    assert '%config MMRag.prompt = "my_expert"' in repr(copied)
    assert '%config MMRag.prompt = "my_expert"' in page(copied).text
    (tmp_path / "my_expert.yaml").write_text("instructions: You know birds.\nrules: Sing.\n")
    run(shell, '%config MMRag.prompt = "my_expert"')
    assert "* my_expert" in repr(run(shell, "%mmrag_prompt"))
    assert "with rules of its own" in repr(run(shell, "%mmrag_prompt my_expert"))
    run(shell, '%%mmrag_index\n{{"A harp has 47 strings."}}')
    assert run(shell, "%mmrag_ask how many strings has a harp?").prompt.instructions == "You know birds.\nSing."


def test_the_one_in_use_is_copied_where_none_is_named(shell, tmp_path):
    run(shell, '%config MMRag.prompt = "product_search"')
    run(shell, '%mmrag_prompt --copy "my shop.yaml"')
    assert "You help a customer" in (tmp_path / "my shop.yaml").read_text()


def test_tab_offers_the_names(shell, tmp_path):
    (tmp_path / "flowers.yaml").write_text("instructions: You know flowers.\n")
    line = "%mmrag_prompt flow"
    with provisionalcompleter():
        offered = {line[: one.start] + one.text for one in shell.Completer.completions(line, len(line))}
    assert {"%mmrag_prompt flowers", "%mmrag_prompt flower_expert", "%mmrag_prompt flowchart_to_code"} <= offered


def test_a_path_with_blanks_is_one(shell, tmp_path):
    (tmp_path / "my lesson.yaml").write_text("instructions: You know birds.\n")
    for written in ("my lesson.yaml", '"my lesson.yaml"', "my lesson"):
        assert run(shell, f"%mmrag_prompt {written}").instructions.startswith("You know birds.")


def test_out_binds_and_silences(shell):
    for line in ("", "general", "general --copy mine.yaml"):
        assert run(shell, f"%mmrag_prompt {line} --out shown") is None
    assert isinstance(shell.user_ns["shown"], Copied)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%mmrag_prompt flowr_expert", "unknown prompt 'flowr_expert': did you mean 'flower_expert'?"),
        ("%mmrag_prompt broken", "prompt broken.yaml, line 2: unknown key 'rule': did you mean 'rules'?"),
        ("%mmrag_prompt general --copy broken.yaml", "is there already: choose another name, or add --force"),
        ("%mmrag_prompt general --copy mine", "a prompt's file ends in .yaml: write --copy mine.yaml"),
        ("%mmrag_prompt general --force", "--force goes with --copy FILE"),
        ("%mmrag_prompt no/such.yaml", "there is no prompt 'no/such.yaml'"),
    ],
)
def test_a_mistake_is_one_line(shell, tmp_path, capsys, cell, said):
    (tmp_path / "broken.yaml").write_text("instructions: x\nrule: y\n")
    line = fails(shell, capsys, cell)
    assert line.startswith("UsageError: ")
    assert said in line


def test_force_writes_over(shell, tmp_path):
    (tmp_path / "mine.yaml").write_text("instructions: x\n")
    run(shell, "%mmrag_prompt general --copy mine.yaml --force")
    assert "Answer briefly" in (tmp_path / "mine.yaml").read_text()


def test_a_damaged_prompt_is_told_in_the_list(shell, tmp_path):
    (tmp_path / "broken.yaml").write_text("instructions: x\nrule: y\n")
    listed = run(shell, "%mmrag_prompt")
    assert "! prompt broken.yaml, line 2: unknown key 'rule'" in " ".join(repr(listed).split())
    assert "line 2: unknown key" in page(listed).select_one(".mm-error").text
    assert len(listed.templates) == 5


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_prompts_stay_text(text):
    hostile = Template(text, text, f"{text}\n{RULES}", (Example(text, (text,), text),), text)
    for result in (hostile, Templates((hostile,), hostile, ((text, text),))):
        shown = page(result)
        assert not shown.find_all(["script", "img", "iframe", "svg", "link", "meta", "base", "math", "a"])
        assert not [tag for tag in shown.select("*") if any(name.startswith("on") for name in tag.attrs)]
        assert "\x1b" not in repr(result)
        assert (result._repr_html_() + repr(result)).encode()


def test_in_a_terminal(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["prompts"]) == 0
    assert "flower_expert" in capsys.readouterr().out
    assert main(["prompts", "flower_expert"]) == 0
    assert "You are an expert on flowers" in capsys.readouterr().out
    assert main(["prompts", "flowr_expert"]) == 1
    assert capsys.readouterr().err.startswith("mmrag-nb: unknown prompt 'flowr_expert': did you mean 'flower_expert'?")
