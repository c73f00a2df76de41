"""Checkpoints of sentence-transformers: found and refused as all others are, with the folders of their modules."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import ModelUnavailable, NotInstalled
from mmrag_nb.weights.folder import contents, missing, why_without_weights
from mmrag_nb.weights.hub import find, kept_alone, why
from mmrag_nb.weights.reading import line
from mmrag_nb.weights.reading import quiet as transformers_quiet

from .checkpoint import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeVar

    T = TypeVar("T")

_OWN = "sentence_transformers."
_PATH = re.compile(r"(?!\.)[\w.-]*")  # of a module within the checkpoint; empty is its root
_WITHOUT_FILES = "Normalize"
_WITHOUT_WEIGHTS = ("Pooling", "LogitScore")
_FILES = ("*.json", "*.txt", "*.safetensors")
# sentence-transformers takes a text that is nothing but an address or a file's name for the picture, sound or film
# there, and would fetch it.
_MEDIUM = re.compile(r"\A(?:https?://|data:)|\.\w{3,4}\Z", re.IGNORECASE)


def load(model: str, kind: str, *, remedy: str) -> Loaded:
    """Load a checkpoint by hub id or from a folder, downloading what is not on this machine yet.

    Parameters
    ----------
    model
        ``sentence-transformers/all-MiniLM-L6-v2``, or a folder as sentence-transformers or transformers write it.
    kind
        The class of sentence-transformers that it is for: ``SentenceTransformer``, ``CrossEncoder``.
    remedy
        What to type for another model, for errors.

    Returns
    -------
    Loaded
        Its network is the ``kind``; there are no parts.

    Raises
    ------
    NotInstalled
        sentence-transformers is absent.
    ModelUnavailable
        The hub cannot be reached, or the model is not there, incomplete, pickled or of another kind; one line.
    """
    library = _library()
    try:
        found = find(model)
        folder = found.folder
        kinds = _modules(folder)
        if found.commit:
            _download(model, found.commit, folder, kinds)
        _check_modules(folder, kinds)
        _is_for(folder, kinds, kind)
        network = _build(getattr(library, kind), folder)
    except ModelUnavailable as error:
        raise ModelUnavailable(f"cannot load {model!r}: {error}. A way on: {remedy}") from error.__cause__
    revision = found.revision
    if not found.commit:
        within = [contents(folder / path) for path in kinds if path and (folder / path).is_dir()]
        revision = hashlib.sha256("".join([revision, *within]).encode()).hexdigest()
    return Loaded(network, (), found.id, revision)


def tried(model: str, probe: Callable[[], T]) -> T:
    """Run a model for the first time.

    Raises
    ------
    ModelUnavailable
        It does not run: a checkpoint can hold anything, and first shows it here.
    """
    try:
        return probe()
    except Exception as error:  # the cause stays chained
        raise ModelUnavailable(f"{model!r} was loaded, but does not work ({line(error)})") from error


def marks(network: Any) -> tuple[str, ...]:
    """Return what ``network``'s tokenizer reads as more than its letters: ``[SEP]``, ``<image>``."""
    tokenizer = network.tokenizer
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return tuple(sorted({*added, *tokenizer.all_special_tokens}, key=len, reverse=True))


def plain(text: str, marks: tuple[str, ...]) -> str:
    """``text`` as one that is only read: it ends no part of an input, stands for no picture, is no address to fetch."""
    text = text.encode("utf-8", "replace").decode()  # no tokenizer takes half a character
    for mark in marks:
        text = text.replace(mark, " ")
    return f" {text}" if _MEDIUM.search(text) else text


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what sentence-transformers and transformers say to developers."""
    log = logging.getLogger("sentence_transformers")
    level = log.level
    with transformers_quiet():
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


def _library() -> Any:
    try:
        with quiet():
            import sentence_transformers
    except ModuleNotFoundError as error:
        if error.name != "sentence_transformers":
            raise
        raise NotInstalled("sentence-transformers", extra="sbert") from error
    return sentence_transformers


def _build(kind: Any, folder: Path) -> Any:
    try:
        with quiet():
            network = kind(
                str(folder),
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
    except Exception as error:  # a foreign checkpoint can fail in any way
        raise ModelUnavailable(f"{kind.__name__} cannot read it ({line(error)})") from error
    return network.float().eval()


def _modules(folder: Path) -> dict[str, str]:
    """Return the name of each module's class by its folder, as ``modules.json`` has them; none where there is none.

    Classes from elsewhere are refused here: before version 6, the library itself imports them from any folder.
    """
    listing = folder / "modules.json"
    if not listing.is_file():
        return {}
    try:
        listed = {str(one["path"]): str(one["type"]) for one in json.loads(listing.read_text(encoding="utf-8"))}
    except (ValueError, TypeError, KeyError) as error:
        raise ModelUnavailable("its modules.json cannot be read") from error
    for path, reference in listed.items():
        if not reference.startswith(_OWN):
            raise ModelUnavailable(f"it wants to run code of its own ({reference}), which is never done")
        if not _PATH.fullmatch(path):
            raise ModelUnavailable(f"its modules.json points outside of it ({path!r})")
    return {path: reference.rsplit(".", 1)[-1] for path, reference in listed.items()}


def _download(model: str, revision: str, folder: Path, kinds: dict[str, str]) -> None:
    within = [path for path in kinds if path]
    if all(_complete(folder / path, kinds[path]) for path in within):
        return
    if kept_alone():
        raise ModelUnavailable("not all of it is on this machine")
    import huggingface_hub

    wanted = [f"{path}/{files}" for path in within for files in _FILES]
    try:
        huggingface_hub.HfApi().snapshot_download(model, revision=revision, allow_patterns=wanted)
    except Exception as error:  # which classes come depends on the hub client's version and its HTTP library
        raise ModelUnavailable(why(model, error)) from error


def _complete(folder: Path, kind: str) -> bool:
    if kind == _WITHOUT_FILES:
        return True
    return (folder / "config.json").is_file() and (kind in _WITHOUT_WEIGHTS or not missing(folder))


def _check_modules(folder: Path, kinds: dict[str, str]) -> None:
    """Refuse modules whose weights are pickled, which the library would open, or missing."""
    for path, kind in kinds.items():
        if not path or _complete(folder / path, kind):
            continue
        names = sorted(f"{path}/{file.name}" for file in (folder / path).glob("*"))
        raise ModelUnavailable(why_without_weights(names) or f"its part {path} is incomplete")


def _is_for(folder: Path, kinds: dict[str, str], kind: str) -> None:
    """Refuse a checkpoint of another kind, which the library would convert, making up the weights that it lacks."""
    about = _read(folder / "config_sentence_transformers.json") if kinds else {}
    is_kind = about.get("model_type", "SentenceTransformer" if kinds else "")
    architecture = str((_read(folder / "config.json").get("architectures") or [""])[0])
    if not is_kind:
        ranks = architecture.endswith(("ForSequenceClassification", "ForCausalLM"))
        embeds = not architecture.endswith("ForSequenceClassification")
        fits = ranks if kind == "CrossEncoder" else embeds
    else:
        fits = is_kind == kind
    if not fits:
        found = is_kind or architecture or "a network without a head"
        raise ModelUnavailable(f"it is made as {found}, not as {kind}")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
