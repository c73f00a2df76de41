"""Generators' providers on loopback, and how a notebook is brought to ask them in the place of the real ones."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gemini_faults
import openai_faults
import pytest
from gemini_server import GeminiServer
from openai_server import MODEL, OpenAIServer

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULTS = {
    "gemini": gemini_faults.FAULTS,
    "gemini-legacy": [gemini_faults.of_legacy(fault) for fault in gemini_faults.FAULTS],
    "openai": openai_faults.FAULTS,
}
"""By the provider's name."""
VARIABLES = {"gemini": "GOOGLE_API_KEY", "gemini-legacy": "GOOGLE_API_KEY", "openai": "OPENAI_API_KEY"}
"""Of the environment, where its key is looked for."""
ATTEMPTS = 3
_DELAY = 0.01  # seconds between attempts


@dataclass(frozen=True)
class Provider:
    """A server that misbehaves as it is told."""

    name: str
    server: Any

    def choose(self, shell: Any, patch: pytest.MonkeyPatch, timeout: float = 20.0) -> None:
        """Have the shell's magics ask it, with attempts that follow each other at once."""
        chosen = {"base_url": self.server.url if self.name == "openai" else "", "timeout": timeout}
        if self.name == "openai":
            from mmrag_nb.generation import openai

            patch.setattr(openai, "OpenAIGenerator", self._hasty(openai.OpenAIGenerator))
            chosen["generator"] = f"openai:{MODEL}"
        else:
            from mmrag_nb.generation import gemini

            kind = gemini.GeminiGenerator if self.name == "gemini" else gemini.GeminiLegacyGenerator
            if not kind.installed():
                pytest.skip(f"{kind.sdk} is not installed")
            patch.setattr(gemini, "generator", self._hasty(kind, base_url=self.server.url))
            # named for the server too: what is made for one is not kept for the other
            chosen["generator"] = "gemini:gemini-flash-latest" if self.name == "gemini" else "gemini"
        for name, value in chosen.items():
            shell.run_line_magic("config", f"MMRag.{name} = {value!r}")

    def _hasty(self, kind: Any, **options: Any) -> Any:
        return partial(kind, attempts=ATTEMPTS, delay=_DELAY, **options)


@contextmanager
def started(name: str) -> Iterator[Provider]:
    """One of :data:`FAULTS`' providers; the test is skipped where its SDK is absent."""
    if name == "openai":
        pytest.importorskip("openai")
    server = OpenAIServer() if name == "openai" else GeminiServer()
    try:
        yield Provider(name, server)
    finally:
        server.close()


@contextmanager
def keyed(key: str) -> Iterator[pytest.MonkeyPatch]:
    """Every provider's key in the environment, and no other; what else is patched goes with it."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("GEMINI_API_KEY", "OPENAI_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI"):
            patch.delenv(variable, raising=False)
        for variable in VARIABLES.values():
            patch.setenv(variable, key)
        yield patch
