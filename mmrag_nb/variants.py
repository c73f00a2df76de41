"""Other settings than those in force, with the parts that they need: for one search, or beside others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from traitlets import Bool

from . import registry
from .errors import InvalidSetting
from .parts import Parts
from .presets import MODELS, PRESETS
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    Variant: TypeAlias = str | Mapping[str, Any]
    """Settings to change: ``"raw=true"``, ``"clip=emoji, text=words"``, ``{"raw": True}``."""

COMPARABLE = (
    *("strategy", "raw", "lexical_weight", "k", "store", "preset", "clip", "text", "sound", "captioner", "ocr"),
    *("fusion", "weights", "pool", "diversity", "fold", "reranker", "device", "precision"),
)
"""The settings that decide what is found."""
_KEPT = 4
"""Sets of parts, models among them, that stay loaded for the next time."""
_PAIR = re.compile(r"\s*(\w+)\s*(?:=\s*(.*?)\s*)?(?:,(?=\s*\w+\s*=)|$)", re.DOTALL)


class Variants:
    """Variants of the settings in force, which are copied, never changed.

    Parameters
    ----------
    parts
        The models in force; variants that name the same ones use them, too.
    settings
        The choices in force; they may change between calls.
    """

    def __init__(self, parts: Parts, settings: Settings) -> None:
        self._parts, self._settings = parts, settings
        self._kept: dict[tuple[str, ...], Parts] = {}
        self._kept_beside: tuple[str, ...] = ()

    def settings(self, changed: Mapping[str, Any]) -> Settings:
        """The settings in force with those of ``changed``.

        Raises
        ------
        UnknownName, InvalidSetting
            One is misnamed, cannot be, or does not change what is found.
        """
        known = Settings.class_trait_names(config=True)
        for name in changed:
            if name in known and name not in COMPARABLE:
                raise InvalidSetting(f"{name} does not change what is found: compare by one of {', '.join(COMPARABLE)}")
        kept = {name: getattr(self._settings, name) for name in known}
        if "preset" in changed:
            kept = {name: value for name, value in kept.items() if name not in MODELS or name not in COMPARABLE}
        return Settings(**{**kept, **changed})

    def parts(self, settings: Settings) -> Parts:
        """The parts for ``settings``: those in force, others with the same models, or others altogether."""
        here, there = models(self._settings), models(settings)
        place, other = (self._settings.strategy, self._settings.store), (settings.strategy, settings.store)
        if (here, place) == (there, other):
            return self._parts
        if here != self._kept_beside:  # what shared the models that were in force would load them again
            self._kept, self._kept_beside = {}, here
        key = (*there, *other)
        parts = self._kept.pop(key, None) or (self._parts.under(settings) if here == there else Parts(settings))
        parts.follow(settings)  # who transcribes and who answers may have changed since
        self._kept[key] = parts  # the last used last
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return parts


def models(settings: Settings) -> tuple[str, ...]:
    """What decides which models search, and how they compute."""
    read = settings.text or PRESETS[settings.preset]["text"]  # whatever the strategy: both encoders can be at hand
    others = (settings.chosen(model) for model in ("clip", "sound", "captioner", "ocr", "reranker"))
    return read, PRESETS[settings.preset]["reader"], *others, settings.device, settings.precision


def changes(variant: Variant) -> dict[str, Any]:
    """The settings that ``variant`` changes, by name.

    >>> changes("raw=true, lexical_weight=0")
    {'raw': True, 'lexical_weight': 0.0}
    >>> changes("shared")
    {'strategy': 'shared'}

    Raises
    ------
    InvalidSetting
        It is not of the form ``setting=value``, or the value cannot be.
    """
    if not isinstance(variant, str):
        return dict(variant)
    traits = Settings.class_traits(config=True)
    changed: dict[str, Any] = {}
    at = 0
    while at < len(variant):
        pair = _PAIR.match(variant, at)
        if pair is None or (pair[2] is None and not _speaks_for_itself(pair[1])):
            raise InvalidSetting(f"{variant!r} is no variant: write setting=value, as in raw=true or strategy=shared")
        at = pair.end()
        name, text = pair[1], pair[2]
        if text is None:
            name, text = (name, "true") if name in traits else ("strategy", name)
        try:
            changed[name] = traits[name].from_string(text) if name in traits else text
        except ValueError as error:
            right = "true or false" if isinstance(traits[name], Bool) else "a number"
            raise InvalidSetting(f"{name}={text} cannot be: {name} is {right}") from error
    if not changed:
        raise InvalidSetting("a variant is empty: write setting=value, as in raw=true")
    return changed


def _speaks_for_itself(word: str) -> bool:
    """Whether a word alone is a variant: a strategy's name, or what can only be on or off."""
    return word in registry.names("strategy") or isinstance(Settings.class_traits().get(word), Bool)
