"""A real JupyterLab, driven through the browser: its server, and what a person does in it.

The server has folders of its own for everything that Jupyter and IPython keep, so that nobody's settings are read or
changed; its kernel is that of the interpreter that runs the tests.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from chromium import Chromium

nbformat = pytest.importorskip("nbformat", reason='browser tests need JupyterLab: pip install "mmrag-nb[lab]"')
_selenium = "browser tests need selenium: pip install selenium"
webdriver = pytest.importorskip("selenium.webdriver", reason=_selenium)
waiting = pytest.importorskip("selenium.webdriver.support.ui", reason=_selenium)

WIDE, NARROW = 1200, 480
"""Pixels."""
_AROUND = 150
"""Pixels of height that menus and bars take."""
_HIGHEST = 8_000
"""Pixels; of a longer notebook a screenshot has the begin."""
_PATIENCE = 3
_SCROLLER = "panel.content.node.querySelector('.jp-WindowedPanel-outer')"
_SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/apputils-extension/themes": {"theme": "JupyterLab Light"},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    # All cells are in the page at all times, so that what is out of sight can be asked for.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Start a server below ``folder``: its address, token and root; ended with its kernels whatever happens."""
    places = {
        name: folder / name for name in ("config", "data", "runtime", "ipython", "settings", "workspaces", "root")
    }
    for place in places.values():
        place.mkdir(parents=True)
    for name, values in _SETTINGS.items():
        path = places["settings"] / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    token = secrets.token_hex(16)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "GOOGLE_", "GEMINI_"))},
        "JUPYTER_CONFIG_DIR": str(places["config"]),
        "JUPYTER_DATA_DIR": str(places["data"]),
        "JUPYTER_RUNTIME_DIR": str(places["runtime"]),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_TOKEN": token,
        "JUPYTERLAB_SETTINGS_DIR": str(places["settings"]),
        "JUPYTERLAB_WORKSPACES_DIR": str(places["workspaces"]),
        "IPYTHONDIR": str(places["ipython"]),
    }
    log = folder / "server.log"
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--expose-app-in-browser"),
        *(
            f"--ServerApp.root_dir={places['root']}",
            "--ServerApp.allow_root=True",
            "--LabApp.extension_manager=readonly",
        ),
    ]
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=places["root"])
    try:
        yield _address(server, places["runtime"], log), token, places["root"]
    finally:
        server.terminate()  # it ends its kernels before itself
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()  # its kernels watch it, and end with it
            server.wait(10)


def _address(server: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    end = time.monotonic() + 90
    while time.monotonic() < end and server.poll() is None:
        for told in runtime.glob("jpserver-*.json"):
            text = told.read_text(encoding="utf-8")
            if text.endswith("}"):
                return str(json.loads(text)["url"])
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


class Lab:
    """JupyterLab in the browser, one notebook open at a time."""

    def __init__(self, browser: Chromium, url: str, token: str, root: Path) -> None:
        self.browser = browser
        self.driver = browser.driver
        self.url = url
        self.root = root
        """The folder that the server shows; kernels start there."""
        self._token = token
        self.load()

    def load(self) -> None:
        """Load the page, anew where it has shown so much that it has become slow; nothing is open, no kernel runs."""
        self.driver.get(f"{self.url}lab?token={self._token}&reset")
        self.wait(lambda: self.driver.execute_script("return Boolean(window.jupyterapp)"), 90)
        self.js("await app.restored; app.shell.collapseLeft(); app.shell.collapseRight();")
        self.close()
        self.browser.requests()  # those of the page before, and its complaints
        self.browser.complaints()

    def js(self, body: str, *args: Any) -> Any:
        """Run the body of an async function in the page and return what it returns.

        It knows ``app`` (JupyterLab), ``panel`` (the open notebook) and ``args``.
        """
        reply = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1], args = Array.from(arguments).slice(0, -1);"
            "const app = window.jupyterapp, panel = app.shell.currentWidget;"
            f"(async () => {{{body}}})().then((value) => done({{value}}),"
            "(error) => done({error: String(error.stack || error)}));",
            *args,
        )
        assert "error" not in reply, reply["error"]
        return reply.get("value")

    def command(self, name: str, **options: Any) -> None:
        """Run one of JupyterLab's commands, those that are behind its menus, and wait for its end."""
        self.js("await app.commands.execute(args[0], args[1])", name, options)

    def wait(self, condition: Callable[[], Any], seconds: float = 20, why: str = "") -> Any:
        """Wait until ``condition`` holds; its value. A machine with much to do may take several times as long."""
        return waiting.WebDriverWait(self.driver, seconds * _PATIENCE, poll_frequency=0.1).until(
            lambda _: condition(), why
        )

    def element(self, selector: str, seconds: float = 20) -> Any:
        """Wait for an element of the open notebook, in sight once it is scrolled to; the first that fits."""
        script = "return panel.content.node.querySelector(args[0])"
        found = self.wait(lambda: self.js(script, selector), seconds, f"there is no {selector}")
        self.js("args[0].scrollIntoView({block: 'center'})", found)
        return found

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        for key in keys:
            webdriver.ActionChains(self.driver).send_keys(key).perform()

    def tab_to(self, element: Any, most: int = 8) -> None:
        """Go from the cell that holds ``element`` to it with Tab alone, passing ``most`` others at most."""
        self.js("args[0].closest('.jp-Cell').focus({preventScroll: true})", element)
        passed: list[str] = []
        while len(passed) <= most:
            self.press(webdriver.Keys.TAB)
            active = self.driver.switch_to.active_element
            if active == element:
                return
            passed.append(str(active.get_attribute("outerHTML"))[:80])
        raise AssertionError(f"Tab does not lead there, but to {passed}")

    def fetched(self) -> list[str]:
        """Addresses outside the server that were asked for since the last call."""
        own = (self.url, self.url.replace("http:", "ws:", 1))
        return [url for url in self.browser.requests() if not url.startswith(own)]

    # notebooks

    def write(self, name: str, cells: Sequence[str]) -> str:
        """Write a notebook of code cells into the root; its path."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.root / name)
        return name

    def open(self, path: str, *, kernel: bool = True) -> None:
        """Open a notebook, all others closed unsaved; with a new kernel or none."""
        self.close()
        self.js(
            "const widget = await app.commands.execute('docmanager:open', {path: args[0], factory: 'Notebook',"
            " kernelPreference: args[1]});"
            "await widget.context.ready; await widget.revealed; await widget.sessionContext.ready;"
            "if (widget.sessionContext.session) await widget.sessionContext.session.kernel.info;",
            path,
            {"name": "python3"} if kernel else {"shouldStart": False, "canStart": False},
        )
        assert bool(self.kernels()) == kernel

    def close(self) -> None:
        """Close what is open, unsaved, and end all kernels."""
        self.js(
            "for (const widget of Array.from(app.shell.widgets('main')))"
            "  { if (widget.context && widget.context.model) widget.context.model.dirty = false; widget.close(); }"
            "await app.serviceManager.sessions.shutdownAll(); await app.serviceManager.kernels.shutdownAll();"
        )
        self.wait(lambda: not self.kernels())

    def run_all(self) -> None:
        """Run > Run All Cells, from the first to the end."""
        self.command("notebook:run-all-cells")

    def run(self, index: int) -> None:
        """Run one cell."""
        self.js("panel.content.activeCellIndex = args[0]; await app.commands.execute('notebook:run-cell')", index)

    def save(self) -> None:
        """File > Save."""
        self.command("docmanager:save")

    def shut_down_kernel(self) -> None:
        """Kernel > Shut Down Kernel."""
        self.js("await panel.sessionContext.shutdown()")
        self.wait(lambda: not self.kernels())

    def kernels(self) -> list[dict[str, Any]]:
        """Kernels that run, as the server tells."""
        request = Request(f"{self.url}api/kernels", headers={"Authorization": f"token {self._token}"})
        with build_opener(ProxyHandler({})).open(request, timeout=10) as reply:
            return json.load(reply)

    def cells(self) -> list[dict[str, Any]]:
        """Code cells of the open notebook, as they would be saved."""
        return [cell for cell in self.js("return panel.content.model.toJSON().cells") if cell["cell_type"] == "code"]

    def failures(self) -> list[str]:
        """What went wrong in the open notebook's cells."""
        return [
            f"{out['ename']}: {out['evalue']}"
            for cell in self.cells()
            for out in cell["outputs"]
            if out["output_type"] == "error"
        ]

    # looks

    def theme(self, name: str) -> None:
        """Settings > Theme: ``light`` or ``dark``."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name.title()}")
        is_light = str(name == "light").lower()
        # a splash screen covers the page while the theme's style is loaded
        shown = "return document.querySelector('#jupyterlab-splash') ? '' : document.body.dataset.jpThemeLight"
        self.wait(lambda: self.driver.execute_script(shown) == is_light)

    def size(self, width: int, height: int = 0) -> None:
        """Give the window a width; and a height, by default one that shows the whole notebook from its top."""
        self.browser.size(width, height or 1000)
        if not height:
            self.browser.size(width, min(_HIGHEST, self.js(f"return {_SCROLLER}.scrollHeight") + _AROUND))
        self.js(f"{_SCROLLER}.scrollTop = 0; await new Promise((done) => requestAnimationFrame(done));")
