"""Arrays of vectors that people bring: mapped into memory, never unpickled, normalised block by block."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.errors import LoadError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmrag_nb.types import Vectors

_KINDS = (2, 4, 8)
"""Bytes of the floats that are taken."""
_SMALLEST = 1e-12
"""Length below which a vector has no direction that could be told."""


def opened(source: Any) -> NDArray[Any]:
    """The array (n, d) of floats in a ``.npy`` file, mapped, or in memory as it is given.

    Raises
    ------
    LoadError
        It is no such array.
    """
    if isinstance(source, (str, os.PathLike)):
        array, name = _mapped(Path(source).expanduser()), str(source)
    else:
        array, name = _given(source), "the array"
    if array.ndim != 2 or 0 in array.shape:
        shape = " x ".join(map(str, array.shape)) or "a single number"
        raise LoadError(f"{name} is {shape}: vectors are an array of n rows of d numbers, one row a vector")
    if array.dtype.kind != "f" or array.dtype.itemsize not in _KINDS:
        raise LoadError(f"{name} holds {array.dtype}: vectors are float16, float32 or float64, as a.astype('float32')")
    return array


def _mapped(path: Path) -> NDArray[Any]:
    if path.suffix.lower() == ".npz":
        raise LoadError(f"{path} is an archive of arrays: save the one that holds the vectors by np.save('v.npy', a)")
    if path.suffix.lower() in {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib"}:
        raise LoadError(f"{path} may hold pickled objects, which run as code and are never read: np.save('v.npy', a)")
    try:
        with path.open("rb") as file:
            begins = file.read(6)
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}") from error
    if begins != b"\x93NUMPY":
        raise LoadError(f"{path} is no .npy file: write one by np.save('vectors.npy', a)")
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header raises whatever parsing it does
        if "Object arrays" in str(error) or "Python objects in dtype" in str(error):
            raise LoadError(
                f"{path} holds pickled Python objects, which run as code and are never read: "
                "np.save('v.npy', np.stack(list(a)).astype('float32'))"
            ) from error
        told = " ".join(str(error).split())[:120]
        raise LoadError(f"{path} is damaged, or no .npy file of vectors: {told}") from error
    assert isinstance(found, np.ndarray)
    return found


def _given(source: Any) -> NDArray[Any]:
    if isinstance(source, np.ndarray):
        return source
    if isinstance(source, (list, tuple)) or hasattr(source, "__array__"):
        try:
            found = np.asarray(source.detach().cpu() if hasattr(source, "detach") else source)
        except (TypeError, ValueError, RuntimeError) as error:
            raise LoadError("the rows of vectors differ in length, or are no numbers: give an array (n, d)") from error
        return found
    raise LoadError(f"vectors are a .npy file or an array (n, d), not an object of type {type(source).__name__}")


def unit(block: NDArray[Any]) -> tuple[Vectors, dict[int, str]]:
    """Rows (n, d) as float32 of length 1; of those that cannot be, by their place, why. These are left zero."""
    with np.errstate(invalid="ignore"):  # some of what is no number
        rows = np.asarray(block, np.float64)  # squares of half floats overflow
    finite = np.asarray(np.isfinite(rows).all(axis=1))
    lengths = np.linalg.norm(np.where(finite[:, None], rows, 0), axis=1)
    wrong = {int(place): "its vector has a NaN or an infinity" for place in np.flatnonzero(~finite)}
    wrong |= {int(place): "its vector is zero" for place in np.flatnonzero(finite & (lengths < _SMALLEST))}
    measured = np.isfinite(lengths)
    wrong |= {int(place): "its vector is too long to be measured" for place in np.flatnonzero(finite & ~measured)}
    good = finite & (lengths >= _SMALLEST) & measured
    made = np.zeros(rows.shape, np.float32)
    made[good] = (rows[good] / lengths[good, None]).astype(np.float32)
    return made, wrong
