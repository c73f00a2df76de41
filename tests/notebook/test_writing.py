"""An answer that grows in a real kernel, from a real server: what is seen on the way, and what is left of it."""

import io
import sys
from itertools import pairwise

import pytest
from bs4 import BeautifulSoup
from cells import outputs
from slow_server import serving
from writers import Writer

from mmrag_nb.errors import INTERRUPTED, GenerationError, GenerationInterrupted
from mmrag_nb.generation.metering import Spent
from mmrag_nb.notebook.render import writing as drawn
from mmrag_nb.notebook.render.facts import cost, estimated, spent
from mmrag_nb.notebook.writing import Writing
from mmrag_nb.parts import Parts
from mmrag_nb.results import Answer, Hits
from mmrag_nb.types import Estimate

HARP = "A concert harp has forty-seven strings and seven pedals."
ALLOWED = set("section style div p br ul ol li strong code pre small span em table thead tbody tr th td".split())
QUESTION = "%mmrag_ask how many strings has a harp?"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    pytest.importorskip("ipykernel")
    pytest.importorskip("openai")
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(cwd=str(tmp_path_factory.mktemp("kernel")))
    outputs(
        client,
        f"%load_ext mmrag_nb\n%config MMRag.preset = 'offline'\n%mmrag_index {{{{[{HARP!r}, 'A ferry.']}}}} -o _report",
    )
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def slow(kernel):
    """A server that the kernel's generator asks."""
    with serving() as server:
        outputs(kernel[1], f"%config MMRag.generator = 'openai:slow'\n%config MMRag.base_url = '{server.url}'")
        outputs(kernel[1], f"{QUESTION} -o _")  # loaded, so that nothing is told of that below
        yield server


def grown(shown):
    """The texts of the display that grows, one after the other."""
    pages = [BeautifulSoup(data["text/html"], "html.parser").select_one(".mm-writing") for data in shown]
    return [(page.select_one(".mm-answer") or BeautifulSoup("", "html.parser")).get_text() for page in pages if page]


def test_the_evidence_comes_before_the_first_word_and_once(kernel, slow):
    slow.pause = 0.12
    cell, shown = outputs(kernel[1], QUESTION)
    first, second = shown[:2]
    assert "asking" in first["text/plain"]
    assert "about " in first["text/plain"], "the estimate"
    assert "forty-seven" in second["text/plain"]
    assert sum("mm-evidence" in data["text/html"] for data in shown) == 1
    texts = grown(shown)
    assert texts[0] == ""
    assert len(texts) >= 4
    assert all(b.startswith(a) for a, b in pairwise(texts))
    assert max(len(data["text/html"]) for data in shown if data is not second) < 5_000, "what grows is small"
    (result,) = cell
    assert result["kind"] == "execute_result"
    assert "wings [9: not sent]" in result["data"]["text/plain"]
    assert "writing" not in result["data"]["text/plain"]


def test_what_comes_fast_is_shown_ten_times_a_second_at_most(kernel, slow):
    slow.text, slow.pause = "word " * 300, 0.003
    cell, shown = outputs(kernel[1], QUESTION)
    assert len(grown(shown)) < 25
    card = BeautifulSoup(cell[0]["data"]["text/html"], "html.parser")
    assert card.select_one(".mm-answer").get_text().count("word") == 300


@pytest.mark.parametrize("code", [f"{QUESTION} --out found", f"found = {QUESTION}"])
def test_an_answer_that_gets_a_name_leaves_nothing(kernel, slow, code):
    slow.pause = 0.05
    cell, shown = outputs(kernel[1], code)
    assert shown
    assert cell == []
    assert "forty-seven" in outputs(kernel[1], "found.text")[0][0]["data"]["text/plain"]


def test_with_out_nothing_of_the_answer_is_shown_on_the_way(kernel, slow):
    slow.pause = 0.05
    _, shown = outputs(kernel[1], f"{QUESTION} --out found")
    assert shown[0]["text/plain"].startswith("writing words")
    assert "forty" not in "".join(data["text/plain"] for data in shown)


def test_what_else_the_cell_has_shown_stays(kernel, slow):
    slow.pause = 0.05
    cell, _ = outputs(kernel[1], f"print('before')\n{QUESTION}")
    kinds = [one["kind"] for one in cell]
    assert kinds == ["stream", "display_data", "display_data", "execute_result"]
    assert [one["data"] for one in cell[1:3]] == [{"text/plain": "", "text/html": ""}] * 2


def test_ctrl_c_keeps_what_had_come_and_fails_the_cell(kernel, slow):
    manager, client = kernel
    slow.stall = 4
    interrupted = []

    def interrupt(text):
        if not interrupted and "concert harp has" in text and "writing, " in text:
            interrupted.append(text)
            manager.interrupt_kernel()

    cell, _ = outputs(client, QUESTION, interrupt)
    assert interrupted
    assert [one["kind"] for one in cell] == ["display_data", "error"]
    told = cell[0]["data"]["text/plain"]
    assert "A concert harp has" in told
    assert "interrupted" in told
    assert "«strings»" in told, "the evidence"
    assert cell[1]["traceback"] == ["KeyboardInterrupt"]
    assert slow.left.wait(5), "nobody asks on behind it"


def test_a_server_that_breaks_off_leaves_the_evidence_and_one_line(kernel, slow):
    client = kernel[1]
    outputs(client, "%config MMRag.timeout = 1.5")
    slow.stall = 4
    cell, _ = outputs(client, QUESTION)
    outputs(client, "%config MMRag.timeout = 60")
    assert [one["kind"] for one in cell] == ["display_data", "stream"]
    assert cell[1]["text"].startswith("UsageError: ")
    assert cell[1]["text"].strip().count("\n") == 0
    told = cell[0]["data"]["text/plain"]
    for part in ("A concert harp has", "The answer may be incomplete.", "«strings»"):
        assert part in told


def test_a_conversation_is_kept_and_begun_anew(kernel, slow):
    client = kernel[1]
    outputs(client, f"{QUESTION} --chat --new")
    slow.text = "How many pedals has a concert harp?"
    cell, _ = outputs(client, "%mmrag_ask and how many pedals? --chat")
    assert "looked for: How many pedals has a concert harp?" in cell[0]["data"]["text/plain"]
    assert "1 of 1 earlier questions" in cell[0]["data"]["text/plain"].replace("\n", " ")
    cell, _ = outputs(client, "%mmrag_ask and how many pedals? --chat --new")
    assert "looked for" not in cell[0]["data"]["text/plain"]
    outputs(client, "%mmrag_status -o status")
    assert "requests" in outputs(client, "status.settings['spent so far']")[0][0]["data"]["text/plain"]


def test_a_notebook_that_is_run_as_a_whole_keeps_the_card_once(slow, tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    slow.pause = 0.05
    cells = [
        "%load_ext mmrag_nb\n%config MMRag.preset = 'offline'",
        f"%config MMRag.generator = 'openai:slow'\n%config MMRag.base_url = '{slow.url}'",
        f"%mmrag_index {{{{[{HARP!r}]}}}} -o report",
        QUESTION,
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    nbclient.NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    (card,) = notebook.cells[-1].outputs
    assert card.output_type == "execute_result"
    assert 'aria-label="answer with evidence' in card.data["text/html"]
    assert 'class="mm-writing"' not in card.data["text/html"]
    nbformat.validate(notebook)


# -- in a shell --------------------------------------------------------------------------------------------------------


def with_writer(monkeypatch, *pieces):
    writer = Writer(*pieces)
    monkeypatch.setattr(Parts, "generator", lambda self, progress=None: (writer, ""))
    return writer


def test_an_instant_generator_shows_nothing_on_the_way(shell, monkeypatch):
    shown = []
    monkeypatch.setattr(Writing, "_draw", lambda self, answer: shown.append(answer))
    shell.run_cell('%mmrag_index {{"A harp."}}')
    assert shell.run_cell("%mmrag_ask what has a harp?").success
    assert not shown


def test_on_a_terminal_the_words_are_counted(shell, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    with_writer(monkeypatch, "It is ", "a harp [1].")
    shell.run_cell('%mmrag_index {{"A harp."}}')
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert shell.run_cell("%mmrag_ask what has a harp?").result.text == "It is a harp [1]."
    written = sys.stderr.getvalue()
    assert "writing words" in written
    assert not written.rpartition("\r")[2].strip(), "nothing is left of it"


def test_ctrl_c_between_two_pieces_keeps_the_answer_so_far(monkeypatch):
    answers = (Answer("what?", text, Hits(()), writing=True) for text in ("", "A harp [3]"))
    monkeypatch.setattr(Writing, "_draw", lambda self, answer: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(GenerationInterrupted) as caught, Writing(object()) as writing:
        writing.follow(answers)
    answer = caught.value.answer
    assert (answer.text, answer.trouble, answer.writing) == ("", INTERRUPTED, False)
    assert next(answers, None) is None, "the generator was closed"


def test_an_error_with_a_name_for_the_answer_binds_it(shell, capsys, monkeypatch):
    with_writer(monkeypatch, "A harp ", GenerationError("the server went away"))
    shell.run_cell('%mmrag_index {{"A harp."}}')
    capsys.readouterr()
    assert not shell.run_cell("%mmrag_ask what has a harp? --out found").success
    printed = capsys.readouterr()
    assert (printed.out + printed.err).strip() == "UsageError: the server went away"
    assert shell.user_ns["found"].text == "A harp "


def test_new_goes_with_chat(shell, capsys):
    shell.run_cell('%mmrag_index {{"A harp."}}')
    capsys.readouterr()
    assert not shell.run_cell("%mmrag_ask what has a harp? --new").success
    assert "it goes with --chat" in "".join(capsys.readouterr())


def test_another_index_is_another_conversation(shell):
    shell.run_cell('%mmrag_index {{"A harp has 47 strings."}}')
    shell.run_cell("%mmrag_ask how many strings has a harp? --chat")
    assert shell.run_cell("%mmrag_ask and what has it? --chat").result.asked_as
    shell.run_cell("%mmrag_reset --discard")
    shell.run_cell('%mmrag_index {{"A ferry."}}')
    assert not shell.run_cell("%mmrag_ask and what has it? --chat").result.asked_as


# -- how it is drawn ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimate", "told"),
    [
        (None, ""),
        (Estimate(1932, 0.004), "about 1,900 tokens, at most $0.004"),
        (Estimate(45, 0.0), "about 45 tokens"),
        (Estimate(123_456, None), "about 120,000 tokens, at a price that is not known"),
        (Estimate(1, 0.00001), "about 1 token, at most <$0.0001"),
    ],
)
def test_the_estimate_pretends_to_no_more_than_it_knows(estimate, told):
    assert estimated(estimate) == told


def test_tokens_and_money():
    assert cost({"input_tokens": 1240, "output_tokens": 85}, 0.0007) == "1,240 tokens in, 85 out, $0.0007"
    assert cost({"input_tokens": 1, "output_tokens": 2}, None) == "1 token in, 2 out"
    assert cost({}, None) == cost({}, 0.0) == ""
    assert spent(Spent()) == ""
    assert spent(Spent(2, 300, 20, 1.5, 1)) == "2 requests, 300 tokens in, 20 out, $1.50 and 1 request of unknown price"


def test_hostile_text_stays_text_while_it_is_written():
    from hostile import HOSTILE

    for text in HOSTILE:
        page = BeautifulSoup(drawn.page(Answer(text, text, Hits(()), generator=text, writing=True)), "html.parser")
        assert not page.select("img, script, iframe, a, [onerror], [onload]")
        assert {one.name for one in page.select("*")} <= ALLOWED
