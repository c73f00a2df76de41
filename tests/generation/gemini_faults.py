"""What can go wrong between a question and Gemini's answer, and how that has to end."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from faults import TEXT, Fault
from gemini_server import answer, ended, error, said
from loopback import CHATTER, CUT, DRIP, HANG, RESET, WAIT, Raw, Reply

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

ELSEWHERE = "http://localhost:9/elsewhere"
"""Where redirections lead: to nobody."""


def _date(seconds: float) -> str:
    # reckoned when this is imported, a whole run of tests before it may be sent
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds), usegmt=True)


def _stream(*events) -> tuple[Reply, ...]:
    return (Reply(events=events),)


def _refusals() -> list[Fault]:
    wrong_key = error(400, "API key not valid: {key}. Please pass a valid API key.")
    return [
        Fault("400", (error(400, "bad request, said {key}"), answer()), GenerationRefused, "(400: bad request"),
        Fault("400 for the key", (wrong_key, answer()), GenerationDenied, "aistudio.google.com/apikey"),
        Fault("401", (error(401, "who are you, {key}?"), answer()), GenerationDenied, "does not accept <key from"),
        Fault("403", (error(403, "{key} may not"), answer()), GenerationDenied, "does not accept <key from"),
        Fault("404", (error(404, "no such model, {key}"), answer()), UnknownModel, "gemini-3-flash"),
        Fault("413", (error(413, "too large"), answer()), GenerationRefused, "fewer hits"),
        Fault(
            "a redirection elsewhere",
            (Reply(302, "over there", {"Location": ELSEWHERE}), answer()),
            GenerationRefused,
            "set base_url",
        ),
    ]


def _outages() -> list[Fault]:
    retry = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3600s"}]
    failed = [
        Fault(f"{status}", (error(status, "overloaded, {key}"),), GenerationUnavailable, f"({status}: ", requests=None)
        for status in (408, 500, 503, 504)
    ]
    return [
        *failed,
        Fault("501", (error(501, "not here"), answer()), GenerationUnavailable, "(501: not here)"),
        Fault(
            "502, a proxy's page",
            (Reply(502, "<html>\n<h1>Bad gateway</h1> {key}\n</html>"),),
            GenerationUnavailable,
            "Bad gateway",
            requests=None,
        ),
        Fault("503 once", (error(503), answer()), text=TEXT, requests=2),
        Fault("429", (error(429, "quota, {key}"),), GenerationLimited, "quota is used up after", requests=None),
        Fault(
            "429, back in a second",
            (error(429, headers={"Retry-After": "1"}), answer()),
            text=TEXT,
            requests=2,
            seconds=(0.95, 5),
        ),
        Fault("429, back in an hour", (error(429, headers={"Retry-After": "3600"}),), GenerationLimited, "in 3600 s"),
        Fault("429, back at a time", (error(429, headers={"Retry-After": _date(79_999)}),), GenerationLimited, "in 7"),
        Fault("429, back in an hour by the body", (error(429, details=retry),), GenerationLimited, "in 3600 s"),
    ]


def _breaks() -> list[Fault]:
    begun = said("It is ")
    return [
        Fault("reset before the reply", (Reply(before=RESET),), GenerationBroken, "connection failed", requests=None),
        Fault("reset once", (Reply(before=RESET), answer()), text=TEXT, requests=2),
        Fault("closed without a reply", (Reply(before=CUT),), GenerationBroken, "after", requests=None),
        Fault("reset in mid-stream", _stream(begun, WAIT, RESET), GenerationBroken, "connection failed", text="It is "),
        Fault(
            "reset while it thinks",
            (Reply(events=(said("Hmm.", thought=True), WAIT, RESET)), answer()),
            text=TEXT,
            requests=2,
            # the older SDK does not tell thoughts from text
            legacy=Fault("", (), GenerationBroken, "connection failed", text="Hmm."),
        ),
        Fault("closed in mid-stream", _stream(begun, WAIT, CUT), GenerationBroken, "connection failed", text="It is "),
        Fault(
            "half an event",
            _stream(begun, Raw(b'{"candidates": [{"conte')),
            GenerationBroken,
            "cannot be read",
            text="It is ",
        ),
        Fault("bad JSON", _stream(Raw(b'{"candidates": [}')), GenerationBroken, "cannot be read"),
        Fault(
            "bad JSON in mid-stream",
            _stream(begun, Raw(b'{"candidates": ?}'), ended()),
            GenerationBroken,
            "cannot be read",
            text="It is ",
        ),
        Fault("a page in place of JSON", (Reply(body="<html>busy, {key}</html>"),), GenerationBroken, "cannot be read"),
        Fault(
            "JSON of another shape",
            _stream([1, 2]),
            GenerationEmpty,
            "without text",
            legacy=Fault("", (), GenerationBroken, "cannot be read"),
        ),
        Fault("broken after its end", _stream(begun, ended(text="Turlough [1]."), WAIT, RESET), text=TEXT),
        Fault(
            "an error in mid-stream",
            _stream(begun, {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}),
            GenerationUnavailable,
            "(503: overloaded)",
            text="It is ",
            # the older SDK passes it over
            legacy=Fault("", (), text="It is", trouble="broke off"),
        ),
    ]


def _silences() -> list[Fault]:
    begun = said("It is ")
    late = {"error": GenerationTimeout, "waits": True}
    return [
        Fault("a hang before the reply", (Reply(before=HANG),), told="did not answer within", **late),
        Fault("a hang after the status line", _stream(HANG), told="did not answer within", **late),
        Fault("a hang in mid-stream", _stream(begun, HANG), told="still writing after", text="It is ", **late),
        Fault("a slow drip", _stream(DRIP), told="did not answer within", **late),
        Fault("a slow drip in mid-stream", _stream(begun, DRIP), told="still writing after", text="It is ", **late),
        Fault("text without end", _stream(begun, CHATTER), told="still writing after", text="It is and on ", **late),
        Fault("an error, then a hang", (error(503), Reply(before=HANG)), requests=2, told="did not answer", **late),
    ]


def _refusals_of_content() -> list[Fault]:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}}
    begun = said("It is ")
    return [
        Fault("an empty body", _stream(), GenerationEmpty, "without text"),
        Fault("no candidates", _stream({"candidates": []}), GenerationEmpty, "without text"),
        Fault("an empty text", _stream(ended()), GenerationEmpty, "without text"),
        Fault("blanks alone", _stream(said(" \n"), ended()), GenerationEmpty, "without text", text=" \n"),
        Fault("the prompt is blocked", _stream(blocked), GenerationBlocked, "blocked the question or its evidence"),
        Fault("SAFETY", _stream(ended("SAFETY")), GenerationBlocked, "kept its answer back (SAFETY)"),
        Fault("RECITATION", _stream(ended("RECITATION")), GenerationBlocked, "(RECITATION)"),
        Fault("PROHIBITED_CONTENT", _stream(ended("PROHIBITED_CONTENT")), GenerationBlocked, "(PROHIBITED_CONTENT)"),
        Fault("MAX_TOKENS without text", _stream(ended("MAX_TOKENS")), GenerationEmpty, "raise max_tokens"),
        Fault("another reason without text", _stream(ended("OTHER")), GenerationEmpty, "it stopped (OTHER)"),
        Fault("SAFETY after text", _stream(begun, ended("SAFETY")), text="It is", trouble="stopped: Gemini kept"),
        Fault(
            "RECITATION after text", _stream(begun, ended("RECITATION")), text="It is", trouble="stopped: Gemini kept"
        ),
        Fault("MAX_TOKENS after text", _stream(begun, ended("MAX_TOKENS")), text="It is", trouble="cut off: "),
        Fault(
            "an unknown finish reason",
            _stream(begun, ended("BAD_WEATHER")),
            text="It is",
            trouble="stopped: Gemini gives the reason BAD_WEATHER",
            legacy=Fault("", (), text="It is", trouble="stopped: Gemini gives the reason 99"),
        ),
        Fault("no finish reason", _stream(begun), text="It is", trouble="broke off: "),
    ]


def _oddities() -> list[Fault]:
    odd = b'{"candidates": [{"content": {"parts": [{"text": "caf\xe9"}]}}]}'
    return [
        Fault("bytes that are no UTF-8", _stream(Raw(odd), ended()), text="caf\ufffd"),
        Fault("a huge event", _stream(ended(text="x" * 50_000)), text="x" * 50_000, seconds=(0, 10)),
        Fault("a separator that ends lines elsewhere", _stream(ended(text="a\u2028b\u0085c")), text="a\u2028b\u0085c"),
    ]


FAULTS = [*_refusals(), *_outages(), *_breaks(), *_silences(), *_refusals_of_content(), *_oddities()]


def of_legacy(fault: Fault) -> Fault:
    """``fault`` as it ends through the older SDK."""
    if fault.legacy is None:
        return fault
    other = fault.legacy
    return replace(fault, error=other.error, told=other.told, text=other.text, trouble=other.trouble, requests=1)
