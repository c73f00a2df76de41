"""An index as a folder that ``datasets.load_from_disk`` opens."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import NotInstalled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def write(place: Path, schema: Any, batches: Iterable[Any], description: str) -> int:
    """Write Arrow tables of ``schema`` as they come; returns the number of rows.

    Raises
    ------
    NotInstalled
        ``datasets`` is absent.
    """
    import pyarrow as pa

    try:
        import datasets
    except ModuleNotFoundError as error:
        raise NotInstalled("datasets", extra="datasets") from error
    stream = place.with_name(f"{place.name}.arrow")  # not in it: a dataset is not saved where it lies
    rows = 0
    try:
        with pa.OSFile(str(stream), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            for batch in batches:
                writer.write_table(batch)
                rows += len(batch)
        info = datasets.DatasetInfo(description=description, features=datasets.Features.from_arrow_schema(schema))
        with _quietly(datasets):
            datasets.Dataset.from_file(str(stream), info=info).save_to_disk(place)  # mapped, not read
    finally:
        stream.unlink(missing_ok=True)
    return rows


@contextmanager
def _quietly(datasets: Any) -> Iterator[None]:
    """Without the bars that ``datasets`` draws; ours tells already."""
    drawn = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if drawn:
            datasets.enable_progress_bars()
