"""Each injected fault, over both of Google's SDKs: the right error, in time, the requests counted, the key unseen."""

import logging
import threading
import time
import traceback
from urllib.parse import quote

import pytest
from gemini_faults import FAULTS, of_legacy

from mmrag_nb.errors import GenerationError
from mmrag_nb.generation.gemini import GeminiGenerator
from mmrag_nb.generation.gemini_legacy import GeminiLegacyGenerator
from mmrag_nb.generation.keys import Secret
from mmrag_nb.types import Generation

CANARY = "AIza-canary/7+x%Zq=9"
ATTEMPTS = 3
TIMEOUT = 0.8  # seconds, where it is waited for


@pytest.fixture(params=[GeminiGenerator, GeminiLegacyGenerator], ids=["google-genai", "google-generativeai"])
def kind(request):
    if not request.param.installed():
        pytest.skip(f"{request.param.sdk} is not installed")
    return request.param


@pytest.fixture
def said_aside(caplog, capfd):
    """All that was logged, at any level, or written to the standard streams."""
    caplog.set_level(logging.DEBUG)
    return lambda: [*(str(record.__dict__) for record in caplog.records), *capfd.readouterr()]


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


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_ends_as_it_has_to(kind, server, prompt, fault, said_aside):
    fault = of_legacy(fault) if kind is GeminiLegacyGenerator else fault
    timeout = TIMEOUT if fault.waits else 20.0
    generator = kind(
        "gemini-flash-latest",
        key=Secret(CANARY, "GOOGLE_API_KEY"),
        base_url=server.url,
        timeout=timeout,
        attempts=ATTEMPTS,
        delay=0.01,
    )
    generator._prepare()  # the SDK's import is not the server's fault
    before = set(threading.enumerate())
    server.play(*fault.script)
    shown, whole, failure, took = ask(generator, prompt)

    assert type(failure) is (fault.error or type(None)), failure
    assert len(server.asked) == fault.asked(ATTEMPTS)
    least, most = (0.9 * timeout, timeout + 1.5) if fault.waits else fault.seconds
    assert least <= took <= most
    if failure is None:
        assert whole.text == fault.text
        assert shown.strip() == whole.text
        assert whole.trouble.startswith(fault.trouble)
        assert bool(whole.trouble) == bool(fault.trouble)
        seen = [repr(whole), whole.sent]
    else:
        assert whole is None
        assert fault.told in str(failure)
        assert "\n" not in str(failure)
        assert shown.startswith(fault.text)
        assert bool(shown) == bool(fault.text)
        assert failure.__cause__ is None
        assert failure.__context__ is None  # an SDK's exception holds its request, headers and all
        seen = [str(failure), repr(failure), _traceback(failure)]

    for text in [*seen, *said_aside()]:
        assert CANARY not in text
        assert quote(CANARY, safe="") not in text
    # requests tells nobody of a connection before the head of the reply has come
    if kind is GeminiGenerator or fault.script[-1].before is None:
        assert _within(2, lambda: all(request.ended for request in server.asked)), "it has hung up"
        assert _within(2, lambda: not _workers() - before), "nothing goes on behind"


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
