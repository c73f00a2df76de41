"""What cells of a real kernel show, and what is left of it in a saved notebook."""

import queue
import time
from contextlib import suppress

import pytest


class Cell:
    """What a front end keeps of a cell's outputs, by the rules of the protocol."""

    def __init__(self):
        self.outputs, self.shown, self.clearing = [], [], False

    def take(self, kind, content):
        if kind == "clear_output":
            self.clearing = content["wait"]
            if not self.clearing:
                self.outputs.clear()
        elif kind == "update_display_data":
            for one in self.outputs:
                if one["id"] == content["transient"]["display_id"]:
                    one["data"] = content["data"]
        elif kind in {"display_data", "execute_result", "error", "stream"}:
            if self.clearing:
                self.outputs.clear()
                self.clearing = False
            self.outputs.append({"kind": kind, "id": content.get("transient", {}).get("display_id"), **content})
        if kind in {"display_data", "update_display_data"} and content["data"]["text/plain"]:
            self.shown.append(content["data"])


def messages(client, code):
    ask = client.execute(code)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(queue.Empty):
            message = client.get_iopub_msg(timeout=5)
            if message["parent_header"].get("msg_id") == ask:
                if message["content"].get("execution_state") == "idle":
                    return
                yield message["msg_type"], message["content"]
    pytest.fail(f"no end of {code!r}")


def outputs(client, code, when=None):
    """The outputs that a saved notebook would hold of a cell, and all that was shown on the way.

    ``when`` is called with each new text of the line; the cell is left where it returns true.
    """
    cell = Cell()
    for kind, content in messages(client, code):
        cell.take(kind, content)
        seen = kind in {"display_data", "update_display_data"} and content["data"]["text/plain"]
        if seen and when is not None and when(content["data"]["text/plain"]):
            break
    return cell.outputs, cell.shown
