"""Notebooks: what their cells say and show, in order, whatever wrote them."""

import base64
import io
import json
import time

import nbformat
import pytest
from nbformat import v3, v4
from PIL import Image

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders import notebook as module
from mmrag_nb.loaders.cells import MAX_CELLS, MAX_OUTPUT
from mmrag_nb.loaders.notebook import NotebookLoader
from mmrag_nb.protocols import Loader


def picture(colour="red", kind="PNG"):
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, kind)
    return base64.b64encode(out.getvalue()).decode()


def shown(**data):
    return v4.new_output("display_data", data={name.replace("_", "/", 1): value for name, value in data.items()})


def code(source, *outputs):
    return v4.new_code_cell(source, outputs=list(outputs))


def saved(*cells):
    return nbformat.writes(v4.new_notebook(cells=list(cells))).encode()


@pytest.fixture
def loader(count_tokens):
    return NotebookLoader(77, count_tokens)


def text_of(item):
    return "\n".join(chunk.text for chunk in item.chunks if chunk.modality == "text")


def test_it_is_a_loader_whose_version_tells_the_budget(count_tokens):
    assert isinstance(NotebookLoader(77, count_tokens), Loader)
    assert NotebookLoader(77, count_tokens).version != NotebookLoader(64, count_tokens).version
    assert ".ipynb" in module.SUFFIXES


def test_cells_and_their_outputs_are_read_in_order(loader, tmp_path):
    path = tmp_path / "lesson.ipynb"
    path.write_bytes(
        saved(
            v4.new_markdown_cell("# Harps\n\nA concert harp has forty-seven strings."),
            code(
                "print(strings)",
                v4.new_output("stream", name="stdout", text="47 \x1b[31mstrings\x1b[0m\n"),
                v4.new_output("stream", name="stderr", text="a warning nobody needs"),
            ),
            code("plot()", shown(text_plain="<Figure size 640x480 with 1 Axes>", image_png=picture())),
        )
    )
    item = loader.load(path, "lesson.ipynb")
    text = text_of(item)
    assert [text.index(part) for part in ("Harps", "forty-seven", "print(strings)", "47 strings", "plot()")] == sorted(
        text.index(part) for part in ("Harps", "forty-seven", "print(strings)", "47 strings", "plot()")
    )
    assert "warning" not in text
    assert "Figure size" not in text
    (image,) = [chunk for chunk in item.chunks if chunk.modality == "image"]
    assert (image.page, image.pixels.size, image.pixels.getpixel((3, 3))) == (3, (40, 30), (255, 0, 0))
    assert set(image.previews) == {"thumbnail", "proxy"}
    assert item.facts == {"cells": 3, "passages": len(item.chunks) - 1, "pictures": 1}
    assert item.notes == ()


def test_passages_know_the_cell_they_begin_in(loader):
    cells = [
        v4.new_markdown_cell(f"Cell {number}. " + "All that is said of it is said here. " * 12) for number in (1, 2, 3)
    ]
    item = loader.load(saved(*cells), "n.ipynb")
    assert [chunk.page for chunk in item.chunks] == sorted(chunk.page for chunk in item.chunks)
    for number in (1, 2, 3):
        assert any(chunk.page == number and f"Cell {number}." in chunk.text for chunk in item.chunks)


def test_an_output_is_said_once_and_never_as_a_program(loader):
    card = "<div style='color:red'><script>alert(1)</script><p>The harpist is <b>Deborah</b></p></div>"
    item = loader.load(
        saved(
            code("ask()", shown(text_plain="The harpist is Deborah", text_html=card)),
            code(
                "show()",
                shown(text_plain="<IPython.core.display.HTML object>", text_html=card.replace("Deborah", "Ann")),
            ),
            code("js()", shown(application_javascript="steal()", text_plain="<Javascript object>")),
            code("w()", shown(**{"application_vnd.jupyter.widget-view+json": {"model_id": "x"}, "text_plain": "w"})),
        ),
        "n.ipynb",
    )
    text = text_of(item)
    assert text.count("The harpist is Deborah") == 1
    assert text.count("The harpist is Ann") == 1
    assert not any(word in text for word in ("alert", "steal", "model_id", "<div", "color"))


def test_tracebacks_and_progress_lines_read_as_on_a_terminal(loader):
    error = v4.new_output(
        "error", ename="ValueError", evalue="no", traceback=["\x1b[0;31mValueError\x1b[0m: no harps", "at line 3"]
    )
    bar = v4.new_output("stream", name="stdout", text="10%\r50%\r100%\ndone\n")
    text = text_of(loader.load(saved(code("x()", error), code("y()", bar)), "n.ipynb"))
    assert "ValueError: no harps\nat line 3" in text
    assert "100%" in text
    assert "50%" not in text
    assert "\x1b" not in text


def test_attached_and_inlined_pictures_are_pictures_and_no_text(loader):
    cell = v4.new_markdown_cell(f"Look: ![a](attachment:a.png) and ![b](data:image/png;base64,{picture('blue')})")
    cell["attachments"] = {"a.png": {"image/png": picture("green")}}
    item = loader.load(saved(cell), "n.ipynb")
    colours = {chunk.pixels.getpixel((1, 1)) for chunk in item.chunks if chunk.modality == "image"}
    assert colours == {(0, 0, 255), (0, 128, 0)}
    assert "iVBOR" not in text_of(item)


def test_the_same_picture_is_one_chunk(loader):
    item = loader.load(saved(*(code("plot()", shown(image_png=picture())) for _ in range(3))), "n.ipynb")
    assert [chunk.page for chunk in item.chunks if chunk.modality == "image"] == [1]


def test_a_damaged_picture_stops_nothing(loader):
    item = loader.load(
        saved(
            code(
                "plot()", shown(image_png="!!!"), shown(image_png="aGVsbG8="), shown(image_jpeg=picture("red", "JPEG"))
            )
        ),
        "n.ipynb",
    )
    assert sum(chunk.modality == "image" for chunk in item.chunks) == 1
    assert len([note for note in item.notes if note.startswith("cell 1: a picture left out: damaged")]) >= 1


def test_long_outputs_are_cut_and_it_is_said(loader):
    out = v4.new_output("stream", name="stdout", text="word " * 100_000)
    item = loader.load(saved(code("x()", out)), "n.ipynb")
    assert len(text_of(item)) < 3 * MAX_OUTPUT
    assert item.notes == (f"cell 1: an output cut after {MAX_OUTPUT:,} of 500,000 characters",)


def test_too_many_cells_and_pictures_are_told(loader, monkeypatch):
    monkeypatch.setattr(module, "MAX_PICTURES", 2)
    book = json.loads(saved(code("plot()", *(shown(image_png=picture(colour)) for colour in ("red", "green", "blue")))))
    plain = {"cell_type": "markdown", "metadata": {}, "source": "x"}
    book["cells"] += [{**plain, "id": f"c{number}"} for number in range(1, MAX_CELLS)]
    book["cells"].append({**plain, "id": "last", "source": "the last one"})
    item = loader.load(json.dumps(book).encode(), "n.ipynb")
    assert "the last one" not in text_of(item)
    assert item.notes == (f"first {MAX_CELLS:,} of {MAX_CELLS + 1:,} cells", "first 2 of 3 pictures")


def test_old_notebooks_are_read(loader):
    old = v3.new_notebook(
        worksheets=[
            v3.new_worksheet(cells=[v3.new_text_cell("markdown", source="An old lesson"), v3.new_code_cell("1+1")])
        ]
    )
    text = text_of(loader.load(json.dumps(old).encode(), "n.ipynb"))
    assert "An old lesson" in text
    assert "1+1" in text


def test_what_is_not_quite_valid_is_read_and_said(loader):
    book = json.loads(saved(v4.new_markdown_cell("Still readable")))
    book["cells"][0]["colour"] = "red"
    item = loader.load(json.dumps(book).encode(), "n.ipynb")
    assert text_of(item) == "Still readable"
    assert item.notes[0].startswith("not quite as notebooks should be")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not JSON"),
        (b"[1, 2]", "damaged notebook"),
        (b"{}", "damaged notebook"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 3}', "damaged notebook"),
        (b'{"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}', "damaged"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[" * 200_000, "nested too deep"),
        (saved(), "no text or picture"),
        ("a text", "not a notebook but an object of type str"),
    ],
)
def test_what_is_no_notebook_is_told_in_one_line(loader, content, reason):
    with pytest.raises(LoadError, match=reason) as told:
        loader.load(content, "n.ipynb")
    assert "\n" not in str(told.value)


def test_a_hostile_page_in_an_output_is_stopped(loader):
    book = saved(code("x()", shown(text_html="<a " * 50_000)))
    start = time.perf_counter()
    with pytest.raises(LoadError, match=r"damaged|too large"):
        loader.load(book, "n.ipynb")
    assert time.perf_counter() - start < 40


def test_cells_of_the_wrong_shape_stop_nothing(loader):
    book = json.loads(saved(v4.new_markdown_cell("fine")))
    book["cells"] += [3, {"cell_type": "code", "source": None, "outputs": [7]}, {"cell_type": "code"}]
    try:
        item = loader.load(json.dumps(book).encode(), "n.ipynb")
    except LoadError as error:
        assert "damaged notebook" in str(error)  # noqa: PT017
    else:
        assert "fine" in text_of(item)
