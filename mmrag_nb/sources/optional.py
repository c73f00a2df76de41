"""Objects of libraries that may not be there: told without importing any."""

from __future__ import annotations

import sys
from typing import Any


def is_a(value: Any, module: str, name: str) -> bool:
    """Whether ``value`` is of an optional library's class."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)


def is_frame(value: Any) -> bool:
    """Whether ``value`` is a pandas DataFrame."""
    return is_a(value, "pandas", "DataFrame")


def is_series(value: Any) -> bool:
    """Whether ``value`` is a pandas Series."""
    return is_a(value, "pandas", "Series")
