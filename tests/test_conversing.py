"""Questions follow each other, and an event loop goes on while they are answered."""

import asyncio
import threading
import time

import pytest
from writers import Writer, writing

from mmrag_nb import MultimodalRAG
from mmrag_nb.conversing import last
from mmrag_nb.errors import EmptyIndex, GenerationUnavailable, MMRagError
from mmrag_nb.types import Generation, Turn

FIRST = "how many books has Paradise Lost?"

pytestmark = pytest.mark.usefixtures("writers_listed")


@pytest.fixture
def rag(rag_of_texts):
    return rag_of_texts


class Answering(Writer):
    """Rewrites a follow-up as it is told, and answers the rest with its pieces."""

    rewritten = "Who wrote Paradise Lost?"

    def stream(self, prompt):
        if "last question" in prompt.instructions:
            self.prompts.append(prompt)
            yield Generation(self.rewritten, self.model)
        else:
            yield from super().stream(prompt)


# -- conversation --------------------------------------------------------------------------------------------------


def test_a_follow_up_is_looked_for_in_full(rag):
    writer = writing(rag, Answering("Twelve [1]."))
    chat = rag.chat()
    chat.ask(FIRST)
    answer = chat.ask("and who wrote it?")
    assert answer.question == "and who wrote it?"
    assert answer.asked_as == "Who wrote Paradise Lost?"
    assert "John Milton" in answer.hits[0].chunk.text
    prompt = writer.prompts[-1]
    assert prompt.question == "Who wrote Paradise Lost?"
    assert prompt.history[0].question == FIRST
    assert prompt.history[0].answer.startswith("Twelve")
    assert "[1]" not in prompt.history[0].answer, "numbers of evidence that is gone"
    assert answer.notes == ("history: 1 of 1 earlier questions (at most 2,000 tokens)",)


def test_without_a_model_a_follow_up_leans_on_the_question_before(rag):
    chat = rag.chat()
    chat.ask(FIRST)
    answer = chat.ask("and who wrote it?")
    assert answer.asked_as == f"{FIRST} and who wrote it?"
    assert "John Milton wrote it" in answer.text
    assert chat.ask("when does the ferry to the island leave?").asked_as == ""


def test_what_is_said_next_knows_the_question_in_full(rag):
    writing(rag, Answering("Twelve [1]."))
    chat = rag.chat()
    chat.ask(FIRST)
    chat.ask("and who wrote it?")
    assert [turn.question for turn in chat.turns] == [FIRST, "Who wrote Paradise Lost?"]
    assert [answer.question for answer in chat.answers] == [FIRST, "and who wrote it?"]
    chat.clear()
    assert chat.turns == ()
    assert chat.ask("and who wrote it?").asked_as == ""


def test_the_history_has_a_budget_that_is_told(rag):
    writer = writing(rag, Answering("word " * 60))
    rag.settings.history_tokens = 100
    chat = rag.chat()
    for _ in range(3):
        chat.ask(FIRST)
    assert len(writer.prompts[-1].history) == 1
    assert chat.answers[-1].notes == ("history: 1 of 2 earlier questions (at most 100 tokens)",)


def test_a_failed_rewriting_is_said_and_the_answer_comes_all_the_same(rag):
    class Failing(Answering):
        def stream(self, prompt):
            if "last question" in prompt.instructions:
                raise GenerationUnavailable("the provider is down")
            yield from super().stream(prompt)

    writing(rag, Failing("John Milton [1]."))
    chat = rag.chat()
    chat.ask(FIRST)
    answer = chat.ask("and who wrote it?")
    assert answer.asked_as == f"{FIRST} and who wrote it?"
    assert answer.text == "John Milton [1]."
    assert "not rewritten: the provider is down" in answer.notes


def test_what_broke_off_is_remembered_as_far_as_it_came(rag):
    writing(rag, Answering("Twelve books", GenerationUnavailable("the provider is down")))
    chat = rag.chat()
    with pytest.raises(GenerationUnavailable):
        chat.ask(FIRST)
    assert chat.turns == (Turn(FIRST, "Twelve books"),)


def test_ctrl_c_leaves_what_had_come_in_the_conversation(rag):
    writing(rag, Answering("Twelve books", KeyboardInterrupt()))
    chat = rag.chat()
    with pytest.raises(KeyboardInterrupt):
        chat.ask(FIRST)
    assert chat.turns == (Turn(FIRST, "Twelve books"),)


def test_what_failed_before_any_word_is_forgotten(rag):
    writing(rag, Answering(GenerationUnavailable("the provider is down")))
    chat = rag.chat()
    with pytest.raises(GenerationUnavailable):
        chat.ask(FIRST)
    assert chat.turns == ()


def test_a_stream_that_nobody_followed_to_its_end_is_forgotten(rag):
    writing(rag, Answering("Twelve ", "books [1]."))
    chat = rag.chat()
    answers = chat.stream(FIRST)
    next(answers), next(answers)
    answers.close()
    assert chat.turns == ()


def test_two_conversations_do_not_mix_and_neither_takes_anothers_history(rag):
    one, other = rag.chat(), rag.chat()
    one.ask(FIRST)
    assert other.ask("and who wrote it?").asked_as == ""
    with pytest.raises(MMRagError, match="history"):
        one.ask("and who wrote it?", history=[Turn("a?", "b")])


# -- an event loop -------------------------------------------------------------------------------------------------


def test_the_loop_goes_on_while_an_answer_is_written(rag):
    class Slow(Writer):
        def stream(self, prompt):
            time.sleep(0.3)
            yield from super().stream(prompt)

    writing(rag, Slow())
    beats = []

    async def beat():
        while True:
            beats.append(time.monotonic())
            await asyncio.sleep(0.02)

    async def both():
        beating = asyncio.create_task(beat())
        answer = await rag.aask(FIRST, k=1)
        beating.cancel()
        return answer

    answer = asyncio.run(both())
    assert answer.text == "Written [1]."
    assert len(answer.hits) == 1
    assert not answer.writing
    assert len(beats) >= 5


def test_several_at_once_are_written_at_once_each_to_its_question(rag):
    together = threading.Barrier(3, timeout=10)

    class Echo(Writer):
        def stream(self, prompt):
            together.wait()  # broken, an error, where they wait for each other
            yield Generation(f"{prompt.question} [1]", self.model)

    writing(rag, Echo())
    questions = [FIRST, "how many strings has a harp?", "when does the ferry leave?"]

    async def all_of_them():
        return await asyncio.gather(*(rag.aask(question) for question in questions))

    answers = asyncio.run(all_of_them())
    assert [answer.text for answer in answers] == [f"{question} [1]" for question in questions]
    assert ["books" in answers[0].hits[0].chunk.text, "harp" in answers[1].hits[0].chunk.text] == [True, True]
    assert "ferry" in answers[2].hits[0].chunk.text


def test_errors_reach_who_awaits(rag):
    writing(rag, Writer("Twelve", GenerationUnavailable("the provider is down")))
    with pytest.raises(GenerationUnavailable) as caught:
        asyncio.run(rag.aask(FIRST))
    assert caught.value.answer.text == "Twelve"
    with MultimodalRAG(preset="offline", clip="none") as empty, pytest.raises(EmptyIndex):
        asyncio.run(empty.aask(FIRST))


def test_cancelled_the_generator_stops_at_its_next_piece(rag):
    begun, ended = threading.Event(), threading.Event()
    pieces = []

    class Endless(Writer):
        def stream(self, prompt):
            try:
                for number in range(1_000):
                    pieces.append(number)
                    yield "word "
                    begun.set()
                    time.sleep(0.01)
            finally:
                ended.set()

    writing(rag, Endless())

    async def cancelled():
        asking = asyncio.create_task(rag.aask(FIRST))
        await asyncio.to_thread(begun.wait, 10)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return len(pieces)

    written = asyncio.run(cancelled())
    assert ended.wait(10)
    assert len(pieces) <= written + 2


def test_cancelled_before_it_was_asked_no_generator_is():
    searching, found = threading.Event(), threading.Event()
    asked = []

    def stream():
        searching.set()
        found.wait(10)
        yield "the evidence"
        asked.append("a generator")
        yield "the answer"

    async def cancelled():
        asking = asyncio.create_task(last(stream))
        await asyncio.to_thread(searching.wait, 10)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        found.set()

    asyncio.run(cancelled())  # waits for the thread
    assert asked == []
