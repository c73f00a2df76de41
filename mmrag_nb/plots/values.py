"""What figures are given, checked: each refusal is one line."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting, UnknownName
from mmrag_nb.types import MODALITIES

from .labels import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


def numbers(what: str, value: Any, *, shape: str, ndim: int | None = None) -> NDArray[np.float64]:
    """Return ``value`` as float64; ``shape`` is how the message names what is right.

    Raises
    ------
    InvalidSetting
        It is empty, of another number of dimensions, or no array of numbers.
    """
    import numpy as np

    if hasattr(value, "detach"):  # a tensor, of whatever device, precision and gradient
        value = value.detach().float().cpu()
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(f"{what}: not an array of numbers; give {shape}") from error
    if ndim is not None and array.ndim != ndim:
        raise InvalidSetting(f"{what}: an array of shape {array.shape}; give {shape}")
    if not array.size:
        raise InvalidSetting(f"{what}: nothing in it; give {shape}")
    return array


def finite(what: str, array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``array``.

    Raises
    ------
    InvalidSetting
        It holds NaN or infinities; the message says how many.
    """
    import numpy as np

    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise InvalidSetting(f"{what}: {bad:,} of {array.size:,} numbers are NaN or infinite; leave them out")
    return array


def is_number(value: object) -> bool:
    """Whether ``value`` is a real number of any library's; a truth value is none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def as_many(what: str, given: Sequence[Any], n: int, of: str) -> None:
    """Refuse ``given`` where it is not one for each of ``n``.

    Raises
    ------
    InvalidSetting
        The numbers differ.
    """
    if len(given) != n:
        raise InvalidSetting(f"{what}: {len(given):,} for {n:,} {of}; give one for each")


def known_modalities(given: Sequence[str]) -> list[str]:
    """Return the modalities present, in the package's order.

    Raises
    ------
    UnknownName
        One is no modality.
    """
    for name in given:
        if name not in MODALITIES:
            raise UnknownName("modality", plain(name), MODALITIES)
    return [name for name in MODALITIES if name in set(given)]
