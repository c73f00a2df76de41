"""What transformers reads of a checkpoint: weights as safetensors only, no code from strangers, in silence."""

from __future__ import annotations

import contextlib
import warnings
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

OWN: Mapping[str, Any] = MappingProxyType({"local_files_only": True, "trust_remote_code": False})
"""What every ``from_pretrained`` is told."""


def part(folder: Path, kind: str, **how: Any) -> Any:
    """Make what goes with a network, by its class in transformers: ``AutoTokenizer``.

    Raises
    ------
    ModelUnavailable
        It cannot be made of what is there.
    """
    import transformers

    with reading(kind):
        return getattr(transformers, kind).from_pretrained(folder, **how, **OWN)


def network(folder: Path, kind: str, **how: Any) -> Any:
    """Make a network in evaluation mode, on the CPU where ``how`` does not say otherwise, by its class: ``AutoModel``.

    Raises
    ------
    ModelUnavailable
        The weights cannot be read, or are not all there: transformers would fill up with random numbers.
    """
    import transformers

    with reading(kind):
        made, report = getattr(transformers, kind).from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, **how, **OWN
        )
    if missing := sorted(report["missing_keys"]):
        raise ModelUnavailable(
            f"it holds no weights for {missing[0]!r} and {len(missing) - 1} more parts of {type(made).__name__}"
        )
    return made.eval()


@contextlib.contextmanager
def reading(kind: str) -> Iterator[None]:
    """Have ``kind`` read a checkpoint quietly, and what goes wrong told in one line."""
    try:
        with quiet():
            yield
    except Exception as error:  # a foreign checkpoint can fail in any way; the cause stays chained
        raise ModelUnavailable(f"{kind} cannot read it ({line(error)})") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back transformers' own bars and advice, which name options that nobody here can set."""
    import transformers

    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            log.set_verbosity(level)
            if bars:
                log.enable_progress_bar()


def line(error: BaseException) -> str:
    """Return an error's class and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__
