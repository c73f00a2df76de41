"""A provider's key: found where people keep it, never shown."""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from typing import NoReturn, SupportsIndex
from urllib.parse import quote, quote_plus

from mmrag_nb.errors import InvalidSetting

NAMES = {"gemini": ("GOOGLE_API_KEY", "GEMINI_API_KEY"), "openai": ("OPENAI_API_KEY",)}
"""Where each provider's key is looked for, in this order: variables of the environment, Colab's secrets."""


class Secret:
    """A key that does not show itself: not in ``repr``, not in f-strings, not in a pickle.

    Parameters
    ----------
    value : str
        The key; white space around it goes.
    origin : str
        Where it came from, to be named in messages.

    Raises
    ------
    InvalidSetting
        ``value`` cannot be a key: empty, or with blanks, line breaks or characters that no HTTP header carries.
    """

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str = "key=") -> None:
        value = value.strip()
        if not re.fullmatch(r"[\x21-\x7e]+", value):
            raise InvalidSetting(
                f"{origin} does not hold a key: one word of plain letters, digits and signs is wanted; set it again"
            )
        self._value = value
        self.origin = origin

    def reveal(self) -> str:
        """Return the key itself, for the one place that sends it."""
        return self._value

    def redact(self, text: str) -> str:
        """``text`` with the key, as it is or URL-encoded, replaced by ``[key]``."""
        for form in {self._value, quote(self._value, safe=""), quote(self._value), quote_plus(self._value)}:
            text = text.replace(form, "[key]")
        return text

    def __repr__(self) -> str:
        return f"<key from {self.origin}>"

    __str__ = __repr__

    def __reduce_ex__(self, _protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a key is never pickled or copied")


def find_key(provider: str) -> Secret | None:
    """Look for a key: among those given in this process, in the environment, in Colab's secrets; never ask for one.

    Raises
    ------
    InvalidSetting
        What was found cannot be a key.
    """
    if provider in _given:
        return _given[provider]
    for name in NAMES[provider]:
        if value := os.environ.get(name, "").strip():
            return Secret(value, name)
    for name in NAMES[provider]:
        if value := _from_colab(name):
            return Secret(value, f"Colab's secret {name}")
    return None


def keep_key(provider: str, value: str) -> Secret:
    """Use ``value`` as the provider's key until the process ends; it is kept in memory alone.

    Raises
    ------
    InvalidSetting
        It cannot be a key.
    """
    _given[provider] = Secret(value, "the key given")
    return _given[provider]


_given: dict[str, Secret] = {}


def _from_colab(name: str) -> str:
    # In Colab's kernel this module is loaded from the start. Anywhere else, asking would wait for a browser's reply.
    if "google.colab" not in sys.modules:
        return ""
    try:
        return str(import_module("google.colab.userdata").get(name) or "").strip()
    except Exception:  # noqa: BLE001 - no such secret, access not granted, no browser: each means no key from here
        return ""
