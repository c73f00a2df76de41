"""Tiny checkpoints, and a model hub on loopback to download them from."""

from checkpoints import checkpoint  # noqa: F401  (a fixture)
from loopback_hub import loopback_hub  # noqa: F401  (a fixture)
