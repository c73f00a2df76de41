"""Texts and pages as a reader sees them."""

import subprocess
import sys

import pytest

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders import text as module
from mmrag_nb.loaders.markup import is_html, readable_text
from mmrag_nb.loaders.text import TextLoader
from mmrag_nb.protocols import Loader

PAGE = """<!DOCTYPE html><html><head><title>Lakes &amp; rivers</title><style>p {color: red}</style>
<script>var hidden = "<p>not me</p>";</script></head><body><!-- nor me -->
<h1>Lake   Como</h1><p>Deep &lt;410 m&gt; and
<b>cold</b>.</p><noscript>Turn on scripts</noscript><template><p>no</p></template>
<ul><li>Bellagio<li>Varenna</ul><table><tr><td>length</td><td>46 km</td></tr></table>
<pre>kept   as
it is</pre><svg><text>drawn</text></svg>caf&eacute;&#33;</body></html>"""


@pytest.fixture
def loader(count_tokens):
    return TextLoader(77, count_tokens)


def text_of(item):
    return "\n".join(chunk.text for chunk in item.chunks)


def test_it_is_a_loader_whose_version_tells_the_budget(count_tokens):
    assert isinstance(TextLoader(77, count_tokens), Loader)
    assert TextLoader(77, count_tokens).version != TextLoader(64, count_tokens).version


def test_a_page_reads_as_it_looks():
    assert readable_text(PAGE).split("\n") == [
        "Lakes & rivers",
        "",
        "Lake Como",
        "",
        "Deep <410 m> and cold.",
        "",
        "Bellagio",
        "Varenna",
        "",
        "length 46 km",
        "",
        "kept as",
        "it is",
        "",
        "café!",
    ]


@pytest.mark.parametrize(
    ("name", "text", "html"),
    [
        ("a.html", "anything", True),
        ("A.HTM", "anything", True),
        ("page", "\n <!doctype HTML><p>x", True),
        ("page.php", '<?xml version="1.0"?>\n<!-- c --><html lang="en">', True),
        ("notes.md", "Use <html> as the root", False),
        ("data.xml", "<?xml version='1.0'?><data/>", False),
    ],
)
def test_html_is_told_by_name_or_beginning(name, text, html):
    assert is_html(name, text) is html


def test_deep_nesting_does_not_break_it(loader):
    page = "<html>" + "<div>" * 5000 + "bottom" + "</div>" * 5000
    assert text_of(loader.load(page.encode(), "deep.html")) == "bottom"


def test_xml_stays_raw(loader, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("do not read me")
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "{secret.as_uri()}">]><x>&a;</x>'
    loaded = text_of(loader.load(bomb.encode(), "x.xml"))
    assert "&a;" in loaded
    assert "do not read me" not in loaded


def test_what_a_str_says_is_taken_literally(loader):
    assert text_of(loader.load("<html>&amp; more", "note")) == "<html>&amp; more"


def test_facts_count_characters_and_passages(loader):
    item = loader.load("One. Two.\r\nThree.", "note")
    assert dict(item.facts) == {"characters": 16, "passages": 1}
    assert [(chunk.modality, chunk.text) for chunk in item.chunks] == [("text", "One. Two.\nThree.")]


def test_lone_surrogates_can_be_stored(loader):
    assert text_of(loader.load("broken \ud83d emoji", "note")) == "broken \ufffd emoji"


@pytest.mark.parametrize("content", ["", " \n\t ", b"  \n", b"<html><script>x</script></html>", "nul\0"])
def test_nothing_to_read_is_an_error(loader, content):
    with pytest.raises(LoadError, match=r"empty|NUL"):
        loader.load(content, "note.txt")


def test_the_limit_on_bytes_is_the_callers(count_tokens):
    with pytest.raises(LoadError, match="too large"):
        TextLoader(77, count_tokens, max_bytes=10).load(b"eleven byte", "note.txt")


def test_suffixes_and_media_types_are_lower_case():
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in module.SUFFIXES)
    assert {".txt", ".md", ".html", ".json", ".csv"} <= module.SUFFIXES
    assert {"text/plain", "text/html"} <= module.MEDIA_TYPES


def test_importing_the_loaders_loads_nothing_heavy():
    code = (
        "import sys, mmrag_nb.loaders.text, mmrag_nb.loaders.image, mmrag_nb.loaders.audio\n"
        "heavy = {'PIL', 'av', 'numpy', 'pydub', 'bs4', 'charset_normalizer', 'semantic_text_splitter'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
