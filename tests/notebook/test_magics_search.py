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
            shell.user_ns.update(
                sources=[DEMO / "emoji", DEMO / "tuning_a_harp.md", DEMO / "tide_tables.txt"],
                apple=Image.open(DEMO / "emoji" / "drawing_02.png"),
            )
            shell.run_cell("%mmrag_index {{sources}} --out report")
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
    for line in ("--image {{apple}} -k 12", "harp pedals --image {{apple}} -k 20"):
        result = run(shell, f"%{magic} {line}")
        assert isinstance(result, Answer if magic == "mmrag_ask" else Hits)
        hits = result.hits if magic == "mmrag_ask" else result
        assert hits[0].item.name == "drawing_02.png"
        assert ("text" in {hit.chunk.modality for hit in hits}) == line.startswith("harp")


def test_a_sound_asks_alone(shell, capsys):
    shell.user_ns["tone"] = (np.zeros(16_000, np.float32), 16_000)
    assert "silent" in fails(shell, capsys, "%mmrag_search --audio {{tone}}")
    assert "voice alone" in fails(shell, capsys, "%mmrag_ask a harp --audio {{tone}}")
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


def test_a_number_means_the_last_result_shown_or_bound(shell):
    run(shell, "%mmrag_search a bicycle --out silent")
    assert run(shell, "%mmrag_similar 1").question == "more like drawing_06.png"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%mmrag_search", "%mmrag_search who"),
        ("%mmrag_search a harp --only images", "'images' is no modality"),
        ("%mmrag_search a harp --only image, audio", "without blanks"),
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

    assert set(flags(shell.find_line_magic("mmrag_ask"))) == set(flags(shell.find_line_magic("mmrag_search")))


def test_a_strategy_is_chosen_for_one_question(shell, capsys):
    for magic in ("search a red apple", "ask a red apple", "similar drawing_02.png"):
        assert run(shell, f"%mmrag_{magic} --strategy shared") is not None
        told = fails(shell, capsys, f"%mmrag_{magic} --strategy shraed")
        assert "unknown strategy 'shraed': did you mean 'shared'?" in told
