"""The teaching notebook runs from top to bottom in its quick setting, and what it trains finds emoji."""

import importlib.util
import re
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "train_a_clip_from_scratch.ipynb"


@pytest.mark.timeout(600)
def test_the_quick_setting_runs_and_learns(monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    if shutil.which("npm") is None:
        pytest.skip("the emoji sets are fetched with npm, which is not installed")
    if importlib.util.find_spec("resvg_py") is None:
        pytest.skip('resvg-py is not installed: pip install "mmrag-nb[train]"')
    from mmrag_nb.errors import SourceError
    from mmrag_nb.training.emoji.packages import cache_folder, unpack
    from mmrag_nb.training.emoji.sets import find_set

    try:
        unpack(find_set("openmoji").package, find_set("openmoji").version, cache_folder())
    except SourceError as error:
        pytest.skip(str(error))
    if not files("mmrag_nb.assets").joinpath("emoji_clip", "model.safetensors").is_file():
        pytest.fail("the shipped weights are missing")

    monkeypatch.setenv("MMRAG_QUICK", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=500, kernel_name="python3").execute()
    printed = "\n".join(
        output.get("text", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )
    found = [float(value) for value in re.findall(r"^openmoji +[\d,]+ +[\d.]+ +([\d.]+)", printed, flags=re.MULTILINE)]
    before, after, shipped = found  # R@10 on the style that was held out
    assert before < 0.15
    assert after > before + 0.15
    assert shipped >= 0.6
    assert NOTEBOOK.stat().st_size < 300_000
