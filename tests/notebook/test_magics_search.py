"""The magics that look into the index, in a real IPython shell: search, similar, compare, map."""

import numpy as np
import pytest
import shells
from PIL import Image
from shells import fails

pytest.importorskip("torch")

from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.insight.comparison import Comparison
from mmrag_nb.insight.embedding_map import EmbeddingMap
from mmrag_nb.results import Answer, Hits

DEMO = demo_folder()


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        with shells.started() as shell:
            shell.run_line_magic("config", 'MMRag.ocr = "none"')  # is long in loading, and nothing is written here
            shell.user_ns.update(
                sources=[DEMO / "emoji", DEMO / "tuning_a_harp.md", DEMO / "tide_tables.txt"],
                apple=Image.open(DEMO / "emoji" / "drawing_02.png"),
                roses=[
                    {"text": "A climbing rose in white.", "species": "rose", "price": 20},
                    {"text": "An old rose in pink.", "species": "rose", "price": 60},
                    {"text": "A tulip in white.", "species": "tulip", "price": 5},
                ],
            )
            shell.run_cell("%mmrag_index {{sources}} --out report")
            shell.run_cell("%mmrag_index {{roses}} --out _")
            yield shell


def run(shell, cell):
    done = shell.run_cell(cell, store_history=True)
    assert done.success
    return done.result


def test_search_retrieves_and_writes_no_answer(shell):
    hits = run(shell, "%mmrag_search which picture shows a red apple? -k 3")
    assert isinstance(hits, Hits)
    assert [hits[0].item.name, len(hits)] == ["drawing_02.png", 3]
    assert run(shell, "%%mmrag_search -k 1\nwhich picture shows\na red apple?").question.count("\n") == 1
    assert run(shell, "%mmrag_search an apple --out found") is None
    assert isinstance(shell.user_ns["found"], Hits)


def test_raw_and_only_narrow_what_is_found(shell):
    assert {hit.chunk.modality for hit in run(shell, "%mmrag_search a harp --only image -k 4")} == {"image"}
    raw = run(shell, "%mmrag_search a harp --raw -k 4")
    assert [hit.score for hit in raw] == [hit.cosine for hit in raw]
    only = run(shell, "%mmrag_ask how many pedals has a harp? --only text,audio")
    assert {hit.chunk.modality for hit in only.hits} == {"text"}


@pytest.mark.parametrize("magic", ["mmrag_search", "mmrag_ask"])
def test_a_picture_asks_with_words_and_without(shell, magic):
    for line in ("--image {{apple}} -k 12", "harp pedals --image {{apple}} -k 12"):
        result = run(shell, f"%{magic} {line}")
        assert isinstance(result, Answer if magic == "mmrag_ask" else Hits)
        names = [hit.item.name for hit in (result.hits if magic == "mmrag_ask" else result)]
        assert "drawing_02.png" in names
        assert (names[0] == "tuning_a_harp.md") == line.startswith("harp")


def test_a_sound_asks_alone(shell, capsys):
    shell.user_ns["tone"] = (np.zeros(16_000, np.float32), 16_000)
    assert "silent" in fails(shell, capsys, "%mmrag_search --audio {{tone}}")
    assert "in words or by voice, not both" in fails(shell, capsys, "%mmrag_ask a harp --audio {{tone}}")
    assert "nothing.wav" in fails(shell, capsys, "%mmrag_ask --audio nothing.wav")


def test_similar_takes_a_number_a_name_a_hit_and_a_path(shell):
    run(shell, "%mmrag_ask which picture shows a red apple?")
    by_number = run(shell, "%mmrag_similar 1 -k 3")
    by_name = run(shell, "%mmrag_similar drawing_02.png -k 3")
    shell.user_ns["hit"] = run(shell, "%mmrag_search a red apple")[0]
    by_hit = run(shell, "%mmrag_similar {{hit}} -k 3")
    assert [hit.chunk for hit in by_number] == [hit.chunk for hit in by_name] == [hit.chunk for hit in by_hit]
    assert by_number.question == "more like drawing_02.png"
    alike = run(shell, f'%mmrag_similar "{DEMO / "lorenz_attractor.png"}" -k 2')
    assert len(alike) == 2


def test_similar_takes_several_and_what_they_are_to_be_unlike(shell):
    by_name = run(shell, "%mmrag_similar drawing_02.png drawing_07.png --unlike drawing_06.png,tide_tables.txt -k 4")
    assert by_name.question.startswith("more like drawing_02.png, drawing_07.png, unlike drawing_06.png, tide_tables")
    assert not {hit.item.name for hit in by_name} & {"drawing_02.png", "drawing_07.png", "drawing_06.png"}
    found = run(shell, "%mmrag_search which picture shows a red apple? --only image -k 6")
    named = [hit.item.name for hit in found]
    by_number = run(shell, "%mmrag_similar 1 3 --unlike 2 -k 20")
    assert by_number.question == f"more like {named[0]}, {named[2]}, unlike {named[1]}"
    assert not {hit.item.name for hit in by_number} & set(named[:3])
    shell.user_ns["liked"] = list(found[:2])
    assert run(shell, "%mmrag_similar {{liked}} -k 3").question == f"more like {named[0]}, {named[1]}"
    only = run(shell, "%mmrag_similar drawing_02.png --where \"name in ('drawing_07.png', 'drawing_08.png')\" -k 9")
    assert {hit.item.name for hit in only} == {"drawing_07.png", "drawing_08.png"}


def test_similar_takes_names_with_blanks_in_quotes(shell, tmp_path):
    for name in ("a red thing.txt", "another, red thing.txt"):
        (tmp_path / name).write_text(f"This is {name}: a kite.")
    shell.user_ns["folder"] = tmp_path
    run(shell, "%mmrag_index {{folder}} --out _")
    try:
        for line in (
            '"a red thing.txt" "another, red thing.txt"',
            "'a red thing.txt' \"another, red thing.txt\" --unlike tide_tables.txt",
        ):
            question = run(shell, f"%mmrag_similar {line}").question
            assert question.startswith("more like a red thing.txt, another, red thing.txt")
        assert (
            ", unlike a red thing.txt"
            in run(shell, '%mmrag_similar drawing_02.png --unlike="a red thing.txt"').question
        )
    finally:
        run(shell, "%mmrag_remove *thing.txt --out _")


def test_a_filter_limits_what_is_found(shell):
    for line in (
        "--where \"species == 'rose' and price < 50\"",
        "--where=\"species == 'rose' and price < 50\"",
        "--where 'species == \"rose\" and price < 50'",
        "--where {{wanted}}",
        "--where price==20",
    ):
        shell.user_ns["wanted"] = "species == 'rose' and price < 50"
        hits = run(shell, f"%mmrag_search something in white {line} -k 9")
        assert [hit.chunk.text for hit in hits] == ["A climbing rose in white."]
        assert hits.question == "something in white"
    answer = run(shell, "%mmrag_ask --where \"species == 'rose'\" which rose is old?")
    assert {hit.item.metadata["species"] for hit in answer.hits} == {"rose"}
    assert "pink" in answer.text


def test_a_picture_and_words_are_weighed(shell):
    def first(line):
        return run(shell, f"%mmrag_search a climbing rose in white --image {{{{apple}}}} -k 3 {line}")[0].item.name

    assert first("--balance 1") == "drawing_02.png"
    assert first("--balance 0") == first("--balance=.1") != "drawing_02.png"


def test_a_picture_and_spoken_words(shell):
    talk = DEMO / "lighthouse_talk.mp3"
    hits = run(shell, f"%mmrag_search --image {{{{apple}}}} --audio {talk} --balance 0.9 -k 3")
    assert hits[0].item.name == "drawing_02.png"
    assert any(fact.startswith("heard by ") for fact in hits.facts)


def test_a_number_means_the_last_result_shown_or_bound(shell):
    run(shell, "%mmrag_search a bicycle --out silent")
    assert run(shell, "%mmrag_similar 1").question == "more like drawing_06.png"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%mmrag_search", "%mmrag_search who"),
        ("%mmrag_search a harp --only images", "'images' is no modality"),
        ("%mmrag_search a harp --only image, audio", "without blanks"),
        ("%mmrag_search a rose --where price < 50", '--where takes one text in quotes, as in: --where "price < ..."'),
        ("%mmrag_search a rose --where price<50 and species=='rose'", "takes one text in quotes"),
        ('%mmrag_search a rose --where "price = 50"', "to compare, write =="),
        ("%mmrag_ask a rose --where prize<50", "unknown field 'prize': did you mean 'price'"),
        ('%mmrag_ask a rose --where "open(name)"', "a filter has names, values and comparisons only"),
        ("%mmrag_search a rose --balance 0.5", "--balance weighs a picture against words"),
        ("%mmrag_ask --image {{apple}} --balance 0.5", "--balance weighs a picture against words"),
        (
            "%mmrag_ask pear --image {{apple}} --balance half",
            "--balance takes a number, as in --balance 0.5, not 'half'",
        ),
        ("%mmrag_ask pear --image {{apple}} --balance 1.5", "balance is 1.5"),
        ("%mmrag_similar drawing_02.png --unlike drawing_06.png, drawing_07.png", "without blanks between"),
        ("%mmrag_similar drawing_02.png --unlike drawing_66.png", "unknown item 'drawing_66.png'"),
        ("%mmrag_similar 1 77", "no hit 77"),
        ("%mmrag_status --strategy grunded", "did you mean 'grounded'"),
        ("%mmrag_similar", "similar to what?"),
        ("%mmrag_similar 77", "no hit 77"),
        ("%mmrag_similar tuning_harp.md", "did you mean 'tuning_a_harp.md'"),
        ("%mmrag_similar {{report}}", "nothing is like an object of type IndexReport"),
        ("%mmrag_compare", "nothing was asked"),
        ("%mmrag_compare a harp --with rwa=true", "did you mean 'raw'"),
        ("%mmrag_compare a harp --wtih raw=true", "did you mean --with"),
        ("%mmrag_map --method umap", "known are pca, tsne"),
        ("%mmrag_map --space smell", "unknown space 'smell'"),
    ],
)
def test_a_users_mistake_is_one_line(shell, capsys, cell, said):
    line = fails(shell, capsys, cell)
    assert line.startswith("UsageError: ")
    assert said in line


def test_compare_takes_variants_and_their_quotes(shell):
    comparison = run(shell, '%mmrag_compare a red apple --with raw=true --with "lexical_weight=0, k=2" -k 3')
    assert isinstance(comparison, Comparison)
    assert [column.name for column in comparison.columns] == ["shared", "raw=true", "lexical_weight=0, k=2"]
    assert [column.k for column in comparison.columns] == [3, 3, 2]
    assert run(shell, "%mmrag_compare a red apple --out c") is None
    assert run(shell, "%mmrag_compare --image {{apple}}").rows[0].hit.item.name == "drawing_02.png"


def test_compare_sets_the_strategies_side_by_side(shell):
    comparison = run(shell, "%mmrag_compare a red apple -k 3")
    assert [column.name for column in comparison.columns] == ["shared", "grounded", "separate"]
    assert not [column.error for column in comparison.columns if column.error]
    assert "grounded" in repr(comparison)
    one = run(shell, "%mmrag_compare a red apple --with grounded")
    assert [column.name for column in one.columns] == ["shared", "strategy=grounded"]
    failing = run(shell, "%mmrag_compare a harp --with text=none,strategy=grounded")
    assert "text is 'none'" in failing.columns[1].error


def test_status_tells_what_a_strategy_lacks(shell):
    run(shell, "%mmrag_index {{[{'text': 'Kites fly.', 'kind': 'toy'}]}} --out _")
    before = run(shell, "%mmrag_status --strategy grounded").settings["to compute"]
    assert before == "grounded lacks 1 text chunk to embed"
    assert "to compute" in repr(run(shell, "%mmrag_status --strategy grounded"))
    assert run(shell, "%mmrag_search kites --strategy grounded --out _") is None
    assert run(shell, "%mmrag_status --strategy grounded").settings["to compute"] == "grounded lacks nothing"
    assert "to compute" not in run(shell, "%mmrag_status").settings


def test_map_draws_with_a_question_and_without(shell):
    drawn = run(shell, "%mmrag_map which picture shows a red apple?")
    assert isinstance(drawn, EmbeddingMap)
    assert drawn.names[drawn.hits[1]] == "drawing_02.png"
    assert run(shell, "%mmrag_map --method tsne --space clip --out m") is None
    assert (shell.user_ns["m"].method, shell.user_ns["m"].query) == ("tsne", None)


@pytest.mark.parametrize("magic", ["mmrag_search", "mmrag_similar", "mmrag_compare", "mmrag_map"])
def test_help_shows_flags_and_examples(shell, capsys, magic):
    run(shell, f"%{magic} --help")
    printed = capsys.readouterr().out
    assert "--out" in printed
    assert f"%{magic} " in printed


def test_ask_and_search_take_the_same_flags(shell):
    from mmrag_nb.notebook.arguments import flags

    searching = set(flags(shell.find_line_magic("mmrag_search")))
    assert set(flags(shell.find_line_magic("mmrag_ask"))) == {*searching, "--chat", "--new"}


def test_a_strategy_is_chosen_for_one_question(shell, capsys):
    for magic in ("search a red apple", "ask a red apple", "similar drawing_02.png"):
        for strategy in ("shared", "grounded", "separate"):
            result = run(shell, f"%mmrag_{magic} --strategy {strategy}")
            assert getattr(result, "hits" if magic.startswith("ask") else "facts")
            assert (result.hits.facts if magic.startswith("ask") else result.facts)[0] == strategy
        told = fails(shell, capsys, f"%mmrag_{magic} --strategy shraed")
        assert "unknown strategy 'shraed': did you mean 'shared'?" in told
