"""Where a model runs and in which precision: chosen for what the machine has, and said."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import InvalidSetting, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

PRECISIONS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
"""The names of precisions, each with its short form; either is understood."""

EXACT = "exact"
"""The precision that is float32 with every shortcut left out: bit for bit what transformers gives."""

DEVICES = ("auto", "cpu", "cuda", "mps")

AGREEMENT = 0.999
"""Cosine to the CPU's vectors below which another device's are not believed."""


@dataclass(frozen=True)
class Placement:
    """A device, a precision, and why."""

    device: str
    """``cpu``, ``mps``, ``cuda`` or ``cuda:1``."""
    dtype: str
    """``float32``, ``bfloat16`` or ``float16``."""
    reason: str = ""
    exact: bool = False
    """Whether every shortcut is left out, not the arithmetic's alone."""

    @property
    def kind(self) -> str:
        """The device without its number."""
        return self.device.split(":", 1)[0]

    def __str__(self) -> str:
        return f"{EXACT if self.exact else PRECISIONS[self.dtype]}, {self.device}"

    def instead_of(self, wanted: Placement) -> str:
        """The same as text, and why it is on another device than was ``wanted``."""
        return f"{self}; {self.reason}" if self.device != wanted.device else str(self)


def choose(device: str = "auto", precision: str = "auto") -> Placement:
    """Choose where to run: the GPU where there is one, in the fastest precision that keeps the vectors.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda`` (or ``cuda:1``), ``mps``.
    precision
        ``auto``, ``exact``, ``float32``, ``bfloat16``, ``float16`` (or ``fp32``, ``bf16``, ``fp16``). ``exact`` is
        float32 without shortcuts, on the CPU unless a device is named.

    Raises
    ------
    InvalidSetting, UnknownName
        The device is not there, or no device or precision is called that.
    """
    if precision == EXACT:
        return Placement(_device("cpu" if device == "auto" else device), "float32", "as set", exact=True)
    device, dtype = _device(device), _dtype(precision)
    kind = device.split(":", 1)[0]
    if dtype:
        return Placement(device, dtype, "as set")
    if kind == "cuda":
        import torch

        if torch.cuda.get_device_capability(device)[0] >= 8:
            return Placement(device, "bfloat16", "the GPU computes in bfloat16")
        return Placement(device, "float16", "the GPU has no bfloat16")
    if kind == "mps":
        return Placement(device, "float32", "wrong vectors are reported from MPS: checked against the CPU")
    amx = _has_amx()
    return Placement(device, "bfloat16" if amx else "float32", f"the CPU has {'' if amx else 'no '}AMX")


def _device(name: str) -> str:
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    kind, _, number = name.partition(":")
    if kind not in DEVICES or kind == "auto" or (number and not (kind == "cuda" and number.isdecimal())):
        raise UnknownName("device", name, (*DEVICES, "cuda:0"))
    if kind == "cuda" and not cuda:
        raise InvalidSetting("device 'cuda' is not there: torch sees no NVIDIA or AMD GPU; use device 'auto' or 'cpu'")
    if number and int(number) >= torch.cuda.device_count():
        have = torch.cuda.device_count()
        raise InvalidSetting(f"device {name!r} is not there: the last of {have} is 'cuda:{have - 1}'")
    if kind == "mps" and not mps:
        raise InvalidSetting("device 'mps' is not there: torch sees no Apple GPU; use device 'auto' or 'cpu'")
    return name


def _dtype(precision: str) -> str:
    """Return the full name of ``precision``, empty for ``auto``."""
    for name, short in PRECISIONS.items():
        if precision in {name, short}:
            return name
    if precision != "auto":
        raise UnknownName("precision", precision, ("auto", EXACT, *PRECISIONS, *PRECISIONS.values()))
    return ""


def _has_amx() -> bool:
    """Tell whether the CPU multiplies bfloat16 matrices in tiles, without which bfloat16 is slower than float32."""
    import torch

    if hasattr(torch.cpu, "get_capabilities"):  # not in older torch
        return bool(torch.cpu.get_capabilities().get("amx_bf16"))
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


@contextlib.contextmanager
def computing(placement: Placement, *, alone: bool = False) -> Iterator[None]:
    """Compute without gradients in ``placement``'s precision.

    The weights and the residual stream stay float32 and only the matrix products are shortened (autocast): this keeps
    nearly all of a bfloat16 model's speed, and a sixth (pictures) to a half (texts) of its error. The shortened weights
    are kept within one ``with``, so put all batches into one.

    ``alone``: on one thread. A question is little work in many steps, at each of which OpenMP's threads wait for each
    other by spinning: on a busy machine that takes ten times as long as doing without.
    """
    import torch

    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        if alone and placement.kind == "cpu":
            stack.enter_context(on_one_thread())
        if placement.dtype != "float32":
            stack.enter_context(torch.autocast(placement.kind, dtype=getattr(torch, placement.dtype)))
        yield


@contextlib.contextmanager
def on_one_thread() -> Iterator[None]:
    """Keep torch's work in the calling thread; other threads keep theirs.

    ``torch.set_num_threads`` is a thread's own, but also what threads that begin afterwards start with: one that began
    while others were in here would take that 1 for its own.
    """
    import torch

    if getattr(_here, "held", False):
        yield
        return
    with _guard:
        now = torch.get_num_threads()
        own = _inside[0] if _inside and now == 1 else now
        _inside.append(own)
        torch.set_num_threads(1)
    _here.held = True
    try:
        yield
    finally:
        _here.held = False
        with _guard:
            _inside.remove(own)
            torch.set_num_threads(own)


def cores() -> int:
    """How many threads torch computes with where nothing holds it to one."""
    import torch

    with _guard:
        return _inside[0] if _inside else torch.get_num_threads()


_guard = threading.Lock()
_here = threading.local()
_inside: list[int] = []
"""The numbers of threads that those which are in :func:`on_one_thread` had before."""


def shorten(network: Any, placement: Placement) -> None:
    """Shorten the weights of ``network``'s linear layers once, which autocast would do at each call, to equal effect.

    Takes half of their memory; the network then computes within :func:`computing` only.
    """
    import torch

    for module in network.modules():
        if placement.dtype != "float32" and isinstance(module, torch.nn.Linear):
            module.to(getattr(torch, placement.dtype))


def checked(placement: Placement, probe: Callable[[str], NDArray[np.float32]]) -> Placement:
    """Compare ``probe(device)``, vectors (n, d), with the CPU's; fall back to the CPU, saying so, where they differ.

    Only MPS is checked: with transformers 5 wrong CLIP vectors are reported there.
    """
    if placement.kind != "mps":
        return placement
    there, here = probe(placement.device), probe("cpu")
    cosine = _cosine(there, here)
    if cosine >= AGREEMENT:
        return replace(placement, reason=f"vectors agree with the CPU's (cosine {cosine:.4f})")
    return Placement("cpu", "float32", f"{placement.device} gave wrong vectors (cosine {cosine:.3f} to the CPU's)")


def agree(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> bool:
    """Tell whether vectors (n, d) are the same but for a precision's error; NaN is not."""
    return _cosine(ours, theirs) >= AGREEMENT


def _cosine(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """The least of the rows."""
    return float((_unit(ours) * _unit(theirs)).sum(axis=1).min())


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), dtype=np.float32)
