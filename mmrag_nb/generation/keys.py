"""A provider's key: found where people keep it, never shown."""

from __future__ import annotations

import os
import re
import sys
from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from html import escape
from importlib import import_module
from typing import NoReturn, SupportsIndex
from urllib.parse import quote, quote_plus

from mmrag_nb.errors import GenerationDenied, InvalidSetting, UnknownName

NAMES = {"gemini": ("GOOGLE_API_KEY", "GEMINI_API_KEY"), "openai": ("OPENAI_API_KEY",)}
"""Where each provider's key is looked for, in this order: variables of the environment, Colab's secrets."""


class _Blank(InvalidSetting):
    """There is nothing where a key was looked for."""


class Secret:
    """A key that does not show itself: not in ``repr``, not in f-strings, not in a pickle, not in a traceback.

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
        self._value = value.strip() if isinstance(value, str) else ""
        self.origin = origin
        del value  # %xmode Verbose shows what the frames of a traceback hold
        if not re.fullmatch(r"[\x21-\x7e]+", self._value):
            blank, self._value = not self._value, ""
            if blank:
                raise _Blank(f"{origin} is empty: run the cell again, or go on without one (generator 'extractive')")
            raise InvalidSetting(
                f"{origin} does not hold a key: one word of plain letters, digits and signs is wanted; set it again"
            )

    def reveal(self) -> str:
        """Return the key itself, for the one place that sends it."""
        return self._value

    def redact(self, text: str) -> str:
        """``text`` with the key, as it is, URL-encoded, escaped or in base 64, replaced by ``[key]``."""
        for form in sorted(self._forms(), key=len, reverse=True):  # some contain others
            text = text.replace(form, "[key]")
        return text

    def _forms(self) -> set[str]:
        quoted = {quote(self._value, safe=""), quote(self._value), quote_plus(self._value)}
        lowered = {re.sub("%..", lambda code: code[0].lower(), form) for form in quoted}
        octets = self._value.encode()
        encoded = {code(octets).decode().rstrip("=") for code in (b64encode, urlsafe_b64encode)}
        # Behind other bytes, "user:" say, base 64 is another; letters that hold bits of what is around it stay.
        shifted = {
            code(bytes(before) + octets).decode()[begin : (before + len(octets)) * 4 // 3]
            for code in (b64encode, urlsafe_b64encode)
            for before, begin in enumerate((0, 2, 3))
        }
        long = {form for form in shifted if len(form) >= max(len(octets), 8)}  # shorter ones stand in any text
        return {self._value, escape(self._value), *quoted, *lowered, *encoded, *long}

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
    for look, origin in ((_from_environment, "{}"), (_from_colab, "Colab's secret {}")):
        for name in NAMES[provider]:
            with suppress(_Blank):
                return Secret(look(name) or "", origin.format(name))
    return None


def usable_key(provider: str) -> Secret | None:
    """Look for a key as :func:`find_key` does, for a generator that is about to send it.

    Raises
    ------
    GenerationDenied
        What was found cannot be a key.
    """
    try:
        return find_key(provider)
    except InvalidSetting as error:
        raise GenerationDenied(str(error)) from None


def keep_key(provider: str, value: str) -> Secret:
    """Use ``value`` as the provider's key until the process ends; it is kept in memory alone.

    Raises
    ------
    UnknownName
        There is no such provider.
    InvalidSetting
        It cannot be a key; one given before stays.
    """
    given = [value]
    del value  # as above: from here on no frame holds it by a name
    if provider not in NAMES:
        given.clear()
        raise UnknownName("provider", provider, NAMES)
    _given[provider] = Secret(given.pop(), "the key given")
    return _given[provider]


def forget_key(provider: str) -> bool:
    """Forget the key given by :func:`keep_key`; tell whether there was one. Others may still be found.

    Raises
    ------
    UnknownName
        There is no such provider.
    """
    if provider not in NAMES:
        raise UnknownName("provider", provider, NAMES)
    return _given.pop(provider, None) is not None


_given: dict[str, Secret] = {}


def _from_environment(name: str) -> str | None:
    return os.environ.get(name)  # a function: what represents that method itself shows the whole environment


def _from_colab(name: str) -> str | None:
    # In Colab's kernel this module is loaded from the start. Anywhere else, asking would wait for a browser's reply.
    if "google.colab" not in sys.modules:
        return None
    try:
        return import_module("google.colab.userdata").get(name)  # type: ignore[no-any-return]
    except Exception:  # noqa: BLE001 - no such secret, access not granted, no browser: each means no key from here
        return None
