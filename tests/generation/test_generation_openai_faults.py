"""Each injected fault of a Chat Completions server: the right error, in time, the requests counted, the key unseen."""

import logging
import threading
import time
import traceback
from urllib.parse import quote

import pytest
from openai_faults import FAULTS
from openai_server import MODEL, OpenAIServer

from mmrag_nb.errors import GenerationError
from mmrag_nb.generation.keys import Secret
from mmrag_nb.generation.openai import OpenAIGenerator
from mmrag_nb.types import Generation

CANARY = "sk-canary/7+x%Zq=9"
ATTEMPTS = 3
TIMEOUT = 0.8  # seconds, where it is waited for


@pytest.fixture(scope="module", autouse=True)
def _imported():
    """The SDK's import is not the server's fault."""
    import openai  # noqa: F401


@pytest.fixture
def openai_server():
    server = OpenAIServer()
    yield server
    server.close()


def ask(generator, prompt):
    """(pieces of text, the whole or ``None``, the error or ``None``, seconds)."""
    shown, whole, failure = [], None, None
    begin = time.monotonic()
    try:
        for piece in generator.stream(prompt):
            assert whole is None, "nothing comes after the whole"
            if isinstance(piece, Generation):
                whole = piece
            else:
                shown.append(piece)
    except GenerationError as error:
        failure = error
    return "".join(shown), whole, failure, time.monotonic() - begin


def test_there_are_enough_faults_and_each_has_a_name_of_its_own():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 20


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_ends_as_it_has_to(openai_server, prompt, fault, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    timeout = TIMEOUT if fault.waits else 20.0
    generator = OpenAIGenerator(
        MODEL,
        key=Secret(CANARY, "OPENAI_API_KEY"),
        base_url=openai_server.url,
        timeout=timeout,
        attempts=ATTEMPTS,
        delay=0.01,
    )
    before = set(threading.enumerate())
    openai_server.play(*fault.script)
    shown, whole, failure, took = ask(generator, prompt)

    assert type(failure) is (fault.error or type(None)), failure
    assert len(openai_server.asked) == fault.asked(ATTEMPTS)
    least, most = (0.9 * timeout, timeout + 1.5) if fault.waits else fault.seconds
    assert least <= took <= most
    if failure is None:
        assert shown.rstrip() == whole.text == fault.text
        assert whole.trouble.startswith(fault.trouble)
        assert bool(whole.trouble) == bool(fault.trouble)
        seen = [repr(whole), whole.sent]
    else:
        assert fault.told in str(failure)
        assert "\n" not in str(failure)
        assert shown.startswith(fault.text)
        assert bool(shown) == bool(fault.text)
        assert failure.__cause__ is None
        assert failure.__context__ is None  # the SDK's exception holds its request, headers and all
        seen = [str(failure), repr(failure), _traceback(failure)]

    seen += [str(record.__dict__) for record in caplog.records]
    seen += [*capfd.readouterr(), repr(generator), repr(vars(generator))]
    for text in seen:
        assert CANARY not in text
        assert quote(CANARY, safe="") not in text
    assert _within(2, lambda: all(request.ended for request in openai_server.asked)), "it has hung up"
    assert _within(0.5, lambda: not _workers() - before), "nothing goes on behind"


def _traceback(failure) -> str:
    """With the variables of each frame, as ``%xmode Verbose`` shows them."""
    return "".join(traceback.TracebackException.from_exception(failure, capture_locals=True).format())


def _workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "mmrag-generate"}


def _within(seconds, holds) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()
