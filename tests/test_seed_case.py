"""The article's case with its real media, offline: a recording, a picture, a text, and a question to the recording."""

import pytest

from mmrag_nb import MultimodalRAG

pytestmark = pytest.mark.cases


@pytest.fixture(scope="module")
def rag(cases):
    pytest.importorskip("pocketsphinx")
    rag = MultimodalRAG(preset="offline")
    report = rag.index([str(cases / "warfield" / name) for name in ("audio.mp3", "Lorenz_Ro28-200px.png", "Wiki.txt")])
    assert report.items == {"audio": 1, "image": 1, "text": 1}
    assert not report.skipped
    yield rag
    rag.close()


def test_the_utterance_that_names_the_favorite_comes_first_with_its_seconds(rag):
    answer = rag.ask("who is my favorite harpist?")
    first = answer.hits[0]
    assert first.item.name == "audio.mp3"
    assert "my favorite" in first.chunk.text
    # The speaker says it between 10 and 18 s of 25.8.
    assert 8 < first.chunk.start < 13
    assert first.chunk.end < 19
    assert first.score > answer.hits[2].score + 2, "clear of what does not answer"


def test_the_answer_quotes_the_utterance(rag):
    answer = rag.ask("who is my favorite harpist?")
    assert "my favorite" in answer.text
    assert answer.text.index("[1]") > 0
    assert answer.citations[1] is answer.hits[0]


def test_the_text_and_the_picture_are_found_by_their_own_questions(rag):
    assert rag.search("which novel tells of German soldiers in the war?")[0].item.name == "Wiki.txt"
    assert rag.search("which picture shows a Lorenz attractor?")[0].item.name == "Lorenz_Ro28-200px.png"


def test_the_card_shows_the_marked_waveform_and_a_player(rag):
    page = rag.ask("who is my favorite harpist?")._repr_html_()
    assert "data:audio/mpeg;base64," in page
    assert "<svg" in page
    assert "of 25.8" in page
