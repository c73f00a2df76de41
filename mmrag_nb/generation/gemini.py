"""Gemini through google-genai; ``gemini_legacy`` takes over where only the older SDK is installed."""

from __future__ import annotations

import logging
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting, NotInstalled

from .gemini_legacy import GeminiLegacyGenerator
from .gemini_rules import NO_KEY, ROLES, Gemini, broken, media_type, refused, server_deadline
from .http_rules import clients, hang_up_when_left, logs_without, unreadable
from .keys import find_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmrag_nb.types import Preview, Prompt

    from .attempts import Failure
    from .keys import Secret
    from .prompt import Message


_one_at_a_time = threading.Lock()


class GeminiGenerator(Gemini):
    """Gemini through google-genai."""

    sdk = "google-genai"
    extra = "gemini"
    module = "google.genai"

    def _prepare(self) -> None:
        from google import genai  # noqa: F401

        # Finish reasons newer than the SDK are told in the answer, and need no second place.
        warnings.filterwarnings("ignore", r".+ is not a valid \w+", UserWarning, r"google\.genai\._common")

    def _events(
        self, prompt: Prompt, laid: Sequence[Message], key: Secret, seconds: float
    ) -> Iterator[Mapping[str, Any]]:
        from google.genai import types

        def part(said: str | Preview) -> types.Part:
            if isinstance(said, str):
                return types.Part.from_text(text=said)
            return types.Part.from_bytes(data=said.data, mime_type=media_type(said.mime))

        config = types.GenerateContentConfig(
            system_instruction=prompt.instructions or None,
            max_output_tokens=prompt.max_tokens,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )
        contents = [types.Content(role=ROLES[said.role], parts=[part(one) for one in said.parts]) for said in laid]
        with self._client(key, seconds) as client:
            for event in client.models.generate_content_stream(model=self.model, contents=contents, config=config):
                yield event.model_dump(mode="json", exclude_none=True, exclude={"sdk_http_response"})

    def _models(self, key: Secret, seconds: float) -> list[str]:
        with self._client(key, seconds) as client:
            page = client.models.list(config={"page_size": 1000}).page
        able = [model for model in page if "generateContent" in (model.supported_actions or [])]
        return [model.name.removeprefix("models/") for model in able]

    def _judge(self, error: BaseException) -> Failure:
        from google.genai import errors

        if isinstance(error, errors.APIError):
            return refused(error.code, error.details, dict(getattr(error.response, "headers", None) or {}))
        if isinstance(error, tuple(module.TransportError for module in clients())):
            return broken(error)
        return unreadable(error)

    @contextmanager
    def _client(self, key: Secret, seconds: float) -> Iterator[Any]:
        from google import genai
        from google.genai import types

        options = types.HttpOptions(
            base_url=self.base_url,
            api_version="v1beta",
            timeout=max(1, round(seconds * 1000)),  # milliseconds
            headers={"X-Server-Timeout": server_deadline(seconds)},
            # A redirection elsewhere would take the key along.
            client_args={"follow_redirects": False, "event_hooks": {"request": [hang_up_when_left]}},
        )
        log = logging.getLogger("google_genai._api_client")
        with _one_at_a_time:
            log.addFilter(_two_keys)  # it would say on stderr that both keys are set, although it is given one
            try:
                # vertexai=False: GOOGLE_GENAI_USE_VERTEXAI must not send the key elsewhere.
                client = genai.Client(api_key=key.reveal(), vertexai=False, http_options=options)
            finally:
                log.removeFilter(_two_keys)
        with logs_without(key):
            try:
                yield client
            finally:
                if hasattr(client, "close"):  # since 1.37
                    client.close()


def _two_keys(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Both GOOGLE_API_KEY and GEMINI_API_KEY")


def available() -> str:
    """Return ``""`` where Gemini can be asked, else what is missing, in a few words."""
    if not (GeminiGenerator.installed() or GeminiLegacyGenerator.installed()):
        return 'google-genai is not installed: pip install "mmrag-nb[gemini]", and restart the kernel'
    try:
        return "" if find_key("gemini") else f"{NO_KEY}: type one with %mmrag_key gemini (in Colab, a secret will do)"
    except InvalidSetting as error:
        return str(error)


def generator(model: str = "gemini-flash-latest", **options: Any) -> Gemini:
    """Gemini through google-genai, or through the older SDK where only that is installed.

    Raises
    ------
    NotInstalled
        Neither SDK is installed.
    """
    for kind in (GeminiGenerator, GeminiLegacyGenerator):
        if kind.installed():
            return kind(model, **options)
    raise NotInstalled("google-genai", extra="gemini")
