"""Indexing in the background, in a real kernel: through at once, asked meanwhile, stopped, told of in the end."""

import queue
import time
from contextlib import suppress

import pytest

pytest.importorskip("ipykernel")
from jupyter_client.manager import start_new_kernel

GATED = """
import threading, time
from mmrag_nb import indexing
batches, whole = threading.Semaphore(0), indexing.Indexing._kept
def gated(self, *works):
    assert batches.acquire(timeout=30)
    return whole(self, *works)
indexing.Indexing._kept = gated

def until(true, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)

def open_all():
    for _ in range(100):
        batches.release()

def items():
    return len(get_ipython()._mmrag_session.rag.items())

lakes = [f"Lake {n} is {n} metres deep." for n in range(48)]
"""


class Page:
    """What a front end keeps of a kernel's messages: of each display that has an id, the newest."""

    def __init__(self, manager, client):
        self.manager, self.client = manager, client
        self.shown = {}
        self.widgets = {}

    def run(self, code, *, interrupt=None):
        """Reply and own outputs of a cell."""
        ask = self.client.execute(code)
        outputs = []
        if interrupt is not None:
            time.sleep(interrupt)
            self.manager.interrupt_kernel()
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=60)
            except queue.Empty:
                pytest.fail(f"no answer to {code!r}")
            kind, content = message["msg_type"], message["content"]
            self.see(message)
            if message["parent_header"].get("msg_id") != ask:
                continue
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind in {"execute_result", "display_data", "stream", "error"}:
                outputs.append((kind, content))
        while (reply := self.client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != ask:
            pass
        return reply["content"], outputs

    def see(self, message):
        kind, content = message["msg_type"], message["content"]
        if kind in {"display_data", "update_display_data"} and (name := content["transient"].get("display_id")):
            self.shown[name] = content["data"]
        elif kind == "comm_open":
            self.widgets[content["comm_id"]] = dict(content["data"].get("state", {}))
        elif kind == "comm_msg" and content["data"].get("method") == "update":
            self.widgets.get(content["comm_id"], {}).update(content["data"]["state"])
        elif kind == "comm_close":
            self.widgets.pop(content["comm_id"], None)

    def quiet(self, seconds=0.7):
        """Hear what comes from threads."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with suppress(queue.Empty):
                self.see(self.client.get_iopub_msg(timeout=left))

    def ok(self, code):
        """The plain text of a cell that succeeds: its result, or what it prints."""
        reply, outputs = self.run(code)
        assert reply["status"] == "ok", reply
        return "\n".join(
            content["data"]["text/plain"] if kind == "execute_result" else content["text"]
            for kind, content in outputs
            if kind in {"execute_result", "stream"}
        ).strip("\n'")

    def fails(self, code):
        reply, _ = self.run(code)
        assert reply["status"] == "error"
        assert reply["ename"] == "UsageError"
        return reply["evalue"]

    def told(self):
        """The plain text of the job that was displayed last."""
        self.quiet()
        return [data for name, data in self.shown.items() if name.startswith("mm-job-") and "-live" not in name][-1]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    manager, client = start_new_kernel(cwd=str(tmp_path_factory.mktemp("kernel")))
    page = Page(manager, client)
    page.ok('%load_ext mmrag_nb\n%config MMRag.preset = "offline"')
    page.ok(GATED)
    yield page
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def page(kernel):
    """A notebook with an empty index, whose batches are indexed one by one as ``batches`` is released."""
    yield kernel
    kernel.run("open_all()\n%mmrag_stop --now")
    kernel.run("until(lambda: not len(get_ipython()._mmrag_session.rag.jobs))")
    kernel.run("batches = threading.Semaphore(0)")
    kernel.run("%mmrag_reset --discard")
    kernel.shown.clear()


def test_the_cell_is_through_at_once_and_ends_as_the_report(page):
    page.ok("%mmrag_status")  # as in any notebook where something was done before
    begun = time.monotonic()
    page.ok("%%mmrag_index --background\n{{lakes}}\n")
    assert time.monotonic() - begun < 1
    assert page.ok("_.state") == "running"
    page.ok("batches.release(); until(lambda: items() == 16)")
    page.ok("time.sleep(0.6)")
    told = page.told()
    assert "indexed 16 of 48" in told["text/plain"] or "reading texts" in told["text/plain"]
    assert "<progress" in told["text/html"]
    page.ok("open_all(); until(lambda: items() == 48); time.sleep(0.3)")
    told = page.told()
    assert told["text/plain"].startswith("indexed 48 items (48 text): 48 embedded")
    assert "<progress" not in told["text/html"]
    assert "48 embedded" in told["text/html"]
    assert page.ok("_mmrag = get_ipython()._mmrag_session.rag.jobs.last; (_mmrag.done, _mmrag.report.embedded)") == (
        "(True, 48)"
    )


def test_a_widget_stops_it_and_leaves_with_it(page):
    page.ok("%%mmrag_index --background\n{{lakes}}\n")
    page.ok("batches.release(); until(lambda: items() == 16)")
    page.quiet()
    (live,) = [data for name, data in page.shown.items() if name.endswith("-live")]
    model = live["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert 'data-mm-act="stop"' in page.widgets[model]["regions"]["job"]
    message = {"method": "custom", "content": {"act": "stop", "n": 1}}
    page.client.shell_channel.send(page.client.session.msg("comm_msg", {"comm_id": model, "data": message}))
    page.ok("until(lambda: get_ipython()._mmrag_session.rag.jobs.__iter__().__next__().state == 'stopping')")
    page.ok("batches.release(); until(lambda: not len(get_ipython()._mmrag_session.rag.jobs)); time.sleep(.3)")
    told = page.told()
    assert told["text/plain"].startswith("Interrupted.")
    assert "32 embedded" in told["text/plain"]  # with the batch in hand
    (live,) = [data for name, data in page.shown.items() if name.endswith("-live")]
    assert "application/vnd.jupyter.widget-view+json" not in live
    assert model not in page.widgets


def test_status_tells_how_far_it_is_and_stop_ends_it_after_the_batch_in_hand(page):
    page.ok("%%mmrag_index --background --out job\n{{lakes}}\n")
    page.ok("batches.release(); until(lambda: items() == 16)")
    told = page.ok("%mmrag_status")
    assert "indexing now" in told
    assert "of 48" in told
    assert "since " in told
    page.ok("threading.Timer(0.5, batches.release).start()")
    told = page.ok("%mmrag_stop")
    assert told.startswith("Interrupted.")
    assert "32 embedded" in told
    assert page.ok("job.state, items()") == "('stopped', 32)"
    assert "stopped: indexed 32 items" in page.ok("%mmrag_status")
    assert "nothing is being indexed" in page.fails("%mmrag_stop")
    page.ok("open_all()")
    assert "16 embedded (16 added), 32 reused" in page.ok("%%mmrag_index\n{{lakes}}\n")  # the same cell goes on


def test_what_is_in_already_is_asked_and_removed_and_saved_meanwhile(page):
    page.ok("%%mmrag_index --background --out job\n{{lakes}}\n")
    page.ok("batches.release(); until(lambda: items() == 16)")
    assert "Lake 7 is 7 metres deep" in page.ok("%mmrag_ask how deep is lake 7? --out answer\nprint(answer.text)")
    page.ok("batches.release(); until(lambda: items() == 32)")
    assert "Lake 30" in page.ok("print(get_ipython()._mmrag_session.rag.search('lake 30', k=1)[0].chunk.text)")
    page.ok("%mmrag_remove {{get_ipython()._mmrag_session.rag.items()[0]}}")
    page.ok("%mmrag_save kept.mmrag")
    page.ok('%config MMRag.strategy = "grounded"')  # for questions; the job goes on as it began
    page.ok("open_all(); job.wait()")
    assert page.ok("job.state, items()") == "('done', 47)"
    page.ok('%config MMRag.strategy = "shared"')
    assert page.ok("from mmrag_nb import MultimodalRAG; print(len(MultimodalRAG.open('kept.mmrag').items()))") == "47"


def test_another_index_is_not_opened_over_it(page):
    page.ok("%%mmrag_index --background --out job\n{{lakes}}\n")
    page.ok("MultimodalRAG = __import__('mmrag_nb').MultimodalRAG; MultimodalRAG(path='other.mmrag').close()")
    for line in ("%mmrag_open other.mmrag --discard", "%mmrag_reset --discard"):
        told = page.fails(line)
        assert "%mmrag_stop" in told
    page.ok("open_all(); job.wait()")
    assert page.ok("items()") == "48"


def test_a_second_run_waits_for_the_first(page):
    page.ok("%%mmrag_index --background --out first\n{{lakes}}\n")
    page.ok("%%mmrag_index --background --out second\n{{['A harp has seven pedals.']}}\n")
    page.ok("time.sleep(0.3)")
    assert page.ok("first.state, second.state") == "('running', 'waiting')"
    assert "1 other run" in page.ok("%mmrag_status")
    page.ok("open_all()")
    assert "1 embedded" in page.ok("%%mmrag_index\n{{['A flute has sixteen keys.']}}\n")  # third in line
    assert page.ok("first.state, second.state, first.ended <= second.begun, items()") == "('done', 'done', True, 50)"


def test_what_waits_can_be_stopped_before_it_begins(page):
    page.ok("%%mmrag_index --background --out first\n{{lakes}}\n")
    page.ok("%%mmrag_index --background --out second\n{{['A harp has seven pedals.']}}\n")
    page.ok("second.stop(); second.wait(5)")
    assert page.ok("first.state, second.state, second.report.interrupted") == "('running', 'stopped', True)"


def test_ctrl_c_in_another_cell_leaves_it_alone(page):
    page.ok("%%mmrag_index --background --out job\n{{lakes}}\n")
    reply, _ = page.run("time.sleep(20)", interrupt=0.5)
    assert reply["ename"] == "KeyboardInterrupt"
    reply, _ = page.run("job.wait()", interrupt=0.5)
    assert reply["ename"] == "KeyboardInterrupt"
    page.ok("open_all()")
    assert page.ok("print(job.wait().embedded)") == "48"


def test_a_failure_is_told_where_it_was_begun_and_in_the_status(page):
    page.ok("def gone(*_): raise RuntimeError('the disk <b>fell</b> off')\nindexing.Indexing._kept = gone")
    page.ok("%%mmrag_index --background\n{{lakes}}\n")
    page.ok("until(lambda: not len(get_ipython()._mmrag_session.rag.jobs)); time.sleep(0.2)")
    page.ok("indexing.Indexing._kept = gated")
    told = page.told()
    assert "RuntimeError: the disk <b>fell</b> off" in told["text/plain"].replace("\n", " ")
    assert "&lt;b&gt;fell" in told["text/html"]
    assert "failed: RuntimeError" in page.ok("%mmrag_status")
    reply, _ = page.run("get_ipython()._mmrag_session.rag.jobs.last.wait()")
    assert reply["ename"] == "RuntimeError"


def test_a_kernel_that_is_shut_down_loses_what_is_in_hand_alone(tmp_path):
    manager, client = start_new_kernel(cwd=str(tmp_path))
    page = Page(manager, client)
    page.ok('%load_ext mmrag_nb\n%config MMRag.preset = "offline"')
    page.ok(GATED)
    page.ok("%mmrag_save kept.mmrag")
    page.ok("%%mmrag_index --background\n{{lakes}}\n")
    page.ok("batches.release(); until(lambda: items() == 16)")
    client.stop_channels()
    begun = time.monotonic()
    manager.shutdown_kernel()
    assert time.monotonic() - begun < 15
    from mmrag_nb import MultimodalRAG

    with MultimodalRAG.open(tmp_path / "kept.mmrag", preset="offline") as rag:
        assert len(rag.items()) == 16


def test_run_without_a_page_the_notebook_holds_the_report(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    cells = [
        '%load_ext mmrag_nb\n%config MMRag.preset = "offline"',
        "%mmrag_index {{[f'Lake {n} is {n} metres deep.' for n in range(48)]}} --background",
        "done = _.wait()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    place, report = notebook.cells[1].outputs
    assert "48 embedded" in report.data["text/html"]
    assert "<progress" not in report.data["text/html"]
    assert not place.data["text/html"]


def test_a_terminal_is_told_when_it_begins_and_ends(shell, capsys):
    assert shell.run_cell("%mmrag_index {{['A harp has seven pedals.']}} --background").success
    shell.run_cell("_.wait();")
    told = capsys.readouterr().out
    assert "%mmrag_stop ends it" in told
    assert "1 embedded" in told
