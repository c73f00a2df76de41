"""A damaged file to a loader, in a process that may hang, crash or grow: what it made of it, whether that is sane."""

import json
import math
import multiprocessing
import os
import resource
import signal
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

SECONDS = 45.0
"""Longest that an input may take: isolated decoders give up after 20 s without a piece."""
MEMORY = 1_500_000_000
"""Bytes that the process and those it starts may have in memory at once, at most."""
WIDEST = 6_000_000_000
"""Bytes of address space, so that an explosion does not take the machine with it."""
TABLES = "tables"
"""Not a loader but a source: files whose rows are records."""


@dataclass(frozen=True)
class Verdict:
    """What became of an input."""

    kind: str
    """``loaded``, ``refused``; else what is wrong: ``insane``, ``raised``, ``crashed``, ``hung``, ``grew``."""
    told: str
    """The refusal, what is insane, a traceback."""
    seconds: float = 0.0
    peak: int = 0
    """Most bytes in memory, of the process and those it started."""

    @property
    def fine(self) -> bool:
        return self.kind in {"loaded", "refused"}


def tried(loader: str, name: str, data: bytes, folder: Path) -> Verdict:
    """Load ``data`` here, as a file called ``name``."""
    from mmrag_nb.errors import MMRagError

    path = folder / name
    path.write_bytes(data)
    try:
        wrong = _table(path) if loader == TABLES else _loaded(loader, path)
    except MMRagError as error:
        told = str(error)
        wrong = _line_wrong(told)
        return Verdict("insane" if wrong else "refused", wrong or told)
    except MemoryError:
        return Verdict("grew", f"MemoryError\n{traceback.format_exc()[-1500:]}")
    except Exception:  # noqa: BLE001  # that is what is looked for
        return Verdict("raised", traceback.format_exc()[-3000:])
    finally:
        path.unlink(missing_ok=True)
    return Verdict("insane" if wrong else "loaded", wrong)


def _count_tokens(text: str) -> int:
    return 2 + len(text) // 4


def make(loader: str):
    """A loader as the settings have it."""
    from mmrag_nb import registry
    from mmrag_nb.settings import Settings

    entry = registry.entry("loader", loader)
    options = {option: getattr(Settings(), option) for option in entry.options}
    return registry.find("loader", loader)(*((60, _count_tokens) if "text" in entry.makes else ()), **options)


def _loaded(loader: str, path: Path) -> str:
    from mmrag_nb.registry import entry

    made = make(loader)
    chunks = 0
    sections = made.sections(path, path.name) if entry("loader", loader).long else [made.load(path, path.name)]
    try:
        for item in sections:
            chunks += len(item.chunks)
            if wrong := _item_wrong(item, entry("loader", loader).makes):
                return wrong
    except Exception:
        if not chunks:
            raise
        from mmrag_nb.errors import MMRagError

        with suppress(MMRagError):  # what came before stands
            raise
    return "" if chunks else "silent success: no chunk, and nobody said so"


def _table(path: Path) -> str:
    from mmrag_nb.registry import modality_of
    from mmrag_nb.reports import Skipped
    from mmrag_nb.sources.resolve import resolve
    from mmrag_nb.types import Source

    count = 0
    for outcome in resolve([Source(str(path))], modality_of=modality_of, base=path.parent):
        count += 1
        if isinstance(outcome, Skipped):
            if wrong := _line_wrong(outcome.reason):
                return wrong
        elif not outcome.item.id or not outcome.item.uri:
            return f"an item without a name: {outcome.item}"
    return "" if count else "silent success: no item, and nobody said so"


def _line_wrong(told: str) -> str:
    if not told.strip() or "\n" in told or len(told) > 600 or not told.isprintable():
        return f"a reason that is not one printable line: {told!r}"
    return ""


def _item_wrong(item, makes) -> str:
    try:
        json.dumps(dict(item.facts), allow_nan=False)
    except ValueError as error:
        return f"facts that are no JSON: {item.facts} ({error})"
    previews = [*item.previews.values(), *(one for chunk in item.chunks for one in chunk.previews.values())]
    if not all(one.data and "/" in one.mime for one in previews):
        return "an empty preview"
    for note in item.notes:
        if wrong := _line_wrong(note):
            return wrong
    return next(filter(None, (_chunk_wrong(chunk, makes) for chunk in item.chunks)), "")


def _chunk_wrong(chunk, makes) -> str:
    if chunk.modality not in makes:
        return f"a chunk of modality {chunk.modality}"
    return _place_wrong(chunk) or _text_wrong(chunk) or _content_wrong(chunk)


def _place_wrong(chunk) -> str:
    if (chunk.start is None) != (chunk.end is None):
        return f"half a time: {chunk.start}, {chunk.end}"
    if chunk.start is not None and not (math.isfinite(chunk.end) and 0 <= chunk.start <= chunk.end):
        return f"times {chunk.start}..{chunk.end}"
    if chunk.page is not None and chunk.page < 1:
        return f"page {chunk.page}"
    return ""


def _text_wrong(chunk) -> str:
    try:
        chunk.text.encode()
    except UnicodeEncodeError:
        return f"text that cannot be stored: {chunk.text[:80]!r}"
    if "\0" in chunk.text:
        return f"text with NULs: {chunk.text[:80]!r}"
    if chunk.modality == "text" and not chunk.text.strip():
        return "an empty passage"
    return ""


def _content_wrong(chunk) -> str:
    if chunk.modality == "image" and (chunk.pixels is None or chunk.pixels.mode != "RGB" or not min(chunk.pixels.size)):
        return f"pixels {chunk.pixels}"
    if chunk.modality == "audio" and (chunk.audio is None or not len(chunk.audio.raw_data)) and not chunk.text:
        return f"sound {chunk.audio}"
    return ""


# -- the process ------------------------------------------------------------------------------------------------------


def serve(connection) -> None:
    """Try what comes until nothing comes any more."""
    import warnings

    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (WIDEST, WIDEST))
    with TemporaryDirectory() as folder:
        while True:
            try:
                loader, name, data = connection.recv()
            except EOFError:
                return
            connection.send(tried(loader, name, data, Path(folder)))


class Process:
    """A process that tries inputs, and is replaced when one of them was too much for it."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process = None

    def _start(self) -> None:
        self._here, there = self._context.Pipe()
        self._process = self._context.Process(target=serve, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def tried(self, loader: str, name: str, data: bytes) -> Verdict:
        """What becomes of ``data``, a file called ``name``."""
        if self._process is None:
            self._start()
        begin, peak = time.monotonic(), 0
        self._here.send((loader, name, data))
        _forget_peaks(self._process.pid)
        verdict = None
        with suppress(EOFError, ConnectionResetError):
            while verdict is None and time.monotonic() - begin < SECONDS and peak < 2 * MEMORY:
                if self._here.poll(0.25):
                    verdict = self._here.recv()
                peak = max(peak, _peak(self._process.pid))
        seconds = time.monotonic() - begin
        if verdict is None:
            self._process.join(0.5)
            code = self._process.exitcode
            kind = "crashed" if code is not None else "grew" if peak >= 2 * MEMORY else "hung"
            why = f"exit status {code}" if code is None or code >= 0 else signal.Signals(-code).name
            self.close()
            return Verdict(kind, why, seconds, peak)
        if verdict.fine and peak > MEMORY:
            return Verdict("grew", f"{peak / 1e6:,.0f} MB; {verdict.kind}: {verdict.told}", seconds, peak)
        return Verdict(verdict.kind, verdict.told, seconds, peak)

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._here.close()
            self._process = None


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in _family(int(child)))]


def _peak(pid: int) -> int:
    """Most bytes that the process and its children had in memory since they were asked to forget."""
    total = 0
    for one in _family(pid):
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{one}/status").read_text(encoding="ascii").splitlines()
            total += 1024 * int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    return total


def _forget_peaks(pid: int) -> None:
    for one in _family(pid):
        with suppress(OSError):
            Path(f"/proc/{one}/clear_refs").write_text("5", encoding="ascii")


if os.name != "posix":
    raise ImportError("the limits of this process are POSIX's")
