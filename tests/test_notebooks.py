"""The teaching notebooks run from top to bottom, offline, and show what they promise."""

import base64
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

FOLDER = Path(__file__).parents[1] / "notebooks"


def executed(name, tmp_path):
    notebook = nbformat.read(FOLDER / name, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    nbformat.validate(notebook)
    return notebook


def shown(notebook, mime):
    return [
        out["data"][mime] for cell in notebook.cells for out in cell.get("outputs", []) if mime in out.get("data", {})
    ]


def test_quickstart(tmp_path):
    notebook = executed("quickstart.ipynb", tmp_path)
    notebook.metadata.pop("widgets", None)  # a panel's, which a saved notebook does without
    plain = shown(notebook, "text/plain")
    pages = shown(notebook, "text/html")
    assert any("no_such_file.jpg" in text and "1 skipped" in text for text in plain)
    talk = next(text for text in plain if text.lstrip().startswith("when does"))
    guitar = next(text for text in plain if text.lstrip().startswith("which picture"))
    assert "thursday at nine" in talk.lower()
    assert "[1]" in talk
    assert "drawing_04.png" in guitar
    clip = re.search(r'src="data:audio/mpeg;base64,([^"]+)"', "".join(pages))
    assert len(base64.b64decode(clip[1])) > 5000
    assert re.search(r'src="data:image/webp;base64,', "".join(pages))
    (panel,) = [page for page in pages if 'aria-label="index panel"' in page]
    assert "lighthouse_talk.mp3" in panel
    assert not re.search(r'(?:src|href)="(?!data:|#)', "".join(pages)), "nothing is fetched"
