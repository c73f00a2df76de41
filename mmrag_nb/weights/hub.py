"""Where a model's files are: in a folder, on the hub, or kept from an earlier download."""

from __future__ import annotations

import contextlib
import re
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrag_nb.errors import ModelUnavailable

from .folder import SMALL, check, contents, is_weights, missing, why_without_weights
from .reading import line

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = 4.0
"""Seconds that each of the hub's addresses has to answer before it counts as out of reach."""

_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_BOT = "SFconvertbot"
_KEPT_ALONE: ContextVar[bool] = ContextVar("mmrag_nb_kept_alone", default=False)
"""Of this thread: others may download meanwhile."""


@dataclass(frozen=True)
class Found:
    """A model's files."""

    folder: Path
    id: str
    """The hub's id, or the folder's name."""
    commit: str
    """The hub's; empty of a folder."""

    @property
    def revision(self) -> str:
        """The hub's commit, or a hash of a folder's contents, for which all of them are read."""
        return self.commit or contents(self.folder)


def find(model: str) -> Found:
    """Find a checkpoint by hub id or folder, downloading what is not on this machine yet.

    Raises
    ------
    ModelUnavailable
        The hub cannot be reached, or the model is not there, incomplete or pickled.
    """
    local = Path(model).expanduser()
    if local.is_dir():
        found = Found(local, local.resolve().name, "")
    elif _HUB_ID.fullmatch(model):
        found = Found(*(_from_cache(model) if kept_alone() else _from_hub(model)))
    else:
        raise ModelUnavailable("there is no such folder")
    check(found.folder)
    return found


@contextlib.contextmanager
def keeping_offline() -> Iterator[None]:
    """Have :func:`find`, in this thread, take what is on this machine: the hub is asked nothing."""
    before = _KEPT_ALONE.set(True)
    try:
        yield
    finally:
        _KEPT_ALONE.reset(before)


def kept_alone() -> bool:
    """Whether this thread is to do with what is on this machine."""
    return _KEPT_ALONE.get()


def cached(model: str) -> tuple[Path, str] | None:
    """Return folder and commit of the newest complete download of ``model``, for when the hub is out of reach."""
    from huggingface_hub import constants

    snapshots = Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}" / "snapshots"
    for config in sorted(snapshots.glob("*/config.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        if not missing(config.parent):
            return config.parent, config.parent.name
    return None


def why(model: str, error: Exception) -> str:
    """Tell why the hub's client failed."""
    from huggingface_hub.errors import GatedRepoError, HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError

    if isinstance(error, OfflineModeIsEnabled):
        return "the model hub is switched off (HF_HUB_OFFLINE is set), and the model was not downloaded before"
    if isinstance(error, GatedRepoError):
        return f"its owner asks you to accept a licence at https://huggingface.co/{model} and to log in (hf auth login)"
    if isinstance(error, RepositoryNotFoundError):
        return "there is no such folder, and the hub has no such model or keeps it private"
    if isinstance(error, HFValidationError):
        return "there is no such folder, and no model of the hub can be called that"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"the model hub answered {status}"
    return f"the model hub cannot be reached ({line(error)})"


def _from_cache(model: str) -> tuple[Path, str, str]:
    kept = cached(model)
    if kept is None:
        raise ModelUnavailable("it is not on this machine")
    return kept[0], model, kept[1]


def _from_hub(model: str) -> tuple[Path, str, str]:
    import huggingface_hub

    api = huggingface_hub.HfApi()
    try:
        info: Any = api.model_info(model, timeout=TIMEOUT)
        if not _has_weights(info) and (reference := _conversion(api, model)):
            info = api.model_info(model, revision=reference, timeout=TIMEOUT)
        folder = _download(api, model, info) if _has_weights(info) else None
    except Exception as error:  # which classes come depends on the hub client's version and its HTTP library
        if kept := cached(model):
            folder, commit = kept
            return folder, model, commit
        raise ModelUnavailable(why(model, error)) from error
    if folder is None:
        pickled = why_without_weights(file.rfilename for file in info.siblings)
        raise ModelUnavailable(pickled or "the hub has no weights of it")
    return folder, model, info.sha


def _download(api: Any, model: str, info: Any) -> Path:
    """Return the folder of the commit that ``info`` tells of, without asking the hub again for what is there."""
    from huggingface_hub import try_to_load_from_cache

    names = [file.rfilename for file in info.siblings if "/" not in file.rfilename]
    wanted = [name for name in names if is_weights(name) or name.endswith(SMALL)]
    here = [try_to_load_from_cache(model, name, revision=info.sha) for name in wanted]
    if all(isinstance(path, str) for path in here):
        return Path(str(here[0])).parent
    return Path(api.snapshot_download(model, revision=info.sha, allow_patterns=wanted))


def _has_weights(info: Any) -> bool:
    return any(is_weights(file.rfilename) for file in info.siblings)


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
