"""Pictures to text, by whatever the settings name for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .catalog.entries import Described

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from PIL.Image import Image

    from .parts import Parts
    from .protocols import Progress


def describe(
    pictures: Sequence[Image], parts: Parts, progress: Progress | None, kinds: Collection[str] = ("caption", "ocr")
) -> list[dict[str, Described]]:
    """What is seen (``caption``) and written (``ocr``) in each of ``pictures``, RGB."""
    told: list[dict[str, Described]] = [{} for _ in pictures]
    if pictures:
        models = parts.described_by()
        for kind, describer in parts.describers(progress, kinds).items():
            for said, text in zip(told, describer.describe(pictures), strict=True):
                said[kind] = Described(models[kind], text)
    return told


def texts(described: Mapping[str, Described], kinds: Collection[str] = ("caption", "ocr")) -> dict[str, str]:
    """What of these ``kinds`` was told, without who told it; what says nothing is left out."""
    return {kind: said.text for kind, said in described.items() if said.text and kind in kinds}
