"""What a panel leaves in the notebook: its live view, and below it a picture of its state that needs no kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display, update_display

if TYPE_CHECKING:
    from collections.abc import Callable

_VIEW = "application/vnd.jupyter.widget-view+json"

_BESIDE = """<style>
.mm-still + .mm-still {{margin-top:20px}}
.mm-live.{name}:not([data-mm-state=live]) {{display:none}}
.jp-OutputArea-child:has(+ .jp-OutputArea-child .mm-still.{name}):not(:has([data-mm-state=live])) {{display:none}}
</style>"""
"""Hides what stands in the live view's place while no kernel answers: the view itself, or JupyterLab's "Error
displaying widget: model not found"."""


def still(name: str, html: str) -> str:
    """Return ``html`` as what stands for the live views of class ``name`` where there are none."""
    return f'<div class="mm-still {name}">{_BESIDE.format(name=name)}\n{html}</div>'


class Twin:
    """The picture beside a live view, wherever in the notebook the panel is shown.

    Parameters
    ----------
    name
        By which the page knows it.
    html, text
        Make the picture: a self-contained page's part, and the same for a terminal.
    """

    def __init__(self, name: str, html: Callable[[], str], text: Callable[[], str]) -> None:
        self._name, self._html, self._text = name, html, text
        self._shown: str | None = None

    def show(self, model_id: str) -> None:
        """Display the view of the widget ``model_id``, and the picture after it."""
        # the view's plain text is empty: the picture is what is read where the view is not
        view = {"version_major": 2, "version_minor": 0, "model_id": model_id}
        display({_VIEW: view, "text/plain": ""}, raw=True)
        self._shown = self._html()
        display(self._bundle(), raw=True, display_id=self._name)

    def renew(self) -> None:
        """Bring the picture up to date where it is shown."""
        if self._shown is None or not InteractiveShell.initialized():
            return
        html = self._html()
        if html != self._shown:
            self._shown = html
            update_display(self._bundle(), raw=True, display_id=self._name)

    def _bundle(self) -> dict[str, str]:
        return {"text/html": self._shown or "", "text/plain": self._text()}
