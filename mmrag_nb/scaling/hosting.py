"""The process that speaks with Ray: ``python -m mmrag_nb.scaling.hosting``.

Ray is not let into the notebook's own process, where it would fork beside the threads of other libraries (Milvus
Lite's, say), write into cells, and stay. Here it is quiet, and gone with whoever began it: when standard input closes.
One line of JSON comes in, what is to be done; lines of JSON go out, what becomes of it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import MMRagError

from .encoding import Task
from .engine import LOCAL, crew_for, local_resources
from .listing import Named, Wanted
from .pipeline import Conducting
from .place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

_ATTEMPTS = 3
"""On a busy machine Ray's own processes may not find each other in the fifteen seconds that they give themselves."""
_PATIENCE = 0.3
"""Seconds between two looks at how far it is."""
_STARTED, _CONNECTED = 120.0, 60.0
"""Seconds that Ray has to start here, and a cluster to let us in: on a busy machine they need half of them."""
_FAREWELL = 20.0
"""Seconds that Ray has to end in."""
_SHORT = "/tmp" if os.path.isdir("/tmp") else None  # noqa: PTH112, S108
"""Where its sockets lie: their paths are of a hundred letters at most."""


def hosted(address: str, wanted: Wanted, task: Task) -> Generator[Mapping[str, Any], None, None]:
    """Run a pipeline on the Ray at ``address``, and yield what it tells; closed, it ends.

    Yields
    ------
    mapping
        ``told``: of some items, see :func:`~mmrag_nb.scaling.rows.pack_tally`. ``through``, ``listed``: sources.
        ``error``: why it ended before its end.
    """
    attempts = _ATTEMPTS if address == LOCAL else 1
    for left in reversed(range(attempts)):
        with contextlib.closing(_hosted(address, wanted, task)) as news:
            for one in news:
                if "refused" not in one:
                    yield one
                elif not left:
                    yield {"error": one["refused"]}
                else:
                    break
            else:
                return


def _hosted(address: str, wanted: Wanted, task: Task) -> Generator[Mapping[str, Any], None, None]:
    """What one process tells; ``refused``: why Ray does not start, or does not let it in."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUNBUFFERED": "1"}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    if address == LOCAL:  # for nobody else on this machine
        environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        environment.pop("RAY_ADDRESS", None)
    folder = tempfile.TemporaryDirectory(prefix="mmrag", dir=_SHORT, ignore_cleanup_errors=True)
    names = {**asdict(wanted), "base": str(wanted.base)}
    said = {"address": address, "folder": folder.name, "wanted": names, "task": asdict(task)}
    with (
        folder,
        subprocess.Popen(
            [sys.executable, "-m", "mmrag_nb.scaling.hosting"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
            start_new_session=True,  # Ctrl-C is for the notebook, which then closes this in order
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(OSError):  # it has died already: said below
                process.stdin.write(json.dumps(said) + "\n")
                process.stdin.flush()
            one: dict[str, Any] = {}
            for line in process.stdout:
                one = json.loads(line)
                yield one
            if not {"end", "error", "refused"} & one.keys():
                raise MMRagError("the process that speaks with Ray has died: run it again, what was written stays")
        finally:
            with contextlib.suppress(OSError):
                process.stdin.close()
            try:
                process.wait(_FAREWELL)
            except subprocess.TimeoutExpired:
                process.kill()
            if address == LOCAL and hasattr(os, "killpg"):
                with contextlib.suppress(ProcessLookupError):  # which is as it should be
                    os.killpg(process.pid, signal.SIGKILL)  # a Ray that did not start leaves half of itself


def main() -> None:
    """Do what the first line of standard input says, until there is no more of it."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else is printed is not ours

    def tell(**what: Any) -> None:
        out.write(json.dumps(what) + "\n")

    said = json.loads(sys.stdin.readline())
    over = threading.Event()
    patience = _STARTED if said["address"] == LOCAL else _CONNECTED

    def wait() -> None:
        sys.stdin.read()
        over.set()
        time.sleep(_FAREWELL)
        _end()  # nobody listens, and Ray is still at something

    def give_up() -> None:
        where = "does not start on this machine" if said["address"] == LOCAL else f"at {said['address']!r} says nothing"
        tell(refused=f"Ray {where} (tried for {patience:.0f} seconds)")
        _end()

    threading.Thread(target=wait, daemon=True).start()
    wanted = Wanted(
        [Named(**one) for one in said["wanted"]["sources"]], Path(said["wanted"]["base"]), said["wanted"]["ignore"]
    )
    task = Task(**{**said["task"], "place": Place(**said["task"]["place"])})
    try:
        late = threading.Timer(patience, give_up)
        late.daemon = True
        late.start()
        ray, refused = _connected(said["address"], said["folder"])
        late.cancel()
        if refused:
            tell(refused=refused)
        else:
            _work(ray, wanted, task, tell, over)
            tell(end=True)
    except MMRagError as error:
        tell(error=str(error))
    except Exception as error:  # noqa: BLE001 - told where it can be seen
        last = traceback.extract_tb(error.__traceback__)[-1]
        lines = str(error).strip().splitlines() or [""]
        tell(error=f"Ray failed: {type(error).__name__}: {lines[-1][:300]} ({Path(last.filename).name}:{last.lineno})")


def _end() -> None:
    """End at once, with all of Ray that was started here."""
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)  # a session of its own, see _hosted
    os._exit(1)


def _work(ray: Any, wanted: Wanted, task: Task, tell: Callable[..., None], over: threading.Event) -> None:
    """Run the pipeline until it ends or is ``over``, and let Ray go."""
    try:
        crew = crew_for(ray.cluster_resources(), servers=not task.place.lite)
        conductor = ray.remote(Conducting).options(num_cpus=0, max_concurrency=8).remote()
        run = conductor.run.remote(wanted, task, crew)
        through, ended = 0, False
        while not over.is_set():
            told, listed, all_listed = ray.get(conductor.news.remote(_PATIENCE))
            for one in told:
                through += one.get("through", 0)
                tell(told=one)
            tell(through=through, listed=listed if all_listed else None)
            if ended and not told:
                ray.get(run)  # raises what went wrong
                return
            ended = ended or bool(ray.wait([run], timeout=0)[0])
        ray.kill(conductor)
    finally:
        ray.shutdown()


def _connected(address: str, folder: str) -> tuple[Any, str]:
    """Ray, at ``address``, or started here with its sockets and logs in ``folder``; and why that cannot be."""
    import ray

    how: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        how |= {**local_resources(), "_temp_dir": folder}
    try:
        ray.init(address=address, **how)
    except Exception as error:  # noqa: BLE001 - Ray raises no other where its own processes do not find each other
        why = " ".join(str(error).split())[:200] or type(error).__name__
        if address == LOCAL:
            return ray, f"Ray does not start on this machine ({why}): 'ray start --head' says more"
        return ray, f"no Ray at {address!r} ({why}): is the cluster up? engine='ray' starts one on this machine"
    return ray, ""


if __name__ == "__main__":
    main()
