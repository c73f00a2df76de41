"""The pipeline on Ray: list -> open, load and embed -> write, batches streaming through.

An actor conducts it, so that the notebook only asks how far it is: the same on this machine and on a cluster.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from itertools import islice
from typing import TYPE_CHECKING, Any

from mmrag_nb.reports import Skipped

from .encoding import Encoding
from .listing import Named, listed
from .writing import Writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .encoding import Task
    from .engine import Crew
    from .listing import Wanted

PER_BATCH = 16
"""Sources that go through the pipeline together: what a worker that dies has to do again."""
PER_WRITE = 4
"""Batches that are written at once: a write is half a dozen requests, however little it holds."""
AHEAD = 4_096
"""Batches that are listed and not yet written, at most: the names in memory, whatever the size of the corpus."""
MAX_RESTARTS = 1_000
"""Of one worker: it is started again wherever it dies."""
MAX_RETRIES = 3
"""Of one batch, whose worker died: what kills a worker four times is left out, and told."""
MAX_LOST = 100
"""Batches that may be left out so; with more, something else is wrong, and the run ends."""


class Conducting:
    """What the actor does: runs the pipeline, and knows what is listed and what is done.

    Its methods are called at once from several threads: by the notebook, and by the task that lists.
    """

    def __init__(self) -> None:
        self._told: queue.Queue[dict[str, Any]] = queue.Queue()
        self._open: dict[int, list[str]] = {}
        """The sources of batches that are listed and not done, by the batch's number."""
        self._next = 0
        """Number of the first batch that was not listed yet."""
        self._sources, self._all = 0, False
        self._lock = threading.Condition()

    # -- the pipeline ----------------------------------------------------------------------------------------------

    def run(self, wanted: Wanted, task: Task, crew: Crew) -> None:
        """Run it to its end; :meth:`news` has what it tells."""
        import ray
        from ray.data import ActorPoolStrategy, DataContext

        context = DataContext.get_current()
        context.enable_progress_bars = context.enable_operator_progress_bars = False
        context.target_max_block_size = 1  # a row is a batch: none waits for others, each is a task of its own
        context.max_errored_blocks = MAX_LOST
        context.execution_options.preserve_order = False
        me = ray.get_runtime_context().current_actor
        pool = {"max_restarts": MAX_RESTARTS, "max_task_retries": MAX_RETRIES, "batch_format": "pyarrow"}
        rows = ray.data.read_datasource(
            _source(wanted, me), override_num_blocks=1, ray_remote_args={"num_cpus": 0, "max_retries": MAX_RETRIES}
        )
        rows = rows.map_batches(
            Encoding,
            fn_constructor_args=(task, crew.cpus),
            batch_size=None,
            compute=ActorPoolStrategy(size=crew.workers, max_tasks_in_flight_per_actor=2),
            num_cpus=crew.cpus,
            num_gpus=crew.gpus,
            **pool,
        )
        rows = rows.map_batches(
            Writing,
            fn_constructor_args=(task.place,),
            batch_size=PER_WRITE,
            compute=ActorPoolStrategy(size=crew.writers, max_tasks_in_flight_per_actor=4),
            num_cpus=0,
            **pool,
        )
        for written in rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for number, told, last in zip(
                *(written[name].to_pylist() for name in ("number", "told", "last")), strict=True
            ):
                self._done(number, json.loads(told), last=last)
        self._lost()

    def _done(self, number: int, told: dict[str, Any], *, last: bool) -> None:
        with self._lock:
            through = self._open.pop(number, []) if last else []
            self._lock.notify_all()
        self._told.put({**told, "through": len(through)})

    def _lost(self) -> None:
        """Tell of batches that never came out."""
        with self._lock:
            lost = [name for names in self._open.values() for name in names]
        reason = f"its worker died {MAX_RETRIES + 1} times on it, or on one of its neighbours: index it by itself"
        for name in lost:
            self._told.put({"lost": name, "reason": reason})

    # -- what others ask -------------------------------------------------------------------------------------------

    def listing(self, number: int, names: list[str]) -> None:
        """Note that a batch was listed; returns once it may go on its way."""
        with self._lock:
            while len(self._open) >= AHEAD:
                self._lock.wait()
            if number >= self._next:  # below, it is listed again, since the task that lists died
                self._next = number + 1
                self._open[number] = names
                self._sources += len(names)

    def left_out(self, skipped: list[tuple[str, str]]) -> None:
        """Note what the listing found to be of no use."""
        for name, reason in skipped:
            self._told.put({"lost": name, "reason": reason})

    def end(self) -> None:
        """Note that all is listed."""
        self._all = True

    def news(self, seconds: float) -> tuple[list[dict[str, Any]], int, bool]:
        """What has been told since, how many sources are listed so far, and whether that is all of them."""
        told = []
        try:
            told.append(self._told.get(timeout=seconds))
            while True:
                told.append(self._told.get_nowait())
        except queue.Empty:
            pass
        return told, self._sources, self._all


def _source(wanted: Wanted, conductor: Any) -> Any:
    """A source of Ray Data that lists as it is read, in one task."""
    import pyarrow as pa
    from ray.data import Datasource
    from ray.data.block import BlockMetadata
    from ray.data.datasource import ReadTask

    def read() -> Iterator[pa.Table]:
        import ray

        for number, names, metadata in _batches(wanted, conductor):
            told = json.dumps([[os.fsencode(name).hex(), said] for name, said in zip(names, metadata, strict=True)])
            ray.get(conductor.listing.remote(number, names))
            yield pa.table({"number": [number], "sources": [told]})
        ray.get(conductor.end.remote())

    class Listing(Datasource):  # type: ignore[misc]  # of an untyped library
        def get_name(self) -> str:
            return "Listing"

        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, *_: Any, **__: Any) -> list[ReadTask]:
            return [ReadTask(read, BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None))]

    return Listing()


def _batches(wanted: Wanted, conductor: Any) -> Iterator[tuple[int, list[str], list[dict[str, Any]]]]:
    found = listed(wanted)
    number = 0
    while some := list(islice(found, PER_BATCH)):
        skipped = [(one.source, one.reason) for one in some if isinstance(one, Skipped)]
        if skipped:
            conductor.left_out.remote(skipped)
        named = [one for one in some if isinstance(one, Named)]
        if named:
            yield number, [one.name for one in named], [dict(one.metadata) for one in named]
            number += 1
