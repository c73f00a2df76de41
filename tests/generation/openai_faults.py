"""What can go wrong between a question and the answer of a server of Chat Completions, and how that has to end."""

from typing import Any

from faults import TEXT, Fault
from loopback import CHATTER, CUT, DRIP, HANG, RESET, WAIT, Raw, Reply
from openai_server import DONE, answer, chunk, counts, error, stream

from mmrag_nb.errors import (
    GenerationBlocked,
    GenerationBroken,
    GenerationDenied,
    GenerationEmpty,
    GenerationLimited,
    GenerationRefused,
    GenerationTimeout,
    GenerationUnavailable,
    UnknownModel,
)

ELSEWHERE = "http://elsewhere.example"


_BEGUN = chunk("It is ")
_ROLE = chunk(role="assistant", content="")
_NO_EYES = "image input is not supported - hint: you may need to provide the mmproj"


def _refusals() -> list[Fault]:
    absent = error(404, "The model `x` does not exist, {key}", code="model_not_found")
    too_long = error(400, "This model's maximum context length is 4096 tokens", code="context_length_exceeded")
    filtered = error(400, "The prompt was filtered", code="content_filter")
    elsewhere = Reply(307, body="", headers={"Location": f"{ELSEWHERE}/v1/chat/completions?token=t"})
    return [
        Fault("400", (error(400, "bad request, said {key}"), answer()), GenerationRefused, "(400: bad request"),
        Fault("401", (error(401, "wrong key {key}"), answer()), GenerationDenied, "does not accept <key from"),
        Fault("403", (error(403, "{key} may not"), answer()), GenerationDenied, "does not accept <key from"),
        Fault("404", (absent, answer()), UnknownModel, "there are gpt-6"),
        Fault("404 of the address", (Reply(404, body="404 page not found"),), GenerationRefused, "ends in /v1"),
        Fault("413", (error(413, "too large"), answer()), GenerationRefused, "fewer hits"),
        Fault("422", (error(422, "cannot be"), answer()), GenerationRefused, "(422: cannot be)"),
        Fault("a model without eyes", (error(500, _NO_EYES), answer()), GenerationRefused, 'MMRag.media = "none"'),
        Fault("too long a question", (too_long, answer()), GenerationRefused, "fewer hits"),
        Fault("a blocked question", (filtered, answer()), GenerationBlocked, "blocked the question"),
        Fault("a redirection elsewhere", (elsewhere, answer()), GenerationRefused, f"sends on to {ELSEWHERE},"),
    ]


def _outages() -> list[Fault]:
    quota = error(429, "no credit, {key}", code="insufficient_quota")
    soon, late = ({"Retry-After": "1"}, {"Retry-After": "3600"})
    return [
        *(
            Fault(
                f"{status}", (error(status, "overloaded, {key}"),), GenerationUnavailable, f"({status}: ", requests=None
            )
            for status in (408, 500, 503, 504, 529)
        ),
        Fault("501", (error(501, "not here"), answer()), GenerationUnavailable, "cannot do this"),
        Fault(
            "502, a proxy's page",
            (Reply(502, body="<html>\n<h1>Bad gateway</h1> {key}\n</html>"),),
            GenerationUnavailable,
            "(502: Bad gateway",
            requests=None,
        ),
        Fault("503 once", (error(503), answer()), text=TEXT, requests=2),
        Fault("429", (error(429, "slow down, {key}"),), GenerationLimited, "no more requests for now", requests=None),
        Fault("429, no credit", (quota, answer()), GenerationLimited, "credit is used up"),
        Fault("429, back in a second", (error(429, headers=soon), answer()), text=TEXT, requests=2, seconds=(0.95, 5)),
        Fault("429, back in an hour", (error(429, headers=late),), GenerationLimited, "in 3600 s"),
    ]


def _breaks() -> list[Fault]:
    half = Raw(b'data: {"id": "c-1", "choi')
    page = Reply(body="<html>busy, {key}</html>", headers={"Content-Type": "text/html"})
    died = {"message": "engine died, {key}", "code": 500}
    limited = {"message": "slow down", "code": "rate_limit_exceeded"}
    broken: dict[str, Any] = {"error": GenerationBroken, "told": "did not hold"}
    unreadable: dict[str, Any] = {"error": GenerationBroken, "told": "cannot be read"}
    return [
        Fault("reset before the reply", (Reply(before=RESET),), requests=None, **broken),
        Fault("reset once", (Reply(before=RESET), answer()), text=TEXT, requests=2),
        Fault("closed without a reply", (Reply(before=CUT),), requests=None, **broken),
        Fault("reset before the text", (stream(_ROLE, WAIT, RESET), answer()), text=TEXT, requests=2),
        Fault("reset while it thinks", (stream(chunk(reasoning="hm"), WAIT, RESET), answer()), **broken),
        Fault("reset in mid-stream", (stream(_BEGUN, WAIT, RESET),), text="It is ", **broken),
        Fault("closed in mid-stream", (stream(_BEGUN, WAIT, CUT),), text="It is ", **broken),
        Fault("half an event, closed", (stream(_BEGUN, half, WAIT, CUT),), text="It is ", **broken),
        Fault("half an event", (stream(half),), requests=None, **broken),
        Fault("half an event in mid-stream", (stream(_BEGUN, half),), text="It is", trouble="broke off: "),
        Fault("bad JSON", (stream(Raw(b"data: {nonsense, {key}}\n\n")),), **unreadable),
        Fault("bad JSON in mid-stream", (stream(_BEGUN, Raw(b"data: {\n\n")),), text="It is ", **unreadable),
        Fault("JSON of another shape", (stream([1, 2]),), **unreadable),
        Fault("bytes that are no UTF-8", (stream(Raw(b'data: "caf\xe9"\n\n')),), **unreadable),
        Fault("a page in place of a stream", (page,), GenerationBroken, "text/html in place of a stream"),
        Fault("JSON in place of a stream", (Reply(body={}),), GenerationBroken, "application/json in place"),
        Fault("nothing at all", (stream(),), requests=None, **broken),
        Fault("broken after its end", (stream(_BEGUN, chunk(reason="stop"), WAIT, RESET),), text="It is"),
        Fault("an error for a reply", (stream({"error": died}),), GenerationUnavailable, "(500: engine", requests=None),
        Fault(
            "an error in mid-stream", (stream(_BEGUN, {"error": died}),), GenerationUnavailable, "engine", text="It is "
        ),
        Fault("a limit in mid-stream", (stream(_BEGUN, {"error": limited}),), GenerationLimited, "slow", text="It is "),
    ]


def _silences() -> list[Fault]:
    late: dict[str, Any] = {"error": GenerationTimeout, "told": "did not answer within", "waits": True}
    cut: dict[str, Any] = {**late, "told": "still writing after"}
    return [
        Fault("a hang before the reply", (Reply(before=HANG),), **late),
        Fault("a hang after the status line", (stream(HANG),), **late),
        Fault("a hang in mid-stream", (stream(_BEGUN, HANG),), text="It is ", **cut),
        Fault("a slow drip", (stream(DRIP),), **late),
        Fault("a slow drip in mid-stream", (stream(_BEGUN, DRIP),), text="It is ", **cut),
        Fault("text without end", (stream(_BEGUN, CHATTER),), text="It is and on ", **cut),
        Fault("an error, then a hang", (error(503), Reply(before=HANG)), requests=2, **late),
    ]


def _ends() -> list[Fault]:
    no = chunk(refusal="I can't help with that, {key}.")
    return [
        Fault("no choices", (stream(counts(), DONE),), GenerationEmpty, "empty answer"),
        Fault("no text", (stream(chunk(reason="stop"), DONE),), GenerationEmpty, "empty answer"),
        Fault("blanks alone", (answer(" ", "\n"),), GenerationEmpty, "empty answer"),
        Fault(
            "thoughts alone",
            (stream(chunk(reasoning="hm"), chunk(reason="length"), DONE),),
            GenerationEmpty,
            "raise %config MMRag.max_tokens",
        ),
        Fault("content_filter", (stream(chunk(reason="content_filter")),), GenerationBlocked, "the provider's filter"),
        Fault("a refusal", (stream(no, chunk(reason="stop"), DONE),), GenerationBlocked, "I can't help"),
        Fault("tool_calls", (stream(chunk(reason="tool_calls"), DONE),), GenerationEmpty, "the reason tool_calls"),
        Fault("length after text", (answer("It is ", reason="length"),), text="It is", trouble="cut off: "),
        Fault(
            "content_filter after text",
            (answer("It is ", reason="content_filter"),),
            text="It is",
            trouble="stopped by the provider's filter",
        ),
        Fault(
            "a refusal after text", (stream(_BEGUN, no, chunk(reason="stop")),), text="It is", trouble="the model would"
        ),
        Fault(
            "an unknown finish reason",
            (answer("It is ", reason="bad_weather, {key}"),),
            text="It is",
            trouble="stopped: it gives the reason bad_weather",
        ),
        Fault("no finish reason", (stream(_BEGUN),), text="It is", trouble="broke off: "),
        Fault("totals for a finish reason", (stream(_BEGUN, counts(), DONE),), text="It is"),
    ]


def _oddities() -> list[Fault]:
    torn = "a\u2028b\u0085c"
    return [
        Fault("a huge event", (answer("x" * 50_000),), text="x" * 50_000, seconds=(0, 10)),
        Fault("a separator that ends lines elsewhere", (answer(torn),), text=torn),
    ]


FAULTS = [*_refusals(), *_outages(), *_breaks(), *_silences(), *_ends(), *_oddities()]
