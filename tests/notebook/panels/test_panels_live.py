"""What all panels share: regions, acts, errors, drops, and the picture that stays in the notebook. No browser here."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from IPython.utils.capture import capture_output

from mmrag_nb.errors import MMRagError, SourceError
from mmrag_nb.notebook.panels.controls import button, check, choice, field
from mmrag_nb.notebook.panels.live import LivePanel
from mmrag_nb.notebook.render.escape import escape

WIDGET = "application/vnd.jupyter.widget-view+json"


class Counter(LivePanel):
    """A number, a button that adds to it, and ways to fail."""

    def __init__(self):
        self.n = 0
        self.got = []
        super().__init__("counter", ".mmrag .n {color:red}")
        self.refresh()

    def draw(self, *, live):
        return {"number": f"<p>{self.n}</p>", "controls": button("add", "Add", 2) if live else ""}

    def acts(self):
        return {"add": self._add, "refuse": self._refuse, "break": self._break, "files": self.got.append}

    def text(self):
        return f"{self.n}"

    def _add(self, act):
        self.n += int(act.target)
        self.refresh()

    def _refuse(self, act):
        raise MMRagError("it cannot be\n  <b>done</b>: do that")

    def _break(self, act):
        raise ZeroDivisionError("oh no")

    def hidden(self, act):
        self.n = 1_000_000


@pytest.fixture
def panel(monkeypatch):
    panel = Counter()
    panel.replies = []
    monkeypatch.setattr(panel, "send", lambda content, buffers=None: panel.replies.append(content))
    return panel


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def do(panel, act, buffers=(), **message):
    panel._handle_custom_msg({"act": act, "n": "v-1", **message}, list(buffers))


def test_an_act_reaches_its_method_and_the_reader_is_told_when_it_is_through(panel):
    do(panel, "add", target="2")
    assert panel.regions["number"] == "<p>2</p>"
    assert panel.replies == [{"done": "v-1", "ok": True}]
    assert not panel.busy


@pytest.mark.parametrize("act", ["hidden", "__init__", "close", "draw", "", None, 3, ["add"]])
def test_nothing_but_what_is_listed_can_be_reached(panel, act):
    do(panel, act)
    assert panel.n == 0
    assert panel.replies == [{"done": "v-1", "ok": True}]  # else the page would wait for ever


def test_messages_that_are_not_ours_are_let_pass(panel):
    for content in ("text", 3, None, [], {"kind": "anywidget-command"}):
        panel._handle_custom_msg(content, [])
    assert panel.replies == []


def test_a_mistake_is_told_in_one_line_and_forgotten_with_the_next_act(panel, caplog):
    do(panel, "refuse")
    assert panel.status == "it cannot be <b>done</b>: do that"  # the page sets it as text
    assert panel.failed
    assert panel.replies == [{"done": "v-1", "ok": False}]
    assert not caplog.records
    do(panel, "add", target="1")
    assert (panel.status, panel.failed) == ("", False)


def test_a_bug_is_told_and_its_traceback_logged(panel, caplog):
    do(panel, "break")
    assert panel.status.startswith("ZeroDivisionError: oh no")
    assert panel.failed
    assert not panel.busy
    assert "in _break" in caplog.text


def test_busy_from_begin_to_end_of_the_outermost_work(panel):
    with panel.working("counting"):
        assert (panel.busy, panel.status) == (True, "counting")
        with panel.working("more"):
            panel.tell("3 of 10")
        assert (panel.busy, panel.status) == (True, "3 of 10")
    assert not panel.busy


def test_what_fails_in_a_cell_is_told_and_raised(panel):
    for error in (MMRagError("it cannot be done"), ZeroDivisionError(), KeyboardInterrupt()):
        with pytest.raises(type(error)), panel.working("counting"):
            raise error
        assert panel.status in {"it cannot be done", "ZeroDivisionError", "interrupted"}
        assert panel.failed
        assert not panel.busy


# -- what is shown --------------------------------------------------------------------------------------------------


def test_two_outputs_a_live_view_and_a_picture_that_needs_no_kernel(panel, shell):
    with capture_output() as captured:
        panel._ipython_display_()
    view, picture = (output.data for output in captured.outputs)
    assert view[WIDGET]["model_id"] == panel.model_id
    assert view["text/plain"] == ""  # where there is no live view, nothing stands in its place
    page = BeautifulSoup(picture["text/html"], "html.parser")
    assert page.section["aria-label"] == "counter"
    assert page.p.get_text() == "0"
    assert not page("button")
    assert not page("script")
    assert picture["text/plain"] == "0"
    assert panel.twin in page.div["class"]  # by this the live view finds it, to hide it


def test_the_picture_follows_the_state_once_an_act(panel, shell, monkeypatch):
    updates = []
    monkeypatch.setattr(
        "mmrag_nb.notebook.panels.twin.update_display", lambda data, **how: updates.append((data, how["display_id"]))
    )
    do(panel, "add", target="1")
    assert updates == []  # it was not shown yet
    with capture_output() as captured:
        panel._ipython_display_()
    do(panel, "add", target="1")
    with panel.working():
        for _ in range(3):
            panel.n += 1
            panel.refresh()
    do(panel, "refuse")  # which changes nothing that the picture shows
    assert [("<p>2</p>" in data["text/html"], data["text/plain"]) for data, _ in updates] == [(True, "2"), (False, "5")]
    assert {where for _, where in updates} == {panel.twin}
    assert len(captured.outputs) == 2


def test_a_panel_in_a_box_is_its_live_view_alone(panel, shell):
    import ipywidgets

    with capture_output() as captured:
        display(ipywidgets.VBox([panel]))
    assert [WIDGET in output.data for output in captured.outputs] == [True]


# -- files ----------------------------------------------------------------------------------------------------------


def drop(panel, name, data, *, size=None, upload="u", index=0, chunk=4):
    for offset in range(0, max(1, len(data)), chunk):
        part = {"upload": upload, "index": index, "name": name, "size": size or len(data), "offset": offset}
        do(panel, "files", [memoryview(data[offset : offset + chunk])], part=part)


def end(panel, upload="u"):
    do(panel, "files", part={"upload": upload, "end": True})


def test_files_come_in_parts_and_are_handed_over_together(panel):
    drop(panel, "a.txt", b"0123456789")
    drop(panel, "a.txt", b"other", index=1)
    drop(panel, "empty.txt", b"", index=2)
    assert panel.got == []
    end(panel)
    files = panel.got[0].files
    assert [(one.name, one.path.name, one.path.read_bytes()) for one in files] == [
        ("a.txt", "a.txt", b"0123456789"),
        ("a.txt", "a.txt", b"other"),
        ("empty.txt", "empty.txt", b""),
    ]
    assert panel.replies[-1]["ok"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("nul\0l\nine.txt", "nul_l_ine.txt"),
        ("\ud800.txt", "_.txt"),
        ("日本.png", "日本.png"),
    ],
)
def test_names_lead_nowhere_else(panel, name, kept):
    drop(panel, name, b"x")
    end(panel)
    file = panel.got[0].files[0]
    assert file.name == kept
    assert file.path.parent.parent.name.startswith("mmrag-dropped-")


def test_a_long_name_keeps_its_extension(panel):
    drop(panel, "é" * 10_000 + ".jpeg", b"x")
    end(panel)
    assert panel.got[0].files[0].name.endswith("é.jpeg")


@pytest.mark.parametrize(
    "part",
    [
        {"upload": "u", "index": 0, "name": "a", "size": 10, "offset": 3},
        {"upload": "u", "index": 1, "name": "a", "size": 10, "offset": 0},
        {"upload": "u", "index": 0, "name": "a", "size": 2, "offset": 0},
        {"upload": "u", "index": "0", "name": "a", "size": None, "offset": 0},
        {"upload": "u", "index": 0, "name": "a", "size": 10**12, "offset": 0},
        {},
    ],
)
def test_parts_that_do_not_fit_are_refused_in_one_line(panel, part):
    do(panel, "files", [b"0123"], part=part)
    assert panel.failed
    assert panel.got == []
    assert panel.replies == [{"done": "v-1", "ok": False}]


def test_a_file_that_breaks_off_is_refused(panel):
    drop(panel, "a.txt", b"0123", size=100)
    with pytest.raises(SourceError, match="not arrive whole"):
        panel._uploads.take({"upload": "u", "end": True}, [])


# -- controls -------------------------------------------------------------------------------------------------------


def test_controls_escape_and_have_names():
    bad = "\"'><script>x</script>"
    html = (
        button("a", bad, bad, label=bad)
        + field(bad, choice(bad, [bad, "b"], "b", act="set"))
        + check("x", bad, on=True, value=bad)
    )
    page = BeautifulSoup(html, "html.parser")
    assert not page("script")
    assert page.button.get_text() == page.button["aria-label"] == page.button["data-mm-target"] == bad
    assert page.find("label", class_="mm-field").span.get_text() == bad
    assert [option.get("selected") is not None for option in page("option")] == [False, True]
    assert page.find("input")["value"] == bad
    assert escape(bad) in html
