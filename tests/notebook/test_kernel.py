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


def test_a_mistake_fails_the_cell_with_one_line(kernel):
    reply, messages = run(kernel, "%mmrag_ask what? --kk 3")
    assert reply["status"] == "error"
    assert reply["ename"] == "UsageError"
    assert "Traceback" not in "".join(str(content) for kind, content in messages if kind in {"stream", "display_data"})
