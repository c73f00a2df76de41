"""An answer full of pictures, styles, frames and links that lead to a server: nothing of it is asked for.

An address in a picture is how a document that a model has read could carry the question, or what else was read, out
of the notebook. The server is a real one on loopback, and a control shows that the browser would reach it.
"""

from contextlib import closing

import pytest
from loopback import Loopback
from shown import Shown
from slow_server import asking, serving

nbconvert = pytest.importorskip("nbconvert")
pytest.importorskip("openai")

ANSWER = """\
A concert harp has forty-seven strings ![pixel](TRACKER/inline.png) [1]. ![titled](<TRACKER/a b.png> "title")

![by reference][r] and [a link](TRACKER/link) and <TRACKER/auto> and TRACKER/bare.png [1](TRACKER/cited.png) [9]

[![nested](TRACKER/nested.png)](TRACKER/nested) **bold ![b](TRACKER/bold.png)** `![c](TRACKER/code.png)`

# ![heading](TRACKER/heading.png)

- ![item](TRACKER/item.png)
1. <img src=TRACKER/item2.png>

> ![quote](TRACKER/quote.png)

| ![t](TRACKER/table.png) | <img src="TRACKER/cell.png"> |
|---|---|
| <td background="TRACKER/td.png"> | b |

```html
<img src="TRACKER/fenced.png"><script src="TRACKER/fenced.js"></script>
```

<img src="TRACKER/img.png" srcset="TRACKER/set.png 2x" onerror="fetch('TRACKER/error')"><image src=TRACKER/image.png>
<picture><source srcset=TRACKER/source.png><img src=data:x onerror=this.src='TRACKER/fallback.png'></picture>
<video src=TRACKER/v.mp4 poster=TRACKER/poster.png autoplay></video><audio src=TRACKER/a.mp3 autoplay preload></audio>
<iframe src=TRACKER/frame></iframe><iframe srcdoc="<img src=TRACKER/srcdoc.png>"></iframe>
<object data=TRACKER/object></object><embed src=TRACKER/embed><applet code=TRACKER/applet></applet>
<link rel=stylesheet href=TRACKER/link.css><link rel=preload as=image href=TRACKER/pre.png>
<style>@import "TRACKER/import.css"; .mmrag {background: url(TRACKER/rule.png)} @font-face {src: url(TRACKER/f)}</style>
</style></section><p style="background:url(TRACKER/attribute.png);list-style-image:url('TRACKER/list.png')">styled</p>
<svg><image href=TRACKER/svg.png /><use href="TRACKER/use.svg#x"/><style>@import url(TRACKER/svg.css)</style></svg>
<body background=TRACKER/body.png><table background=TRACKER/tab.png><input type=image src=TRACKER/input.png>
<meta http-equiv=refresh content="0;url=TRACKER/refresh"><base href="TRACKER/base/"><script src=TRACKER/s.js></script>
&lt;img src=TRACKER/entity.png&gt; &#60;img src=TRACKER/number.png&#62; \\u003cimg src=TRACKER/escape.png\\u003e
$\\includegraphics{TRACKER/tex.png}$ $$\\href{TRACKER/math}{x}$$ \\(\\style{background:url(TRACKER/mathstyle.png)}{x}\\)

So it is said in the notes [1], and the ferry leaves on Sundays ![unsupported](TRACKER/unsupported.png) [1].

[r]: TRACKER/reference.png"""
LAST = "Sundays"


class Tracker(Loopback):
    """A server that remembers what it was asked for."""

    def __init__(self):
        self.asked = []
        super().__init__()

    def serve(self, handler, raw):
        self.asked.append(handler.path)
        super().serve(handler, raw)


@pytest.fixture(scope="module")
def tracker():
    with closing(Tracker()) as tracker:
        yield tracker


@pytest.fixture(scope="module")
def server(tracker):
    with serving() as server:
        server.text = ANSWER.replace("TRACKER", tracker.url)
        yield server


@pytest.fixture(scope="module")
def room(lab, server):
    """A live notebook whose answers come from the server."""
    cells = [
        asking(
            server,
            '%config MMRag.clip = "none"',
            'texts = ["A concert harp has forty-seven strings.", "The ferry leaves at noon."]',
            "%mmrag_index {{texts}} --out report",
        ),
        "%mmrag_ask how many strings has a harp?",
        "%mmrag_panel ask --out panel\npanel",
        """\
from IPython.display import HTML, Markdown, display
%mmrag_ask how many strings has a harp? --out answer
display(Markdown(answer.text))""",
        "HTML(answer.text)",
    ]
    lab.open(lab.write("remote-pictures.ipynb", cells))
    lab.run(0)
    assert not lab.failures()
    lab.browser.requests()
    lab.browser.complaints()
    return lab


@pytest.fixture
def watched(room, tracker):
    """Nothing was asked for before, and nothing was by the end."""
    room.browser.requests()
    tracker.asked.clear()
    yield room
    room.js("await new Promise((done) => setTimeout(done, 300))")  # what loads late would be asked for by then
    assert not [url for url in room.browser.requests() if url.startswith(tracker.url)]
    assert not tracker.asked


def begin(room, cell):
    """Run a cell without waiting for its end."""
    room.js("panel.content.activeCellIndex = args[0]; app.commands.execute('notebook:run-cell')", cell)


def said(room, selector):
    script = "return Array.from(panel.content.node.querySelectorAll(args[0]), (one) => one.innerText).join(' ')"
    return room.js(script, selector)


@pytest.fixture
def stalled(server):
    """The server stops within the last sentence, and goes on when it is told."""
    server.stall = len(server.text.split(" ")) - 3
    yield server
    server.stall = 10_000


def test_not_while_it_is_written(watched, stalled):
    begin(watched, 1)
    watched.wait(lambda: LAST in said(watched, ".mm-writing"), 30)
    watched.browser.screenshot("remote-pictures-writing")
    watched.command("notebook:interrupt-kernel")
    watched.wait(lambda: "interrupted" in said(watched, "[aria-label^='answer with evidence']"), 30)


def test_not_once_it_is_whole(watched, tracker):
    watched.run(1)
    card = said(watched, "[aria-label^='answer with evidence'] .mm-answer")
    assert LAST in card
    assert f"{tracker.url}/img.png" in card, "it is text"
    watched.browser.screenshot("remote-pictures-card")


def test_not_in_the_panel(watched, stalled):
    watched.run(2)
    panel = Shown(watched, 2, "ask panel")
    panel.one("input[name=question]").send_keys("how many strings has a harp?\n")
    watched.wait(lambda: LAST in "".join(panel.texts(".mm-writing .mm-answer")), 30)
    watched.browser.screenshot("remote-pictures-panel-writing")
    panel.one("[data-mm-region=writing] button", "Stop").click()
    panel.idle()
    assert LAST in "".join(panel.texts("[data-mm-region=answer] .mm-answer"))
    watched.browser.screenshot("remote-pictures-panel")


def test_not_in_the_saved_notebook_nor_in_a_page_made_of_it(watched, tracker):
    watched.save()
    saved = watched.root / "remote-pictures.ipynb"
    watched.shut_down_kernel()
    watched.open(saved.name, kernel=False)
    assert LAST in said(watched, ".mm-answer")
    page, _ = nbconvert.HTMLExporter().from_filename(str(saved))
    (watched.root / "remote-pictures.html").write_text(page, encoding="utf-8")
    with watched.browser.tab((watched.root / "remote-pictures.html").as_uri()) as tab:
        assert f"{tracker.url}/img.png" in tab.driver.find_element("css selector", ".mm-answer").text
        tab.screenshot("remote-pictures-page")
        assert not [url for url in tab.requests() if url.startswith(tracker.url)]


def test_the_same_text_shown_as_it_is_would_have_been_told(room, tracker):
    """So the browser reaches the server, and both looks can fail."""
    room.open("remote-pictures.ipynb")
    room.run(0)
    room.browser.requests()
    tracker.asked.clear()
    try:
        begin(room, 3)
        room.wait(lambda: {"/inline.png", "/reference.png"} <= set(tracker.asked), 30)
        begin(room, 4)  # whose base makes what JupyterLab itself still has to load be asked for there
        room.wait(lambda: {"/img.png", "/frame", "/import.css"} <= set(tracker.asked), 30)
        room.wait(lambda: any(url.startswith(tracker.url) for url in room.browser.requests()))
    finally:
        room.load()  # what the page has become is nobody else's
