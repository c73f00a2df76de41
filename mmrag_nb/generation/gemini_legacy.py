"""Gemini through google-generativeai, which the source articles use and whose support has ended.

That package is a shell around ``google.ai.generativelanguage``, its one pinned dependency. The client beneath is used
here directly: the shell keeps one configuration for the whole process, which is the user's own, and warns on import.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from .gemini_rules import Gemini, broken, media_type, refused, unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .attempts import Failure
    from .gemini_rules import Part
    from .keys import Secret


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

    def _exchange(self, instructions: str, sent: Sequence[Part], key: Secret, seconds: float) -> Mapping[str, Any]:
        from google.ai import generativelanguage as glm
        from google.protobuf.json_format import MessageToDict

        said = [
            glm.Part(text=part)
            if isinstance(part, str)
            else glm.Part(inline_data=glm.Blob(mime_type=media_type(part.mime), data=part.data))
            for part in sent
        ]
        request = glm.GenerateContentRequest(
            model=f"models/{self.model}",
            system_instruction=glm.Content(parts=[glm.Part(text=instructions)]),
            contents=[glm.Content(role="user", parts=said)],
        )
        with glm.GenerativeServiceClient(**self._connection(key)) as client:
            response = client.generate_content(request, retry=None, timeout=seconds)
        return dict(MessageToDict(glm.GenerateContentResponse.pb(response), preserving_proto_field_name=True))

    def _models(self, key: Secret, seconds: float) -> list[str]:
        from google.ai import generativelanguage as glm

        with glm.ModelServiceClient(**self._connection(key)) as client:
            page = client.list_models(glm.ListModelsRequest(page_size=1000), retry=None, timeout=seconds)
            return [
                m.name.removeprefix("models/")
                for m in page.models
                if "generateContent" in m.supported_generation_methods
            ]

    def _judge(self, error: BaseException) -> Failure:
        import requests
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import RefreshError, TransportError

        if isinstance(error, GoogleAPICallError) and error.code is not None:
            reply = error.response
            try:
                body = reply.json()
            except (AttributeError, ValueError):
                body = getattr(reply, "text", "") or error.message
            return refused(int(error.code), body, dict(getattr(reply, "headers", None) or {}))
        if isinstance(error, RefreshError):
            return refused(401, "unauthenticated", {})
        if isinstance(error, (requests.exceptions.RequestException, TransportError)):
            return broken(error)
        return unreadable(error)

    def _connection(self, key: Secret) -> dict[str, Any]:
        from google.auth import api_key, exceptions

        class Credentials(api_key.Credentials):  # type: ignore[misc]
            """Google's own, but a refused key is not sent a second and third time."""

            def refresh(self, _request: object) -> None:
                raise exceptions.RefreshError("refused")

        options = {"api_endpoint": self.base_url} if self.base_url else {}
        return {"credentials": Credentials(key.reveal()), "transport": "rest", "client_options": options}
