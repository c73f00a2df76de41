"""Prompts: which there are, one as it is sent, and a copy that was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrag_nb.generation.prompt import RULES
from mmrag_nb.generation.templates import Copied, Template, Templates

from . import plain
from .escape import escape, one_line
from .quantities import count
from .style import section

if TYPE_CHECKING:
    from mmrag_nb.types import Example

_STYLE = """
.mmrag .mm-wording {margin:2px 0 10px;padding:8px 12px;border-radius:6px;background:var(--mm-wash);white-space:pre-wrap}
.mmrag .mm-prompt-head {margin:0 0 10px}
.mmrag .mm-prompt-head b {font-size:17px}
.mmrag h4.mm-label {margin:0;color:var(--mm-soft);font-size:12px;font-weight:500}
.mmrag .mm-example {margin:0 0 12px;padding:10px 12px 0;border:1px solid var(--mm-line);border-radius:6px}
.mmrag .mm-prompts code {font:.95em var(--jp-code-font-family,ui-monospace,monospace);color:inherit;background:none}
.mmrag .mm-prompts th code {white-space:nowrap}
.mmrag .mm-prompts .mm-chosen {color:var(--mm-text);font-size:12px;font-weight:600;white-space:nowrap}
.mmrag p code.mm-type {font:.95em var(--jp-code-font-family,ui-monospace,monospace);color:inherit;
  background:var(--mm-wash);padding:1px 4px;border-radius:4px}
.mmrag .mm-prompts .mm-origin {min-width:6em}
@container (max-width:520px) {.mmrag .mm-prompts .mm-origin {display:none}}
"""


def html(shown: Templates | Template | Copied) -> str:
    """Return a self-contained section."""
    if isinstance(shown, Copied):
        return section("copy of a prompt", _copied_html(shown), _STYLE)
    if isinstance(shown, Template):
        return section(f"prompt {one_line(shown.name)}", _one_html(shown), _STYLE)
    return section("prompts", _all_html(shown), _STYLE)


def text(shown: Templates | Template | Copied) -> str:
    """Return the same for a terminal of 80 to 100 columns."""
    if isinstance(shown, Copied):
        return plain.wrapped(_wrote(shown)) + f"\n  {_setting(shown.choice)}"
    return _one_text(shown) if isinstance(shown, Template) else _all_text(shown)


def _setting(name: str) -> str:
    return f'%config MMRag.prompt = "{one_line(name)}"'


def _wrote(copied: Copied) -> str:
    return f"wrote {one_line(copied.path)}. Change it, and choose it with"


def _copied_html(copied: Copied) -> str:
    return f'<p>{escape(_wrote(copied))} <code class="mm-type">{escape(_setting(copied.choice))}</code></p>'


def _parts(template: Template) -> list[tuple[str, str]]:
    """What is sent before each question, and what each part is."""
    if template.own_rules:
        return [("Instructions, with rules of its own", template.instructions)]
    task = template.instructions.removesuffix(RULES).rstrip()
    return [("Instructions", task), ("Rules, the package's own", RULES)]


def _origin(template: Template) -> str:
    from_where = "shipped with mmrag_nb" if template.origin == "shipped" else f"from {one_line(template.origin)}"
    return f"{from_where}, {count(len(template.examples), 'example')}"


def _example_parts(example: Example) -> list[tuple[str, str]]:
    evidence = [(f"Evidence [{n}]", given) for n, given in enumerate(example.evidence, start=1)]
    return [*evidence, ("Question", example.question), ("Answer", example.answer)]


def _one_html(template: Template) -> str:
    described = f"<br>{escape(template.description)}" if template.description else ""
    name, origin = escape(template.name), escape(_origin(template))
    examples = [
        f'<div class="mm-example" role="group" aria-label="example {n}">{_blocks(_example_parts(example))}</div>'
        for n, example in enumerate(template.examples, start=1)
    ]
    heading = (
        f'<h4 class="mm-label">{count(len(examples), "example")}, sent before the question</h4>' if examples else ""
    )
    return (
        f'<p class="mm-prompt-head"><b>{name}</b> <small>{origin}</small>{described}</p>\n'
        f"{_blocks(_parts(template))}\n{heading}\n" + "\n".join(examples)
    )


def _blocks(parts: list[tuple[str, str]]) -> str:
    return "\n".join(
        f'<h4 class="mm-label">{escape(what)}</h4><div class="mm-wording" dir="auto">{escape(said)}</div>'
        for what, said in parts
    )


def _one_text(template: Template) -> str:
    head = f"{one_line(template.name)} ({_origin(template)})"
    blocks = [plain.joined(head, plain.wrapped(template.description)), *map(_block, _parts(template))]
    for n, example in enumerate(template.examples, start=1):
        blocks += [f"Example {n}", *(_block(part, "  ") for part in _example_parts(example))]
    return plain.joined(*blocks)


def _block(part: tuple[str, str], indent: str = "") -> str:
    return "\n".join([f"{indent}{part[0]}:", *(_wrapped(line, f"{indent}  ") for line in part[1].splitlines())])


def _wrapped(line: str, indent: str) -> str:
    own = indent + " " * (len(line) - len(line.lstrip()))
    return plain.wrapped(line, own, own + "  " * line.lstrip().startswith("- "))


def _all_html(shown: Templates) -> str:
    used = ' <span class="mm-chosen">in use</span>'
    rows = "\n".join(
        f'<tr><th scope="row"><code>{escape(one.name)}</code>{used * shown.uses(one)}</th>'
        f'<td dir="auto">{escape(one.description)}</td><td class="mm-n">{len(one.examples)}</td>'
        f'<td class="mm-origin">{escape(one.origin)}</td></tr>'
        for one in shown.templates
    )
    broken = "\n".join(f'<p class="mm-error"><b>Not usable.</b> {escape(why)}</p>' for _, why in shown.broken)
    hint = "; ".join(f'{what} <code class="mm-type">{escape(typed)}</code>' for what, typed in _HINTS)
    return (
        '<div class="mm-scroll"><table class="mm-table mm-prompts">'
        '<caption>prompts: how an answer is asked for</caption><thead><tr><th scope="col">name</th>'
        '<th scope="col">what for</th><th scope="col" class="mm-n">examples</th>'
        f'<th scope="col" class="mm-origin">from</th></tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>\n{broken}'
        f'<p class="mm-also">{hint}</p>'
    )


_NAME = 40
"""Columns of a name in the list."""
_HINTS = (
    ("Choose one:", '%config MMRag.prompt = "flower_expert"'),
    ("read one whole:", "%mmrag_prompt flower_expert"),
    ("make your own of one:", "%mmrag_prompt flower_expert --copy mine.yaml"),
)


def _all_text(shown: Templates) -> str:
    names = [plain.shortened(one_line(one.name), _NAME) for one in shown.templates]
    width = max(map(plain.columns, names), default=0) + 2
    lines = []
    for one, name in zip(shown.templates, names, strict=True):
        mark = "* " if shown.uses(one) else "  "
        origin = "" if one.origin == "shipped" else f" ({one_line(one.origin)})"
        begin = mark + plain.padded(name, width)
        lines.append(plain.wrapped(f"{one.description or '-'}{origin}", begin, " " * plain.columns(begin)))
    broken = [plain.wrapped(f"! {why}", hanging="  ") for _, why in shown.broken]
    hints = [f"{what[0].upper()}{what[1:]} {typed}" for what, typed in _HINTS]
    return plain.joined("\n".join(lines), "\n".join(broken), "\n".join(["* in use", *hints]))
