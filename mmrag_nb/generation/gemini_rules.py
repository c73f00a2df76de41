"""What Google's two SDKs share: when to try again, what to tell the user."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from contextlib import closing
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from mmrag_nb.errors import (
    GenerationBroken,
    GenerationDenied,
    GenerationLimited,
    GenerationRefused,
    GenerationUnavailable,
    InvalidSetting,
    NotInstalled,
    UnknownModel,
)
from mmrag_nb.types import Generation

from .attempts import Failure, persist, within
from .gemini_replies import read, trouble, without_text
from .gemini_tokens import tokens
from .http_rules import late, passing, redacted, retry_after, when
from .keys import NAMES, usable_key
from .prompt import describe, messages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmrag_nb.errors import GenerationError
    from mmrag_nb.types import Prompt, Stream

    from .keys import Secret
    from .prompt import Message

ROLES = {"user": "user", "assistant": "model"}
"""Who says a message, in Gemini's words."""

NO_KEY = f"no Gemini key in {' or '.join(NAMES['gemini'])}"

_WHERE_KEYS_ARE = "https://aistudio.google.com/apikey"
_MIME = {"audio/mpeg": "audio/mp3"}  # the name that Gemini's list of formats has
_LIST_SECONDS = 5.0
_SERVER_MINIMUM = 10  # seconds; Gemini refuses shorter deadlines with 400


class Gemini(ABC):
    """A generator over Gemini's ``generateContent``; a subclass per SDK does the talking.

    Parameters
    ----------
    model : str
        ``gemini-flash-latest``, with or without ``models/`` before it.
    key : Secret, optional
        Where absent, looked for at each question (:func:`keys.find_key`).
    base_url : str, optional
        Another server that speaks the same REST.
    timeout : float
        Seconds for a question, all attempts and pauses together.
    attempts : int
        At most so many requests for a question.
    delay : float
        Seconds before the second attempt, doubled each time; a server's ``Retry-After`` takes its place.

    Raises
    ------
    NotInstalled
        The SDK is absent.
    InvalidSetting
        ``timeout`` or ``attempts`` cannot be.
    """

    takes: ClassVar[frozenset[str]] = frozenset({"image", "audio"})
    side = 1536
    """Two tiles of 768 pixels: about what the tokens hold that a picture is given (:mod:`.gemini_tokens`)."""
    api = "https://generativelanguage.googleapis.com"
    instant = False
    sdk: ClassVar[str]
    extra: ClassVar[str]
    module: ClassVar[str]

    def __init__(
        self,
        model: str = "gemini-flash-latest",
        *,
        key: Secret | None = None,
        base_url: str | None = None,
        timeout: float = 60.0,
        attempts: int = 4,
        delay: float = 1.0,
    ) -> None:
        if not timeout > 0:
            raise InvalidSetting(f"timeout must be more than 0 seconds, not {timeout!r}")
        if attempts < 1:
            raise InvalidSetting(f"attempts must be 1 or more, not {attempts!r}")
        if not self.installed():
            raise NotInstalled(self.sdk, extra=self.extra)
        self.model = model.removeprefix("models/")
        self.base_url = base_url
        self.timeout = timeout
        self.attempts = attempts
        self.delay = delay
        self.description = f"{self.model} ({self.sdk})"
        self._key = key

    @classmethod
    def installed(cls) -> bool:
        """Whether the SDK can be imported; imports only the packages around it."""
        try:
            return find_spec(cls.module) is not None
        except ModuleNotFoundError:
            return False

    def tokens(self, prompt: Prompt) -> int:
        """About; see :class:`mmrag_nb.protocols.Generator`."""
        return tokens(self.model, [prompt.instructions, *(part for said in messages(prompt) for part in said.parts)])

    def stream(self, prompt: Prompt) -> Stream:
        """Ask the model; see :class:`mmrag_nb.protocols.Generator`.

        Raises
        ------
        GenerationError
            One of its kinds: no key, a refusal, a block, no reply, or none that can be used.
        """
        key = self._key or usable_key("gemini")
        if key is None:
            raise GenerationDenied(
                f"{NO_KEY}: make one at {_WHERE_KEYS_ARE} and set one of these (in Colab: a secret), or type it after "
                "%mmrag_key gemini"
            )
        self._prepare()
        laid = messages(prompt)
        pieces = persist(
            # The SDK's own timeout only ends the thread that was left behind; ours comes first.
            lambda left: read(self._events(prompt, laid, key, left + 1), key.redact),
            # Redacted at once: tracebacks can show the variables of each frame that a failure comes through.
            lambda error: redacted(self._judge(error), key),
            attempts=self.attempts,
            seconds=self.timeout,
            delay=self.delay,
        )
        begun = False
        # Raised outside any ``except``: the SDKs' exceptions hold requests with the key and must not be chained.
        with closing(pieces):
            for piece in pieces:
                if isinstance(piece, Failure):
                    raise self._error(piece, key, begun=begun)
                if isinstance(piece, str):
                    begun = True
                    yield piece
                    continue
                if not piece.text:
                    raise without_text(piece, prompt.max_tokens)
                yield Generation(
                    text=piece.text,
                    model=key.redact(piece.model) or self.model,
                    usage=piece.usage,
                    sent=describe(prompt, laid),
                    trouble=trouble(piece, prompt.max_tokens),
                )

    @abstractmethod
    def _prepare(self) -> None:
        """Import the SDK, before the clock starts."""

    @abstractmethod
    def _events(
        self, prompt: Prompt, laid: Sequence[Message], key: Secret, seconds: float
    ) -> Iterator[Mapping[str, Any]]:
        """One request; the events of its reply as plain data in snake case. Tells how to hang up on it."""

    @abstractmethod
    def _judge(self, error: BaseException) -> Failure:
        """What an exception of the SDK means."""

    @abstractmethod
    def _models(self, key: Secret, seconds: float) -> list[str]:
        """Names of the models that can generate."""

    def _error(self, failure: Failure, key: Secret, *, begun: bool) -> GenerationError:
        said = failure.message
        tries = f" after {failure.tries} attempts" if failure.tries > 1 else ""
        status = failure.status
        if failure.timed_out:
            return late("Gemini", self.timeout, begun=begun)
        if status is None:
            remedy = "is the network up?" if failure.again and not begun else "ask again"
            return GenerationBroken(f"Gemini: {said}{tries}: {remedy}")
        return self._refusal(status, said, tries, failure.wait, key)

    def _refusal(self, status: int, said: str, tries: str, wait: float | None, key: Secret) -> GenerationError:
        if status == 404:
            return UnknownModel(f"Gemini has no model {self.model!r}, it is misspelt or retired: {self._near(key)}")
        if status in {401, 403} or (status == 400 and "api key" in said.lower()):
            return GenerationDenied(f"Gemini does not accept {key!r} ({status}: {said}): make one at {_WHERE_KEYS_ARE}")
        if status == 429:
            return GenerationLimited(f"Gemini's quota is used up{tries} (429: {said}): ask again {when(wait)}")
        if status == 408 or status >= 500:
            return GenerationUnavailable(f"Gemini failed{tries} ({status}: {said}): ask again later")
        return GenerationRefused(f"Gemini does not take this request ({status}: {said}): {self._remedy(status)}")

    def _remedy(self, status: int) -> str:
        if status == 413:
            return "ask with fewer hits"
        if status < 400:
            return "the server is somewhere else, where no key is sent unasked; set base_url to its address"
        return "ask otherwise, or choose another model"

    def _near(self, key: Secret) -> str:
        seconds = min(_LIST_SECONDS, self.timeout)
        _, models = within(seconds, lambda: self._models(key, seconds))
        if not isinstance(models, list) or not models:
            return "choose one of https://ai.google.dev/gemini-api/docs/models"
        near = get_close_matches(self.model, models, n=3, cutoff=0.4) or sorted(models)[:5]
        return key.redact(f"there are {', '.join(near)}")


def refused(status: int, body: object, headers: Mapping[str, str]) -> Failure:
    """An HTTP status of 400 or more with its body (``{"error": {"message", "details"}}``, a list of that, or text)."""
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error", body) if isinstance(body, dict) else {"message": str(body)}
    error = error if isinstance(error, dict) else {"message": str(error)}
    message = str(error.get("message") or error.get("status") or "no reason given")
    return Failure(message, status=status, again=passing(status), wait=_wait(headers, error))


def broken(error: BaseException) -> Failure:
    """A connection that could not be made or did not hold."""
    return Failure(f"connection failed ({type(error).__name__}: {error})", again=True)


def server_deadline(seconds: float) -> str:
    """Value of ``X-Server-Timeout``: whole seconds after which the server may give up on its side."""
    return str(max(_SERVER_MINIMUM, round(seconds + 0.5)))


def media_type(mime: str) -> str:
    """The name under which Gemini knows a media type."""
    return _MIME.get(mime, mime)


def _wait(headers: Mapping[str, str], error: Mapping[str, Any]) -> float | None:
    """Seconds to wait by ``Retry-After`` or by the body's ``RetryInfo``."""
    asked = retry_after(headers)
    if asked is not None:
        return asked
    found = re.search(r'"retryDelay": "(\d+(?:\.\d+)?)s"', json.dumps(error.get("details") or [], default=str))
    return float(found[1]) if found else None
