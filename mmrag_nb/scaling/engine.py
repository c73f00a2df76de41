"""Where Ray is, and how much of it is used."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mmrag_nb.errors import InvalidSetting, MMRagError

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL = "local"
"""Stands for a Ray that is started on this machine, for one run."""
_AUTO = "auto"
"""Stands for the cluster that this machine belongs to: Ray knows where that is."""

_MIB = 1 << 20
_PER_WORKER = 2 << 30
"""Bytes of memory that a worker with its models is given room for."""
_PER_GPU = 4
"""Workers that share a GPU: some read files while it works for another."""
_WORKERS_PER_WRITER = 32
_WITHIN = 5.0
"""Seconds within which a cluster must answer; Ray itself would wait for a minute and a half."""


@dataclass(frozen=True)
class Crew:
    """How many work, and with what each."""

    workers: int
    cpus: int
    """Of a worker."""
    gpus: float
    """Of a worker; several share one."""
    writers: int


def address_of(engine: str) -> str:
    """The address that ``engine`` names.

    >>> address_of("ray"), address_of("ray:auto"), address_of("ray://head:10001")
    ('local', 'auto', 'ray://head:10001')

    Raises
    ------
    InvalidSetting
        It is no engine.
    """
    if engine == "ray":
        return LOCAL
    name, _, rest = engine.partition(":")
    if name == "ray" and (rest == _AUTO or None not in _host_and_port(rest)):
        return engine if rest.startswith("//") else rest
    raise InvalidSetting(
        f"unknown engine {engine!r}: it is 'ray' (on this machine), 'ray:auto' or 'ray://HOST:10001' (a cluster), "
        "or 'ray:HOST:6379' (from a machine of the cluster)"
    )


def _host_and_port(address: str) -> tuple[str | None, int | None]:
    """``None`` for what of them ``address`` lacks."""
    try:
        parts = urlsplit(f"//{address.rpartition('//')[2]}")
        host, port = parts.hostname, parts.port
    except ValueError:  # the port is no number, say
        return None, None
    return host, port


def reach(address: str) -> None:
    """Make sure that something answers at ``address``; a Ray of this machine is not asked.

    Raises
    ------
    MMRagError
        Nothing does, within a few seconds.
    """
    if address in (LOCAL, _AUTO):
        return
    host, port = _host_and_port(address)
    try:
        socket.create_connection((host or "", port or 0), _WITHIN).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise MMRagError(
            f"no Ray answers at {host}:{port} ({why}): is the cluster up, and its port open to this machine? "
            "engine='ray' starts one here"
        ) from None


def local_resources() -> dict[str, Any]:
    """What a Ray on this machine is started with: all processors, and room for what is on its way."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    store = min(max(256, 64 * cpus), 8_192) * _MIB
    return {"num_cpus": cpus, "object_store_memory": store, "include_dashboard": False}


def crew_for(resources: Mapping[str, float], *, servers: bool) -> Crew:
    """How many workers and writers there are to be.

    Parameters
    ----------
    resources
        ``CPU``, ``GPU``, and ``memory`` in bytes, as Ray tells them.
    servers
        Whether several may write at once.

    >>> crew_for({"CPU": 64, "GPU": 4, "memory": 200e9}, servers=True)
    Crew(workers=16, cpus=4, gpus=0.25, writers=1)
    """
    cpus, gpus = max(1, int(resources.get("CPU", 1))), int(resources.get("GPU", 0))
    room = max(1, int(resources.get("memory", 0.0) // _PER_WORKER))
    workers = min(cpus, room, gpus * _PER_GPU) if gpus else min(cpus, room)
    return Crew(
        workers=workers,
        cpus=max(1, cpus // workers),
        gpus=gpus / workers if gpus else 0.0,
        writers=1 + workers // _WORKERS_PER_WRITER if servers else 1,
    )
