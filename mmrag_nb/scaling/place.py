"""Where an index lies that many processes read and write: the one door from the pipeline to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmrag_nb.corpora.corpus import Corpus
from mmrag_nb.errors import MMRagError
from mmrag_nb.milvus.connecting import served

if TYPE_CHECKING:
    from mmrag_nb.catalog.catalog import Catalog


@dataclass(frozen=True)
class Place:
    """An index in Milvus, as another process reaches it; a token is taken from that one's own environment."""

    address: str
    """``http(s)://host:port/name``"""
    lite: bool
    """Whether Milvus Lite answers there, from the notebook's process: it takes one writer at a time."""


def place_of(catalog: Catalog) -> Place:
    """Where ``catalog`` lies.

    Raises
    ------
    MMRagError
        It is in a file or in memory, which one process writes.
    """
    if not isinstance(catalog, Corpus):
        where = "in memory" if catalog.path is None else f"in {catalog.path.name}"
        raise MMRagError(
            f"engine='ray' writes into Milvus, and this index is {where}: open one with "
            'MultimodalRAG(path="milvus:photos.db"), or path="milvus:http://host:19530/photos"'
        )
    address = catalog.holding.tables.address
    return Place(f"{served(address)}/{address.name}" if address.lite else address.text, address.lite)


def opened(place: Place) -> Corpus:
    """The index at ``place``, in this process."""
    return Corpus(place.address)
