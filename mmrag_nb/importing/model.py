"""Whose vectors are brought: the encoder where it is at hand, else what is known of it by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmrag_nb.catalog.relying import Relied
from mmrag_nb.catalog.rows import UNCHECKED, unchecked
from mmrag_nb.errors import IndexMismatch, InvalidSetting, ModelUnavailable
from mmrag_nb.parts import library_versions
from mmrag_nb.presets import NONE
from mmrag_nb.settings import model_entry

from .agreement import must_fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmrag_nb.catalog.catalog import Catalog
    from mmrag_nb.parts import Parts
    from mmrag_nb.protocols import Encoder, Progress
    from mmrag_nb.settings import Settings

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


@dataclass(frozen=True)
class Model:
    """The model that is said to have made vectors."""

    name: str
    space: str
    fingerprint: Mapping[str, str]
    encoder: Encoder | None = None
    absent: str = ""
    """Why there is no encoder."""


def model_of(parts: Parts, settings: Settings, progress: Progress | None) -> Model:
    """The image-text model that ``settings`` choose, loaded where it can be had.

    Raises
    ------
    InvalidSetting
        The settings go without one.
    ModelUnavailable
        It cannot be had, and is no model of the hub by name.
    """
    choice = settings.chosen("clip")
    if choice == NONE:
        raise InvalidSetting(
            f"clip is set to {NONE!r}, so no vectors of pictures are searched: name the model that made them, "
            'model="openai/clip-vit-base-patch32" (--model)'
        )
    try:
        ways = parts.ways(progress, pictures=True, sounds=False)
    except ModelUnavailable as error:
        kind, name, argument = model_entry("clip", choice)
        if (kind, name) != ("encoder", "clip") or not _HUB_ID.fullmatch(argument):
            raise
        fingerprint = {"model": argument, "revision": UNCHECKED}
        return Model(argument, f"clip:{argument}", fingerprint, absent=str(error).split(". Two ways on", maxsplit=1)[0])
    encoder = next(way.encoder for way in ways if "image" in way.encoder.modalities)
    return Model(encoder.description, encoder.space, encoder.fingerprint, encoder)


def prepare(catalog: Catalog, model: Model, dimension: int, *, check: bool) -> Relied:
    """Make sure that vectors of so many numbers may join those in the model's space, and note whose they are.

    What it tells is to be so still when they are kept: others may fill the index meanwhile.

    Raises
    ------
    LoadError
        The model's are longer or shorter.
    IndexMismatch
        The index has vectors of that space by another model.
    """
    known = catalog.fingerprint(model.space)
    if model.encoder is not None:
        must_fit(dimension, model.encoder.dimension, model.name)
    elif known is not None:
        there = next(one.dimension for one in catalog.channels() if one.space == model.space)
        must_fit(dimension, there, model.name)
        if check and not unchecked(known):
            raise IndexMismatch(model.space, known, model.fingerprint)
        return Relied(dimension, known, {})
    relied = Relied(dimension, model.fingerprint, library_versions() if model.encoder else {})
    catalog.register(model.space, dimension, relied.fingerprint, relied.versions)
    return relied
