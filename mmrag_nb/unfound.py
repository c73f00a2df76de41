"""Why something was not looked at: it is not in the index, or not as what was asked with could find it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .describing import texts
from .insight.why import Why
from .registry import modality_of
from .types import Item
from .views import text_view

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .cases import Asked, Case
    from .catalog.catalog import Catalog
    from .parts import Parts
    from .reports import Skipped


def absent(name: str, skipped: Iterable[Skipped]) -> Why | None:
    """Explain what is not in the index: it was skipped, or is a file that was never indexed; else ``None``."""
    for one in skipped:
        if name in {one.source, Item("", one.source, "text").name}:
            return Why(
                "", name, "It is not in the index: it was skipped when it was to be indexed.", changes=(one.reason,)
            )
    path = Path(name).expanduser()
    if not path.is_file():
        return None
    if modality_of(path.name) is None:
        kind = path.suffix or "without an extension"
        return Why("", name, f"It is not in the index: files of its kind ({kind}) are not read.")
    told = f"Index it: %mmrag_index {name}, or rag.index([{name!r}])."
    return Why("", name, "It was never indexed: the file is there, the index knows nothing of it.", changes=(told,))


def unseen(case: Case, asked: Asked, parts: Parts, catalog: Catalog) -> list[str]:
    """Why it was not looked at, or not in all the ways there are."""
    chunk = case.chunk
    if case.number in asked.query.without:
        return ["it is what was asked with"]
    scope = asked.scope
    if scope.modalities is not None and case.number not in catalog.chunks_among(scope.modalities):
        return [f"only {' and '.join(scope.modalities)} was searched, and this is {chunk.modality}"]
    if scope.where and case.number not in catalog.chunks_where(scope.where).tolist():
        return [f"it does not fit the filter {scope.where}"]
    if chunk.modality == "audio" and not chunk.text:
        known = catalog.find(case.item.id)
        silent = known is not None and not known[1].split(";")[0].endswith(" by none")
        return ["no words were heard in it" if silent else "its speech was not transcribed (speech is 'none')"]
    ways = parts.ways(pictures=chunk.modality == "image", sounds=chunk.modality == "audio")
    reached = {(view.space, view.modality) for _, view in case.probes}
    told = []
    if chunk.modality == "image" and all(way.modality == "text" and way.view != "grounded" for way in ways):
        told.append("its pixels are not looked at (clip is 'none')")
    described = texts(catalog.records([case.number])[case.number].described, parts.telling)
    for way in ways:
        space = way.encoder.space
        if chunk.modality not in way.kinds:
            continue
        can = way.view in {"image", "audio"} or text_view(way.view, chunk, case.item, described)
        if can and (space, way.modality) not in reached and any(space == one for one, _ in asked.query.vectors):
            told.append(f"it has no vector in {space}: index it again")
    if not told and not case.probes:
        told.append("what was asked with cannot be compared with it")
    return list(dict.fromkeys(told))
