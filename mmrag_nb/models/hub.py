"""Models from the hub or a folder: safetensors only, no code from strangers, one line where it fails."""

from __future__ import annotations

import contextlib
import hashlib
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TIMEOUT = 4.0
"""Seconds that each of the hub's addresses has to answer before it counts as out of reach."""

_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
_BOT = "SFconvertbot"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt")
_SMALL = (".json", ".txt", ".model", ".jinja")  # configuration, vocabulary, preprocessing
_VOCABULARY = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model")


@dataclass(frozen=True)
class Loaded:
    """A network with what prepares its inputs."""

    network: Any
    """In float32, in evaluation mode, on the CPU."""
    parts: tuple[Any, ...]
    """What was asked for beside it, in that order: tokenizer, image processor, feature extractor."""
    id: str
    """The hub's id, or the folder's name."""
    revision: str
    """The hub's commit, or a hash of a folder's contents."""

    @property
    def name(self) -> str:
        """For people: ``clip-vit-base-patch32``."""
        return self.id.rsplit("/", 1)[-1]


def load(model: str, architecture: str, *parts: str, setting: str) -> Loaded:
    """Load a checkpoint by hub id or from a folder, downloading what is not on this machine yet.

    Parameters
    ----------
    model
        ``openai/clip-vit-base-patch32``, or a folder as ``save_pretrained`` writes it.
    architecture
        The class of transformers that makes the network: ``AutoModel``.
    parts
        The classes that make what prepares its inputs: ``AutoTokenizer``, ``AutoImageProcessor``.
    setting
        The setting that holds ``model``, for the error's remedy: ``clip``.

    Raises
    ------
    ModelUnavailable
        The hub cannot be reached, or the model is not there, incomplete, pickled or of another kind; one line.
    """
    ways = f'a local folder (%config MMRag.{setting} = "/path/to/folder"), or %config MMRag.preset = "offline"'
    try:
        folder, revision = _find(model)
        _check(folder)
        network, tools = _build(folder, architecture, parts)
    except ModelUnavailable as error:
        raise ModelUnavailable(f"cannot load {model!r}: {error}. Two ways on: {ways}") from error.__cause__
    local = Path(model).expanduser()
    return Loaded(network, tools, local.resolve().name if local.is_dir() else model, revision)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back transformers' own bars and advice, which name options that nobody here can set."""
    import transformers

    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            log.set_verbosity(level)
            if bars:
                log.enable_progress_bar()


def _build(folder: Path, architecture: str, parts: Iterable[str]) -> tuple[Any, tuple[Any, ...]]:
    import transformers

    own = {"local_files_only": True, "trust_remote_code": False}
    # Pillow's resampling, with which the checkpoints were trained, whether torchvision is there or not; 4.x knows the
    # second name, 5.x the first.
    pillow = {"AutoImageProcessor": {"backend": "pil", "use_fast": False}}
    making = architecture
    try:
        with quiet():
            network, report = getattr(transformers, architecture).from_pretrained(
                folder, use_safetensors=True, output_loading_info=True, **own
            )
            tools = []
            for making in parts:
                tools.append(getattr(transformers, making).from_pretrained(folder, **pillow.get(making, {}), **own))
    except Exception as error:  # a foreign checkpoint can fail in any way; the cause stays chained
        raise ModelUnavailable(f"{making} cannot read it ({_line(error)})") from error
    if missing := sorted(report["missing_keys"]):
        raise ModelUnavailable(
            f"it holds no weights for {missing[0]!r} and {len(missing) - 1} more parts of {type(network).__name__}"
        )
    return network.float().eval(), tuple(tools)


def _find(model: str) -> tuple[Path, str]:
    """Return the folder of a model's files, and its revision."""
    local = Path(model).expanduser()
    if local.is_dir():
        return local, _hash(local)
    if _HUB_ID.fullmatch(model):
        return _from_hub(model)
    raise ModelUnavailable("there is no such folder")


def _check(folder: Path) -> None:
    """Refuse what transformers would read amiss: pickled weights, or no vocabulary, in whose stead it makes one up."""
    names = sorted(path.name for path in folder.iterdir())
    if "config.json" not in names:
        raise ModelUnavailable("the folder has no config.json, so it is no checkpoint of transformers")
    if not any(_WEIGHTS.fullmatch(name) for name in names):
        pickled = [name for name in names if name.endswith(_PICKLED)]
        raise ModelUnavailable(_pickled(pickled[0]) if pickled else "the folder has no model.safetensors")
    if not any(next(folder.glob(pattern), None) for pattern in _VOCABULARY):
        raise ModelUnavailable("the folder has no tokenizer (tokenizer.json, vocab.json, vocab.txt or *.model)")


def _pickled(name: str) -> str:
    return (
        f"its weights are pickled ({name}), and a pickle can run code when it is opened; where you trust it, load it "
        "with transformers and save it again with save_pretrained, which writes model.safetensors"
    )


def _hash(folder: Path) -> str:
    """Hash what decides a checkpoint's vectors: weights, configuration, vocabulary."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if _WEIGHTS.fullmatch(path.name) or path.name.endswith(_SMALL):
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def _from_hub(model: str) -> tuple[Path, str]:
    import huggingface_hub

    api = huggingface_hub.HfApi()
    try:
        info: Any = api.model_info(model, timeout=TIMEOUT)
        if not _has_weights(info) and (reference := _conversion(api, model)):
            info = api.model_info(model, revision=reference, timeout=TIMEOUT)
        folder = _download(api, model, info) if _has_weights(info) else None
    except Exception as error:  # which classes come depends on the hub client's version and its HTTP library
        if cached := _cached(model):
            return cached
        raise ModelUnavailable(_why(model, error)) from error
    if folder is None:
        pickled = [file.rfilename for file in info.siblings if file.rfilename.endswith(_PICKLED)]
        raise ModelUnavailable(_pickled(pickled[0]) if pickled else "the hub has no weights of it")
    return folder, info.sha


def _download(api: Any, model: str, info: Any) -> Path:
    """Return the folder of the commit that ``info`` tells of, without asking the hub again for what is there."""
    from huggingface_hub import try_to_load_from_cache

    names = [file.rfilename for file in info.siblings if "/" not in file.rfilename]
    wanted = [name for name in names if _WEIGHTS.fullmatch(name) or name.endswith(_SMALL)]
    here = [try_to_load_from_cache(model, name, revision=info.sha) for name in wanted]
    if all(isinstance(path, str) for path in here):
        return Path(str(here[0])).parent
    return Path(api.snapshot_download(model, revision=info.sha, allow_patterns=wanted))


def _has_weights(info: Any) -> bool:
    return any(_WEIGHTS.fullmatch(file.rfilename) for file in info.siblings)


def _conversion(api: Any, model: str) -> str | None:
    """Find the pull request in which the hub's own bot offers a pickled model's weights as safetensors.

    OpenAI's ViT-B/32 has had its safetensors there for years.
    """
    for request in api.get_repo_discussions(
        model, author=_BOT, discussion_type="pull_request", discussion_status="open"
    ):
        if request.author == _BOT and "safetensors" in request.title:
            return f"refs/pr/{request.num}"
    return None


def _cached(model: str) -> tuple[Path, str] | None:
    """Return the newest complete download of ``model``, for when the hub is out of reach."""
    from huggingface_hub import constants

    snapshots = Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}" / "snapshots"
    for config in sorted(snapshots.glob("*/config.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        if any(_WEIGHTS.fullmatch(path.name) for path in config.parent.iterdir()):
            return config.parent, config.parent.name
    return None


def _why(model: str, error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError

    if isinstance(error, OfflineModeIsEnabled):
        return "the model hub is switched off (HF_HUB_OFFLINE is set), and the model was not downloaded before"
    if isinstance(error, GatedRepoError):
        return f"its owner asks you to accept a licence at https://huggingface.co/{model} and to log in (hf auth login)"
    if isinstance(error, RepositoryNotFoundError):
        return "there is no such folder, and the hub has no such model or keeps it private"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"the model hub answered {status}"
    return f"the model hub cannot be reached ({_line(error)})"


def _line(error: Exception) -> str:
    """Return an error's class and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__
