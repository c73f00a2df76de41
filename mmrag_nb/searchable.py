"""An index that can be searched; nothing here explains, writes or generates."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InvalidSetting, MMRagError
from .explaining import Explaining
from .finding import Scope
from .keeping import Kept
from .parts import Parts
from .registry import modality_of
from .results import Hit, Hits
from .searching import Searching
from .types import Item
from .variants import Variants

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .cases import Asked
    from .catalog.catalog import Catalog
    from .completing import Lacking
    from .protocols import Progress
    from .queries import Query
    from .reports import IndexReport
    from .settings import Settings
    from .types import Modality


class Searchable(Kept):
    """An index with what retrieves from it and explains what was found.

    Parameters
    ----------
    catalog
        The index.
    settings
        The choices; they may change at any time.
    """

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        super().__init__(catalog, settings)
        self._parts = Parts(self.settings)
        self._variants = Variants(self._parts, self.settings)
        self._searching = Searching(self._parts, self._catalog, self.settings)
        self._explaining = Explaining(self._parts, self._catalog, self.settings, self._searching)
        self._others: dict[str, tuple[Searching, Explaining]] = {}
        self._asked: tuple[Explaining, Asked] | None = None
        self.report: IndexReport | None = None
        """What the last ``index`` did, also when it was interrupted."""

    # -- search ----------------------------------------------------------------------------------------------------

    def load_models(
        self,
        *,
        pictures: bool = False,
        voice: bool = False,
        generator: bool = False,
        strategy: str | None = None,
        progress: Progress | None = None,
    ) -> tuple[str, ...]:
        """Load what questions to this index need, so that the first is answered as fast as the next.

        What the index lacks for the strategy, because another one filled it, is computed and kept. Each part is loaded
        on first use anyway; this tells of it, and can be done before a lesson begins.

        Parameters
        ----------
        pictures, voice
            Whether it will be asked with pictures, or by voice.
        generator
            Whether answers will be written: one that runs here has a model to load, too.
        strategy
            The strategy that will be used; the setting's where absent.
        progress
            Told of each model, and of what is computed.

        Returns
        -------
        tuple of str
            The models, with device and precision.

        Raises
        ------
        EmptyIndex
            Nothing has been indexed, so it is not known which are needed.
        ModelUnavailable, NotInstalled
            One cannot be had.
        """
        searching = self._by(strategy)[0]
        encoders = searching.encoders(pictures=pictures, progress=progress)
        if pictures:
            searching.load_describers(progress)
        transcriber = self._parts.transcriber(progress) if voice else None
        writing = None
        if generator:
            with suppress(MMRagError):  # one that cannot be had is told with what was found, when it is asked
                writing = self._parts.generator(progress)[0]
        return (
            *(encoder.description for encoder in encoders.values()),
            *(model.description for model in (transcriber, writing) if model is not None),
        )

    def lacking(self, strategy: str | None = None) -> Lacking:
        """What the index lacks for ``strategy`` (the setting's where absent), to be computed when it is first used.

        Raises
        ------
        EmptyIndex
            Nothing has been indexed.
        ModelUnavailable, NotInstalled
            An encoder cannot be had.
        """
        return self._by(strategy)[0].lacking()

    def search(
        self,
        question: str = "",
        k: int | None = None,
        *,
        raw: bool | None = None,
        strategy: str | None = None,
        image: Any = None,
        audio: Any = None,
        modalities: Modality | Iterable[Modality] | None = None,
        where: str | None = None,
        balance: float | None = None,
    ) -> Hits:
        """Retrieve the ``k`` chunks that fit what is asked best, best first.

        Parameters
        ----------
        question
            What is asked or looked for. Beside a picture, both count: "this shoe, but in red".
        k
            How many, 1 to 100; the setting's where absent.
        raw
            Rank by raw cosine alone; the setting's where absent.
        strategy
            How the question becomes ranked hits, this time: ``"shared"``, ``"grounded"``, ``"separate"``; the setting's
            where absent. What the index lacks for it is computed once, and kept.
        image
            A picture to look for: a path or a ``PIL.Image``.
        audio
            The question, spoken: a path, ``(samples, rate)`` or a pydub ``AudioSegment``.
        modalities
            Kinds of chunks to find, ``"image"`` or ``("image", "audio")``; all where absent.
        where
            What the metadata of what is found must fit, in the manner of ``pandas.DataFrame.query``:
            ``"species == 'rose' and price < 50"``. It is applied before the search, and never run as code.
        balance
            Of a picture beside words, the picture's share: 0.5 lets both count alike; the setting's where absent.

        Raises
        ------
        EmptyIndex
            Nothing has been indexed.
        InvalidSetting
            ``k``, the strategy or a modality cannot be.
        MissingVectors
            What is indexed was embedded by other models than the settings choose now.
        IndexMismatch
            A model of the same name made other vectors.
        LoadError
            The picture or the sound cannot be read.
        """
        start = time.perf_counter()
        by = self._by(strategy)
        query = by[0].query(question, image, audio, balance)
        return self._found(by, query, start, scope(k, raw, modalities, where))

    def similar(
        self,
        to: Any,
        k: int | None = None,
        *,
        unlike: Any = (),
        raw: bool | None = None,
        strategy: str | None = None,
        modalities: Modality | Iterable[Modality] | None = None,
        where: str | None = None,
    ) -> Hits:
        """Retrieve what is most like something, or several things, in the index, themselves left out.

        Parameters
        ----------
        to
            A :class:`Hit`, an ``Item``, a name, URI or id of an item or the name of a record in the index, or a list of
            these, of which each counts alike; or a picture or sound that is not in the index: a path, ``PIL.Image``,
            ``(samples, rate)`` or pydub ``AudioSegment``.
        unlike
            What hits are to be unlike: one or a list of the same, of what is in the index.
        k, raw, strategy, modalities, where
            As for :meth:`search`.

        Raises
        ------
        EmptyIndex
            Nothing has been indexed.
        UnknownName
            Nothing of that name is in the index (any longer), and no picture is there either.
        """
        start = time.perf_counter()
        searching, _ = by = self._by(strategy)
        limits = scope(k, raw, modalities, where)
        foreign = self._foreign(to)
        if foreign is not None:
            if _several(unlike):
                raise MMRagError("unlike= goes with what is in the index: index the picture or sound first")
            return self._found(by, getattr(searching, foreign)(to), start, limits)
        likes = [self._chunks_of(one) for one in _several(to)]
        if not likes:
            raise MMRagError("similar to what? give one hit, an item or its name, or a picture")
        names = [name for name, _ in likes]
        shown = f"more like {', '.join(names[:3])}{' and others' * (len(names) > 3)}"
        dislikes = [self._chunks_of(one) for one in _several(unlike)]
        if dislikes:
            shown += f", unlike {', '.join(name for name, _ in dislikes[:3])}"
        query = searching.like([chunks for _, chunks in likes], shown, [chunks for _, chunks in dislikes])
        return self._found(by, query, start, limits)

    def _foreign(self, to: Any) -> str | None:
        """What ``to`` is, ``picture`` or ``sound``, where it is not in the index; ``None`` where it should be."""
        from .sources.sound import is_sound

        if hasattr(to, "convert"):
            return "picture"
        if is_sound(to) or hasattr(to, "raw_data"):
            return "sound"
        if isinstance(to, (str, os.PathLike)) and not self.named(to) and not self.recorded(to) and _is_file(to):
            return "sound" if modality_of(Path(to).name) == "audio" else "picture"
        return None

    def _chunks_of(self, one: Any) -> tuple[str, list[int]]:
        """What ``one`` is called, and its chunks: an item's, a hit's own, or those of a record."""
        if isinstance(one, (str, os.PathLike)) and not self.named(one) and (parts := self.recorded(one)):
            return os.fspath(one), [chunk for item in parts for chunk in self._catalog.chunk_ids(item.id)]
        if isinstance(one, (str, os.PathLike, Item, Hit)):
            item = self._there(one) if isinstance(one, (Item, Hit)) else self.item(one)
            chunks = self._catalog.chunk_ids(item.id)
            if isinstance(one, Hit):  # none is left where the item was indexed anew and has fewer now
                chunks = chunks[one.chunk.ordinal :][:1]
            return item.name, chunks
        kind = type(one).__name__
        raise MMRagError(f"nothing is like an object of type {kind}: give one hit, an item or its name, or a picture")

    def _by(self, strategy: str | None) -> tuple[Searching, Explaining]:
        """Who searches by ``strategy`` this time, and who explains what is found; the settings stay."""
        if strategy in {None, self.settings.strategy}:
            return self._searching, self._explaining
        settings = self._variants.settings({"strategy": strategy})
        key = repr(sorted(settings.trait_values().items()))
        if key not in self._others:  # what it has computed and counted is known the next time
            parts = self._variants.parts(settings)
            searching = Searching(parts, self._catalog, settings)
            self._others = {key: (searching, Explaining(parts, self._catalog, settings, searching))}
        return self._others[key]

    def _found(self, by: tuple[Searching, Explaining], query: Query, start: float, limits: Scope) -> Hits:
        searching, explaining = by
        embedded = time.perf_counter() - start
        hits = searching.hits(query, limits)
        hits = replace(hits, timings={"embed": embedded, **hits.timings})
        self._asked = explaining, explaining.asked(query, hits, limits)
        return hits

    def _go_on(self, catalog: Catalog) -> None:
        super()._go_on(catalog)
        self._others = {}
        self.report = self._asked = None


def _is_file(name: str | os.PathLike[str]) -> bool:
    return Path(name).expanduser().is_file()


def _several(some: Any) -> list[Any]:
    """One thing, or the things of a sequence."""
    return list(some) if isinstance(some, (list, tuple, Hits)) else [some]


def scope(
    k: int | None, raw: bool | None, modalities: Modality | Iterable[Modality] | None, where: str | None
) -> Scope:
    """What a search is limited to, as its keywords say it.

    Raises
    ------
    InvalidSetting
        The filter is no text.
    """
    if where is not None and not isinstance(where, str):
        raise InvalidSetting(f'where is a text, such as "price < 50", not an object of type {type(where).__name__}')
    kinds = (modalities,) if isinstance(modalities, str) else None if modalities is None else tuple(modalities)
    return Scope(k, raw, kinds, (where or "").strip() or None)
