"""What is told of an index itself, of its file and of jobs: hostile text in every place is nothing but text."""

import re

import pytest
from bs4 import BeautifulSoup
from exhibits import EXHIBITS
from hostile import HOSTILE

TOLD = (
    "index_report",
    "failed_job",
    "import_report",
    "export_report",
    "verification",
    "compaction",
    "status",
    "plan",
    "removal",
)


def soup(shown):
    return BeautifulSoup(shown._repr_html_(), "html.parser")


@pytest.mark.parametrize("name", TOLD)
def test_hostile_text_stays_text(name):
    make = EXHIBITS[name].make
    harmless = {tag.name for tag in soup(make("a word")).select("*")}
    for text in HOSTILE:
        shown = make(text)
        page, plain = soup(shown), repr(shown)
        assert {tag.name for tag in page.select("*")} <= harmless, text[:60]
        assert not [key for tag in page.select("*") for key in tag.attrs if key.startswith("on")], text[:60]
        shown._repr_html_().encode()
        plain.encode()
        assert not re.search("[\x1b\u202e]", plain + str(page)), text[:60]


@pytest.mark.parametrize("name", TOLD)
def test_what_is_told_is_readable(name):
    page = soup(EXHIBITS[name].make("a word of others"))
    assert page.get_text().count("a word of others") >= EXHIBITS[name].least
