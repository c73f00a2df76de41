"""An index that can be asked why it found what it found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .comparing import Comparing
from .errors import MMRagError
from .finding import Scope
from .mapping import Mapping2D
from .results import Hit
from .searchable import Searchable
from .types import Item
from .unfound import absent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .catalog.catalog import Catalog
    from .insight.comparison import Comparison
    from .insight.embedding_map import EmbeddingMap
    from .insight.why import Why
    from .settings import Settings
    from .variants import Variant


class Explained(Searchable):
    """An index with what compares, explains and draws what was found; see :class:`Searchable`."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        super().__init__(catalog, settings)
        self._comparing = Comparing(self._variants, self._catalog)
        self._mapping = Mapping2D(self._parts, self._catalog, self._searching, self.settings)

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
