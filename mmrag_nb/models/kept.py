"""Which models are on this machine already."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mmrag_nb.weights.hub import cached

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_kept(model: str) -> bool:
    """Whether ``model``, a hub id or a folder, can be loaded without a download."""
    return Path(model).expanduser().is_dir() or cached(model) is not None


@contextmanager
def hub_off() -> Iterator[None]:
    """Load what is kept as it is: the hub is not asked whether there is a newer version, none is downloaded."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
