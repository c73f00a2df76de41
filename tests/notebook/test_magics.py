"""The magics in a real IPython shell."""

import pytest
from PIL import Image
from shells import fails

from mmrag_nb.reports import IndexReport
from mmrag_nb.results import Answer

HARP = "A concert harp has forty-seven strings and seven pedals."


def run(shell, cell):
    return shell.run_cell(cell, store_history=True)


def test_three_lines_are_enough(shell, tmp_path):
    (tmp_path / "harp.txt").write_text(HARP)
    report = run(shell, "%%mmrag_index\nharp.txt  author='M. Lindqvist'\n").result
    assert isinstance(report, IndexReport)
    answer = run(shell, "%mmrag_ask how many strings does a harp have?").result
    assert isinstance(answer, Answer)
    assert "forty-seven" in answer.text
    assert answer.hits[0].item.metadata == {"author": "M. Lindqvist"}
    assert shell.user_ns["_"] is answer


def test_an_apostrophe_a_brace_and_quotes_are_just_text(shell, tmp_path):
    (tmp_path / "harp.txt").write_text(HARP)
    run(shell, "%mmrag_index harp.txt")
    for question in ["what's the harp's number of strings?", "is {this} $HOME a {harp}?", 'who said "harp"?']:
        assert run(shell, f"%mmrag_ask {question}").result.question == question


def test_python_objects_come_in_double_braces(shell):
    shell.user_ns.update(red=Image.new("RGB", (8, 8), "red"), notes=[HARP, "The ferry leaves at noon."])
    report = run(shell, '%%mmrag_index\n{{red}} caption="a red square"\n{{notes}}\n').result
    assert report.items == {"image": 1, "text": 2}
    shell.user_ns["question"] = "what is red?"
    answer = run(shell, "%mmrag_ask {{question}}").result
    assert answer.question == "what is red?"
    assert answer.hits[0].chunk.text == "a red square"


def test_clean_holds_for_one_run(shell, tmp_path):
    Image.new("RGB", (300, 200), "#fefefe").save(tmp_path / "paper.png")
    (tmp_path / "harp.txt").write_text(HARP)
    pytest.importorskip("imagehash")
    skipped = run(shell, "%mmrag_index . --clean skip").result
    assert skipped.items == {"text": 1}
    assert "blank" in skipped.skipped[0].reason
    assert run(shell, "%config MMRag.clean").result == "off"
    flagged = run(shell, "%mmrag_index . --clean flag").result
    assert flagged.items["image"] == 1
    assert any(name == "paper.png" and note.startswith("blank") for name, note in flagged.notes)
    run(shell, "%mmrag_reset --discard")
    run(shell, '%config MMRag.clean = "skip"')
    plain = run(shell, "%mmrag_index . --clean off").result
    assert (plain.items, plain.skipped, plain.notes) == ({"image": 1, "text": 1}, (), ())
    assert run(shell, "%config MMRag.clean").result == "skip"


def test_another_way_to_clean_is_refused_with_the_right_ones(shell, capsys):
    told = fails(shell, capsys, "%mmrag_index . --clean tidy")
    assert all(how in told for how in ("off", "flag", "skip", "tidy"))


def test_with_records_a_folder_is_one_thing(shell, tmp_path):
    for name, said in (("harp", HARP), ("ferry", "The ferry leaves at noon.")):
        (tmp_path / "shop" / name).mkdir(parents=True)
        (tmp_path / "shop" / name / "notes.txt").write_text(said)
        Image.new("RGB", (8, 8), "red").save(tmp_path / "shop" / name / "photo.png")
    plan = run(shell, "%mmrag_index shop --records --dry-run").result
    assert sum(kind.new for kind in plan.kinds) == 4
    assert run(shell, "%mmrag_index shop --records").result.items == {"image": 2, "text": 2}
    hits = run(shell, "%mmrag_search how many strings has a harp?").result
    assert hits[0].item.record.name == "harp"
    assert len({hit.item.record.id for hit in hits}) == len(hits) == 2
    assert [hit.item.record.name for hit in run(shell, "%mmrag_similar harp").result] == ["ferry"]
    run(shell, "%mmrag_reset --discard")
    run(shell, "%mmrag_index shop")
    assert {hit.item.record for hit in run(shell, "%mmrag_search harp").result} == {None}


def test_a_row_of_a_table_is_a_record(shell):
    pd = pytest.importorskip("pandas")
    shell.user_ns["wares"] = pd.DataFrame({
        "name": ["harp", "ferry"],
        "text": [HARP, "The ferry leaves at noon."],
        "image": [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")],
        "price": [900, 4],
    })  # fmt: skip
    run(shell, "%mmrag_index {{wares}}")
    hits = run(shell, '%mmrag_search how many strings has a harp? --where "price > 5"').result
    assert [hit.item.metadata["price"] for hit in hits] == [900]
    assert {part.modality for part in hits[0].parts} == {"text", "image"}


def test_out_binds_and_silences(shell, tmp_path):
    (tmp_path / "harp.txt").write_text(HARP)
    assert run(shell, "%mmrag_index harp.txt --out report").result is None
    assert shell.user_ns["report"].embedded == 1
    assert run(shell, "%mmrag_ask strings? -k 1 -o answer").result is None
    assert len(shell.user_ns["answer"].hits) == 1


def test_a_cell_asks_over_several_lines(shell):
    run(shell, '%mmrag_index {{"A harp."}}')
    assert run(shell, "%%mmrag_ask\nhow many strings\nhas a harp?").result.question == "how many strings\nhas a harp?"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%mmrag_ask what? --rwa", "did you mean --raw?"),
        ("%mmrag_ask what? -k", "-k needs a value"),
        ("%mmrag_ask what? -k many", "-k takes a whole number, as in -k 5, not 'many'"),
        ("%mmrag_ask what? -k --raw", "-k needs a value, as in: -k K"),
        ("%mmrag_ask what? --out 3x", "no Python name"),
        ("%mmrag_ask", "nothing was asked"),
        ("%mmrag_ask what?", "nothing is indexed yet"),
        ("%mmrag_index", "nothing to index"),
        ("%%mmrag_index\n{{red", "}}"),
    ],
)
def test_a_users_mistake_is_one_line_and_fails_the_cell(shell, capsys, cell, said):
    line = fails(shell, capsys, cell)
    assert line.startswith("UsageError: ")
    assert said in line


def test_an_error_in_the_users_expression_names_it(shell, capsys):
    assert "1/0 failed: ZeroDivisionError" in fails(shell, capsys, "%mmrag_index {{1/0}}")


@pytest.mark.parametrize(
    "cell",
    [
        "%mmrag_ask is it a harp?",
        "x = %mmrag_ask is it a harp?",
        "if True:\n    %mmrag_ask is it a harp?",
        "1\n%mmrag_ask is it a harp? \n",
    ],
)
def test_a_question_mark_asks_rather_than_looking_up_help(shell, capsys, cell):
    run(shell, '%mmrag_index {{"A harp."}}')
    asked = []
    shell.user_ns["seen"] = asked
    from mmrag_nb.rag import MultimodalRAG

    real = MultimodalRAG.stream
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            MultimodalRAG, "stream", lambda self, question, *a, **o: asked.append(question) or real(self, question)
        )
        assert run(shell, cell).success
    assert asked == ["is it a harp?"]


def test_the_magics_own_help_is_still_shown(shell, capsys):
    run(shell, "%mmrag_ask?")
    assert "--out" in capsys.readouterr().out


def test_a_bug_shows_its_traceback(shell, capsys, monkeypatch):
    from mmrag_nb.rag import MultimodalRAG

    monkeypatch.setattr(MultimodalRAG, "stream", lambda *args, **options: {}["bug"])
    run(shell, '%mmrag_index {{"A harp."}}')
    result = run(shell, "%mmrag_ask what?")
    assert isinstance(result.error_in_exec, KeyError)
    assert "Traceback" in capsys.readouterr().out


def test_evidence_is_shown_though_generation_fails(shell, capsys, monkeypatch):
    from mmrag_nb.errors import GenerationError
    from mmrag_nb.generation.extractive import ExtractiveGenerator

    def broken(self, prompt):
        yield ""
        raise GenerationError("the model is out of order")

    monkeypatch.setattr(ExtractiveGenerator, "stream", broken)
    run(shell, '%mmrag_index {{"A concert harp."}}')
    result = run(shell, "%mmrag_ask what is a harp?")
    assert not result.success
    printed = capsys.readouterr()
    assert "concert harp" in printed.out, "the card"
    assert "UsageError: the model is out of order" in printed.out + printed.err


@pytest.mark.parametrize("magic", ["mmrag_ask", "mmrag_index", "mmrag_status"])
def test_help_shows_flags_and_examples(shell, capsys, magic):
    run(shell, f"%{magic} --help")
    printed = capsys.readouterr().out
    assert "--out" in printed
    assert f"%{magic}" in printed
    function = shell.find_line_magic(magic)
    assert "--out" in function.__doc__, "what %magic? shows"


def test_settings_are_checked_when_they_are_set(shell, caplog):
    run(shell, '%config MMRag.preset = "ofline"')
    assert "did you mean 'offline'" in caplog.text
    assert shell.run_line_magic("config", "MMRag.preset") == "offline"
    run(shell, "%config MMRag.k = 2")
    run(shell, '%mmrag_index {{["one", "two", "three"]}}')
    assert len(run(shell, "%mmrag_ask one?").result.hits) == 2


def test_status_tells_what_is_there(shell):
    run(shell, '%mmrag_index {{"A harp."}}')
    status = run(shell, "%mmrag_status").result
    assert status.items == {"text": 1}
    assert "offline" in repr(status)
    assert "in memory" in status._repr_html_()


def test_unload_takes_everything_away_and_load_brings_it_back_once(shell):
    shell.run_line_magic("reload_ext", "mmrag_nb")
    assert [type(one).__name__ for one in shell.configurables].count("MMRag") == 1
    shell.run_line_magic("unload_ext", "mmrag_nb")
    assert not [name for table in shell.magics_manager.magics.values() for name in table if "mmrag" in name]
    assert not [one for one in shell.configurables if type(one).__name__ == "MMRag"]
    assert not shell.strdispatchers["complete_command"].regexs
    shell.run_line_magic("load_ext", "mmrag_nb")


@pytest.mark.parametrize("use_jedi", [False, True])
def test_tab_completes_flags(shell, use_jedi):
    shell.Completer.use_jedi = use_jedi
    line = "%mmrag_ask what? --o"
    _, found = shell.complete(None, line, len(line))
    assert "--out" in found


def test_hostile_names_and_texts_stay_text(shell, tmp_path):
    from bs4 import BeautifulSoup

    name = "<img src=x onerror=alert(1)> \"'&.txt"
    (tmp_path / name).write_text("<script>alert('harp')</script> a harp & <b>strings</b>")
    shell.user_ns["path"] = tmp_path / name
    report = run(shell, "%mmrag_index {{path}}").result
    assert not report.skipped
    answer = run(shell, "%mmrag_ask <b>harp</b> <script>strings?</script>").result
    page = BeautifulSoup(answer._repr_html_(), "html.parser")
    assert page.script is None
    assert page.find("img") is None
    assert "<script>alert('harp')</script>" in page.get_text()
    assert name in page.get_text()
    assert name in repr(answer)


def test_a_quoted_value_is_one_value_whatever_is_in_it(shell, tmp_path):
    (tmp_path / "my file.txt").write_text(HARP)
    report = run(shell, '%mmrag_index "my file.txt" caption="recorded -o outside" note="a -b c"').result
    assert report.embedded == 1
    answer = run(shell, "%mmrag_ask strings?").result
    assert answer.hits[0].item.metadata == {"caption": "recorded -o outside", "note": "a -b c"}


def test_questions_in_strings_and_without_a_percent_sign(shell, capsys):
    assert run(shell, "text = '''\n%mmrag_ask who?\n'''").success
    assert shell.user_ns["text"] == "\n%mmrag_ask who?\n"
    run(shell, '%mmrag_index {{"A harp."}}')
    assert run(shell, "mmrag_ask who plays the harp?").result.question == "who plays the harp?"


def test_braces_see_the_names_of_the_function_they_stand_in(shell):
    run(shell, '%mmrag_index {{"A harp."}}')
    run(shell, "def f(q):\n    return get_ipython().run_line_magic('mmrag_ask', '{{q}}')\n")
    assert run(shell, "f('is it a harp?')").result.question == "is it a harp?"


def test_a_name_that_is_not_there_is_one_line(shell, capsys):
    assert "NameError" in fails(shell, capsys, "%mmrag_ask {{nothing}}")
    assert "takes no value" in fails(shell, capsys, "%mmrag_ask what --raw=false")
    assert "no Python name" in fails(shell, capsys, "%mmrag_ask what --out class")


def test_save_open_and_what_was_not_saved(shell, capsys, tmp_path):
    run(shell, '%mmrag_index {{"A concert harp."}}')
    assert "lesson.mmrag" in run(shell, "%mmrag_save lesson.mmrag").result.path
    run(shell, '%mmrag_index {{"One more text."}}')
    assert run(shell, "%mmrag_open lesson.mmrag").result.items == {"text": 2}
    assert shell.run_line_magic("config", "MMRag.preset") == "offline"
    shell.run_line_magic("unload_ext", "mmrag_nb")
    del shell._mmrag_session
    shell.run_line_magic("load_ext", "mmrag_nb")
    run(shell, '%config MMRag.preset = "offline"')
    run(shell, '%mmrag_index {{"Not saved."}}')
    assert "1 item and is not saved" in fails(shell, capsys, "%mmrag_open lesson.mmrag")
    assert run(shell, "%mmrag_open lesson.mmrag --discard").result.items == {"text": 2}
    assert "there is no index at" in fails(shell, capsys, "%mmrag_open nothing.mmrag")


def test_reloading_keeps_the_index_and_a_refused_setting_does_not_stop_it(shell, capsys):
    run(shell, '%mmrag_index {{"A harp."}}')
    run(shell, "%config MMRag.timeout = 0")
    run(shell, "%reload_ext mmrag_nb")
    assert run(shell, "%mmrag_status").result.items == {"text": 1}
    shell.run_line_magic("unload_ext", "mmrag_nb")
    del shell._mmrag_session
    run(shell, "%config MMRag.timeout = 0")
    assert run(shell, "%load_ext mmrag_nb").success
    assert run(shell, "%mmrag_status").success


def test_asking_with_a_picture(shell, capsys):
    from mmrag_nb.assets.demo.media import demo_folder

    shell.user_ns["folder"] = demo_folder() / "emoji"
    run(shell, "%mmrag_index {{folder}}")
    answer = run(shell, "%mmrag_ask --image {{folder / 'drawing_02.png'}} -k 2").result
    assert isinstance(answer, Answer)
    assert answer.hits[0].item.name == "drawing_02.png"
    shell.user_ns["apple"] = Image.open(demo_folder() / "emoji" / "drawing_02.png")
    assert run(shell, "%mmrag_ask what is this? --image {{apple}}").result.hits[0].item.name == "drawing_02.png"
    assert "--image {{apple}}" in fails(shell, capsys, "%mmrag_ask {{apple}}")


def test_an_expression_sees_the_names_of_the_function_it_stands_in(shell):
    run(shell, '%mmrag_index {{"A harp."}}')
    cell = """
def ask(words):
    get_ipython().run_line_magic("mmrag_ask", "{{' '.join(word for word in words if word in words)}} --out found")
ask(["a", "harp"])
"""
    assert run(shell, cell).success
    assert shell.user_ns["found"].question == "a harp"


def test_what_came_in_before_a_mistake_is_shown(shell, capsys, monkeypatch):
    from mmrag_nb import indexing
    from mmrag_nb.catalog.catalog import Catalog
    from mmrag_nb.errors import IndexFileError

    monkeypatch.setattr(indexing, "BATCH", 1)
    add, calls = Catalog.add, []

    def full(self, *rest):
        calls.append(1)
        if len(calls) > 1:
            raise IndexFileError("the disk is full")
        return add(self, *rest)

    monkeypatch.setattr(Catalog, "add", full)
    capsys.readouterr()
    assert not run(shell, '%mmrag_index {{["A harp.", "A ferry."]}}').success
    printed = capsys.readouterr()
    assert "indexed 1 item (1 text)" in printed.out
    assert "the disk is full" in printed.err + printed.out
