"""An index as a map: its vectors in two dimensions, and how far its modalities lie apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from mmrag_nb.errors import UnknownName
from mmrag_nb.results import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mmrag_nb.types import Chunk, Item, Modality, Preview, Vectors

METHODS = ("pca", "tsne")
_FEWEST_TSNE = 10
"""Points below which neighbourhoods say nothing."""
_PERPLEXITY = 30.0
_EQUAL = 1e-6
"""Components that differ by less are the same vector."""


@dataclass(frozen=True)
class Projection:
    """Vectors on a plane."""

    points: NDArray[np.float32]
    """(n, 2)."""
    query: NDArray[np.float32] | None
    """(2,)."""
    method: str
    axes: str = ""
    """What the plane's directions mean."""
    note: str = ""
    """Why it is by another method than was asked for, or shows nothing."""


@dataclass(frozen=True)
class Gap:
    """How far apart pictures and texts lie, in the space itself rather than on the map.

    Liang et al., "Mind the Gap: Understanding the Modality Gap in Multi-modal Contrastive Representation Learning",
    NeurIPS 2022.
    """

    distance: float
    """Euclidean, between the centroids of the unit vectors: 0 to 2."""
    pictures: float
    """Mean distance of a picture from the pictures' centroid."""
    texts: float
    """The same of what was embedded as text: transcripts, too."""
    ends: NDArray[np.float32] = field(repr=False)
    """(2, 2): the centroids on the map, of pictures and of texts."""

    @property
    def sentence(self) -> str:
        """What it is, with its figures and its source."""
        return (
            f"Pictures and texts lie {self.distance:.2f} apart (their centroids, unit vectors); a picture lies "
            f"{self.pictures:.2f} from the pictures’ centroid on average, a text {self.texts:.2f} from the texts’. "
            "That is the modality gap (Liang et al. 2022, “Mind the Gap”): raw cosines across it do not compare."
        )


@dataclass(frozen=True, repr=False, eq=False)
class EmbeddingMap(Shown):
    """An index, or a sample of it, on a plane. One point a chunk."""

    points: NDArray[np.float32]
    """(n, 2)."""
    chunks: tuple[Chunk, ...]
    items: tuple[Item, ...]
    """(n,) the item of each chunk."""
    space: str
    """The vector space."""
    method: str
    """``pca`` or ``tsne``."""
    axes: str = ""
    """What the map's directions mean."""
    gap: Gap | None = None
    """``None`` where there are not both, pictures and texts."""
    question: str = ""
    query: NDArray[np.float32] | None = None
    """(2,) where the question lies; ``None`` where none was asked."""
    cosines: NDArray[np.float32] | None = None
    """(n,) raw, of each point's vector with the question's."""
    hits: Mapping[int, int] = field(default_factory=dict)
    """What the question finds: rank to index of its point."""
    thumbnails: Mapping[int, Preview] = field(default_factory=dict)
    """Small pictures by index of their point."""
    notes: tuple[str, ...] = ()
    """What was sampled, embedded for the map, or left out."""
    facts: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)

    _renderer: ClassVar[str] = "mmrag_nb.notebook.render.embedding_map"
    _columns: ClassVar[list[str] | None] = ["x", "y", "modality", "name", "text", "cosine", "hit", "id", "uri"]

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """(n,)."""
        return tuple(chunk.modality for chunk in self.chunks)

    @property
    def names(self) -> tuple[str, ...]:
        """(n,) of the items."""
        return tuple(item.name for item in self.items)

    @property
    def ids(self) -> tuple[str, ...]:
        """(n,) of the items."""
        return tuple(item.id for item in self.items)

    def nearest(self, n: int) -> list[int]:
        """The ``n`` points nearest to the question by raw cosine, best first; none where nothing was asked."""
        import numpy as np

        return [] if self.cosines is None else np.argsort(-self.cosines, kind="stable")[:n].tolist()

    def _rows(self) -> list[dict[str, Any]]:
        ranks = {index: rank for rank, index in self.hits.items()}
        return [
            {
                "x": float(self.points[i, 0]),
                "y": float(self.points[i, 1]),
                "modality": chunk.modality,
                "name": item.name,
                "text": chunk.text,
                "cosine": None if self.cosines is None else float(self.cosines[i]),
                "hit": ranks.get(i),
                "id": item.id,
                "uri": item.uri,
            }
            for i, (chunk, item) in enumerate(zip(self.chunks, self.items, strict=True))
        ]


def project(vectors: Vectors, query: Vectors | None, method: str) -> Projection:
    """Lay ``vectors`` (n, d), n at least 1, and the ``query`` (d,) on a plane.

    Raises
    ------
    UnknownName
        ``method`` is neither ``pca`` nor ``tsne``.
    """
    import numpy as np

    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    together = vectors if query is None else np.vstack([vectors, query])
    n = len(vectors)
    if not _differ(together):
        flat = np.zeros((len(together), 2), np.float32)
        note = "all vectors are equal, so the points lie on each other" if n > 1 else ""
        return Projection(flat[:n], None if query is None else flat[n], "pca", note=note)
    if method == "tsne" and n >= _FEWEST_TSNE and _differ(vectors):
        placed, axes, note = *_tsne(together), ""
    else:
        # The axes are the index's own, so that another question moves nothing; two points and less have none.
        placed, axes = _pca(vectors if n > 2 and _differ(vectors) else together, together)
        note = f"t-SNE says nothing of {n} points or equal ones: PCA instead" if method == "tsne" else ""
        method = "pca"
    placed = placed.astype(np.float32)
    return Projection(placed[:n], None if query is None else placed[n], method, axes, note)


def _differ(vectors: Vectors) -> bool:
    return bool((abs(vectors - vectors[0]) > _EQUAL).any())


def _pca(fitted: Vectors, placed: Vectors) -> tuple[NDArray[np.float32], str]:
    import numpy as np
    from sklearn.decomposition import PCA

    pca = PCA(n_components=min(2, *fitted.shape), random_state=0).fit(fitted)
    flat = pca.transform(placed)
    shares = [*pca.explained_variance_ratio_.tolist(), 0.0][:2]
    axes = f"PCA: {shares[0]:.0%} of the variance lies from left to right, {shares[1]:.0%} from bottom to top"
    return np.hstack([flat, np.zeros((len(flat), 2 - flat.shape[1]))]), axes


def _tsne(placed: Vectors) -> tuple[NDArray[np.float32], str]:
    from sklearn.manifold import TSNE

    perplexity = min(_PERPLEXITY, (len(placed) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=0)
    axes = f"t-SNE, perplexity {perplexity:.0f}: who lies next to whom means something, distances and directions do not"
    return tsne.fit_transform(placed), axes


def measured_gap(vectors: Vectors, are_pictures: NDArray[np.bool_], points: NDArray[np.float32]) -> Gap | None:
    """Measure the gap between the ``vectors`` (n, d) of pictures and the others; ``None`` where one kind is absent.

    ``points`` (n, 2) are their places on the map.
    """
    import numpy as np

    if are_pictures.all() or not are_pictures.any():
        return None
    kinds = [(vectors[chosen].astype(np.float64), points[chosen]) for chosen in (are_pictures, ~are_pictures)]
    centres = [own.mean(axis=0) for own, _ in kinds]
    pictures, texts = (
        float(np.linalg.norm(own - centre, axis=1).mean()) for (own, _), centre in zip(kinds, centres, strict=True)
    )
    ends = np.stack([there.mean(axis=0) for _, there in kinds]).astype(np.float32)
    return Gap(float(np.linalg.norm(centres[0] - centres[1])), pictures, texts, ends)


def scattered(points: NDArray[np.float32], first: Sequence[int], n: int) -> list[int]:
    """Indices of ``n`` of the ``points`` (m, 2): those of ``first``, then always the one farthest from all chosen.

    Gonzalez, "Clustering to Minimize the Maximum Intercluster Distance", 1985.
    """
    import numpy as np

    chosen = list(first)[:n]
    far = np.full(len(points), np.inf)
    for index in chosen:
        far = np.minimum(far, np.linalg.norm(points - points[index], axis=1))
        far[index] = -1
    while len(chosen) < min(n, len(points)):
        index = int(far.argmax())
        chosen.append(index)
        far = np.minimum(far, np.linalg.norm(points - points[index], axis=1))
        far[chosen] = -1
    return chosen


def portions(counts: Sequence[int], most: int) -> list[int]:
    """How many of each kind to take so that there are ``most`` in all: equal portions, as far as each kind goes.

    >>> portions([10, 5000, 5000], 3000)
    [10, 1495, 1495]
    """
    taken = [0] * len(counts)
    left = most
    waiting = sorted(range(len(counts)), key=lambda i: counts[i])
    while waiting:
        i, rest = waiting[0], len(waiting)
        taken[i] = min(counts[i], left // rest)
        left -= taken[i]
        waiting = waiting[1:]
    return taken
