"""OpenAI, and whatever speaks its Chat Completions (Ollama, vLLM, llama.cpp, LM Studio), through the openai package."""

from __future__ import annotations

import os
import re
from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import GenerationDenied, InvalidSetting, NotInstalled
from mmrag_nb.types import Generation, Preview

from .attempts import Failure, persist, within
from .http_rules import clients, hang_up_when_left, logs_without, redacted, unreadable
from .keys import usable_key
from .openai_endpoint import OPENAI, endpoint
from .openai_replies import Reply, read
from .openai_requests import conversation, media_taken, tokens
from .openai_rules import NO_KEY, WHERE_KEYS_ARE, Asked, broken, explain, refused, reported, whole
from .prompt import describe, messages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmrag_nb.types import Prompt, Stream

    from .keys import Secret

MODEL = "gpt-6-luna"
"""OpenAI's cheapest that sees, and is not being retired."""

_NO_KEY_WANTED = "none"
_LIST_SECONDS = 5.0
_UNKNOWN_FIELD = re.compile(
    r"unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|extra|not permitted", re.IGNORECASE
)
_LIMITS = ("max_completion_tokens", "max_tokens")


class OpenAIGenerator:
    """A model behind Chat Completions.

    Parameters
    ----------
    model : str
        As the server calls it: ``gpt-6-luna``, ``llama3.2-vision:latest``.
    key : Secret, optional
        Where absent, looked for at each question (:func:`keys.find_key`). A server on this machine or its network
        needs none.
    base_url : str, optional
        ``http://localhost:11434/v1``; where empty, ``OPENAI_BASE_URL`` of the environment, or else OpenAI itself.
    timeout : float
        Seconds for a question, all attempts and pauses together.
    attempts : int
        At most so many requests for a question.
    delay : float
        Seconds before the second attempt, doubled each time; a server's ``Retry-After`` takes its place.

    Raises
    ------
    NotInstalled
        The openai package is absent.
    InvalidSetting
        ``base_url``, ``timeout`` or ``attempts`` cannot be.
    """

    instant = False

    def __init__(
        self,
        model: str = MODEL,
        *,
        key: Secret | None = None,
        base_url: str = "",
        timeout: float = 60.0,
        attempts: int = 4,
        delay: float = 1.0,
    ) -> None:
        if not timeout > 0:
            raise InvalidSetting(f"timeout must be more than 0 seconds, not {timeout!r}")
        if attempts < 1:
            raise InvalidSetting(f"attempts must be 1 or more, not {attempts!r}")
        if find_spec("openai") is None:
            raise NotInstalled("openai", extra="openai")
        self._where = endpoint(base_url or os.environ.get("OPENAI_BASE_URL", "").strip() or OPENAI)
        self.model = model
        self.description = f"{model} (openai)" if self._where.official else f"{model} at {self._where.place} (openai)"
        self.takes = media_taken(model)
        # OpenAI scales down to 2,048 itself. What runs at home pays for each pixel with time and a small context.
        self.side = 2048 if self._where.reach == "public" else 1024
        self.api = self._where.url if self._where.reach == "public" else ""
        self._key, self._timeout, self._attempts, self._delay = key, timeout, attempts, delay
        # OpenAI's newer models refuse max_tokens; Ollama and LM Studio pass over max_completion_tokens in silence.
        self._limit = _LIMITS[0] if self._where.official else _LIMITS[1]
        self._counts = True

    def tokens(self, prompt: Prompt) -> int:
        """About; see :class:`mmrag_nb.protocols.Generator`."""
        return tokens(prompt)

    def stream(self, prompt: Prompt) -> Stream:
        """Ask the model; see :class:`mmrag_nb.protocols.Generator`.

        Raises
        ------
        GenerationDenied
            No key, a key that is not accepted, or one that would travel unencrypted.
        GenerationError
            A refusal, a block, a connection that broke, or no usable reply; the message never holds the key.
        """
        key = self._credential()
        import openai  # noqa: F401 - before the clock starts

        laid = messages(prompt)
        media = any(isinstance(part, Preview) for message in laid for part in message.parts)
        asked = Asked(self.model, self._where, key, self._timeout, media)
        told = conversation(prompt, laid, detail="high" if self._where.official else "")
        pieces: Any = persist(
            # The SDK's own timeout only ends the thread that was left behind; ours comes first.
            lambda left: self._exchange(told, prompt.max_tokens, key, left + 1),
            # Redacted at once: tracebacks can show the variables of each frame that a failure comes through.
            lambda error: redacted(_judge(error, here=self._where.reach == "loopback"), key),
            attempts=self._attempts,
            seconds=self._timeout,
            delay=self._delay,
        )
        reply, begun = Reply(), False
        with closing(pieces):
            for piece in pieces:
                # Raised outside any ``except``: the SDK's exceptions hold requests with the key and are not chained.
                if isinstance(piece, Failure):
                    raise explain(piece, asked, lambda: self._models(key), begun=begun)
                if isinstance(piece, Reply):
                    reply = piece
                elif piece:
                    begun = True
                    yield piece
        trouble = whole(reply, asked)
        yield Generation(
            text=reply.text.rstrip(),
            model=(reply.model if key is None else key.redact(reply.model)) or self.model,
            usage=reply.usage,
            sent=describe(prompt, laid),
            trouble=trouble,
        )

    def _credential(self) -> Secret | None:
        """Return the key to send, if any.

        Raises
        ------
        GenerationDenied
            One is needed and there is none, or it could be read on the way.
        """
        where = self._where
        if not where.trusted:
            if where.reach == "public":
                raise GenerationDenied(
                    f"{where.place} is asked without encryption, so that others could read the key and the evidence: "
                    "set %config MMRag.base_url to an https address"
                )
            return None
        key = self._key or usable_key("openai")
        if key is None and where.reach == "public":
            made = f"make one at {WHERE_KEYS_ARE} and" if where.official else f"for {where.place},"
            raise GenerationDenied(f"{NO_KEY}: {made} set it (in Colab: a secret), or give it to %mmrag_key openai")
        return key

    def _exchange(
        self, told: Sequence[Mapping[str, Any]], most: int, key: Secret | None, seconds: float
    ) -> Iterator[str | Reply]:
        """One request: pieces of the answer, and last what else was told."""
        with logs_without(key), self._client(key, seconds) as client:
            events = self._begun(client, told, most)
            reply = Reply()
            yield from read(events, reply)
            kind = events.response.headers.get("content-type", "nothing")
            if not reply.events and "event-stream" not in kind:
                raise ValueError(f"{kind.partition(';')[0]} in place of a stream of events, is this its API?")
            if not (reply.ended or reply.text):
                raise EOFError("it ended before there was anything")
            if key is not None:
                reply.refusal, reply.reason = key.redact(reply.refusal), key.redact(reply.reason)
            yield reply

    def _begun(self, client: Any, told: Sequence[Mapping[str, Any]], most: int) -> Any:
        """Begin a stream, without the fields that this server turns out not to know."""
        import openai

        try:
            return client.chat.completions.create(messages=list(told), **self._fields(most))
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if not self._learnt(str(error.body)):
                raise
        return self._begun(client, told, most)

    def _fields(self, most: int) -> dict[str, Any]:
        fields: dict[str, Any] = {"model": self.model, "stream": True, self._limit: most}
        if self._counts:
            fields["stream_options"] = {"include_usage": True}
        if self._where.official:
            fields["store"] = False  # whatever an account keeps by default
        return fields

    def _learnt(self, refusal: str) -> bool:
        """Whether a refusal was about a field that can be done without; it is not sent again."""
        if not _UNKNOWN_FIELD.search(refusal):
            return False
        if self._counts and "stream_options" in refusal:
            self._counts = False
            return True
        first = _LIMITS[0] if self._where.official else _LIMITS[1]
        if self._limit == first and self._limit in refusal:
            self._limit = next(limit for limit in _LIMITS if limit != first)
            return True
        return False

    def _client(self, key: Secret | None, seconds: float) -> Any:
        import openai

        made = openai.OpenAI(
            api_key=_NO_KEY_WANTED if key is None else key.reveal(),
            base_url=self._where.url,
            max_retries=0,
            timeout=seconds,
            # A redirect would take the evidence, and on the same host the key, where nobody chose to send them. What
            # listens on this machine is not behind a proxy.
            http_client=openai.DefaultHttpxClient(
                follow_redirects=False,
                trust_env=self._where.reach != "loopback",
                timeout=seconds,
                event_hooks={"request": [hang_up_when_left]},
            ),
        )
        if not self._where.official:  # OPENAI_ORG_ID and OPENAI_PROJECT_ID are nobody else's business
            made.organization = made.project = None
        return made

    def _models(self, key: Secret | None) -> list[str]:
        """Names of the models there are; empty where they cannot be had in a few seconds."""

        def ask() -> list[str]:
            with logs_without(key), self._client(key, seconds) as client:
                return [model.id for model in client.models.list().data]

        seconds = min(_LIST_SECONDS, self._timeout)
        _, found = within(seconds, ask)
        names = found if isinstance(found, list) else []
        return names if key is None else [key.redact(name) for name in names]


def available(base_url: str = "") -> str:
    """Return ``""`` where the endpoint can be asked, else what is missing, in a few words."""
    if find_spec("openai") is None:
        return "openai is not installed"
    try:
        OpenAIGenerator(base_url=base_url)._credential()  # noqa: SLF001 - of this module
    except InvalidSetting as error:
        return str(error)
    except GenerationDenied as error:
        return NO_KEY if str(error).startswith(NO_KEY) else str(error)
    return ""


def _judge(error: BaseException, *, here: bool) -> Failure:
    import openai

    http = clients()  # while a stream is read, older releases of the SDK let their errors through
    if isinstance(error, openai.APIStatusError):
        return refused(error.status_code, error.body, error.response.headers)
    if isinstance(error, (openai.APITimeoutError, *(module.TimeoutException for module in http))):
        return Failure("timed out", timed_out=True)
    if isinstance(error, openai.APIConnectionError):
        return broken(error.__cause__ or error, here=here)
    if isinstance(error, (EOFError, *(module.TransportError for module in http))):
        return broken(error, here=here)
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIResponseValidationError):
        return reported(error.body or error.message)
    return unreadable(error)
