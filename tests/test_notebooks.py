"""The teaching notebooks run from top to bottom, offline, and show what they promise."""

import base64
import io
import re
from pathlib import Path

import av
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
    assert re.search(r'src="data:image/jpeg;base64,', "".join(pages))
    (panel,) = [page for page in pages if 'aria-label="index panel"' in page]
    assert "lighthouse_talk.mp3" in panel
    assert not re.search(r'(?:src|href)="(?!data:|#)', "".join(pages)), "nothing is fetched"


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory):
    for needed in ("matplotlib", "pypdfium2", "imagehash", "pandas", "pocketsphinx"):
        pytest.importorskip(needed)
    return executed("every_kind_of_file.ipynb", tmp_path_factory.mktemp("every_kind"))


def result(notebook, line, mime="text/plain"):
    """What the last cell that begins with ``line`` shows."""
    *_, cell = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.startswith(line)]
    told = [out["data"][mime] for out in cell.outputs if mime in out.get("data", {})]
    return " ".join(told[-1].split())


def test_every_kind_of_file_is_found_where_it_says_it(every_kind):
    film = result(every_kind, "%mmrag_ask for whom")
    assert "“Admission is free for children under twelve.” [1]" in film
    assert "[1] tour.mp4 · text · 8.0-12.0 s of 16.0 s" in film
    assert "[1] tour.mp4 · image · 0.0-4.0 s of 16.0 s" in result(every_kind, "%mmrag_search a guitar")
    assert "[1] report.pdf · text · page 1 of 2" in result(every_kind, "%mmrag_ask how much")
    row = result(every_kind, "%mmrag_search a puzzle")
    assert "[1] shop.csv#row 3" in row
    assert "[2]" not in row, "one row alone costs more than 5"
    assert "[1] counting.ipynb · text · cell 1" in result(every_kind, "%mmrag_ask how often")


def test_a_scan_is_found_by_ocr(every_kind):
    pytest.importorskip("rapidocr")
    assert "[1] notice.pdf · text · page 1 of 1" in result(every_kind, "%mmrag_ask when is the lantern room")


def test_a_film_plays_in_the_saved_notebook(every_kind):
    page = result(every_kind, "%mmrag_ask for whom", "text/html")
    clip = re.search(r'<video[^>]* src="data:video/\w+;base64,([^"#]+)', page)
    assert re.search(r'<video[^>]* poster="data:image/', page)
    with av.open(io.BytesIO(base64.b64decode(clip[1]))) as film:
        frames = [frame.to_ndarray(format="gray").astype(float) for frame in film.decode(video=0)]
    assert 35 <= len(frames) <= 80, "four seconds of one drawing, ten frames a second, and little around them"
    assert abs(frames[0] - frames[35]).mean() < 5 < abs(frames[0] - frames[-1]).mean(), "from the second it begins"
    assert not re.search(r'(?:src|href|poster)="(?!data:|#)', "".join(shown(every_kind, "text/html"))), (
        "nothing is fetched"
    )


def test_a_changed_folder_is_told_and_bad_files_are_refused(every_kind):
    first, again = (
        " ".join(text.split())
        for text in shown(every_kind, "text/plain")
        if "holiday.jpg" in text and text.startswith("indexed")
    )
    for told in ("holiday.jpg damaged picture", "1 file ignored", "shaky.jpg blurred", "double: looks like"):
        assert told in first
    assert "1 moved)" in again
    assert "gone: 1 item" in again
    assert "shaky.jpg" in again
    refused = result(every_kind, "%%mmrag_index")
    assert "indexed 0 items: 0 embedded, 0 reused, 4 skipped" in refused
    for told in ("archives are not opened", "may hold a program", "link-local", "private or loopback address"):
        assert told in refused


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    for needed in ("pandas", "pyarrow", "faiss", "pymilvus", "milvus_lite", "pocketsphinx"):
        pytest.importorskip(needed)
    return executed("keeping_and_sharing.ipynb", tmp_path_factory.mktemp("kept"))


def test_what_was_stopped_goes_on_where_it_was(kept):
    assert "Interrupted. What is counted here is in the index" in result(kept, "%mmrag_stop")
    assert "indexed 2" in result(kept, "job.wait()")
    assert "Day 150: the brown boat left from quay 7" in result(kept, "%mmrag_ask which boat")


def test_two_notebooks_share_a_file(kept):
    assert "[1] {{On day 200 the last boat" in result(kept, "%mmrag_search the last boat")
    assert "is whole" in result(kept, "%mmrag_verify")


def test_a_damaged_copy_is_told(kept):
    damaged = result(kept, "%mmrag_verify damaged")
    assert "damaged.mmrag: " in damaged
    assert re.search(r"pages: 1 of \d+ do not match their checksums", damaged)


def test_an_index_is_handed_on_and_taken_in(kept):
    assert "as 2" in result(kept, "%mmrag_export")
    assert "mean cosine 1.000" in result(kept, "%mmrag_reset\n%mmrag_import")
    assert "[1] drawing_04.png" in result(kept, "%mmrag_search a guitar")


def test_another_store_and_milvus_find_the_same(kept):
    assert "[1] drawing_04.png" in result(kept, '%config MMRag.store = "faiss:hnsw"')
    assert "milvus" in result(kept, "%mmrag_status")
    assert "The picture drawing_04.png matches best [1]" in result(kept, "%mmrag_ask which picture")
