"""Everything that can show text of others, each made with one text in every place where such text can stand.

A new kind of result or panel gets one function and one line in :data:`EXHIBITS`; ``test_hostile.py`` then shows it in a
live notebook with all forty strings of ``tests/hostile.py`` and looks at it in the browser. The functions run in the
notebook's kernel: what they return is displayed as the value of a cell would be.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hostile import HOSTILE

from mmrag_nb.assets.demo.media import demo_folder
from mmrag_nb.insight.comparison import Cell, Column, Comparison, Row, Standing
from mmrag_nb.insight.embedding_map import EmbeddingMap, Gap
from mmrag_nb.insight.why import Heat, Placing, Term, View, Why, WordShare
from mmrag_nb.jobs.job import Job
from mmrag_nb.jobs.line import Jobs
from mmrag_nb.notebook.render import writing
from mmrag_nb.rag import MultimodalRAG
from mmrag_nb.reports import ExportReport, ImportReport, IndexReport, Plan, Planned, Removal, Skipped, Status
from mmrag_nb.results import Answer, Claim, Hit, Hits, Part, Passage
from mmrag_nb.types import Chunk, Estimate, Item, Preview, Record
from mmrag_nb.verification import Compaction, Problem, Verification

if TYPE_CHECKING:
    from collections.abc import Callable

_SILENCE = (
    b"RIFF\x64\x1f\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00"
    b"data\x40\x1f\x00\x00" + b"\x80" * 8000
)
"""One second, as WAV."""


@dataclass(frozen=True)
class Exhibit:
    """A way to show a text."""

    make: Callable[[str], Any]
    """The text to what is displayed."""
    least: int
    """How often the text has to be readable in what is displayed."""


# results


def sound(text: str) -> Hit:
    return Hit(
        rank=1,
        score=5.3,
        cosine=0.79,
        lexical=2.3,
        chunk=Chunk("a", 0, "audio", text, 0.2, 0.7),
        item=Item("a", f"folder/{text}", "audio", {text: "value", "key": text, "caption": text}),
        calibrated=4.2,
        seen_as="text",
        space=text,
        raw_rank=1,
        matches=((1, 3), (5, 9)),
        facts={"seconds": 1.0, "rate": 8000, "note": text},
        previews={
            "clip": Preview("audio/wav", _SILENCE),
            "peaks": Preview("application/octet-stream", bytes(range(200))),
        },
    )


def frame(text: str) -> Hit:
    """A film's: no browser can play this one, and what stands around it is to be seen."""
    drawing = (demo_folder() / "emoji" / "drawing_02.png").read_bytes()
    return replace(
        sound(text),
        chunk=Chunk("f", 3, "image", text, 61.5, 70.0),
        item=Item("f", f"folder/{text}", "video", {"key": text}),
        facts={"seconds": 90.0, "width": 320, "height": 180, "subtitles": text},
        previews={"thumbnail": Preview("image/png", drawing), "film": Preview("video/mp4", b"not a film")},
    )


def page(text: str) -> Hit:
    """A document's, with places on it, some of which cannot be."""
    drawing = (demo_folder() / "emoji" / "drawing_02.png").read_bytes()
    places = json.dumps(
        [[0, 4, 0.1, 0.1, 0.4, 0.2], [5, 9, -3, 0, 1e9, 2], [text, 9, 0, 0, 1, 1], [5, 9, 0, 0, 1, text]]
    )
    return replace(
        sound(text),
        chunk=Chunk("d", 2, "text", text, page=2),
        item=Item("d", f"folder/{text}", "text", {"key": text}),
        facts={"pages": 3, "note": text},
        previews={"page": Preview("image/png", drawing), "placed": Preview("application/json", places.encode())},
    )


def picture(text: str) -> Hit:
    drawing = (demo_folder() / "emoji" / "drawing_02.png").read_bytes()
    return replace(
        sound(text),
        rank=2,
        chunk=Chunk("p", 0, "image", text),
        item=Item("p", f"https://example.org/{text}", "image", {"caption": text}),
        facts={"width": 128, "height": 128},
        previews={"thumbnail": Preview("image/png", drawing)},
        described={"caption": text, "ocr": f"{text}\n" * 3},
        alike=(text, "copy.png", text, text, text),
    )


def passage(text: str) -> Hit:
    return replace(
        sound(text),
        rank=3,
        chunk=Chunk("t", 1, "text", text),
        item=Item("t", f"{{{{{text}}}}}", "text", {text: text}),
        facts={"passages": 7},
        previews={},
    )


def hits(text: str) -> Hits:
    return Hits((sound(text), picture(text), passage(text)), text, (text, "shared"), {"embed": 0.03, text: 1.0}, text)


def record(text: str) -> Hit:
    """A record's part, found again by a reranker, its scores by ranks."""
    return replace(
        picture(text),
        item=replace(picture(text).item, record=Record("r", text)),
        score=1.9,
        unit="rank points",
        parts=(Part(text, "image", 1.9), *(Part(f"{text} {n}", "text", 1.0) for n in range(9))),
        before=4,
        reranked=0.97,
    )


def reranked(text: str) -> Hits:
    found = (record(text), replace(passage(text), before=1, reranked=0.1))
    return Hits(found, text, (text, f"where {text}"), {"rerank": 1.0}, text, reranker=text)


def doubted(text: str) -> Hits:
    return replace(hits(text), doubt=text)


def abstained(text: str) -> Answer:
    return Answer(text, f"{text} [1]", doubted(f"because {text}"), generator=text, pictured=True, abstained=True)


def answer(text: str) -> Answer:
    found = hits(text)
    written = f"{text} [1]\n\n- {text} [2]\n- **{text}**\n- `{text}`"
    return Answer(
        text, written, found, {1: found[0], 2: found[1]}, generator=text, usage={text: 3}, timings={text: 1.0}
    )


def failed_answer(text: str) -> Answer:
    return Answer(text, "", hits(text), generator=text, error=text)


def checked_answer(text: str) -> Answer:
    """All that a check, a stop and a conversation bring."""
    first, second, _ = hits(text)
    written = f"{text} [1][7].\n\n# {text}\n\n{text} [2]"
    cited = replace(first, cited=(Passage(text, (0, 4), 1.0, 2.0), Passage(text, (2, 9), page=3)))
    places = [(0, len(text) + 8), (len(text) + 10, len(written))]
    return replace(
        answer(text),
        text=written,
        citations={1: cited, 2: second},
        invalid=(7,),
        claims=tuple(Claim(text, span, (1,), supported=False, reason=text, overlap=0.2) for span in places),
        asked_as=text,
        notes=(text,),
        sent=text * 3,
        trouble=text,
        dollars=0.01,
    )


class Growing:
    """An answer while it is written, both displays in one."""

    def __init__(self, text: str) -> None:
        self._answer = replace(answer(text), asked_as=text, writing=True, estimate=Estimate(1_900, 0.004))

    def _repr_html_(self) -> str:
        return writing.page(self._answer) + writing.evidence(self._answer)


def index_report(text: str) -> IndexReport:
    return IndexReport(
        items={"text": 3, text: 1},
        chunks=4,
        embedded=4,
        reused=0,
        skipped=(Skipped(text, text), Skipped("missing.jpg", text)),
        notes=((text, text),),
        models=(text,),
        seconds={text: 1.0},
        interrupted=True,
    )


def failed_job(text: str) -> Job:
    """A job of which the error, and the report of what it did before, are of others."""

    def work(job: Job) -> None:
        job.report = index_report(text)
        raise RuntimeError(text)

    job = Job(Jobs(), work).start()
    with suppress(RuntimeError):
        job.wait()
    return job


def status(text: str) -> Status:
    return Status(text, {text: 1}, 1, {text: 1}, {text: text, "preset": text})


def plan(text: str) -> Plan:
    kinds = (Planned("text", 3, 1, 4, 9000, {"embed": 1.0}), Planned("image", 2, 0, None, None, {text: 1.0}))
    return Plan(kinds, {"embed": 1.0}, {text: 9000}, text, (text,), (Skipped(text, text),), (text,), (text,))


def removal(text: str) -> Removal:
    items = (sound(text).item, picture(text).item, passage(text).item)
    return Removal(items, {"a": 1, "p": 1, "t": 7}, {"text": 1}, dry_run=True, closed=text)


def import_report(text: str) -> ImportReport:
    skipped = (Skipped(text, text), Skipped("table.csv, row 3", text))
    return ImportReport({"image": 3, text: 1}, 3, 1, {text: 4}, text, skipped, ((text, text),), (text,), {text: 1.0})


def export_report(text: str) -> ExportReport:
    return ExportReport(text, "parquet", 4, {"image": 3, text: 1}, {text: text, "vector_image": text}, 9_000, 1.0)


def verification(text: str) -> Verification:
    return Verification(text, 3, 9, (2,), {"items": 1}, (Problem(text, text, text),), (text,))


def compaction(text: str) -> Compaction:
    return Compaction(text, 9_000, 8_000, 2)


def comparison(text: str) -> Comparison:
    standing = Standing(1, 5.3, 0.79, 4.2, 1.1, "text", text)
    columns = (
        Column("shared", text, 3, facts=(text,), timings={"embed": 0.1}),
        Column(text, "raw=true", 3, raw=True, levels={"text": 0.2}, shared=1, tau=0.5),
        Column("broken", text, error=text),
    )
    cells = (Cell(standing, found=True), Cell(standing, found=True, moved=-2, why=text), Cell(None))
    shown = (*hits(text), record(text))
    return Comparison(text, columns, tuple(Row(hit, cells) for hit in shown), 4, text)


def why(text: str) -> Why:
    hit = sound(text)
    share = WordShare(text, 0, len(text), 0.2, 0.7, 0.1, 0.6)
    return Why(
        question=text,
        name=text,
        verdict=text,
        hit=hit,
        placing=Placing(1, 40, 1, 7, 5),
        views=(View("text", text, 0.79, 4.2, 0.1, 1, 40, counted=True), View("audio", text, 0.1, 0.2, 0.1, 9, 40)),
        terms=(Term(text, 1.1, 2.2, 3, ((1, 3),)), Term("harp", 0.0, 2.2, 3)),
        asked=(share,),
        words=(share,),
        text=text,
        times="heard",
        changes=(text,),
        facts=(text,),
    )


def why_not(text: str) -> Why:
    heat = Heat(
        ((0.1, 0.2), (0.0, 0.3)), 0.5, 1, (0.5, 0.5, 1.0, 1.0), "lower right", picture(text).previews["thumbnail"]
    )
    return replace(why(text), hit=record(text), placing=Placing(40, 40, 7, 7, 5), heat=heat, times="", words=())


def embedding_map(text: str) -> EmbeddingMap:
    import numpy as np

    shown = (sound(text), picture(text), passage(text))
    points = np.array([[0, 0], [1, 0.5], [0.3, 1]], np.float32)
    return EmbeddingMap(
        points=points,
        chunks=tuple(hit.chunk for hit in shown),
        items=tuple(hit.item for hit in shown),
        space=text,
        method="pca",
        axes=text,
        gap=Gap(0.9, 0.4, 0.5, points[:2]),
        question=text,
        query=points[0] + 0.1,
        cosines=points[:, 0],
        hits={1: 0, 2: 1, 3: 2},
        thumbnails={1: picture(text).previews["thumbnail"]},
        notes=(text,),
    )


# the whole way: indexed, found and answered


@cache
def index() -> MultimodalRAG:
    """An index of all the strings: as names of files where the system allows it, captions, texts and metadata."""
    import numpy as np
    from PIL import Image

    folder = Path("hostile")  # where the notebook lies
    folder.mkdir(exist_ok=True)
    rag = MultimodalRAG(preset="offline")
    sources: list[Any] = []
    for number, text in enumerate(HOSTILE):
        said = {"caption": text, text[:60]: text}
        drawing = Image.new("RGB", (32 + number, 32), (6 * number, 255 - 6 * number, 90))
        sources.append({"text": f"{text}\nrow {number}", **said})
        with suppress(OSError, ValueError):  # names that this system refuses
            name = folder / f"{_file_name(text)} {number}.txt"
            name.write_text(f"{text}\nfile {number}", encoding="utf-8", errors="replace")
            drawing.save(name.with_suffix(".png"))
            sources += [name, name.with_suffix(".png")]
        sources.append({"image": drawing.rotate(90, expand=True), **said})
    noise = np.random.default_rng(0).normal(0, 0.1, (len(HOSTILE), 4000)).astype(np.float32)
    sources += [{"audio": (noise[n], 16000), "caption": text} for n, text in enumerate(HOSTILE)]
    rag.index(sources)
    return rag


def _file_name(text: str) -> str:
    return text.replace("/", "\N{FRACTION SLASH}").encode("utf-8", "surrogateescape")[:200].decode("utf-8", "ignore")


def _item(text: str, modality: str) -> Item:
    """The item that has ``text`` as its caption; the last one where indexing refused it."""
    items = [item for item in index().items() if item.modality == modality]
    return next((item for item in items if item.metadata.get("caption") == text), items[-1])


def asked(text: str) -> Answer:
    return index().ask(text, k=3)


def indexed(text: str) -> IndexReport:
    return index().index([f"no-such-folder/{text}", {"text": text, "caption": text}])


def compared(text: str) -> Comparison:
    return index().compare(text, ["raw=true"], 3)


def explained(text: str) -> Why:
    index().ask(text, k=3)
    return index().why(1)


@cache
def words() -> MultimodalRAG:
    """An index of the strings alone: few enough points for forty maps."""
    rag = MultimodalRAG(preset="offline", clip="none")
    rag.index([{"text": text, "caption": text} for text in HOSTILE])
    return rag


def mapped(text: str) -> EmbeddingMap:
    return words().map(text)


def planned(text: str) -> Plan:
    return index().plan([f"no-such-folder/{text}", {"text": text, "caption": text}])


def removed(text: str) -> Removal:
    return index().remove(_item(text, "image"), dry_run=True)


# panels


def ask_panel(text: str) -> Any:
    from mmrag_nb.notebook.panels.ask import AskPanel

    panel = AskPanel(index())
    panel.ask(text)
    return panel


def image_grid(text: str) -> Any:
    from mmrag_nb.notebook.panels.image_grid import ImageGridPanel

    item = _item(text, "image")
    panel = ImageGridPanel(index(), [item])
    panel.selected = item
    return panel


def index_panel(text: str) -> Any:
    from mmrag_nb.notebook.panels.index import IndexPanel

    panel = IndexPanel(index())
    panel.add([f"no-such-folder/{text}"])
    return panel


def similarity_panel(text: str) -> Any:
    from mmrag_nb.notebook.panels.similarity import SimilarityPanel

    return SimilarityPanel([hits(text), answer(text)])


def waveform_panel(text: str) -> Any:
    from mmrag_nb.notebook.panels.waveform import WaveformPanel

    return WaveformPanel(_item(text, "audio"), index())


class _Page:
    """HTML that is displayed as it is."""

    def __init__(self, html: str) -> None:
        self._html = html

    def _repr_html_(self) -> str:
        return self._html


def pictures(text: str) -> _Page:
    """What a saved notebook keeps of the panels."""
    panels = (make(text) for make in (ask_panel, image_grid, index_panel, similarity_panel, waveform_panel))
    return _Page("\n".join(panel.picture() for panel in panels))


EXHIBITS: dict[str, Exhibit] = {
    "hit": Exhibit(sound, least=3),  # name in the list and the table, transcript, metadata
    "frame": Exhibit(frame, least=2),
    "page": Exhibit(page, least=2),
    "hits": Exhibit(hits, least=8),
    "record": Exhibit(record, least=6),  # name, part, caption, reading, other parts, near-duplicates, the table
    "reranked": Exhibit(reranked, least=14),
    "doubted": Exhibit(doubted, least=9),
    "abstained": Exhibit(abstained, least=10),
    "answer": Exhibit(answer, least=12),
    "checked_answer": Exhibit(checked_answer, least=15),
    "growing": Exhibit(Growing, least=12),
    "failed_answer": Exhibit(failed_answer, least=8),
    "index_report": Exhibit(index_report, least=5),
    "failed_job": Exhibit(failed_job, least=6),
    "status": Exhibit(status, least=4),
    "plan": Exhibit(plan, least=4),
    "removal": Exhibit(removal, least=1),
    "import_report": Exhibit(import_report, least=6),
    "export_report": Exhibit(export_report, least=4),
    "verification": Exhibit(verification, least=4),
    "compaction": Exhibit(compaction, least=1),
    "comparison": Exhibit(comparison, least=4),
    "why": Exhibit(why, least=6),
    "why_not": Exhibit(why_not, least=6),
    "embedding_map": Exhibit(embedding_map, least=4),
    "asked": Exhibit(asked, least=1),
    "indexed": Exhibit(indexed, least=0),  # paths that no system has are shown as Python writes them
    "compared": Exhibit(compared, least=1),
    "explained": Exhibit(explained, least=1),
    "mapped": Exhibit(mapped, least=0),
    "planned": Exhibit(planned, least=0),
    "removed": Exhibit(removed, least=0),  # a caption is not shown
    "ask_panel": Exhibit(ask_panel, least=1),
    "image_grid": Exhibit(image_grid, least=0),  # a caption that indexing refused is not shown
    "index_panel": Exhibit(index_panel, least=0),
    "similarity_panel": Exhibit(similarity_panel, least=1),
    "waveform_panel": Exhibit(waveform_panel, least=0),
    "pictures": Exhibit(pictures, least=5),
}
