"""What OpenAI and the servers that speak like it mean by a failure: whether to ask again, what to tell the user."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mmrag_nb.errors import (
    GenerationBlocked,
    GenerationBroken,
    GenerationDenied,
    GenerationEmpty,
    GenerationError,
    GenerationLimited,
    GenerationRefused,
    GenerationUnavailable,
    UnknownModel,
)

from .attempts import Failure
from .http_rules import late, one_line, passing, retry_after, when
from .keys import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .keys import Secret
    from .openai_endpoint import Endpoint
    from .openai_replies import Reply

NO_KEY = f"no OpenAI key in {' or '.join(NAMES['openai'])}"
WHERE_KEYS_ARE = "https://platform.openai.com/api-keys"
_BILLING = "https://platform.openai.com/settings/organization/billing"
_MODELS = "https://developers.openai.com/api/docs/models"

_OUT_OF_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_BLOCKED = frozenset({"content_filter", "content_policy_violation"})
_ABOUT_MEDIA = re.compile(r"\b(images?|image_url|vision|multi-?modal|mmproj|audio|input_audio)\b", re.IGNORECASE)
_TOO_LONG = re.compile(r"context[ _](length|size|window)|maximum context|too many tokens", re.IGNORECASE)
_STOPPED = {"content_filter": "the provider's filter"}
_FEW = 8


@dataclass(frozen=True)
class Refusal(Failure):
    """A failure with the provider's own word for it."""

    code: str = ""
    """``insufficient_quota``, ``model_not_found``; ``refused``: no server listens; ``redirected``: it names another."""


@dataclass(frozen=True)
class Asked:
    """What a failed question was, as far as messages tell of it."""

    model: str
    where: Endpoint
    key: Secret | None
    timeout: float
    media: bool
    """Whether pictures or sound were sent."""

    @property
    def who(self) -> str:
        """Who was asked."""
        return "OpenAI" if self.where.official else self.where.place


def refused(status: int, body: object, headers: Mapping[str, str]) -> Refusal:
    """Read an HTTP status of 300 or more with its body: ``{"message", "code"}``, other JSON, or text."""
    message, code = _told(body)
    if status < 400:
        location = next((value for name, value in headers.items() if name.lower() == "location"), "")
        return Refusal(_origin(location), status=status, code="redirected")
    # llama.cpp and Ollama say with a 500 that the model has no eyes.
    blind = status == 500 and _ABOUT_MEDIA.search(message) is not None
    again = passing(status) and code not in _OUT_OF_CREDIT and not blind
    return Refusal(message, status=status, again=again, wait=retry_after(headers), code=code)


def reported(body: object) -> Refusal:
    """An error told within a stream that began well; its code may be a status."""
    message, code = _told(body)
    kind = str(body.get("type") or "") if isinstance(body, dict) else ""
    if re.fullmatch(r"[45]\d\d", code):
        return refused(int(code), body, {})
    if code in _OUT_OF_CREDIT or "rate_limit" in code + kind:
        return refused(429, body, {})
    if "invalid_request" in kind or code in _BLOCKED:
        return refused(400, body, {})
    return Refusal(message, status=500, again=True, code=code)


def broken(error: BaseException, *, here: bool = False) -> Refusal:
    """A connection that could not be made or did not hold; ``here`` to this machine, where nobody comes to listen."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(one, OSError) and one.errno == errno.ECONNREFUSED for one in causes):
        return Refusal("connection refused", again=not here, code="refused")
    return Refusal(f"the connection did not hold ({type(error).__name__}: {error})", again=True)


def explain(failure: Failure, asked: Asked, models: Callable[[], Sequence[str]], *, begun: bool) -> GenerationError:
    """The error for a failure told in one line, after some text or before any; ``models`` asks for their names."""
    if failure.timed_out:
        return late(asked.who, asked.timeout, begun=begun)
    said = failure.message
    code = failure.code if isinstance(failure, Refusal) else ""
    if failure.status is None:
        return GenerationBroken(_no_server(asked) if code == "refused" else f"{asked.who}: {said}{_tries(failure)}")
    if code == "redirected":
        return GenerationRefused(
            f"{asked.who} sends on to {said}, where neither key nor evidence follows: if you trust it, set "
            "%config MMRag.base_url to its address"
        )
    if code == "model_not_found" or (failure.status == 404 and "model" in said.lower()):
        return UnknownModel(_unknown(asked, models()))
    return _by_status(failure, failure.status, code, said, asked)


def _by_status(failure: Failure, status: int, code: str, said: str, asked: Asked) -> GenerationError:
    told = f"{status}: {said}"
    if code in _BLOCKED:
        return GenerationBlocked(f"{asked.who} blocked the question or its evidence ({told}): ask otherwise")
    if status in {401, 403}:
        return GenerationDenied(_denied(status, told, asked))
    if status == 429:
        return GenerationLimited(_limited(failure, code, told, asked))
    if failure.again or status > 500:
        remedy = "ask again later" if failure.again else "it cannot do this"
        return GenerationUnavailable(f"{asked.who} failed{_tries(failure)} ({told}): {remedy}")
    return GenerationRefused(f"{asked.who} does not take this request ({told}): {_way_on(status, said, asked)}")


def whole(reply: Reply, asked: Asked) -> str:
    """Why what was written is not whole; empty where it is.

    Raises
    ------
    GenerationBlocked
        The model would not answer, or its provider did not let it.
    GenerationEmpty
        Nothing was written.
    """
    if reply.refusal:
        return _blocked(reply, f"the model would not answer ({one_line(reply.refusal)})", asked)
    if reply.reason in _STOPPED:
        return _blocked(reply, f"stopped by {_STOPPED[reply.reason]}", asked)
    if reply.reason == "length":
        if not reply.text:
            raise GenerationEmpty(
                f"{asked.who} used up its tokens before it wrote an answer, thinking takes some: raise "
                "%config MMRag.max_tokens"
            )
        return "cut off: the model reached its limit of tokens, thinking included; raise %config MMRag.max_tokens"
    odd = "" if reply.reason in {"", "stop"} else f"it gives the reason {one_line(reply.reason, 60)}"
    if not reply.text:
        raise GenerationEmpty(f"{asked.who} gave an empty answer{', ' if odd else ''}{odd}: ask again")
    if not reply.ended:
        return f"broke off: {asked.who} ended the reply without saying that it was finished; ask again"
    return f"stopped: {odd}; ask again or otherwise" if odd else ""


def _blocked(reply: Reply, why: str, asked: Asked) -> str:
    if not reply.text:
        raise GenerationBlocked(f"{asked.who} gave no answer, {why}: ask otherwise")
    return why


def _told(body: object) -> tuple[str, str]:
    """``(message, code)``."""
    if not isinstance(body, dict):
        return str(body or "no reason given"), ""
    inner: Any = body.get("error", body)
    if not isinstance(inner, dict):
        return str(inner), ""
    message = inner.get("message") or inner.get("detail") or inner.get("type") or "no reason given"
    return str(message), str(inner.get("code") or "")


def _no_server(asked: Asked) -> str:
    where = asked.where
    if where.ollama:
        start = "start Ollama (ollama serve)"
    elif where.reach == "public":
        start = "is it up?"
    else:
        start = f"start one (llama-server -m MODEL.gguf --port {where.port}, or vllm serve MODEL --port {where.port})"
    return f"no server listens at {where.place}: {start}, or set %config MMRag.base_url to where there is one"


def _unknown(asked: Asked, models: Sequence[str]) -> str:
    near = get_close_matches(asked.model, models, n=3, cutoff=0.4)
    if not near and len(models) <= _FEW:
        near = sorted(models)
    there = f"there are {', '.join(near)}" if near else ""
    if asked.where.ollama:
        choose = f", or choose: {there}" if there else ""
        return f"Ollama has no model {asked.model!r}: ollama pull {asked.model}{choose}"
    if asked.where.official:
        there = there or f"choose one of {_MODELS}"
        return f"OpenAI has no model {asked.model!r} for this key, it is misspelt or retired: {there}"
    there = there or 'name the one it serves (%config MMRag.generator = "openai:NAME")'
    return f"{asked.who} has no model {asked.model!r}: {there}"


def _denied(status: int, told: str, asked: Asked) -> str:
    if asked.key is None and not asked.where.trusted:
        return (
            f"{asked.who} wants a key ({status}), and keys are not sent unencrypted: serve it over https, or bring its "
            f"port to this machine (ssh -L {asked.where.port or 80}:localhost:{asked.where.port or 80} HOST) and set "
            "%config MMRag.base_url to that"
        )
    if asked.key is None:
        return f"{asked.who} wants a key ({status}): set {NAMES['openai'][0]}, or give it to %mmrag_key openai"
    remedy = f"make one at {WHERE_KEYS_ARE}" if asked.where.official else f"set {NAMES['openai'][0]} to one of its own"
    # OpenAI's 401 quotes the ends of the key, so it is not passed on.
    return f"{asked.who} does not accept {asked.key!r} ({status if status == 401 else told}): {remedy}"


def _tries(failure: Failure) -> str:
    return f" after {failure.tries} attempts" if failure.tries > 1 else ""


def _limited(failure: Failure, code: str, told: str, asked: Asked) -> str:
    if code in _OUT_OF_CREDIT:
        where = f" at {_BILLING}" if asked.where.official else ""
        return f"{asked.who}: this key's credit is used up ({told}): add some{where}, asking again does not help"
    return f"{asked.who} takes no more requests for now{_tries(failure)} ({told}): ask again {when(failure.wait)}"


def _way_on(status: int, said: str, asked: Asked) -> str:
    if status in {404, 405}:
        return "is this the address of its API? %config MMRag.base_url mostly ends in /v1"
    if asked.media and _ABOUT_MEDIA.search(said):
        return 'choose a model that sees, or send words alone with %config MMRag.media = "none"'
    if status == 413 or _TOO_LONG.search(said):
        return 'ask with fewer hits (-k 3), or send words alone with %config MMRag.media = "none"'
    return "ask otherwise, or choose another model"


def _origin(location: str) -> str:
    """Scheme and host of ``location`` alone: the rest may hold what is nobody's business."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "another place"
