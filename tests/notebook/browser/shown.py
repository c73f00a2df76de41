"""A panel that is shown in the open notebook, and what a reader does with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from selenium.webdriver import Keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab import Lab

_FOCUS = """
const one = document.activeElement, look = getComputedStyle(one);
return [one.tagName + ' ' + (one.ariaLabel || one.name || one.innerText || '').slice(0, 40),
        look.outlineStyle != 'none' && parseFloat(look.outlineWidth) >= 1]
"""
_DROP = """
const data = new DataTransfer();
for (const [name, content] of Object.entries(JSON.parse(args[1])))
  data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
const on = (kind) => args[0].dispatchEvent(
  new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true, composed: true}));
on('dragenter'); on('dragover');
const over = args[0].classList.contains('mm-over');
on('drop');
return [over, args[0].classList.contains('mm-over')];
"""


class Shown:
    """The live view of one panel.

    Parameters
    ----------
    lab
        Has the notebook open.
    cell
        Number of the cell that shows it, from 0.
    label
        What the panel is called.
    """

    def __init__(self, lab: Lab, cell: int, label: str) -> None:
        self._lab, self._cell = lab, cell
        self._root = f'section.mm-live[aria-label="{label}"][data-mm-state="live"]'

    def all(self, selector: str = "", text: str = "") -> list[Any]:
        """Its elements, those that have ``text``; without a selector, itself."""
        return self._lab.js(
            "return Array.from(panel.content.widgets[args[0]].node.querySelectorAll(args[1]))"
            ".filter((one) => one.textContent.includes(args[2]))",
            self._cell,
            f"{self._root} {selector}".strip(),
            text,
        )

    def one(self, selector: str = "", text: str = "") -> Any:
        """Wait for the first such element, and scroll it into sight."""
        found = self._lab.wait(lambda: self.all(selector, text), 20, f"there is no {selector} {text}")[0]
        self._lab.js("args[0].scrollIntoView({block: 'center'})", found)
        return found

    def gone(self, selector: str, text: str = "") -> None:
        """Wait until there is no such element."""
        self._lab.wait(lambda: not self.all(selector, text), 20, f"there still is {selector} {text}")

    def texts(self, selector: str) -> list[str]:
        """What its elements say."""
        return [self._lab.js("return args[0].textContent", one) for one in self.all(selector)]

    def status(self) -> str:
        """The line that tells how it stands."""
        return self.texts(".mm-status")[0]

    def idle(self) -> None:
        """Wait until nothing is going on."""
        self._lab.wait(lambda: self.all() and self.all()[0].get_attribute("aria-busy") == "false", 60, "it is busy")

    # by mouse

    def click(self, selector: str, text: str = "") -> None:
        """Click the first such element, and wait until that is done."""
        self.one(selector, text).click()
        self.idle()

    def drop(self, files: Mapping[str, str]) -> tuple[bool, bool]:
        """Drop files, by name their content in base64; whether the place is marked with them above it, and after."""
        return tuple(self._lab.js(_DROP, self.one("[data-mm-drop]"), json.dumps(files)))

    # by keyboard

    def tab_to(self, selector: str, text: str = "", *, most: int = 12) -> None:
        """Go there from the cell with Tab alone; where the focus is can be seen."""
        self._lab.tab_to(self.one(selector, text), most)
        what, visible = self.focus()
        assert visible, f"the focus on {what} is not visible"

    def press(self, *keys: str) -> None:
        """Press keys where the focus is, and wait until what they do is done."""
        for key in keys:
            self._lab.press(key)
            self.idle()

    def focus(self) -> tuple[str, bool]:
        """What has the focus, and whether that can be seen."""
        return tuple(self._lab.js(_FOCUS))

    def stops(self) -> list[tuple[str, bool]]:
        """What Tab stops at between the panel's begin and its end, and whether the focus can be seen there."""
        self._lab.js("args[0].focus()", self.one())
        found = []
        for _ in range(100):
            self._lab.press(Keys.TAB)
            if not self._lab.js("return args[0].contains(document.activeElement)", self.all()[0]):
                return found
            found.append(self.focus())
        raise AssertionError(f"Tab does not lead out of the panel: {found[-3:]}")
