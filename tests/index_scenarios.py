"""What is done to an index while something goes wrong: its sources, and scenarios that begin the same each time."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pdfs import pdf, text_page
from PIL import Image
from traced import Child

from mmrag_nb import registry
from mmrag_nb.rag import MultimodalRAG

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "lesson.mmrag"
FORMATS = Path(__file__).parent / "fixtures"
THINGS = "harbour lantern kettle orchard violin glacier pepper saddle meadow copper wagon thunder".split()
PDF = Path("sheet.pdf")
KEPT = {"encoder", "captioner"}
"""Kinds of models that all runs share."""


@dataclass(frozen=True)
class Scenario:
    """What is done to an index, over and over, from the same beginning."""

    name: str
    act: Callable[[Path, Path], Any]
    """Done in a folder, with the sources; returns how many items were embedded, where that counts."""
    before: Callable[[Path, Path], None] | None = None
    """Makes what lies in the folder at the beginning."""
    held: Callable[[Path], MultimodalRAG] | None = None
    """Makes what is in memory at the beginning; then ``act`` is given that in place of the sources."""
    same: bool = False
    """Whether the file is to hold the same in another way."""


def new(path: Path | None = None, **choices: Any) -> MultimodalRAG:
    """An index of texts and pictures, offline."""
    return MultimodalRAG(path=path, preset="offline", ocr="none", speech="none", **choices)


def sources(folder: Path, count: int = 40) -> Path:
    """A folder of texts and small pictures, more than two batches of them."""
    folder.mkdir(parents=True)
    chance = random.Random(8)
    for number in range(count):
        path = folder / f"note_{number:03d}"
        words = " and the ".join(chance.sample(THINGS, 3))
        if number % 5 == 4:
            colour = tuple(chance.randrange(256) for _ in range(3))
            Image.new("RGB", (48, 48), colour).save(path.with_suffix(".png"))
        else:
            path.with_suffix(".txt").write_text(f"Note {number} is about the {words}.")
    return folder


def changed(folder: Path) -> Path:
    """The same folder a day later: some changed, some moved, some gone, some new."""
    texts = sorted(folder.glob("*.txt"))
    for path in texts[:4]:
        path.write_text(f"{path.read_text()} That was yesterday.")
    for path in texts[4:8]:
        path.rename(path.with_name(f"moved_{path.name}"))
    for path in texts[8:12]:
        path.unlink()
    for number in range(12):
        (folder / f"later_{number}.txt").write_text(f"Later note {number}: a ferry, a walnut, a falcon.")
    return folder


def _index(folder: Path, things: Path, **how: Any) -> int:
    with new(folder / NAME) as rag:
        return rag.index([things], **how).embedded


def indexed(folder: Path, things: Path) -> None:
    """An index of the sources."""
    _index(folder, things / "first")


def other(folder: Path, things: Path) -> None:
    """Another index."""
    with new(folder / NAME) as rag:
        rag.index([{"text": f"Another index, number {number}."} for number in range(20)])


def _killed_writer(folder: Path, things: Path) -> None:
    """Another index whose writer was killed: its log lies beside it."""

    def ready() -> Callable[[], None]:
        rag = new(folder / NAME)
        rag.index([{"text": f"Another index, number {number}."} for number in range(20)])
        return lambda: os._exit(9)

    child = Child(ready)
    child.go()
    child.ended()


def _save(folder: Path, rag: Any) -> None:
    rag.save(folder / NAME)
    rag.close()


def _remove(folder: Path, things: Path) -> None:
    with new(folder / NAME) as rag:
        if left := [item for item in rag.items() if item.name < "note_030"]:
            rag.remove(left)


def _complete(folder: Path, things: Path) -> None:
    """What another strategy needs is computed on the first question."""
    with new(folder / NAME) as rag:
        rag.search("what of the lantern?", strategy="grounded")


def _mixed(folder: Path, things: Path) -> None:
    _index(folder, things / "first")
    _remove(folder, things)
    with new(folder / NAME) as rag:
        rag.index([things / "second"], prune=True)
        rag.search("what of the lantern?")


def _compact(folder: Path, things: Path) -> None:
    with new(folder / NAME) as rag:
        rag._catalog.compact()


def _with_room(folder: Path, things: Path) -> None:
    """An index of which much was taken out, though not so much that the file was shrunk."""
    indexed(folder, things)
    with new(folder / NAME) as rag:
        rag.remove([item for item in rag.items() if item.name < "note_015"])


def _of_format(number: int) -> Callable[[Path, Path], None]:
    def before(folder: Path, things: Path) -> None:
        (folder / NAME).write_bytes(gzip.decompress((FORMATS / f"index_of_format_{number}.gz").read_bytes()))

    return before


def _open(folder: Path, things: Path) -> None:
    MultimodalRAG.open(folder / NAME).close()


def _pages(folder: Path, things: Path) -> int:
    return _index(folder, things / PDF)


def _filled(things: Path) -> MultimodalRAG:
    rag = new()
    rag.index([things / "first"])
    return rag


SCENARIOS = (
    Scenario("index", lambda folder, things: _index(folder, things / "first")),
    Scenario("index again, changed", lambda folder, things: _index(folder, things / "second", prune=True), indexed),
    Scenario("index of a long document", _pages),
    Scenario("save under a new name", _save, held=_filled),
    Scenario("save over another index", _save, other, held=_filled),
    Scenario("save over a killed writer's", _save, _killed_writer, held=_filled),
    Scenario("remove", _remove, indexed),
    Scenario("compact", _compact, _with_room, same=True),
    Scenario("open a file of format 1", _open, _of_format(1), same=True),
    Scenario("open a file of format 2", _open, _of_format(2), same=True),
    Scenario("complete for a strategy", _complete, indexed),
)
MIXED = Scenario("index, remove, index", _mixed)


def lay_out(place: Path) -> Path:
    """The sources of all scenarios."""
    things = place / "things"
    sources(things / "first")
    shutil.copytree(things / "first", things / "second")
    changed(things / "second")
    pages = [text_page([(72, 700, f"Page {n} of the sheet tells of a {THINGS[n % 12]}.")]) for n in range(20)]
    (things / PDF).write_bytes(pdf(pages))
    return things


def warm(things: Path) -> None:
    """Load models once for all: a fork has them, and could not load them, as torch's threads are its parent's."""
    import torch

    torch.set_num_threads(1)
    registry.create = _made_once(registry.create)
    with new() as rag:
        rag.index([things / "first"])
        rag.search("what of the lantern?", strategy="grounded")


def _made_once(create: Callable[..., Any]) -> Callable[..., Any]:
    made: dict[tuple[str, ...], Any] = {}

    def create_once(kind: str, name: str, argument: str, settings: Any, **further: Any) -> Any:
        if kind not in KEPT:
            return create(kind, name, argument, settings, **further)
        if (kind, name, argument) not in made:
            made[kind, name, argument] = create(kind, name, argument, settings, **further)
        return made[kind, name, argument]

    return create_once


def renew(folder: Path, begin: Path | None) -> None:
    """Empty a folder, which may be a disk of its own, and lay out there what is in another one."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for path in begin.iterdir() if begin is not None else ():
        shutil.copy(path, folder)
