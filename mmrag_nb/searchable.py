"""An index that can be searched, and asked why it found what it found; nothing here writes or generates."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .comparing import Comparing
from .errors import MMRagError
from .explaining import Explaining
from .keeping import Kept
from .mapping import Mapping2D
from .parts import Parts
from .registry import modality_of
from .results import Hit, Hits
from .searching import Scope, Searching
from .types import Item
from .unfound import absent
from .variants import Variants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .cases import Asked
    from .catalog.catalog import Catalog
    from .completing import Lacking
    from .insight.comparison import Comparison
    from .insight.embedding_map import EmbeddingMap
    from .insight.why import Why
    from .protocols import Progress
    from .queries import Query
    from .results import IndexReport
    from .settings import Settings
    from .types import Modality
    from .variants import Variant


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
        self._comparing = Comparing(self._variants, self._catalog)
        self._mapping = Mapping2D(self._parts, self._catalog, self._searching, self.settings)
        self._explaining = Explaining(self._parts, self._catalog, self.settings, self._searching)
        self._asked: tuple[Explaining, Asked] | None = None
        self.report: IndexReport | None = None
        """What the last ``index`` did, also when it was interrupted."""

    # -- search ----------------------------------------------------------------------------------------------------

    def load_models(
        self,
        *,
        pictures: bool = False,
        voice: bool = False,
        strategy: str | None = None,
        progress: Progress | None = None,
    ) -> tuple[str, ...]:
        """Load what questions to this index need, so that the first is answered as fast as the next.

        What the index lacks for the strategy, because another one filled it, is computed and kept. Each part is loaded on first use anyway; this tells of it, and can be done before a lesson begins.

        Parameters
        ----------
        pictures, voice
            Whether it will be asked with pictures, or by voice.
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
        encoders = self._by(strategy)[0].encoders(pictures=pictures, progress=progress)
        transcriber = self._parts.transcriber(progress) if voice else None
        return (
            *(encoder.description for encoder in encoders.values()),
            *([transcriber.description] if transcriber else []),
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
        parts = self._variants.parts(settings)
        searching = Searching(parts, self._catalog, settings)
        return searching, Explaining(parts, self._catalog, settings, searching)

    def _found(self, by: tuple[Searching, Explaining], query: Query, start: float, limits: Scope) -> Hits:
        searching, explaining = by
        embedded = time.perf_counter() - start
        hits = searching.hits(query, limits)
        hits = replace(hits, timings={"embed": embedded, **hits.timings})
        self._asked = explaining, explaining.asked(query, hits, limits)
        return hits

    # -- insight ---------------------------------------------------------------------------------------------------

    def compare(
        self,
        question: str = "",
        variants: Iterable[Variant] | Mapping[str, Variant] | None = None,
        k: int | None = None,
        *,
        image: Any = None,
    ) -> Comparison:
        """Search by several settings, side by side on one question: who moved where, and why.

        Parameters
        ----------
        question, image
            What is asked; see :meth:`search`.
        variants
            Settings to change, each a column beside the settings in force: ``"raw=true"``, ``"strategy=grounded"``,
            ``"clip=emoji, text=words"`` or ``{"lexical_weight": 0}``; a mapping names the columns. Where absent, every
            strategy; while there is one only, the raw ranking and the one without words.
        k
            How many hits each finds, unless a variant says otherwise; the setting's where absent.

        Returns
        -------
        Comparison
            A column for each; one that cannot work here says why. Variants of the same models share them.

        Raises
        ------
        UnknownName, InvalidSetting
            A variant's setting is misnamed, cannot be, or does not change what is found.
        EmptyIndex
            Nothing has been indexed.
        MMRagError
            None of them can work: what the first one said.
        """
        return self._comparing.compare(question, variants, k, image)

    def why(self, which: Any = 1, question: str | None = None, k: int | None = None) -> Why:
        """Explain why something was found, or was not.

        Where it stands overall and within its modality, what its cosine and its words brought, which of its words,
        seconds or pixels carry the cosine, and what would have had to be otherwise for it to stand among the hits.

        Parameters
        ----------
        which
            A rank of the last search or question, from 1, also one beyond its hits; a :class:`Hit`, an ``Item``, or the
            name, URI or id of an item. Of an item, its best chunk is explained. The name of a file that is not in the
            index is told why: it was skipped, or never indexed.
        question
            What to explain it by, instead of what was asked last.
        k
            How many hits to ask for with ``question``; the setting's where absent.

        Raises
        ------
        UnknownName
            Nothing of that name is in the index, and no such file is there; the message has the nearest.
        InvalidSetting
            Fewer chunks were ranked.
        MMRagError
            Nothing was asked yet; or several items have that name.
        """
        if isinstance(which, str) and which.isdecimal() and not self.named(which):
            which = int(which)
        if isinstance(which, (str, os.PathLike)):
            if not self.named(which):
                told = absent(os.fspath(which), self.report.skipped if self.report else ())
                if told is not None:
                    return told
            which = self.item(which)
        elif not isinstance(which, (int, Hit, Item)):
            kind = type(which).__name__
            raise MMRagError(f"an object of type {kind} is no hit: give a rank, a Hit, or an item's name")
        if question is not None:
            query = self._searching.query(question)
            hits = self._searching.hits(query, Scope(k))
            return self._explaining.why(which, self._explaining.asked(query, hits, Scope(k)))
        if self._asked is None:
            raise MMRagError("nothing was asked yet: ask first, or name the question, why(..., question=...)")
        explaining, asked = self._asked
        return explaining.why(which, asked)

    def map(self, question: str = "", method: str = "pca", space: str | None = None) -> EmbeddingMap:
        """Lay the index on a plane: modalities told apart, the gap between them, the question with its hits marked.

        Parameters
        ----------
        question
            What to mark, with its hits; nothing where empty.
        method
            ``pca`` (distances mean something) or ``tsne`` (neighbourhoods do).
        space
            A vector space of the index, or the begin of its name. Where absent, the one that pictures share with texts,
            or the texts' where there are no pictures. Texts that have no vectors there are embedded for the map, a
            sample of them where there are many; they are not stored.

        Raises
        ------
        UnknownName
            No such method, or space.
        EmptyIndex, MissingVectors
            There is nothing to draw.
        """
        return self._mapping.map(question, method, space)

    def _go_on(self, catalog: Catalog) -> None:
        super()._go_on(catalog)
        self.report = self._asked = None


def _is_file(name: str | os.PathLike[str]) -> bool:
    return Path(name).expanduser().is_file()


def _several(some: Any) -> list[Any]:
    """One thing, or the things of a sequence."""
    return list(some) if isinstance(some, (list, tuple, Hits)) else [some]


def scope(
    k: int | None, raw: bool | None, modalities: Modality | Iterable[Modality] | None, where: str | None
) -> Scope:
    """What a search is limited to, as its keywords say it."""
    kinds = (modalities,) if isinstance(modalities, str) else None if modalities is None else tuple(modalities)
    return Scope(k, raw, kinds, where)
