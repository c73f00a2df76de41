"""Buttons and fields of the panels: their HTML, each with a name that is read out, and their look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrag_nb.notebook.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTROLS = """
.mmrag .mmrag {padding:0;max-width:none;background:none}
.mmrag.mm-live {max-width:1040px;outline:none}
.mmrag.mm-live:is(.widget-box > * + * > *) {margin-top:20px}
.mmrag form, .mmrag fieldset {margin:0;padding:0;border:0;min-width:0}
.mmrag .mm-fields {display:flex;flex-wrap:wrap;align-items:flex-end;gap:8px 14px;margin:0 0 10px}
.mmrag .mm-field {display:inline-flex;flex-direction:column;gap:2px;color:var(--mm-soft);font-size:12px}
.mmrag .mm-field.mm-wide {flex:1 1 20em}
.mmrag .mm-check {display:inline-flex;align-items:center;gap:5px;min-height:24px;color:var(--mm-ink);font-size:13px}
.mmrag .mm-fields .mm-check {min-height:32px}
.mmrag .mm-checks {display:flex;flex-wrap:wrap;gap:2px 12px}
.mmrag legend {padding:0;color:var(--mm-soft);font-size:12px}
section.mmrag :where(button, select, input:not([type=checkbox], [type=radio], [type=range], [type=file])) {
  min-height:32px;margin:0;padding:4px 10px;border:1px solid var(--mm-faint);border-radius:6px;
  color:var(--mm-ink);background:var(--mm-wash);font:inherit;font-size:14px;line-height:1.4}
section.mmrag :where(input:not([type=checkbox], [type=radio], [type=range], [type=file])) {
  width:100%;background:var(--mm-bg)}
section.mmrag :where(input[type=checkbox], input[type=radio]) {
  width:16px;height:16px;margin:0;accent-color:var(--mm-image)}
section.mmrag :where(button) {cursor:pointer}
section.mmrag :where(button.mm-plain) {
  min-height:24px;min-width:24px;padding:0 4px;border-color:transparent;background:none;text-align:start}
section.mmrag :where(button:hover:not(:disabled)) {border-color:var(--mm-ink)}
section.mmrag :where(button:disabled) {color:var(--mm-soft);border-style:dashed;cursor:default}
section.mmrag :where(button[aria-pressed=true], .mm-main) {
  border-color:var(--mm-image);color:var(--mm-image);font-weight:600}
.mmrag [data-mm-drop] {padding:14px;border:1px dashed var(--mm-faint);border-radius:8px}
.mmrag [data-mm-drop].mm-over {border-color:var(--mm-image);background:var(--mm-wash)}
.mmrag .mm-status {margin:0 0 10px;color:var(--mm-soft);font-size:13px}
.mmrag .mm-status:empty {margin:0}
.mmrag .mm-status.mm-failed {color:var(--mm-warn)}
.mmrag[aria-busy=true] .mm-status::before {content:"";display:inline-block;width:8px;height:8px;margin-inline-end:6px;
  border-radius:50%;background:var(--mm-image);animation:mm-pulse 1s infinite alternate}
@keyframes mm-pulse {to {opacity:.2}}
@media (prefers-reduced-motion:reduce) {.mmrag[aria-busy=true] .mm-status::before {animation:none}}
@media print {.mmrag .mm-status, .mmrag .mm-fields {display:none}}
"""
"""What panels add to the style of the results. Each panel of a page brings it, the last after the looks of all before:
hence ``:where``, which every look's own rules outweigh. ``section``, as JupyterLab has rules for all its buttons."""


def button(act: str, text: str, target: object = "", *, label: str = "", css: str = "", disabled: bool = False) -> str:
    """Return a button that does ``act`` to ``target``.

    ``label`` is its name for screen readers, where ``text`` says too little; it should begin with ``text``.
    """
    return (
        f'<button type="button" data-mm-act="{escape(act)}" data-mm-target="{escape(target)}"'
        + (f' class="{escape(css)}"' if css else "")
        + (f' aria-label="{escape(label)}"' if label else "")
        + (" disabled" if disabled else "")
        + f">{escape(text)}</button>"
    )


def field(label: str, control: str, css: str = "") -> str:
    """Return ``control``, which is HTML, with its label above."""
    return f'<label class="mm-field{" " + css if css else ""}"><span>{escape(label)}</span>{control}</label>'


def choice(name: str, options: Iterable[str], value: str, *, act: str = "") -> str:
    """Return a drop-down list; with ``act``, a change is reported at once."""
    items = "".join(
        f'<option value="{escape(one)}"{" selected" if one == value else ""}>{escape(one)}</option>' for one in options
    )
    return f'<select name="{escape(name)}"{_does(act)}>{items}</select>'


def check(name: str, text: str, *, on: bool, value: str = "", act: str = "") -> str:
    """Return a checkbox with its label; those of one ``name`` that have a ``value`` are reported as a list."""
    return (
        f'<label class="mm-check"><input type="checkbox" name="{escape(name)}"'
        + (f' value="{escape(value)}"' if value else "")
        + f"{' checked' if on else ''}{_does(act)}>{escape(text)}</label>"
    )


def _does(act: str) -> str:
    return f' data-mm-act="{escape(act)}"' if act else ""
