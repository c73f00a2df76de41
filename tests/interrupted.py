"""What a kernel finds in itself after a cell was interrupted; runs in that kernel."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index_states import State, commits_noted, faults, state

from mmrag_nb.isolation import calling

if TYPE_CHECKING:
    from mmrag_nb.catalog.catalog import Catalog

_SETTLE = 3.0
"""Seconds that a thread or process may take to end."""
_LOADED = 60.0
"""Seconds that loading models in the background may take."""
_noted: list[State] = []
_noting: list[Any] = []


def note_commits(shell: Any) -> None:
    """From here on note what is in the index after each commit; prints what is in it now."""
    _noted[:] = [state(_rag(shell)._catalog)]
    _noting[:] = [commits_noted(_note)]
    _noting[0].__enter__()
    sys.stdout.write(json.dumps(_noted))


def _note(catalog: Catalog) -> None:
    _noted.append(state(catalog))


def noted() -> None:
    """Print those states, and note no more."""
    if _noting:
        _noting.pop().__exit__(None, None, None)
    sys.stdout.write(json.dumps(_noted))


def look(shell: Any) -> None:
    """Print the state of the index, the threads, and what is wrong."""
    rag = _rag(shell)
    wrong = [f"{name} is locked" for name, lock in _locks(rag).items() if not _free(lock)]
    if not wrong:
        if rag._catalog._db.in_transaction:
            wrong.append("a transaction is open")
        wrong += faults(rag._catalog)
    wrong += _children()
    found = {} if any("locked" in one for one in wrong) else state(rag._catalog)
    sys.stdout.write(json.dumps({"state": found, "wrong": wrong, "threads": _threads()}))


def _rag(shell: Any) -> Any:
    return shell._mmrag_session.rag


def _locks(rag: Any) -> dict[str, Any]:
    return {"the catalog": rag._catalog._lock, "the models": rag._parts._lock, "the decoders": calling._lock}


def _free(lock: Any) -> bool:
    """Whether another thread could take ``lock``."""
    found = []

    def take() -> None:
        if lock.acquire(timeout=2):
            lock.release()
            found.append(True)

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return bool(found)


def _threads() -> list[str]:
    """Names of the threads that stay; timers, and models that load in the background, are waited for."""
    end = time.monotonic() + _LOADED
    while time.monotonic() < end and any(map(_ends, threading.enumerate())):
        time.sleep(0.1)
    time.sleep(0.1)
    return sorted(_name(thread) for thread in threading.enumerate())


def _ends(thread: threading.Thread) -> bool:
    return isinstance(thread, threading.Timer) or thread.name == "mmrag_nb warming"


def _name(thread: threading.Thread) -> str:
    return thread.name.rstrip("0123456789-_ ()")


def _children() -> list[str]:
    """Processes of ours that are neither waiting for a call nor ending."""
    end = time.monotonic() + _SETTLE
    while True:
        waiting = {worker._process.pid for worker in calling._idle}
        left = [told for pid, told in _processes() if pid not in waiting]
        if not left or time.monotonic() > end:
            return [f"a process is left: {told}" for told in left]
        time.sleep(0.1)


def _processes() -> list[tuple[int, str]]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            told = (place / "stat").read_text()
            command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        status, parent = told.rpartition(")")[2].split()[:2]
        if int(parent) == os.getpid():
            found.append((int(place.name), f"{place.name} ({status}) {command[:80]}"))
    return found
