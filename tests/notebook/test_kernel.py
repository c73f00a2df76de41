"""The magics in a real kernel, over the real protocol."""

import queue

import pytest

pytest.importorskip("ipykernel")
from jupyter_client.manager import start_new_kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "harp.txt").write_text("A concert harp has forty-seven strings and seven pedals.")
    manager, client = start_new_kernel(cwd=str(folder))
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client, code):
    """Reply and the messages that a front end would show, in order."""
    ask = client.execute(code)
    messages = []
    while True:
        try:
            message = client.get_iopub_msg(timeout=60)
        except queue.Empty:
            pytest.fail(f"no answer to {code!r}")
        if message["parent_header"].get("msg_id") != ask:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "status" and content["execution_state"] == "idle":
            break
        messages.append((kind, content))
    # A slow start leaves answers to the client's own greetings in the queue.
    while (reply := client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != ask:
        pass
    return reply["content"], messages


def test_index_and_ask_as_a_front_end_sees_them(kernel):
    run(kernel, '%load_ext mmrag_nb\n%config MMRag.preset = "offline"')
    reply, messages = run(kernel, "%%mmrag_index\nharp.txt\nmissing.txt\n")
    assert reply["status"] == "ok"
    (result,) = [content for kind, content in messages if kind == "execute_result"]
    assert "1 skipped" in result["data"]["text/plain"]
    assert "missing.txt" in result["data"]["text/html"]
    reply, messages = run(kernel, "%mmrag_ask how many strings?")
    (result,) = [content for kind, content in messages if kind == "execute_result"]
    assert "forty-seven" in result["data"]["text/plain"]
    assert "forty-seven" in result["data"]["text/html"]
    assert not [kind for kind, _ in messages if kind in {"stream", "comm_open", "error"}]


def test_progress_leaves_no_trace_in_the_cell(kernel):
    _, messages = run(kernel, "%%mmrag_index\n{{[f'passage {n}' for n in range(40)]}}\n")
    kinds = [kind for kind, _ in messages]
    if "display_data" in kinds:
        assert "clear_output" in kinds
        assert kinds.index("clear_output") > max(i for i, kind in enumerate(kinds) if "display_data" in kind)
    assert kinds[-1] == "execute_result"


def index(client, texts):
    """Start over with these, embedded for the strategy in force."""
    run(client, "%mmrag_reset --discard --out _")
    assert run(client, f"%mmrag_index {{{{{texts}}}}} --out report")[0]["status"] == "ok"


def shown(messages):
    """The lines of progress, and the plain text of the result."""
    told = [content["data"]["text/plain"] for kind, content in messages if kind.endswith("display_data")]
    (result,) = [content["data"]["text/plain"] for kind, content in messages if kind == "execute_result"]
    return told, result


def test_what_a_strategy_lacks_is_computed_once_and_told(kernel):
    index(kernel, "[f'Lake {n} is {n} metres deep.' for n in range(60)]")
    assert "60 text chunks to embed" in shown(run(kernel, "%mmrag_status --strategy grounded")[1])[1]
    for lake, computed in ((7, True), (8, False)):
        reply, messages = run(kernel, f"%mmrag_search how deep is lake {lake}? --strategy grounded")
        assert reply["status"] == "ok"
        told, result = shown(messages)
        assert any(line.startswith("completing for grounded ") for line in told) == computed
        assert f"«Lake {lake}» is" in result
        kinds = [kind for kind, _ in messages]
        assert ("clear_output" in kinds) == computed
        assert kinds[-1] == "execute_result"
        assert "grounded lacks nothing" in shown(run(kernel, "%mmrag_status --strategy grounded")[1])[1]


def test_an_interrupted_computation_goes_on_where_it_was(kernel):
    index(kernel, "[f'Hill {n} is {n} metres high.' for n in range(60)]")
    run(
        kernel,
        """
from mmrag_nb import completing
whole = completing.Completing._add
def stopped(self, *batch):
    whole(self, *batch)
    raise KeyboardInterrupt
completing.Completing._add = stopped""",
    )
    reply, _ = run(kernel, "%mmrag_search how high is hill 7? --strategy grounded")
    assert reply["ename"] == "KeyboardInterrupt"
    run(kernel, "completing.Completing._add = whole")
    assert "grounded lacks 52 text chunks to embed" in shown(run(kernel, "%mmrag_status --strategy grounded")[1])[1]
    told, result = shown(run(kernel, "%mmrag_search how high is hill 7? --strategy grounded")[1])
    assert any(line.startswith("completing for grounded ") and " of 52" in line for line in told)
    assert "«Hill 7» is" in result


def test_comparing_the_strategies_tells_what_it_computes(kernel):
    index(kernel, "[f'Tower {n} is {n} metres wide.' for n in range(60)]")
    told, result = shown(run(kernel, "%mmrag_compare how wide is tower 7?")[1])
    assert any(line.startswith("completing for grounded ") for line in told)
    assert all(strategy in result for strategy in ("shared", "grounded", "separate"))


def test_a_mistake_fails_the_cell_with_one_line(kernel):
    reply, messages = run(kernel, "%mmrag_ask what? --kk 3")
    assert reply["status"] == "error"
    assert reply["ename"] == "UsageError"
    assert "Traceback" not in "".join(str(content) for kind, content in messages if kind in {"stream", "display_data"})
