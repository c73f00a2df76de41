"""The look of all results: one style sheet that touches nothing outside ``.mmrag``.

Two palettes, light and dark, each AA for text on all of its grounds. A page's word on light or dark (JupyterLab,
VS Code, Colab) goes before the system's, and there the page's ground shows through; elsewhere results bring theirs.
"""

from __future__ import annotations

from .escape import escape

LIGHT = {
    "ink": "#1d2127",
    "soft": "#5a626e",
    "faint": "#aab1bb",
    "line": "#e1e4ea",
    "bg": "#ffffff",
    "wash": "#f5f6f8",
    "audio": "#b34e14",
    "image": "#2563a8",
    "text": "#2a7247",
    "video": "#7a12e2",
    "band": "#fbeee5",
    "mark": "#ffe9a8",
    "warn": "#a12b2b",
    "warn-bg": "#fdf3f2",
}
DARK = {
    "ink": "#e6e8ec",
    "soft": "#a0a9b7",
    "faint": "#5f6877",
    "line": "#333a45",
    "bg": "#15181d",
    "wash": "#1e2229",
    "audio": "#f0955c",
    "image": "#74aef0",
    "text": "#73c796",
    "video": "#c29bef",
    "band": "#38281d",
    "mark": "#5b4a12",
    "warn": "#f19999",
    "warn-bg": "#2b1d1f",
}


def _palette(scheme: str, colours: dict[str, str], **other: str) -> str:
    own = ";".join(f"--mm-{name}:{value}" for name, value in {**colours, **other}.items())
    return f"color-scheme:{scheme};{own}"


def _on_page(ink: str) -> dict[str, str]:
    """What changes where the page says that it is light or dark: its own ground, and its variable ``ink``."""
    return {"bg": "transparent", "pad": "2px", "ink": ink}


_JUPYTER = "var(--jp-content-font-color1)"
_CODE = "var(--vscode-editor-foreground)"

_THEMES = f"""
.mmrag {{{_palette("light", LIGHT, pad="12px")}}}
@media (prefers-color-scheme:dark) {{.mmrag {{{_palette("dark", DARK, pad="12px")}}}}}
html[theme=light] .mmrag {{{_palette("light", LIGHT | _on_page(LIGHT["ink"]))}}}
html[theme=dark] .mmrag {{{_palette("dark", DARK | _on_page(DARK["ink"]))}}}
[data-jp-theme-light=true] .mmrag {{{_palette("light", LIGHT | _on_page(_JUPYTER))}}}
[data-jp-theme-light=false] .mmrag {{{_palette("dark", DARK | _on_page(_JUPYTER))}}}
body.vscode-light .mmrag {{{_palette("light", LIGHT | _on_page(_CODE))}}}
body.vscode-dark .mmrag {{{_palette("dark", DARK | _on_page(_CODE))}}}
"""

_TEXT = """
.mmrag {max-width:880px;margin:0;padding:var(--mm-pad);border-radius:8px;container-type:inline-size;
  color:var(--mm-ink);background:var(--mm-bg);
  font:14px/1.5 var(--jp-content-font-family,system-ui,-apple-system,"Segoe UI",sans-serif);
  overflow-wrap:anywhere;text-align:start}
.mmrag * {box-sizing:border-box}
.mmrag p, .mmrag ul, .mmrag ol {margin:0;padding:0}
.mmrag bdi {font-weight:600}
.mmrag mark {background:var(--mm-mark);color:inherit;padding:0 1px;border-radius:2px}
.mmrag :focus-visible {outline:2px solid var(--mm-image);outline-offset:2px}
.mmrag .mm-audio {--mm-m:var(--mm-audio)}
.mmrag .mm-image {--mm-m:var(--mm-image)}
.mmrag .mm-text {--mm-m:var(--mm-text)}
.mmrag .mm-video {--mm-m:var(--mm-video)}
.mmrag .mm-question {color:var(--mm-soft);margin:0 0 4px;white-space:pre-line}
.mmrag .mm-answer {font-size:17px;margin:0 0 16px}
.mmrag .mm-answer > * + * {margin-top:8px}
.mmrag .mm-answer ul, .mmrag .mm-answer ol {padding-inline-start:1.4em}
.mmrag .mm-answer li {margin:2px 0}
.mmrag .mm-answer code {font:.9em var(--jp-code-font-family,ui-monospace,monospace);color:inherit;
  background:var(--mm-wash);padding:1px 4px;border-radius:4px;white-space:break-spaces}
.mmrag a.mm-cite {display:inline-block;min-width:18px;margin:0 1px;padding:0 4px;border:1px solid var(--mm-line);
  border-radius:9px;background:var(--mm-wash);color:var(--mm-m);font-size:11.5px;font-weight:600;line-height:16px;
  text-align:center;text-decoration:none;vertical-align:3px}
.mmrag a.mm-cite:hover {border-color:var(--mm-m)}
.mmrag a.mm-cite span {font-size:0;line-height:0}
.mmrag .mm-error {margin:0 0 14px;padding:8px 12px;border:1px solid var(--mm-line);border-radius:6px;
  border-inline-start:3px solid var(--mm-warn);background:var(--mm-warn-bg)}
.mmrag .mm-error b {color:var(--mm-warn)}
.mmrag .mm-doubt {margin:0 0 12px;padding:8px 12px;border:1px solid var(--mm-mark);border-radius:6px;
  background:color-mix(in srgb,var(--mm-mark) 45%,transparent)}
.mmrag .mm-doubt .mm-answer {margin:0}
.mmrag .mm-doubt .mm-answer + p {margin-top:4px}
.mmrag .mm-gap {margin:0 0 8px;padding:8px 12px;border-radius:6px;background:var(--mm-wash)}
.mmrag .mm-facts, .mmrag .mm-also, .mmrag .mm-none, .mmrag .mm-meta, .mmrag .mm-place,
.mmrag .mm-kind, .mmrag small {color:var(--mm-soft);font-size:12px}
.mmrag .mm-facts span {display:inline-block}
.mmrag .mm-also {margin:0 0 6px}
.mmrag .mm-totals {margin:0 0 10px;font-variant-numeric:tabular-nums}
.mmrag details {margin:0 0 8px}
.mmrag summary {color:var(--mm-soft);cursor:pointer}
.mmrag details ul {margin-top:4px;padding-inline-start:1.4em}
"""

_EVIDENCE = """
section.mmrag ul.mm-evidence {display:flex;flex-wrap:wrap;gap:10px;margin:0 0 14px;padding:0;list-style:none}
.mmrag .mm-item {flex:1 1 250px;min-width:min(100%,250px);margin:0;padding:10px 12px;border:1px solid var(--mm-line);
  border-radius:6px;border-inline-start:3px solid var(--mm-m);list-style:none;scroll-margin-top:24px;
  display:flex;container-type:inline-size}
.mmrag .mm-in {flex:1 1 100%;display:flex;flex-direction:column;min-width:0}
.mmrag .mm-item:target {outline:2px solid var(--mm-m);outline-offset:1px}
.mmrag .mm-head {margin:0 0 8px;line-height:1.4}
.mmrag .mm-head b {color:var(--mm-m);margin-inline-end:4px}
.mmrag .mm-place {display:block}
.mmrag .mm-body {max-height:20em;overflow:auto;white-space:pre-line}
.mmrag .mm-meta {margin-top:6px}
.mmrag .mm-place bdi, .mmrag .mm-parts bdi, .mmrag .mm-alike bdi, .mmrag .mm-said bdi {font-weight:400}
.mmrag .mm-parts span {display:inline-block}
.mmrag .mm-said {margin:0 0 4px;font-size:13px}
.mmrag .mm-said summary {color:inherit}
.mmrag .mm-said span {color:var(--mm-soft);font-size:12px}
.mmrag .mm-said[open] summary bdi {display:none}
.mmrag .mm-stage {flex:1 0 auto;display:grid;place-items:center;margin:0 0 6px}
.mmrag .mm-stage:not(:last-child) {flex:none}
.mmrag .mm-item img {display:block;width:auto;max-width:100%;height:auto;max-height:210px;margin:0;border-radius:4px}
.mmrag .mm-framed {position:relative;display:inline-block;max-width:100%;margin:0;vertical-align:top}
.mmrag .mm-region {position:absolute;border:2px solid #fff;outline:2px solid #8a0a28;border-radius:2px;
  pointer-events:none}
.mmrag .mm-wave {display:block;width:100%;height:46px;margin:0}
.mmrag .mm-rest {fill:var(--mm-faint)}
.mmrag .mm-here {fill:var(--mm-audio)}
.mmrag .mm-band {fill:var(--mm-band)}
.mmrag audio {display:block;width:100%;height:32px;margin:6px 0 8px}
.mmrag video {display:block;width:320px;max-width:100%;height:auto;max-height:240px;margin:0;border-radius:4px;
  background:#000}
section.mmrag ul.mm-quiet {gap:8px}
.mmrag .mm-quiet .mm-item {flex-basis:220px;min-width:min(100%,220px);padding:8px 10px;border-inline-start-width:1px;
  font-size:13px}
.mmrag .mm-quiet .mm-head {margin-bottom:6px}
.mmrag .mm-quiet bdi {font-weight:400}
.mmrag .mm-quiet .mm-body {color:var(--mm-soft)}
.mmrag .mm-quiet .mm-said bdi {color:var(--mm-soft)}
.mmrag .mm-quiet mark {color:var(--mm-ink)}
.mmrag .mm-quiet img {max-height:110px}
.mmrag .mm-quiet .mm-wave {height:28px}
.mmrag .mm-quiet .mm-here {fill:var(--mm-soft)}
.mmrag .mm-quiet .mm-band {fill:var(--mm-wash)}
"""

_TABLE = """
.mmrag .mm-scroll {overflow-x:auto;margin:0 0 10px}
.mmrag .mm-table {width:100%;margin:0;border:0;border-collapse:collapse;table-layout:auto;color:inherit;
  font-size:13px;line-height:1.4}
.mmrag .mm-table caption {caption-side:top;padding:0 0 4px;color:var(--mm-soft);font-size:12px;text-align:start}
.mmrag .mm-pairs th {width:1%;white-space:nowrap;color:var(--mm-soft)}
.mmrag .mm-pairs tr > :first-child {padding-inline-end:28px}
.mmrag .mm-table tr, .mmrag .mm-table tbody tr:nth-child(n), .mmrag .mm-table tbody tr:hover {background:none}
.mmrag .mm-table th, .mmrag .mm-table td {max-width:none;padding:5px 8px;border:0;
  border-bottom:1px solid var(--mm-line);font-weight:400;text-align:start;vertical-align:baseline;white-space:normal}
.mmrag .mm-table thead th {color:var(--mm-soft);font-weight:500;vertical-align:bottom}
.mmrag .mm-table thead th, .mmrag .mm-table .mm-rank, .mmrag .mm-table .mm-kind {white-space:nowrap}
.mmrag .mm-table tr > :first-child {padding-inline-start:0}
.mmrag .mm-table tr > :last-child {padding-inline-end:0}
.mmrag .mm-table thead th, .mmrag .mm-kind {overflow-wrap:normal}
.mmrag .mm-table tbody th {min-width:9.5em}
.mmrag .mm-table bdi {font-weight:400}
.mmrag .mm-table .mm-n {font-variant-numeric:tabular-nums;text-align:end;white-space:nowrap}
.mmrag .mm-table .mm-rank {color:var(--mm-m);font-weight:600}
.mmrag .mm-table .mm-score {font-weight:600}
.mmrag .mm-table .mm-n span {display:inline-block;min-width:4.2em}
.mmrag .mm-move {margin-inline-start:4px;font-variant-numeric:tabular-nums}
.mmrag .mm-table .mm-before .mm-move {min-width:2em;color:var(--mm-soft);text-align:start}
.mmrag .mm-again caption {max-width:100cqi}
.mmrag .mm-again .mm-bar {display:none}
.mmrag .mm-again .mm-n span {min-width:0}
.mmrag .mm-bar {display:inline-block;overflow:hidden;width:52px;height:7px;border-radius:4px;background:var(--mm-wash);
  vertical-align:1px}
.mmrag .mm-bar i {display:block;height:100%;border-radius:4px;background:var(--mm-m)}
.mmrag .mm-raw i {background:var(--mm-faint)}
"""

_ELSEWHERE = f"""
@container (max-width:760px) {{
  .mmrag .mm-scored .mm-bar {{display:none}}
  .mmrag .mm-scored .mm-n span {{min-width:0}}
}}
@container (max-width:640px) {{
  .mmrag .mm-bar {{display:none}}
  .mmrag .mm-table .mm-n span {{min-width:0}}
  .mmrag .mm-table {{font-size:12px}}
  .mmrag .mm-table th, .mmrag .mm-table td {{padding:4px 2px}}
  .mmrag .mm-table thead th, .mmrag .mm-table thead .mm-n, .mmrag .mm-table .mm-kind {{white-space:normal}}
  .mmrag .mm-table thead th {{font-size:11px}}
  .mmrag .mm-table bdi {{display:-webkit-box;overflow:hidden;-webkit-box-orient:vertical;-webkit-line-clamp:3}}
  .mmrag .mm-answer {{font-size:16px}}
}}
@container (max-width:520px) {{
  .mmrag .mm-scored .mm-seen {{display:none}}
  .mmrag .mm-scored tbody th {{min-width:6.5em;width:100%}}
  .mmrag .mm-scored tr > .mm-n {{padding-inline-start:6px}}
  .mmrag .mm-scored th[data-mm-kind]::after {{content:attr(data-mm-kind);display:block;color:var(--mm-soft);
    font-size:11px}}
  .mmrag .mm-scored td small {{display:block}}
}}
@container (min-width:480px) {{
  .mmrag .mm-pictured {{display:grid;grid-template:repeat(11,auto) 1fr / fit-content(55%) minmax(0,1fr);
    column-gap:14px;align-items:start}}
  .mmrag .mm-pictured > * {{grid-column:2}}
  .mmrag .mm-pictured > .mm-stage {{grid-area:1 / 1 / span 12;margin:0}}
}}
@media print {{
  :root body .mmrag {{{_palette("light", LIGHT, pad="0")};max-width:none}}
  .mmrag audio {{display:none}}
  .mmrag .mm-scroll {{overflow:visible}}
  .mmrag .mm-body {{max-height:none}}
  .mmrag .mm-item, .mmrag .mm-table tr, .mmrag .mm-gap, .mmrag .mm-doubt {{break-inside:avoid}}
  .mmrag .mm-bar, .mmrag .mm-bar i, .mmrag mark {{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
}}
"""

STYLE = (_THEMES + _TEXT + _EVIDENCE + _TABLE + _ELSEWHERE).strip()


def section(label: str, body: str, style: str = "") -> str:
    """Return ``body`` with its style as one labelled section that stands by itself on any page.

    ``style`` is what this kind of result needs beside the rules that all share; each of its selectors begins with
    ``.mmrag``.

    ``mathjax_ignore``: JupyterLab would set "$5 and $10" in a file's text as a formula.
    """
    return (
        f'<section class="mmrag mathjax_ignore" aria-label="{escape(label)}">'
        f"<style>\n{STYLE}{style}\n</style>\n{body}\n</section>\n"
    )
