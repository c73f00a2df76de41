"""``%mmrag_save`` and ``%mmrag_open``."""

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from mmrag_nb.results import Status


@pytest.fixture
def shell(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "mmrag_nb")
    shell.run_line_magic("config", 'MMRag.preset = "offline"')
    shell._mmrag_session.rag.index({"text": "A concert harp has forty-seven strings."})
    yield shell
    shell.run_line_magic("unload_ext", "mmrag_nb")
    InteractiveShell.clear_instance()


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
