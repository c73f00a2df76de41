"""Keys of generators, asked for where someone can type: read without echo, kept in memory alone."""

from __future__ import annotations

import getpass
import os
import sys
from typing import TYPE_CHECKING, Any

from IPython.core.error import StdinNotImplementedError

from mmrag_nb.errors import MMRagError
from mmrag_nb.generation.keys import NAMES, find_key, keep_key
from mmrag_nb.generation.openai_endpoint import OPENAI, endpoint

if TYPE_CHECKING:
    from mmrag_nb.settings import Settings


def provider_of(settings: Settings) -> str:
    """Return whose key the chosen generator takes; empty where it takes none."""
    name = settings.chosen("generator").partition(":")[0]
    return name if name in NAMES else ""


def missing(settings: Settings) -> str:
    """Return whose key is absent, of a generator that the user chose by name; empty where none is.

    Where the preset named it, another one stands in; a server of one's own wants no key.
    """
    provider = provider_of(settings)
    if not provider or not settings.own("generator") or find_key(provider) is not None:
        return ""
    if provider == "openai":
        address = settings.base_url or os.environ.get("OPENAI_BASE_URL", "").strip() or OPENAI
        return provider if endpoint(address).reach == "public" else ""
    return provider


def can_type(shell: Any) -> bool:
    """Whether someone may be there to type: not where a script reads a terminal's place, or a page runs a notebook."""
    if getattr(shell, "kernel", None) is not None:
        return bool(getattr(shell.kernel, "_allow_stdin", True))
    return sys.stdin is not None and sys.stdin.isatty()


def read_key(provider: str, shell: Any) -> None:
    """Ask for a key and keep it.

    Raises
    ------
    MMRagError
        Nobody can type here, or nothing was typed.
    InvalidSetting
        What was typed cannot be a key.
    """
    nobody = MMRagError(
        f"nobody can type a key here: set {NAMES[provider][0]} in the environment before the notebook is run"
    )
    if not can_type(shell):
        raise nobody
    try:
        # typed and handed on in one breath: no name holds it here
        keep_key(provider, getpass.getpass(f"{provider} key (not shown, kept in memory until the kernel ends): "))
    except (StdinNotImplementedError, EOFError):
        raise nobody from None


def ask_for_key(provider: str, shell: Any) -> None:
    """Ask for a key where someone can type; elsewhere, whoever needs it tells that it is absent."""
    if can_type(shell):
        read_key(provider, shell)
