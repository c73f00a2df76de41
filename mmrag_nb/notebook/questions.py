"""A question ends in a question mark, which IPython takes for a wish to see help.

``%mmrag_ask who plays the harp?`` would look up the name ``harp``. This input transformer runs before IPython's own and
writes such a line as the call it means. ``%mmrag_ask?`` still shows the magic's help.
"""

from __future__ import annotations

import re
from token import STRING

from IPython.core.inputtransformer2 import make_tokens_by_line

_LINE = re.compile(
    r"(?P<before>\s*)(?:%|(?P<target>[\w.\[\]'\" ]+=\s*)%)?(?P<magic>mmrag_\w+)[ \t]+(?P<rest>[^\s?=].*\?)\s*"
)


def keep_question_marks(lines: list[str]) -> list[str]:
    """Rewrite the lines of a cell that call one of our magics and end in ``?``."""
    if not lines or lines[0].startswith("%%") or not any("mmrag_" in line for line in lines):
        return lines  # a cell magic's body belongs to it
    quoted = {
        number
        for tokens in make_tokens_by_line(lines)
        for token in tokens
        if token.type == STRING
        for number in range(token.start[0], token.end[0])
    }
    return [line if number in quoted else _call(line) for number, line in enumerate(lines)]


def _call(line: str) -> str:
    found = _LINE.fullmatch(line)
    if found is None:
        return line
    call = f"get_ipython().run_line_magic({found['magic']!r}, {found['rest']!r})\n"
    return f"{found['before']}{found['target'] or ''}{call}"
