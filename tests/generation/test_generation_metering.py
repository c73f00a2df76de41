"""What generators cost is told before, counted after, and kept within the limit, however many ask at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from writers import Billed, Closing, Writer

from mmrag_nb.errors import (
    GenerationBlocked,
    GenerationDenied,
    GenerationEmpty,
    GenerationLimited,
    GenerationTimeout,
    GenerationUnavailable,
    SpendLimitReached,
)
from mmrag_nb.generation.metering import Ledger, Limits, Metered, Spent
from mmrag_nb.types import Evidence, Generation, Preview, Prompt

PRICE = {"input": 1.0, "output": 10.0}
USAGE = {"input_tokens": 2_000, "output_tokens": 300}
COST = 0.002 + 0.003
PROMPT = Prompt("why?", "Answer.", (), max_tokens=1_000)
MOST = 10e-6 + 0.01
"""What ``PROMPT`` may cost at ``PRICE``, by a writer's ten tokens."""


def metered(writer, most=None, price=PRICE, ledger=None):
    ledger = ledger or Ledger()
    return Metered(writer, lambda: Limits(most, price), ledger), ledger


def whole(generator, prompt=PROMPT):
    *_, last = generator.stream(prompt)
    return last


# -- before --------------------------------------------------------------------------------------------------------


def test_an_estimate_is_of_the_longest_answer():
    generator, ledger = metered(Billed())
    assert generator.estimate(PROMPT).input_tokens == 10
    assert generator.estimate(PROMPT).dollars == pytest.approx(MOST)
    assert ledger.spent == Spent()


def test_what_runs_here_costs_nothing_and_what_is_unknown_is_said():
    assert metered(Writer())[0].estimate(PROMPT).dollars == 0
    assert metered(Billed(), price={})[0].estimate(PROMPT).dollars is None


def test_sound_is_estimated_by_its_own_price():
    pytest.importorskip("genai_prices")

    class Hearing(Writer):
        api = "https://generativelanguage.googleapis.com"
        model = "gemini-2.5-flash"

        def tokens(self, prompt):
            return 1_000 + 100_000 * sum(len(one.media) for one in prompt.evidence)

    clip, picture = Preview("audio/mpeg", b"clip"), Preview("image/jpeg", b"picture")
    generator, _ = metered(Hearing(), price={})
    seen = Prompt("why?", "", (Evidence(1, "a", "image", "", (picture,)),), max_tokens=16)
    heard = Prompt("why?", "", (Evidence(1, "a", "audio", "", (clip,)),), max_tokens=16)
    written = 16 * 2.5e-6
    assert generator.estimate(seen).dollars == pytest.approx(101_000 * 0.3e-6 + written)
    assert generator.estimate(heard).dollars == pytest.approx(1_000 * 0.3e-6 + 100_000 * 1.0e-6 + written)
    assert generator.estimate(heard).input_tokens == 101_000


# -- after ---------------------------------------------------------------------------------------------------------


def test_counted_is_what_the_provider_says():
    generator, ledger = metered(Billed(usage=USAGE))
    assert whole(generator).dollars == pytest.approx(COST)
    whole(generator)
    assert ledger.spent == Spent(2, 4_000, 600, pytest.approx(2 * COST), 0)


def test_what_runs_here_is_not_made_to_count_its_tokens_again():
    class Local(Writer):
        def tokens(self, prompt):
            pytest.fail("a network's processor had to read the prompt")

    generator, ledger = metered(Local("Forty letters of English, all in all [1]. ", KeyboardInterrupt()), most=0.0)
    with pytest.raises(KeyboardInterrupt):
        whole(generator)
    assert ledger.spent == Spent(1, 0, 10, 0.0, 0)


def test_all_generators_of_a_ledger_are_counted_together():
    first, ledger = metered(Billed(usage=USAGE))
    second, _ = metered(Writer(usage=USAGE), ledger=ledger)
    whole(first)
    assert whole(second).dollars == 0
    assert ledger.spent.requests == 2
    assert ledger.spent.dollars == pytest.approx(COST)


def test_where_the_provider_tells_nothing_it_is_counted_about():
    generator, ledger = metered(Billed("Forty ", "letters of English, all in all [1]. "))
    assert whole(generator).dollars is None, "a guess is no price"
    assert ledger.spent.dollars > 0
    assert ledger.spent.input_tokens == 10
    assert 8 <= ledger.spent.output_tokens <= 12
    generator, ledger = metered(Billed("琴有四十七根弦"))
    whole(generator)
    assert ledger.spent.output_tokens >= 5, "a Chinese letter is more than a quarter of a token"


def test_without_a_price_it_is_counted_and_said():
    generator, ledger = metered(Billed(usage=USAGE), price={})
    assert whole(generator).dollars is None
    assert ledger.spent == Spent(1, 2_000, 300, 0.0, 1)


def test_an_alias_is_priced_by_what_answered_or_else_by_its_own_name():
    pytest.importorskip("genai_prices")

    class Google(Billed):
        api = "https://generativelanguage.googleapis.com"
        model = "gemini-2.5-flash"

        def stream(self, prompt):
            yield Generation("Yes.", self.pieces[0], {"input_tokens": 1_000_000})

    assert whole(metered(Google("gemini-2.5-pro"), price={})[0]).dollars == pytest.approx(2.5)
    assert whole(metered(Google("experiment-17"), price={})[0]).dollars == pytest.approx(0.3)


@pytest.mark.parametrize("error", [GenerationDenied, GenerationLimited, GenerationUnavailable])
def test_what_was_refused_or_failed_is_not_billed(error):
    generator, ledger = metered(Billed(error("no")))
    with pytest.raises(error):
        whole(generator)
    assert ledger.spent == Spent()


@pytest.mark.parametrize("error", [GenerationBlocked, KeyboardInterrupt])
def test_what_was_read_is_billed_though_nothing_came(error):
    generator, ledger = metered(Billed(error("no")))
    with pytest.raises(error):
        whole(generator)
    assert ledger.spent == Spent(1, 10, 0, pytest.approx(10e-6), 0)


@pytest.mark.parametrize("error", [GenerationTimeout, GenerationEmpty])
def test_what_may_have_been_thought_unseen_is_billed_as_the_most_it_can_be(error):
    generator, ledger = metered(Billed("word ", error("no")))
    with pytest.raises(error):
        whole(generator)
    assert ledger.spent == Spent(1, 10, 1_000, pytest.approx(MOST), 0)


@pytest.mark.parametrize("error", [GenerationUnavailable, KeyboardInterrupt])
def test_what_broke_off_is_billed_as_far_as_it_came(error):
    generator, ledger = metered(Billed("Forty letters of English, all in all [1]. ", error("no")))
    with pytest.raises(error):
        whole(generator)
    assert ledger.spent.requests == 1
    assert ledger.spent.output_tokens == pytest.approx(10, abs=1)


def test_closed_early_it_closes_the_generator_and_is_billed_once():
    class Watched(Closing, Billed):
        pass

    writer = Watched("Forty letters of English, all in all [1]. ", "more", usage=USAGE)
    generator, ledger = metered(writer, most=1.0)
    with closing(generator.stream(PROMPT)) as pieces:
        next(pieces)
    assert writer.closed
    assert ledger.spent.requests == 1
    with closing(generator.stream(PROMPT)) as pieces:
        while not isinstance(next(pieces), Generation):
            pass
    assert ledger.spent.requests == 2, "closed after the whole had come"
    assert generator._ledger.hold(0.9, 1.0), "nothing stays set aside"


# -- the limit -----------------------------------------------------------------------------------------------------


def test_what_could_overrun_the_limit_is_not_sent():
    writer = Billed(usage=USAGE)
    generator, ledger = metered(writer, most=0.9 * MOST)
    with pytest.raises(SpendLimitReached, match=r"0\.0100 .*1,000 written.*MMRag\.spend_limit higher") as caught:
        whole(generator)
    assert "$" not in str(caught.value), "a notebook makes TeX of what stands between two of them"
    assert writer.prompts == []
    assert ledger.spent == Spent()


def test_the_limit_in_force_is_the_one_of_the_moment():
    limit = [0.0]
    generator = Metered(Billed(usage=USAGE), lambda: Limits(limit[0], PRICE), Ledger())
    with pytest.raises(SpendLimitReached):
        whole(generator)
    limit[0] = 0.02
    whole(generator)
    limit[0] = None
    whole(generator)


def test_what_costs_nothing_goes_on_beyond_the_limit():
    billed, ledger = metered(Billed(usage=USAGE))
    whole(billed)
    free, _ = metered(Writer(), most=COST / 2, ledger=ledger)
    assert whole(free).text == "Written [1]."


def test_with_a_limit_no_unknown_price_is_risked(monkeypatch):
    writer = Billed()
    generator, _ = metered(writer, most=1.0, price={})
    with pytest.raises(SpendLimitReached, match=r"no price of 'writer'.*MMRag\.price = \{'input'.*spend_limit = None"):
        whole(generator)
    assert writer.prompts == []
    monkeypatch.setattr("mmrag_nb.generation.metering.listed", lambda: False)
    with pytest.raises(SpendLimitReached, match="pip install"):
        whole(generator)
    assert whole(metered(writer, most=1.0)[0]).text


def test_five_cents_are_enough_for_a_lesson():
    # A current small model and 4,096 tokens at most, of which an answer takes 300: the limit is never overrun, and
    # most of it can be used.
    class Small(Billed):
        def tokens(self, prompt):
            return 2_000

    generator, ledger = metered(Small(usage=USAGE), most=0.05, price={"input": 0.3, "output": 2.5})

    def lesson():
        while True:
            whole(generator, Prompt("why?", "", ()))

    with pytest.raises(SpendLimitReached):
        lesson()
    assert ledger.spent.requests >= 25
    assert 0.035 < ledger.spent.dollars <= 0.05


def test_many_at_once_stay_within_the_limit_together():
    everyone = threading.Barrier(20, timeout=10)
    going = threading.Event()

    class Slow(Billed):
        def stream(self, prompt):
            yield "Written "
            going.wait(10)
            yield Generation("Written [1].", self.model, {"input_tokens": 10, "output_tokens": 1_000})

    generator, ledger = metered(Slow(), most=5.5 * MOST)
    refused = []

    def ask(_):
        everyone.wait()
        try:
            whole(generator)
        except SpendLimitReached as error:
            refused.append(str(error))
            if len(refused) == 15:
                going.set()

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(ask, range(20)))
    assert ledger.spent.requests == 5
    assert ledger.spent.dollars == pytest.approx(5 * MOST)
    assert len(refused) == 15
    assert all("0.0500 set aside for 5 under way" in told for told in refused)
    assert ledger.hold(0.4 * MOST, 5.5 * MOST), "nothing stays set aside"


def test_what_failed_is_set_aside_no_longer():
    generator, ledger = metered(Billed(GenerationUnavailable("down")), most=1.5 * MOST)
    for _ in range(5):
        with pytest.raises(GenerationUnavailable):
            whole(generator)
    assert ledger.hold(1.4 * MOST, 1.5 * MOST)


def test_threads_lose_no_count():
    ledger = Ledger()

    def add(_):
        for _ in range(500):
            ledger.add({"input_tokens": 1, "output_tokens": 2}, 0.5)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(8)))
    assert ledger.spent == Spent(4_000, 4_000, 8_000, 2_000.0, 0)
