"""Where a cell is run: a kernel of its own over the protocol, as a front end does it, or IPython in this process."""

from __future__ import annotations

import io
import queue
import sys
import time
from ast import literal_eval
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 300
"""Seconds after which a kernel that says nothing is given up."""


class Shell(Protocol):
    """Runs cells."""

    description: str

    def run(self, code: str) -> float:
        """Seconds from sending ``code`` to its result (where it has none, to its end).

        Raises
        ------
        RuntimeError
            The cell failed.
        """
        ...

    def value(self, expression: str) -> Any:
        """Value of a Python literal's worth: numbers, texts, and dicts of these."""
        ...

    def close(self) -> None:
        """End it."""
        ...


def start(folder: Path) -> Shell:
    """Start a kernel in ``folder``, or, where ipykernel is absent, IPython in this process."""
    try:
        import ipykernel  # noqa: F401
    except ImportError:
        return InProcess()
    return Kernel(folder)


class Kernel:
    """IPython in a process of its own, with this interpreter."""

    description = "a kernel of its own, over the protocol"

    def __init__(self, folder: Path) -> None:
        from jupyter_client.manager import KernelManager

        self._manager: Any = KernelManager()
        spec: Any = self._manager.kernel_spec
        # Of this interpreter, whatever kernels the user has installed, and without a trace in the user's history.
        spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
        spec.argv.append("--HistoryManager.enabled=False")
        self._manager.start_kernel(cwd=str(folder))
        self._client: Any = self._manager.client()
        self._client.start_channels()
        try:
            self._client.wait_for_ready(timeout=PATIENCE)
        except BaseException:
            self.close()
            raise

    def run(self, code: str) -> float:
        """See :class:`Shell`."""
        start = time.perf_counter()
        sent = self._client.execute(code)
        seconds = 0.0
        for kind, content in self._messages(sent):
            if kind == "execute_result":
                seconds = time.perf_counter() - start
            elif kind == "error":
                raise RuntimeError(f"{code!r} failed: {content['ename']}: {content['evalue']}")
        return seconds or time.perf_counter() - start

    def value(self, expression: str) -> Any:
        """See :class:`Shell`."""
        sent = self._client.execute("", silent=True, user_expressions={"value": expression})
        while (reply := self._client.get_shell_msg(timeout=PATIENCE))["parent_header"].get("msg_id") != sent:
            pass
        value = reply["content"]["user_expressions"]["value"]
        if value["status"] != "ok":
            raise RuntimeError(f"{expression!r} failed: {value['ename']}: {value['evalue']}")
        return literal_eval(value["data"]["text/plain"])

    def close(self) -> None:
        """See :class:`Shell`."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def _messages(self, sent: str) -> Iterator[tuple[str, Any]]:
        """What the kernel publishes of one request, until it is idle again."""
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=PATIENCE)
            except queue.Empty:
                raise RuntimeError(f"the kernel said nothing for {PATIENCE} s") from None
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return
            yield kind, content


class InProcess:
    """IPython in this process: what it takes without the protocol."""

    description = "IPython in this process (ipykernel is not installed, so the protocol is not in the figures)"

    def __init__(self) -> None:
        from IPython.core.interactiveshell import InteractiveShell

        self._shell: Any = InteractiveShell.instance()

    def run(self, code: str) -> float:
        """See :class:`Shell`."""
        start = time.perf_counter()
        with redirect_stdout(io.StringIO()):
            outcome = self._shell.run_cell(code)
        seconds = time.perf_counter() - start
        if not outcome.success:
            raise RuntimeError(f"{code!r} failed: {outcome.error_in_exec or outcome.error_before_exec}")
        return seconds

    def value(self, expression: str) -> Any:
        """See :class:`Shell`."""
        return self._shell.ev(expression)

    def close(self) -> None:
        """See :class:`Shell`."""
