"""Forty strings that mean harm, for every place where text of others is shown: file names, captions, answers, errors.

What runs sets ``__mm_hacked`` on the page's window; what fetches, asks for a name under ``.invalid``; what reads the
disk would show the content of :data:`CANARY` or of ``/etc/passwd``. Each has letters or digits to find it again by.
"""

from __future__ import annotations

CANARY = "mm-canary.txt"
"""Name of a file that a test puts where the strings are shown."""
CANARY_CONTENT = "the canary's song is heard"
_RUN = "window.__mm_hacked=1"

HOSTILE: tuple[str, ...] = (
    # markup that runs
    f"<script>{_RUN};alert(1)</script>",
    f"\"><img src=x onerror='{_RUN}'>",
    f"' onmouseover='{_RUN}' autofocus onfocus='{_RUN}' tabindex='0' x='",
    f"</style><svg onload={_RUN}>",
    f"</script><script>{_RUN}</script>",
    f"</section></div></div><b onclick={_RUN} style='position:fixed;inset:0;z-index:99'>over all</b>",
    f"<iframe srcdoc='<script>parent.__mm_hacked=1</script>' src='javascript:parent.{_RUN}'></iframe>",
    f"<details open ontoggle={_RUN}><summary>summary</summary></details>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={_RUN}></style></mglyph></table></mtext></math>",
    f"<!-- --!><img src=x onerror={_RUN}> <!--",
    f"<![CDATA[<script>{_RUN}</script>]]>",
    f"<meta http-equiv=refresh content='0;url=javascript:{_RUN}'><base href='http://tracker.invalid/'>",
    f"</textarea></title></audio></button></option></select><img src=x onerror={_RUN}>",
    # what fetches
    "<img src=http://tracker.invalid/a.png><link rel=stylesheet href=http://tracker.invalid/a.css>",
    "x;background:url(http://tracker.invalid/b.png);position:fixed;inset:0;width:9999px",
    "</style><style>@import 'http://tracker.invalid/c.css'; * {display:none !important}",
    (
        "![pixel](http://tracker.invalid/d.png) [click](http://tracker.invalid/e)\n\n![r][a] <https://tracker.invalid/h>"
        ' [1](http://tracker.invalid/j) [![1](//k.invalid "t")](javascript:alert(1))\n[a]: //f.invalid\n[1]: //g.inv'
    ),
    # addresses that run
    f"javascript:{_RUN}//",
    f"[click](javascript:{_RUN}) <a href='javascript:{_RUN}'>click</a>",
    f"data:text/html,<script>opener.{_RUN}</script>",
    # entities and templates: text that another layer might decode or evaluate
    f"&lt;script&gt;{_RUN}&lt;/script&gt; &#60;b&#62; &amp;amp; &quot;",
    "{{7*7}} ${7*7} <%= 7*7 %> #{7*7} {%raw%} {0} {__class__} %s %(x)d %n",
    f"`${{{_RUN}}}` \\u003cimg src=x onerror={_RUN}\\u003e \\x3cscript\\x3e",
    r"$\href{javascript:window.__mm_hacked=1}{x}$ $$\unicode{x3c}$$ \(a^2\) \begin{equation}b\end{equation} $5 and $10",
    (
        "# heading\n\n- **bold** `code` [1] [99]\n\n| a | b |\n|---|---|\n| 1 | 2 |\n***\n> quote\n"
        "```\n<img src=http://tracker.invalid/l.png>\n```\n`` ` ~~~ **[1] `[7]` [[7]] [7\n```html\n<b>no end"
    ),
    # paths and queries
    "/etc/passwd",
    "../../../../../../etc/passwd",
    "file:///etc/passwd",
    CANARY,
    "a' OR 1=1; DROP TABLE items; -- \" NEAR(x y) AND NOT (z* ^b) col:value",
    # characters that act
    "nul\x00bell\x07esc\x1b[31mred\x1b[2J\x1b]0;title\x07 back\x08\x08\x08 del\x7f csi\x9b31m line\r\nfeed\ttab",
    "photo\u202egpj.exe \u2066isolated\u2067 left\u200e right\u200f override\u202d end",
    "zero\u200bwidth\u200cnon\u200djoiner\u2060word\ufeffmark\u00adsoft\u034fgrapheme",
    "zalgo and its marks: " + "".join(letter + "\u0301\u0302\u0303\u0316\u0323\u0489" * 20 for letter in "combining"),
    "half \ud800 surrogate \udc80\udcff of a file name \ufffe \uffff",
    "family 👨‍👩‍👧‍👦 flag 🏴󠁧󠁢󠁷󠁬󠁳󠁿 keycap 1️⃣ " + "🎻" * 300,
    # sizes
    "x" * 10_000,
    "القيثارة" * 200 + " harp",
    "竖琴的声音" * 300 + " harp",
    "deep " + "<b><i><u><div>" * 300,
)
