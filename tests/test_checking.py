"""An answer is checked: what it cites, where exactly that stands, and which of its sentences nothing bears out."""

import time

import pytest
from PIL import Image

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.checking import NEAR, checked
from mmrag_nb.evidence import evidence
from mmrag_nb.generation.citations import ABSENT
from mmrag_nb.results import Answer
from mmrag_nb.types import Prompt

FIRST = "A concert harp has forty-seven strings and seven pedals."
LAST = "Gut strings break more often than nylon ones."
HARP = f"{FIRST} {LAST}"
FERRY = "The ferry to Skarholm leaves at noon. It carries 120 passengers but no cars."
SIGN = "a sign at the gate"
TALK = demo_folder() / "lighthouse_talk.mp3"
LESSON = "our model ship workshop starts on thursday at nine in the morning"


@pytest.fixture(scope="module")
def rag():
    with MultimodalRAG(preset="offline", fold=False) as rag:
        yield rag


@pytest.fixture(scope="module")
def found(rag):
    """Hits by what they are called: two texts, a picture with a caption, one without."""
    rag.index(
        [
            {"text": HARP, "name": "harp"},
            {"text": FERRY, "name": "ferry"},
            {"image": Image.new("RGB", (64, 48), "red"), "caption": SIGN, "name": "sign"},
            {"image": Image.new("RGB", (64, 48), "blue"), "name": "blue"},
        ]
    )
    hits = rag.search("what is there?", k=100)
    return hits, {hit.item.metadata["name"]: hit.rank for hit in hits}


@pytest.fixture(scope="module")
def check(rag, found):
    """Check an answer in which ``{harp}`` stands for the number of that evidence."""
    hits, numbers = found

    def run(text, *, check=True, takes=()):
        sent = tuple(evidence(hit, rag._catalog, takes) for hit in hits)
        answer = Answer("?", text.format(**numbers), hits, prompt=Prompt("?", "", sent))
        return checked(answer, rag._by(None)[0] if check else None)

    return run


# -- citations ---------------------------------------------------------------------------------------------------------


def test_citations_are_hits_and_what_was_not_sent_is_told(check, found):
    answer = check("It has seven pedals [{harp}]. It leaves at noon [{ferry}, 77]. So they say [88].")
    hits, numbers = found
    assert list(answer.citations) == [numbers["harp"], numbers["ferry"]]
    assert answer.invalid == (77, 88)
    assert all(answer.citations[number] is answer.hits[number - 1] for number in answer.citations)
    assert [hit.item for hit in answer.hits] == [hit.item for hit in hits]
    assert "[77]" not in answer.text
    assert "77]" in answer.text, "the text keeps its marks"


def test_unchecked_there_are_citations_alone(check):
    answer = check("It has seven pedals [{harp}] and horns [77].", check=False)
    assert len(answer.citations) == 1
    assert answer.invalid == (77,)
    assert answer.claims == ()
    assert all(hit.cited == () for hit in answer.hits)


def test_where_it_stands_is_told_to_the_letter(check, found):
    answer = check("As noted, “it carries 120 passengers but no cars” [{ferry}].")
    (hit,) = answer.citations.values()
    (passage,) = hit.cited
    assert passage.text == "It carries 120 passengers but no cars"
    assert hit.chunk.text[slice(*passage.span)] == passage.text
    assert all(other.cited == () for other in answer.hits if other is not hit)


def test_said_in_other_words_it_stands_in_that_sentence(check):
    answer = check("Nylon strings do not break as often as gut strings [{harp}].")
    (hit,) = answer.citations.values()
    assert [passage.text for passage in hit.cited] in ([""], [LAST]), "all of it, where it cannot be told where"
    answer = check("More often than nylon ones, gut strings break [{harp}]. Of pedals, a harp has 7 [{harp}].")
    (hit,) = answer.citations.values()
    assert [passage.text for passage in hit.cited] == [FIRST, LAST]


def test_a_picture_without_words_has_an_empty_passage(check):
    answer = check("It is blue all over [{blue}].")
    (hit,) = answer.citations.values()
    assert [(passage.text, passage.span) for passage in hit.cited] == [("", (0, 0))]


def test_a_recordings_passage_has_the_seconds_of_its_words():
    pytest.importorskip("pocketsphinx")
    with MultimodalRAG(preset="offline") as rag:
        rag.index([TALK])
        answer = rag.ask("when does the model ship workshop start?")
        (hit,) = answer.citations.values()
        (passage,) = hit.cited
        assert passage.text == LESSON
        assert hit.chunk.start <= passage.start < passage.end <= hit.chunk.end
        sent = answer.prompt
        part = Answer("?", f"“workshop starts on thursday” [{hit.rank}]", answer.hits, prompt=sent)
        ((inner,),) = [one.cited for one in checked(part, rag._by(None)[0]).citations.values()]
        assert passage.start < inner.start < inner.end < passage.end


# -- not in the sources ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "abstained"),
    [
        (f"{ABSENT} The price is not in the sources.", True),
        (f"{ABSENT} The price is not in them; nearest is the ferry [{{ferry}}].", True),
        ("The evidence does not say what it costs.", True),
        ("The evidence does not say what it costs [77].", True),
        ("The evidence does not say what it costs; the ferry leaves at noon [{ferry}].", False),
        ("It costs nothing.", False),
        ("It leaves at noon [{ferry}]. The sources do not say what it costs.", False),
    ],
)
def test_not_in_the_sources_is_an_answer(check, text, abstained):
    answer = check(text)
    assert answer.abstained == abstained
    assert not answer.text.startswith(ABSENT)
    assert check(text, check=False).abstained == abstained


def test_nothing_is_claimed_by_an_answer_that_has_none(check):
    assert check(f"{ABSENT} The price is not in the sources.").claims == ()


# -- statements --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "supported", "reason"),
    [
        ("A concert harp has 47 strings [{harp}].", True, ""),
        ("“A concert harp has forty-seven strings” [{harp}].", True, ""),
        ("A concert harp has 40 strings [{harp}].", False, "40 is not in [{harp}]"),
        ("The ferry to Sandvik leaves at noon [{ferry}].", False, "Sandvik is not in [{ferry}]"),
        ("It carries cars [{ferry}].", False, "“no” is missing, as it stands in [{ferry}]"),
        ("The ferry leaves at noon and serves hot soup [{ferry}].", False, "“serves hot soup” is not in [{ferry}]"),
        ("Penguins swim well [{harp}].", False, "[{harp}] does not say this"),
        ("Penguins swim well [{ferry}][{harp}].", False, "[{ferry}] and [{harp}] do not say this"),
        ("The ferry leaves at noon [77].", False, "rests on [77] alone, which was not sent"),
        ("Penguins swim well.", False, "cites nothing, and nothing found says it"),
        ("The ferry leaves at noon.", True, ""),
        ("Yes [{harp}].", None, ""),
        ("Well.", None, ""),
        ("According to the text, a harp has seven pedals [{harp}].", True, ""),
        ("Die Harfe hat 47 Saiten und sie ist schön [{harp}].", None, ""),
    ],
)
def test_each_sentence_is_held_against_what_it_cites(check, found, text, supported, reason):
    (claim,) = check(text).claims
    assert claim.supported is supported
    assert claim.reason == reason.format(**found[1])


def test_a_claim_has_its_place_and_numbers(check, found):
    answer = check("First. A concert harp has 47 strings [{harp}, 77]. The ferry leaves at noon.")
    claim = answer.claims[1]
    assert answer.text[slice(*claim.span)] == f"A concert harp has 47 strings [{found[1]['harp']}, 77]."
    assert claim.text == "A concert harp has 47 strings."
    assert claim.cites == (found[1]["harp"],)
    assert claim.overlap == pytest.approx(1)
    assert claim.likeness is None, "words were enough"
    assert answer.claims[2].cites == ()


def test_one_mark_at_the_end_of_a_paragraph_covers_it(check, found):
    answer = check("A concert harp has 47 strings. It has seven pedals [{harp}]. Penguins swim well.")
    assert [claim.supported for claim in answer.claims] == [True, True, False]
    assert answer.claims[0].cites == (found[1]["harp"],)


def test_what_words_leave_open_is_embedded(check):
    (claim,) = check("Skarholm can be reached after lunch by taking the ferry [{ferry}].").claims
    assert claim.likeness is not None
    assert claim.overlap < 0.8


def test_words_disprove_nothing_that_a_picture_may_show(check):
    for takes in ((), ("image",)):
        (claim,) = check("Two penguins of 1,200 swim there [{blue}].", takes=takes).claims
        assert claim.supported is None or claim.likeness >= NEAR
        assert claim.reason == ""
    (claim,) = check("The gate has 9 signs [{sign}].").claims
    assert claim.supported is False, "of a picture that was not sent, the words were all there was"
    (claim,) = check("The gate has 9 signs [{sign}].", takes=("image",)).claims
    assert claim.supported is None


def test_an_answer_without_prompt_is_not_checked(rag, found):
    answer = checked(Answer("?", "Penguins swim well [1].", found[0]), rag._by(None)[0])
    assert answer.claims == ()
    assert 1 in answer.citations


def test_an_emptied_index_leaves_it_open():
    with MultimodalRAG(preset="offline", clip="none") as rag:
        rag.index([{"text": FERRY}])
        hits = rag.search("ferry", k=1)
        sent = (evidence(hits[0], rag._catalog),)
        rag.remove("*")
        answer = Answer("?", "The ferry brings people to Skarholm [1].", hits, prompt=Prompt("?", "", sent))
        (claim,) = checked(answer, rag._by(None)[0]).claims
        assert claim.likeness is None


@pytest.mark.parametrize("hostile", ["Penguins swim [{harp}]. " * 8_000, "penguin " * 25_000, "p{harp} " * 60_000])
def test_no_answer_takes_long_to_check(check, hostile):
    start = time.perf_counter()
    check(hostile)
    assert time.perf_counter() - start < 10


def test_quotations_cost_next_to_nothing(check):
    text = "“A concert harp has forty-seven strings and seven pedals.” [{harp}] “It carries 120 passengers” [{ferry}]"
    spent = []
    for _ in range(20):
        start = time.perf_counter()
        answer = check(text)
        spent.append(time.perf_counter() - start)
    assert [claim.likeness for claim in answer.claims] == [None, None]
    assert min(spent) < 0.02
