"""An answer grows before one's eyes: the evidence first, then the text, the whole checked; what breaks off stays."""

import time
from _thread import interrupt_main

import pytest
from writers import Billed, Closing, Writer, writing

from mmrag_nb import MultimodalRAG
from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.errors import (
    GenerationBroken,
    GenerationDenied,
    GenerationEmpty,
    GenerationError,
    GenerationInterrupted,
    GenerationUnavailable,
    SpendLimitReached,
)
from mmrag_nb.generation.metering import SESSION
from mmrag_nb.types import Turn

DEMO = demo_folder()
QUESTION = "how many strings does a concert harp have?"
SAID = Turn("how many books has Paradise Lost?", "Twelve [1].")

pytestmark = pytest.mark.usefixtures("writers_listed")


@pytest.fixture
def rag(rag_of_texts):
    return rag_of_texts


# -- growing -------------------------------------------------------------------------------------------------------


def test_the_evidence_is_there_before_the_generator_is_asked(rag):
    writer = writing(rag, Writer("It has ", "forty-seven [1]."))
    answers = rag.stream(QUESTION)
    first = next(answers)
    assert writer.prompts == []
    assert first.writing
    assert first.text == ""
    assert "forty-seven strings" in first.hits[0].chunk.text
    assert first.prompt.question == QUESTION
    assert first.estimate.input_tokens == 10
    answers.close()
    assert writer.prompts == []


def test_the_text_grows_and_the_whole_is_checked(rag):
    writing(rag, Writer("It has ", "forty-seven [1]", " and more [9]."))
    first, *growing, last = rag.stream(QUESTION)
    assert [one.text for one in growing] == [
        "It has ",
        "It has forty-seven [1]",
        "It has forty-seven [1] and more [9].",
    ]
    assert all(one.writing and not one.citations and not one.claims for one in growing)
    assert all(one.hits is first.hits for one in growing)
    assert not last.writing
    assert last.text == growing[-1].text
    assert last.citations[1].chunk == first.hits[0].chunk
    assert last.invalid == (9,)
    assert set(last.timings) >= {"embed", "search", "generate"}


def test_what_is_told_at_the_end_is_the_answers(rag):
    told = {"usage": {"input_tokens": 7, "output_tokens": 3}, "sent": "all of it", "trouble": "cut off at the limit"}
    writing(rag, Writer("Some ", **told))
    answer = rag.ask(QUESTION)
    assert (answer.usage, answer.sent, answer.trouble) == tuple(told.values())
    assert answer.generator == "writer"
    assert answer.dollars == 0


def test_what_quotes_at_once_yields_once(rag):
    rag.settings.generator = "extractive"
    (only,) = rag.stream(QUESTION)
    assert not only.writing
    assert only.text == "“A concert harp has forty-seven strings and seven pedals.” [1]"
    assert list(only.citations) == [1]


def test_what_the_sources_do_not_hold_is_said_as_an_answer(rag):
    writing(rag, Writer("[no", "ne] The sources do not", " say."))
    *growing, last = rag.stream(QUESTION)
    assert [one.text for one in growing] == ["", "", "The sources do not", "The sources do not say."]
    assert last.abstained
    assert last.text == "The sources do not say."
    assert len(last.hits) > 0


@pytest.mark.parametrize("said", ["[none]. The sources do not say.", "[None]: The sources do not say."])
def test_a_point_after_the_mark_goes_with_it(rag, said):
    writing(rag, Writer(said))
    answer = rag.ask(QUESTION)
    assert answer.abstained
    assert answer.text == "The sources do not say."


def test_where_nothing_answers_no_generator_is_asked(rag):
    writer = writing(rag, Writer())
    (only,) = rag.stream("what does a giraffe eat on the moon?")
    assert only.abstained
    assert "MMRag.abstain" in only.text
    assert writer.prompts == []
    rag.settings.abstain = False
    assert rag.ask("what does a giraffe eat on the moon?").text == "Written [1]."


# -- breaking off --------------------------------------------------------------------------------------------------


def test_what_came_before_a_failure_is_kept_with_the_evidence(rag):
    writing(rag, Writer("It has forty-seven [1]", GenerationUnavailable("the provider is down")))
    with pytest.raises(GenerationUnavailable) as caught:
        rag.ask(QUESTION)
    kept = caught.value.answer
    assert kept.text == "It has forty-seven [1]"
    assert kept.error == "the provider is down"
    assert list(kept.citations) == [1]
    assert not kept.writing
    assert "generate" in kept.timings


def test_a_failure_before_any_text_keeps_the_evidence(rag):
    writing(rag, Writer(GenerationUnavailable("the provider is down")))
    answers = rag.stream(QUESTION)
    first = next(answers)
    with pytest.raises(GenerationUnavailable) as caught:
        next(answers)
    assert caught.value.answer.hits == first.hits
    assert caught.value.answer.text == ""


def test_a_question_that_the_generator_cannot_be_given_keeps_the_evidence(rag):
    class Unfit(Writer):
        def tokens(self, prompt):
            raise GenerationBroken("its template is damaged")

    writing(rag, Unfit())
    with pytest.raises(GenerationBroken) as caught:
        rag.ask(QUESTION)
    assert "forty-seven strings" in caught.value.answer.hits[0].chunk.text
    assert caught.value.answer.error == "its template is damaged"


def test_a_prompts_file_that_was_damaged_meanwhile_keeps_the_evidence(rag, tmp_path):
    writing(rag, Writer())
    file = tmp_path / "mine.yaml"
    file.write_text("instructions: Be brief.")
    rag.settings.prompt = str(file)
    file.write_text("instruction: Be brief, please.")
    with pytest.raises(GenerationError, match="did you mean 'instructions'") as caught:
        rag.ask(QUESTION)
    assert "forty-seven strings" in caught.value.answer.hits[0].chunk.text


@pytest.mark.parametrize("history", [(), (SAID,)])
@pytest.mark.parametrize(("generator", "variable"), [("gemini", "GOOGLE_API_KEY"), ("openai", "OPENAI_API_KEY")])
def test_what_cannot_be_a_key_keeps_the_evidence(rag, monkeypatch, generator, variable, history):
    pytest.importorskip({"gemini": "google.genai"}.get(generator, generator))
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv(variable, "two words")
    rag.settings.generator = generator
    with pytest.raises(GenerationDenied, match=f"{variable} does not hold a key") as caught:
        rag.ask(QUESTION, history=history)
    assert "forty-seven strings" in caught.value.answer.hits[0].chunk.text


def test_an_index_that_is_emptied_meanwhile_does_not_cost_the_answer():
    pytest.importorskip("torch")
    with MultimodalRAG(preset="offline", abstain=False) as rag:
        rag.index([DEMO / "emoji" / "drawing_02.png"])
        writing(rag, Writer("An apple [1]."))
        answers = rag.stream("a red apple")
        next(answers)
        rag.remove("*")
        *_, last = answers
        assert last.text == "An apple [1]."


def test_ctrl_c_keeps_what_had_come(rag):
    writing(rag, Writer("It has forty-seven [1]", KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt) as caught:
        rag.ask(QUESTION)
    assert isinstance(caught.value, GenerationInterrupted)
    assert caught.value.answer.text == "It has forty-seven [1]"
    assert caught.value.answer.trouble.startswith("interrupted")
    assert list(caught.value.answer.citations) == [1]


def test_ctrl_c_while_pictures_are_looked_at_keeps_the_whole_text(rag, monkeypatch):
    def regions(explaining, hits, query):
        time.sleep(0.2)
        interrupt_main()
        time.sleep(0.2)
        return hits

    monkeypatch.setattr("mmrag_nb.explaining.Explaining.regions", regions)
    writing(rag, Writer("It has forty-seven [1]."))
    with pytest.raises(KeyboardInterrupt) as caught:
        rag.ask(QUESTION)
    assert isinstance(caught.value, GenerationInterrupted)
    assert caught.value.answer.text == "It has forty-seven [1]."


def test_a_stream_that_ends_without_a_whole_is_no_answer(rag):
    class Breaking(Writer):
        def stream(self, prompt):
            yield "It has "

    writing(rag, Breaking())
    with pytest.raises(GenerationEmpty) as caught:
        rag.ask(QUESTION)
    assert caught.value.answer.text == "It has "


def test_closed_early_the_generator_stops(rag):
    writer = writing(rag, Closing("one ", "two ", "three "))
    answers = rag.stream(QUESTION)
    next(answers), next(answers)
    assert not writer.closed
    answers.close()
    assert writer.closed
    assert writer.taken == 1


# -- what is sent --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def media():
    pytest.importorskip("torch")
    pytest.importorskip("pocketsphinx")
    with MultimodalRAG(preset="offline", abstain=False) as rag:
        rag.index([DEMO / "emoji" / "drawing_02.png", DEMO / "lighthouse_talk.mp3", DEMO / "tuning_a_harp.md"])
        yield rag


def sent(prompt):
    return {medium.mime.split("/")[0] for one in prompt.evidence for medium in one.media}


@pytest.mark.parametrize(
    ("setting", "kinds"),
    [("auto", {"image", "audio"}), ("none", set()), ("image", {"image"}), ("audio", {"audio"})],
)
def test_media_go_as_they_are_as_far_as_the_setting_lets_them(media, setting, kinds):
    writer = writing(media, Writer())
    media.settings.media = setting
    media.ask("an apple, a lighthouse and a harp", k=20)
    (prompt,) = writer.prompts
    assert sent(prompt) == kinds
    assert {one.modality for one in prompt.evidence} == {"image", "audio", "text"}, "each is told in words all the same"


def test_what_a_generator_does_not_take_it_is_not_sent(media):
    class Deaf(Writer):
        takes = frozenset({"image"})

    writer = writing(media, Deaf())
    media.settings.media = "auto"
    media.ask("an apple, a lighthouse and a harp", k=20)
    media.settings.media = "audio"
    media.ask("an apple, a lighthouse and a harp", k=20)
    assert [sent(prompt) for prompt in writer.prompts] == [{"image"}, set()]


def test_the_setting_for_the_longest_answer_goes_along(rag):
    writer = writing(rag, Writer())
    rag.settings.max_tokens = 77
    rag.ask(QUESTION)
    assert writer.prompts[0].max_tokens == 77


# -- money ---------------------------------------------------------------------------------------------------------


USAGE = {"input_tokens": 1_000, "output_tokens": 100}


def test_an_answer_costs_what_its_session_counts(rag):
    writing(rag, Billed(usage=USAGE))
    rag.settings.price = {"input": 1.0, "output": 10.0}
    before = rag.spent
    answer = rag.ask(QUESTION)
    assert answer.dollars == pytest.approx(0.002)
    assert answer.estimate.dollars == pytest.approx((10 + 10 * rag.settings.max_tokens) / 1e6)
    assert rag.spent.requests - before.requests == 1
    assert rag.spent.dollars - before.dollars == pytest.approx(0.002)


def test_rewriting_a_follow_up_is_counted_with_its_answer(rag):
    writer = writing(rag, Billed("who wrote Paradise Lost?", usage=USAGE))
    rag.settings.price = {"input": 1.0, "output": 10.0}
    before = rag.spent
    answer = rag.ask("and who wrote it?", history=[SAID])
    assert len(writer.prompts) == 2
    assert answer.usage == {"input_tokens": 2_000, "output_tokens": 200}
    assert answer.dollars == pytest.approx(0.004)
    assert rag.spent.requests - before.requests == 2


def test_the_time_that_rewriting_took_is_not_the_searchs(rag):
    class Slow(Writer):
        def stream(self, prompt):
            time.sleep(0.3 if "last question" in prompt.instructions else 0)
            yield from super().stream(prompt)

    writing(rag, Slow(QUESTION))  # it stays as it is
    timings = rag.ask(QUESTION, history=[SAID]).timings
    assert timings["rewrite"] >= 0.3
    assert timings["embed"] < 0.3
    assert "rewrite" not in rag.ask(QUESTION).timings


def test_a_judge_is_counted(rag):
    writing(rag, Billed("1: 9\n2: 3", usage=USAGE))
    rag.settings.price = {"input": 1.0, "output": 10.0}
    rag.settings.reranker = "judge"
    before = rag.spent
    rag.search(QUESTION)
    assert rag.spent.requests - before.requests == 1
    assert rag.spent.dollars - before.dollars == pytest.approx(0.002)


def test_a_captioner_is_counted():
    pytest.importorskip("torch")
    before = SESSION.spent
    with MultimodalRAG(preset="offline", strategy="grounded", captioner="generator", ocr="none") as rag:
        writing(rag, Billed("A red apple.", usage=USAGE))
        rag.settings.price = {"input": 1.0, "output": 10.0}
        rag.index([DEMO / "emoji" / "drawing_02.png"])
        assert rag.search("an apple")[0].described["caption"] == "A red apple."
    assert SESSION.spent.requests - before.requests == 1


def test_beyond_the_limit_nothing_is_sent_and_the_evidence_is_kept(rag):
    writer = writing(rag, Billed(usage=USAGE))
    rag.settings.price = {"input": 1.0, "output": 10.0}
    rag.settings.spend_limit = rag.spent.dollars + 0.001
    with pytest.raises(SpendLimitReached) as caught:
        rag.ask(QUESTION)
    assert writer.prompts == []
    assert "forty-seven strings" in caught.value.answer.hits[0].chunk.text
    rag.settings.max_tokens = 16
    assert rag.ask(QUESTION).text == "Written [1]."


def test_a_limit_reached_by_a_follow_up_keeps_the_evidence(rag):
    writer = writing(rag, Billed(usage=USAGE))
    rag.settings.price = {"input": 1.0, "output": 10.0}
    rag.settings.spend_limit = rag.spent.dollars
    with pytest.raises(SpendLimitReached) as caught:
        rag.ask("and who wrote it?", history=[SAID])
    assert writer.prompts == []
    assert "John Milton" in caught.value.answer.hits[0].chunk.text


def test_the_limit_holds_for_what_another_strategy_asked_first(rag):
    writing(rag, Billed("1: 9\n2: 3", usage=USAGE))
    rag.settings.price = {"input": 1.0, "output": 10.0}
    rag.settings.reranker = "judge"
    rag.search(QUESTION, strategy="grounded")  # makes the generator
    rag.settings.reranker = "none"
    rag.settings.spend_limit = rag.spent.dollars
    with pytest.raises(SpendLimitReached):
        rag.ask(QUESTION)
