"""What models say of the pictures of a run: captions and what is written in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .catalog.entries import Described
from .describing import describe
from .reading import reader_of
from .views import media_place, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .catalog.catalog import Catalog
    from .parts import Parts
    from .protocols import Progress
    from .types import Modality
    from .workload import Tally, Work


class Saying:
    """Asks the models that count in the strategy in force, for one run of indexing; ``tell`` reports what is done."""

    def __init__(
        self,
        parts: Parts,
        catalog: Catalog,
        tally: Tally,
        progress: Progress,
        tell: Callable[[str, Modality], None],
    ) -> None:
        self._parts, self._catalog, self._tally = parts, catalog, tally
        self._progress, self._tell = progress, tell

    def of(self, works: Sequence[Work]) -> None:
        """Note what models say of pictures, unless they have said it before."""
        models = self._parts.described_by(self._parts.telling)
        new: dict[str, list[tuple[dict[str, Described], Any]]] = {}
        for work in works if models else ():
            known = self._before(work)
            paged = work.recipe.startswith("pdf-")  # beside a notebook's words, a chart has its own
            in_words = {chunk.page for chunk in work.loaded.chunks if paged and chunk.modality == "text"} - {None}
            reader = reader_of(work.recipe)
            for ordinal, chunk in enumerate(work.loaded.chunks, work.first):
                if chunk.pixels is None:
                    continue
                before = known.get(media_place(chunk, ordinal, work.version), {})
                said = {kind: told for kind, told in before.items() if models.get(kind) == told.model}
                work.described[ordinal] = said
                for kind in (kind for kind in models if kind not in said):
                    if kind == "ocr" and (chunk.page in in_words or (chunk.scan and reader == models[kind])):
                        said[kind] = Described(models[kind], "")  # what is written on it is text already, or nothing is
                    else:
                        new.setdefault(kind, []).append((said, chunk.pixels))
        for kind, lacking in new.items():
            self._tell("reading" if kind == "ocr" else "describing", "image")
            with self._tally.clock("describe"):
                told = describe([pixels for _, pixels in lacking], self._parts, self._progress, (kind,))
            for (said, _), more in zip(lacking, told, strict=True):
                said.update(more)

    def _before(self, work: Work) -> dict[str, Mapping[str, Described]]:
        """What an earlier run by the same loader noted of an item's pictures, by their places."""
        kept = self._catalog.find(work.item.id)
        if kept is None or version_of(kept[1]) != work.version:
            return {}
        stored = self._catalog.records(self._catalog.chunk_ids(work.item.id)).values()
        pictures = (one for one in stored if one.chunk.modality == "image")
        return {media_place(one.chunk, one.chunk.ordinal, work.version): one.described for one in pictures}
