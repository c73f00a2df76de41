"""Every magic that asks, shows or keeps works on an index that lies in Milvus."""

import asyncio
from pathlib import Path

import pytest

from mmrag_nb.assets.demo import media

pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")

DEMO = Path(media.__file__).parent


def done(shell, cell):
    result = shell.run_cell(cell)
    assert result.success, (cell, result.error_in_exec)
    return result.result


def told(shell, cell):
    result = shell.run_cell(cell)
    assert not result.success, cell
    assert "\n" not in str(result.error_in_exec)
    return str(result.error_in_exec)


def test_a_lesson_in_milvus_from_the_first_line_to_the_last(shell, tmp_path):
    rag = shell._mmrag_session.rag
    assert "%mmrag_save milvus:lesson.db" in told(shell, "%mmrag_open milvus:lesson.db")
    assert done(shell, "%mmrag_save milvus:lesson.db").path == f"milvus:{tmp_path / 'lesson.db'}"
    names = ("lighthouse_at_night.png", "tide_tables.txt", "rainfall_by_month.png")
    assert not done(shell, "\n".join(["%%mmrag_index", *(str(DEMO / name) for name in names)])).skipped
    answer = done(shell, "%mmrag_ask when is the tide high?")
    assert answer.text
    assert answer.hits[0].item.name == "tide_tables.txt"
    assert "tide" in answer._repr_html_()
    assert "tide" in done(shell, "%mmrag_why 1")._repr_html_()
    assert "separate" in str(done(shell, "%mmrag_compare a lighthouse"))
    assert "lesson.db" in str(done(shell, "%mmrag_status"))
    assert done(shell, "%mmrag_map") is not None
    done(shell, "%mmrag_panel")
    assert done(shell, "%mmrag_search a lighthouse -k 1").hits[0].item.name == "lighthouse_at_night.png"

    parts = list(rag.stream("when is the tide high?"))
    assert parts[-1].text == answer.text
    talk = rag.chat()
    assert talk.ask("when is the tide high?").text == answer.text
    assert talk.ask("and how high?").hits
    assert asyncio.run(rag.aask("when is the tide high?")).text == answer.text

    assert done(shell, "%mmrag_save lesson.mmrag").path == str(tmp_path / "lesson.mmrag")
    assert done(shell, "%mmrag_open milvus:lesson.db").items == {"image": 2, "text": 1}
    assert "prune" in told(shell, f"%mmrag_index {DEMO / 'tide_tables.txt'} --prune")
    assert done(shell, "%mmrag_remove *.png").left == {"text": 1}
    assert "all of it is in milvus:" in told(shell, "%mmrag_save")
    done(shell, "%mmrag_reset")
    done(shell, f"%mmrag_index {DEMO / 'lighthouse_at_night.png'}")
    assert "another index already, of 1 item" in told(shell, "%mmrag_save milvus:lesson.db")


@pytest.mark.parametrize("magic", ["mmrag_save", "mmrag_open"])
def test_the_help_names_milvus(shell, magic, capsys):
    done(shell, f"%{magic} --help")
    assert f"%{magic} milvus:lesson.db" in capsys.readouterr().out
