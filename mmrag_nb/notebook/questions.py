"""A question ends in a question mark, which IPython takes for a wish to see help.

``%mmrag_ask who plays the harp?`` would look up the name ``harp``. This input transformer runs before IPython's own and
writes such a line as the call it means. ``%mmrag_ask?`` still shows the magic's help.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"(?P<before>\s*(?:[\w.\[\]'\" ]+=\s*)?)%(?P<magic>mmrag_\w+)[ \t]+(?P<rest>[^\s?].*\?)\s*")


def keep_question_marks(lines: list[str]) -> list[str]:
    """Rewrite the lines of a cell that call one of our magics and end in ``?``."""
    if lines and lines[0].startswith("%%"):  # the cell's body belongs to its cell magic
        return lines
    return [_call(line) for line in lines]


def _call(line: str) -> str:
    found = _LINE.fullmatch(line)
    if found is None:
        return line
    return f"{found['before']}get_ipython().run_line_magic({found['magic']!r}, {found['rest']!r})\n"
