"""Sound and film files as FFmpeg opens them: what they are told by, packet by packet, and what damage becomes."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


@contextmanager
def opened(handle: BinaryIO, kinds: str, what: str) -> Iterator[Any]:
    """A container of one of these ``kinds``, told by its content alone.

    Parameters
    ----------
    handle
        The file.
    kinds
        FFmpeg's names of formats, with commas. Playlists and the like make it open other files and addresses, so they
        are named one by one.
    what
        Names what the file is to hold, for :func:`damage_told`.

    Raises
    ------
    LoadError
        It is none of these, or what is done with it finds it damaged.
    """
    import av

    # Without a name, so that FFmpeg goes by the content and not by the suffix.
    unnamed = SimpleNamespace(read=handle.read, seek=handle.seek, tell=handle.tell)
    # Up to PyAV 18, tags that are no UTF-8 stop the opening unless they are ignored; 19 has no such option.
    tags = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
    with damage_told(what), av.open(unnamed, mode="r", options={"format_whitelist": kinds}, **tags) as container:
        yield container


@contextmanager
def damage_told(what: str) -> Iterator[None]:
    """Damaged files raise errors of PyAV's own, ``ValueError``, ``OSError`` and more; each becomes a `LoadError`."""
    try:
        yield
    except (LoadError, MemoryError):  # who started this process knows how much memory it may take
        raise
    except Exception as error:
        reason = " ".join((getattr(error, "strerror", None) or str(error)).split())[:120]
        raise LoadError(f"damaged, or no {what} of a supported format: {reason}") from error


def decoded(container: Any, *streams: Any) -> Iterator[tuple[int, list[Any] | None]]:
    """Of each packet of ``streams``, as they come, its stream's index and its frames, ``None`` where it is damaged.

    Where nothing more can be found for damage, the first stream is told to have a damaged one.
    """
    import av

    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            yield streams[0].index, None
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            frames = None
        yield packet.stream_index, frames


def seconds(units: int | None) -> float:
    """Of a time of a whole container, 0 where there is none."""
    import av

    return (units or 0) / int(av.time_base)
