"""Our own engines, measured as a user has them."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrag_nb.models.clip import MICRO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mmrag_nb.rag import MultimodalRAG


class Pictures:
    """``rag.index(folder)``: files on disk to vectors in a searchable index, with previews, hashes, names and all.

    Parameters
    ----------
    model
        Folder of the CLIP checkpoint.
    precision
        The setting.
    save_as
        Name of the file that gets the vectors, where the task says in which folder.
    """

    def __init__(self, model: str, precision: str = "auto", save_as: str = "") -> None:
        self._choices: dict[str, Any] = {"clip": model, "precision": precision}
        self._save_as = save_as

    def setup(self) -> Mapping[str, Any]:
        """Make an empty index; the model loads with what is indexed first."""
        from mmrag_nb.rag import MultimodalRAG

        self._rag = MultimodalRAG(**self._choices)
        return {}

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Index ``folder`` from nothing."""
        self._rag.reset(discard=True)
        start = time.perf_counter()
        report = self._rag.index(task["folder"])
        seconds = time.perf_counter() - start
        if report.skipped:
            raise RuntimeError(f"{len(report.skipped)} skipped: {report.skipped[0].reason}")
        if task.get("save") and self._save_as:
            np.save(Path(task["save"]) / self._save_as, vectors(self._rag))
        return {
            "seconds": seconds,
            "n": sum(report.items.values()),
            "models": list(report.models),
            "stages": dict(report.seconds),
        }


class Vectors:
    """Files on disk to unit vectors in a store, and nothing else kept of the pictures: what others do."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._lock = threading.Lock()

    def setup(self) -> Mapping[str, Any]:
        """Load the model."""
        import mmrag_nb.parts  # noqa: F401  # says how OpenMP's threads wait, before torch is loaded
        from mmrag_nb.loaders.image import ImageLoader
        from mmrag_nb.models.clip import ClipEncoder

        self._encoder, self._loader = ClipEncoder(self._model), ImageLoader()
        return {"model": self._encoder.description}

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Embed what is in ``folder``, as the threads of an index do."""
        from mmrag_nb.stores.memory import MemoryStore

        start = time.perf_counter()
        waiting = deque(enumerate(sorted(Path(task["folder"]).iterdir())))
        found = np.empty((len(waiting), self._encoder.dimension), np.float32)
        lanes = self._encoder.lanes
        with ThreadPoolExecutor(lanes) as pool:
            for done in [pool.submit(self._embed, waiting, found, lanes) for _ in range(lanes)]:
                done.result()
        store = MemoryStore()
        store.fit(np.arange(len(found)), found)
        return {"seconds": time.perf_counter() - start, "n": len(store)}

    def _embed(self, waiting: deque[tuple[int, Path]], found: NDArray[np.float32], lanes: int) -> None:
        while True:
            with self._lock:
                n = max(1, min(MICRO, -(-len(waiting) // lanes)))
                some = [waiting.popleft() for _ in range(min(n, len(waiting)))]
            if not some:
                return
            pictures = [self._loader.decoded(path).pixels for _, path in some]
            found[[row for row, _ in some]] = self._encoder.embed_images(pictures)


class Texts:
    """``embed_texts`` of the encoder: strings to unit vectors, tokenising and all."""

    def __init__(self, model: str, precision: str = "auto", save_as: str = "") -> None:
        self._how = (model, precision)
        self._save_as = save_as

    def setup(self) -> Mapping[str, Any]:
        """Load the model."""
        from mmrag_nb.models.clip import ClipEncoder

        model, precision = self._how
        self._encoder = ClipEncoder(model, precision=precision)
        return {"model": self._encoder.description}

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Embed ``texts``, at once or each by itself."""
        return embedded(task, self._encoder.embed_texts, self._save_as)


class IndexedTexts:
    """``rag.index`` of texts: passages cut, words and vectors in a searchable index."""

    def __init__(self, model: str) -> None:
        self._model = model

    def setup(self) -> Mapping[str, Any]:
        """Make an empty index."""
        from mmrag_nb.rag import MultimodalRAG

        self._rag = MultimodalRAG(clip=self._model)
        return {}

    def run(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Index ``texts`` from nothing."""
        self._rag.reset(discard=True)
        sources = [{"text": text} for text in task["texts"]]
        start = time.perf_counter()
        report = self._rag.index(sources)
        return {"seconds": time.perf_counter() - start, "chunks": report.chunks, "stages": dict(report.seconds)}


def embedded(task: Mapping[str, Any], embed: Any, save_as: str) -> Mapping[str, Any]:
    """Do a task of texts with ``embed``, which makes (n, d) of a list.

    One by one, each round asks ``one_by_one`` texts that no round before it asked, as what was asked once may be kept;
    the seconds are the median's.
    """
    texts = list(task["texts"])
    if n := task.get("one_by_one"):
        first = (task.get("round", 1) - 1) * n
        texts = texts[first : first + n]
        taken, found = [], []
        for text in texts:
            start = time.perf_counter()
            found.append(np.asarray(embed([text]), np.float32)[0])
            taken.append(time.perf_counter() - start)
        made, seconds = np.stack(found), float(np.median(taken)) * len(texts)
    else:
        start = time.perf_counter()
        made = np.asarray(embed(texts), np.float32)
        seconds = time.perf_counter() - start
    if made.shape[0] != len(texts):
        raise RuntimeError(f"{made.shape[0]} vectors of {len(texts)} texts")
    if task.get("save") and save_as:
        np.save(Path(task["save"]) / save_as, made)
    return {"seconds": seconds}


def vectors(rag: MultimodalRAG) -> NDArray[np.float32]:
    """(n, d) of the pictures that ``rag`` holds, in the order of their files' names."""
    catalog: Any = rag._catalog  # noqa: SLF001  # its vectors as they lie there
    (space,) = catalog.spaces()
    ids, matrix = catalog.matrix(space, "image")
    rows = {int(chunk): row for row, chunk in enumerate(ids)}
    ordered = sorted(rag.items(), key=lambda item: item.name)
    found: NDArray[np.float32] = matrix[[rows[catalog.chunk_ids(item.id)[0]] for item in ordered]]
    return found
