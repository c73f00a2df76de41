"""Gemini through google-generativeai, which the source articles use and whose support has ended.

That package is a shell around ``google.ai.generativelanguage``, its one pinned dependency. The client beneath is used
here directly: the shell keeps one configuration for the whole process, which is the user's own, and warns on import.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .attempts import when_left
from .gemini_rules import ROLES, Gemini, broken, media_type, refused
from .http_rules import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmrag_nb.types import Preview, Prompt

    from .attempts import Failure
    from .keys import Secret
    from .prompt import Message


class GeminiLegacyGenerator(Gemini):
    """Gemini through the client of google-generativeai, over REST."""

    sdk = "google-generativeai"
    extra = "gemini-legacy"
    module = "google.ai.generativelanguage"

    def _prepare(self) -> None:
        with warnings.catch_warnings():
            # Ends of support, of the SDK and of Python versions, that the user cannot act on here.
            warnings.simplefilter("ignore")
            from google.ai import generativelanguage  # noqa: F401

    def _events(
        self, prompt: Prompt, laid: Sequence[Message], key: Secret, seconds: float
    ) -> Iterator[Mapping[str, Any]]:
        from google.ai import generativelanguage as glm
        from google.protobuf.json_format import MessageToDict

        def part(said: str | Preview) -> Any:
            if isinstance(said, str):
                return glm.Part(text=said)
            return glm.Part(inline_data=glm.Blob(mime_type=media_type(said.mime), data=said.data))

        request = glm.GenerateContentRequest(
            model=f"models/{self.model}",
            system_instruction=glm.Content(parts=[glm.Part(text=prompt.instructions)]) if prompt.instructions else None,
            contents=[glm.Content(role=ROLES[said.role], parts=[part(one) for one in said.parts]) for said in laid],
            generation_config=glm.GenerationConfig(max_output_tokens=prompt.max_tokens),
        )
        with self._client(glm.GenerativeServiceClient, key) as client:
            for event in client.stream_generate_content(request, retry=None, timeout=seconds):
                yield MessageToDict(glm.GenerateContentResponse.pb(event), preserving_proto_field_name=True)

    def _models(self, key: Secret, seconds: float) -> list[str]:
        from google.ai import generativelanguage as glm

        with self._client(glm.ModelServiceClient, key) as client:
            page = client.list_models(glm.ListModelsRequest(page_size=1000), retry=None, timeout=seconds)
            return [
                m.name.removeprefix("models/")
                for m in page.models
                if "generateContent" in m.supported_generation_methods
            ]

    def _judge(self, error: BaseException) -> Failure:
        import requests
        from google.auth.exceptions import TransportError

        if isinstance(error, _Refused):
            return refused(error.status, error.body, error.headers)
        if isinstance(error, (requests.exceptions.RequestException, TransportError)):
            return broken(error)
        return unreadable(error)

    @contextmanager
    def _client(self, service: Any, key: Secret) -> Iterator[Any]:
        from google.auth.api_key import Credentials

        options = {"api_endpoint": self.base_url} if self.base_url else {}
        with service(credentials=Credentials(key.reveal()), transport="rest", client_options=options) as client:
            client.transport._session.hooks["response"].append(_received)  # noqa: SLF001 - there is no other way in
            yield client


class _Refused(Exception):
    def __init__(self, status: int, body: Any, headers: Mapping[str, str]) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


def _received(response: Any, **_: Any) -> None:
    """Look at a reply before the client does.

    It would send a refused key again, twice; take it along wherever it is redirected; and stumble over the lists in
    which the streaming method wraps its errors.
    """
    if response.status_code >= 300:
        try:
            body = response.json()
        except ValueError:
            body = response.text
        raise _Refused(response.status_code, body, dict(response.headers))
    if hasattr(response.raw, "shutdown"):  # since urllib3 2.3
        when_left(response.raw.shutdown)
