"""``%mmrag_save``, ``%mmrag_open``, ``%mmrag_verify`` and ``%mmrag_compact``."""

from pathlib import Path

import pytest

from mmrag_nb.reports import Status


@pytest.fixture
def shell(shell):
    shell._mmrag_session.rag.index({"text": "A concert harp has forty-seven strings."})
    return shell


def told(shell, cell):
    result = shell.run_cell(cell)
    assert not result.success
    return str(result.error_in_exec)


@pytest.mark.parametrize("magic", ["%mmrag_save", "%mmrag_open"])
def test_out_binds_and_silences(shell, magic):
    shell.run_cell("%mmrag_save lesson.mmrag")
    assert shell.run_cell(f"{magic} lesson.mmrag --out status").result is None
    assert isinstance(shell.user_ns["status"], Status)
    assert Path(shell.user_ns["status"].path).name == "lesson.mmrag"
    assert isinstance(shell.run_cell(f"{magic} lesson.mmrag").result, Status)


@pytest.mark.parametrize("typed", ["'my lesson.mmrag'", '"my lesson.mmrag"', "my lesson.mmrag"])
def test_a_path_with_blanks_is_one_name_however_quoted(shell, tmp_path, typed):
    assert shell.run_cell(f"%mmrag_save {typed} -o status").success
    assert (tmp_path / "my lesson.mmrag").is_file()
    assert shell.run_cell(f"%mmrag_open {typed}").result.items == {"text": 1}


def test_a_file_that_is_not_there_is_told_with_the_nearest(shell):
    shell.run_cell("%mmrag_save Lesson_1.mmrag")
    assert "did you mean 'Lesson_1.mmrag'?" in told(shell, "%mmrag_open lesson1.mmrag")
    assert "did you mean" not in told(shell, "%mmrag_open zoo.mmrag")


def test_a_folder_that_is_not_there_and_no_name_at_all(shell, tmp_path):
    message = told(shell, "%mmrag_save lessons/one.mmrag")
    assert f"there is no folder {tmp_path / 'lessons'} to keep one.mmrag in" in message
    assert told(shell, "%mmrag_save") == "name the file: %mmrag_save lesson.mmrag"
    assert told(shell, "%mmrag_open --discard") == "name the file: %mmrag_open lesson.mmrag"


def test_an_index_that_was_not_saved_is_not_thrown_away_unasked(shell):
    shell.run_cell("%mmrag_save lesson.mmrag")
    shell.run_cell("%reload_ext mmrag_nb")
    shell._mmrag_session._rag = None
    shell._mmrag_session.rag.index({"text": "Never saved."})
    assert "1 item and is not saved" in told(shell, "%mmrag_open lesson.mmrag --out status")
    assert "status" not in shell.user_ns
    assert shell.run_cell("%mmrag_open lesson.mmrag --discard").result.items == {"text": 1}


def test_what_is_in_a_file_already_need_not_be_named_again(shell, tmp_path):
    shell.run_cell("%mmrag_save lesson.mmrag")
    assert f"all of it is in {tmp_path / 'lesson.mmrag'} already" in told(shell, "%mmrag_save")


def test_a_number_means_a_hit_of_the_index_that_is_open(shell):
    shell.run_cell("%mmrag_save harps.mmrag")
    shell.run_cell("%mmrag_search harp")
    shell.run_cell("%mmrag_reset")
    shell._mmrag_session.rag.index({"text": "The ferry leaves at noon."})
    assert "there is no hit 1 yet" in told(shell, "%mmrag_similar 1")
    shell.run_cell("%mmrag_open harps.mmrag --discard")
    assert "there is no hit 1 yet" in told(shell, "%mmrag_similar 1")


def test_an_index_by_models_of_another_time_is_refused_and_the_one_at_hand_stays(shell):
    from mmrag_nb import MultimodalRAG

    with MultimodalRAG(preset="offline", path="later.mmrag") as later:
        later._catalog.add([], {}, {"clip": "none", "preset": "of the future"})
    assert "was made with what is not here" in told(shell, "%mmrag_open later.mmrag --discard")
    assert shell._mmrag_session.settings.clip == ""
    assert shell.run_cell("%mmrag_search harp").result[0].chunk.text.startswith("A concert harp")


def test_models_that_load_for_a_question_are_told_of(shell, monkeypatch):
    from mmrag_nb import MultimodalRAG
    from mmrag_nb.notebook.magics import base

    told = []

    class Heard:
        def __init__(self, shell):
            pass

        def __enter__(self):
            return lambda stage, done, total: told.append(stage)

        def __exit__(self, *_):
            pass

    shell.run_cell("%mmrag_save lesson.mmrag")
    shell._mmrag_session._rag = MultimodalRAG.open("lesson.mmrag")
    monkeypatch.setattr(base, "ProgressLine", Heard)
    shell.run_cell("%mmrag_search harp")
    shell.run_cell("%mmrag_ask harp")
    assert told == ["loading words"]


def test_another_index_needs_no_models_to_be_loaded_again_and_a_panel_follows(shell, monkeypatch):
    from mmrag_nb import MultimodalRAG, registry

    with MultimodalRAG(preset="offline", path="ferries.mmrag") as other:
        other.index({"text": "The ferry leaves at noon."})
    shell.run_cell("%mmrag_search harp")
    held = shell._mmrag_session.rag
    made = []
    create = registry.create

    def noted(kind, *rest, **further):
        made.append(kind)
        return create(kind, *rest, **further)

    monkeypatch.setattr(registry, "create", noted)
    shell.run_cell("%mmrag_open ferries.mmrag --discard")
    assert shell.run_cell("%mmrag_search ferry").result[0].chunk.text == "The ferry leaves at noon."
    assert "encoder" not in made
    assert held.search("ferry", k=1)[0].item.metadata == {}
    assert held.path.name == "ferries.mmrag"


def test_an_index_is_checked_and_made_compact(shell, tmp_path):
    path = tmp_path / "lesson.mmrag"
    assert shell.run_cell("%mmrag_verify").result.ok
    shell.run_cell(f"%mmrag_save {path}")
    assert shell.run_cell(f"%mmrag_verify {path}").result.path == str(path)
    assert shell.run_cell("%mmrag_compact").result.after == path.stat().st_size
    assert shell.run_cell("%mmrag_compact --out made").result is None
    assert shell.user_ns["made"].before
    assert "there is no index at" in str(shell.run_cell("%mmrag_verify nowhere.mmrag").error_in_exec)
