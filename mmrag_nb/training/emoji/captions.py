"""What a picture of one or more emoji may be called, and which calls fit several emoji."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from .names import Emoji

TEMPLATES = (
    "{}",
    "{} emoji",
    "the {}",
    "{a}",
    "a picture of {a}",
    "a drawing of {a}",
    "an icon of {a}",
    "a photo of {a}",
    "an image of the {}",
    "this is {a}",
    "there is {a} in the picture",
    "find {a}",
    "show me {a}",
    "where is the {}?",
    "which picture shows {a}?",
    "a small {}",
)
JOINTS = ("{} and {}", "{} with {}", "{} next to {}", "{}, {}")


@dataclass(frozen=True)
class Caption:
    """A text and the emoji that it is true of."""

    text: str
    shown: frozenset[int]
    """The emoji of the picture that it was written for."""
    fits: frozenset[int]
    """All emoji that the text would fit: several where emoji share an alias or keyword."""


class CaptionWriter:
    """Writes captions; all chance comes from the generator that is handed in."""

    def __init__(self, names: Sequence[Emoji], only: Iterable[int] | None = None) -> None:
        """Know ``names``; write of the indices ``only`` (those with a training picture), all where absent."""
        self.names = names
        self.allowed = frozenset(range(len(names)) if only is None else only)
        self._owners: dict[str, set[int]] = {}
        for index, each in enumerate(names):
            for phrase in (each.name, *each.aliases, *each.keywords):
                self._owners.setdefault(phrase.lower(), set()).add(index)

    def write(self, shown: Sequence[int], rng: np.random.Generator, *, plain: bool = False) -> Caption:
        """Write a caption of a picture that shows the emoji ``shown``; ``plain``: by their names."""
        if not self.allowed.issuperset(shown):
            raise ValueError(f"no caption may be written of emoji {sorted(set(shown) - self.allowed)}")
        if len(shown) == 1:
            phrase, fits = self._phrase(shown[0], rng, plain=plain)
            template = TEMPLATES[0] if rng.random() < 0.5 else TEMPLATES[rng.integers(len(TEMPLATES))]
            text = fill(template, phrase)
        else:
            phrases, fits = [], set(shown)
            for each in shown:
                phrase, owners = self._phrase(each, rng, plain=plain or rng.random() < 0.7, keywords=False)
                phrases.append(with_article(phrase) if rng.random() < 0.6 else phrase)
                fits |= owners
            text = phrases[0]
            joint = JOINTS[0] if rng.random() < 0.6 else JOINTS[rng.integers(len(JOINTS))]
            for phrase in phrases[1:-1]:
                text = f"{text}, {phrase}"
            text = joint.format(text, phrases[-1])
            if rng.random() < 0.2:
                text = f"a picture of {text}"
        return Caption(text, frozenset(shown), frozenset(fits))

    def corpus(self) -> list[str]:
        """List the texts that a tokenizer should know: every phrase, weighted by how often captions use it."""
        texts = []
        for index in sorted(self.allowed):
            each = self.names[index]
            texts += [each.name] * 3 + [*each.aliases] * 2 + [*each.keywords]
        return texts + [fill(template, "red apple") for template in TEMPLATES] * 20

    def _phrase(
        self, index: int, rng: np.random.Generator, *, plain: bool, keywords: bool = True
    ) -> tuple[str, set[int]]:
        each = self.names[index]
        chance = rng.random()
        if plain or chance < 0.3:
            return each.name, {index}
        if each.aliases and chance < (0.6 if keywords else 1.0):
            phrase = each.aliases[rng.integers(len(each.aliases))]
            return phrase, self._owners[phrase.lower()]
        if not each.keywords or not keywords:
            return each.name, {index}
        count = int(rng.integers(1, 5))
        chosen = [each.keywords[k] for k in rng.permutation(len(each.keywords))[:count]]
        if chance < 0.8:
            return ", ".join([each.name, *chosen]), {index}
        fits = set.intersection(*(self._owners[phrase.lower()] for phrase in chosen))
        return " ".join(chosen), fits


def with_article(phrase: str) -> str:
    """Put "a" or "an" before a name, by its first letter."""
    return f"{'an' if phrase[:1].lower() in 'aeiou' else 'a'} {phrase}"


def fill(template: str, phrase: str) -> str:
    """Put ``phrase`` into a template: ``{}`` as it is, ``{a}`` with its article."""
    return template.replace("{a}", with_article(phrase)).replace("{}", phrase)
