"""What a measurement was made on: without it, a figure means nothing."""

from __future__ import annotations

import os
import platform
from importlib import metadata

_LIBRARIES = ("mmrag-nb", "ipython", "ipykernel", "numpy", "scikit-learn", "torch", "transformers", "pillow")


def facts() -> dict[str, str]:
    """Cores that may be used, their load, the system, Python and the libraries that take part, by name."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    found = {
        "cores": str(cores),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    if hasattr(os, "getloadavg"):
        found["load"] = f"{os.getloadavg()[0]:.1f}"  # of the last minute: what else the cores had to do
    if threads := os.environ.get("OMP_NUM_THREADS"):
        found["OMP_NUM_THREADS"] = threads
    installed = {name.lower() for one in metadata.distributions() if (name := one.metadata["Name"])}
    return found | {name: metadata.version(name) for name in _LIBRARIES if name in installed}
