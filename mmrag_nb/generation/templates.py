"""Prompts by name: those that are shipped, and those that lie in the working directory."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mmrag_nb.errors import InvalidSetting, UnknownName, nearest
from mmrag_nb.results import Shown

from .prompt import RULES
from .template_file import LARGEST, TemplateFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmrag_nb.types import Example

DEFAULT = "general"
FOLDER = "prompts"
"""Looked into beside the working directory itself."""
SHIPPED = "shipped"
"""Origin of what comes with the package."""
_SUFFIXES = (".yaml", ".yml")
_RENDERER = "mmrag_nb.notebook.render.prompt"
_IS_A_PROMPT = re.compile(rb"^(?:\xef\xbb\xbf)?instructions[ \t]*:", re.MULTILINE)


@dataclass(frozen=True, repr=False)
class Template(Shown):
    """How an answer is asked for."""

    name: str
    description: str
    instructions: str
    """Whole, as they are sent: the task, and the rules."""
    examples: tuple[Example, ...] = ()
    origin: str = SHIPPED
    """``shipped``, or the path of its file."""

    _renderer: ClassVar[str] = _RENDERER

    @property
    def own_rules(self) -> bool:
        """Whether its file has rules of its own in the place of the package's."""
        return not self.instructions.endswith(RULES)

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {"question": one.question, "evidence": list(one.evidence), "answer": one.answer} for one in self.examples
        ]


@dataclass(frozen=True, repr=False)
class Templates(Shown):
    """The prompts that can be chosen by name."""

    templates: tuple[Template, ...]
    used: Template | None = None
    """The one in use; ``None`` where it cannot be read."""
    broken: tuple[tuple[str, str], ...] = ()
    """Files that are no prompt, by name, and why."""

    _renderer: ClassVar[str] = _RENDERER
    _columns: ClassVar[list[str] | None] = ["name", "description", "examples", "origin", "in use"]

    def uses(self, one: Template) -> bool:
        """Whether ``one`` is in use."""
        return self.used is not None and (one.name, one.origin) == (self.used.name, self.used.origin)

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "name": one.name,
                "description": one.description,
                "examples": len(one.examples),
                "origin": one.origin,
                "in use": self.uses(one),
            }
            for one in self.templates
        ]


@dataclass(frozen=True, repr=False)
class Copied(Shown):
    """A prompt's file that was written, to be changed."""

    path: Path
    template: Template
    choice: str
    """What to set ``prompt`` to."""

    _renderer: ClassVar[str] = _RENDERER

    def _rows(self) -> list[dict[str, Any]]:
        return [{"path": str(self.path), "prompt": self.choice}]


def template(name: str) -> Template:
    """Return the prompt of that name or path; its file is read again when it has changed.

    Parameters
    ----------
    name
        A path where it has a slash or ends in ``.yaml`` or ``.yml``; else the name of a file ``NAME.yaml`` in the
        working directory or its folder ``prompts``, or of a shipped one, in this order.

    Raises
    ------
    UnknownName
        There is no such prompt; the message has the nearest.
    InvalidSetting
        Its file is missing or no prompt; the message has the line and what is right.
    """
    path = _path(name)
    if path is None:
        raise UnknownName("prompt", name, template_names())
    return _read(path)


def template_names() -> tuple[str, ...]:
    """Names of the prompts that can be chosen: those in the working directory, then the shipped, the default first."""
    shipped = {path.stem for path in _in(_shipped())}
    own = {path.stem for path in (*_in(Path(), only_prompts=True), *_in(Path(FOLDER)))}
    return (*sorted(own - shipped), DEFAULT, *sorted(shipped - {DEFAULT}))


def templates(chosen: str = DEFAULT) -> Templates:
    """Return all that :func:`template_names` has, and ``chosen``, which is in use; damaged files are told."""
    found = {name: _or_why_not(name) for name in template_names()}
    used = found[chosen] if chosen in found else _or_why_not(chosen)
    read = [one for one in found.values() if isinstance(one, Template)]
    broken = {name: why for name, why in [*found.items(), (chosen, used)] if isinstance(why, str)}
    listed = Templates(tuple(read), used if isinstance(used, Template) else None, tuple(broken.items()))
    if listed.used is None or any(map(listed.uses, read)):
        return listed
    return replace(listed, templates=(listed.used, *read))


def copy_template(name: str, to: str, *, force: bool = False) -> Copied:
    """Write the file of prompt ``name`` to ``to``, where it can be changed.

    Raises
    ------
    InvalidSetting
        ``to`` is no name for a prompt's file, cannot be written, or is there already and ``force`` is not given.
    """
    path = _path(name)
    if path is None:
        raise UnknownName("prompt", name, template_names())
    _read(path)  # a damaged one is told before it is copied
    target = _expanded(to)
    if target.suffix not in _SUFFIXES:
        raise InvalidSetting(f"a prompt's file ends in .yaml: write --copy {to}.yaml")
    try:
        text = path.read_bytes()
        with target.open("wb" if force else "xb") as file:
            file.write(text)
    except FileExistsError:
        raise InvalidSetting(
            f"{target} is there already: choose another name, or add --force to write over it"
        ) from None
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"cannot write {target}: {getattr(error, 'strerror', error)}") from None
    found = _path(target.stem)
    by_name = found is not None and found.resolve() == target.resolve()
    return Copied(target, _read(target), target.stem if by_name else target.as_posix())


def _or_why_not(name: str) -> Template | str:
    try:
        return template(name)
    except (InvalidSetting, UnknownName) as error:
        return str(error)


def _path(name: str) -> Path | None:
    if "/" in name or "\\" in name or name.endswith(_SUFFIXES):
        path = _expanded(name)
        if not _is_file(path):
            raise InvalidSetting(_missing(path))
        return path
    for folder in (Path(), Path(FOLDER), _shipped()):
        for suffix in _SUFFIXES:
            path = folder / f"{name}{suffix}"
            if name and _is_file(path):
                return path
    return None


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # nobody's home
        return Path(name)


def _missing(path: Path) -> str:
    if any(_in(path)):
        return f"prompt {path} is a folder: name a file in it that ends in .yaml"
    near = nearest(path.name, [one.name for one in _in(path.parent)])
    hint = (
        f"did you mean {str(path.with_name(near))!r}?" if near else "%mmrag_prompt general --copy FILE.yaml makes one"
    )
    return f"there is no prompt {str(path)!r}: {hint}"


def _in(folder: Path, *, only_prompts: bool = False) -> Iterator[Path]:
    """The files of ``folder`` that are prompts by their names, and by their contents where that is asked."""
    try:
        there = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
        yield from (path for path in there if not only_prompts or _looks_like_one(path))
    except (OSError, ValueError):  # no such folder, or no name for one
        return


def _looks_like_one(path: Path) -> bool:
    """Whether a file in the working directory, where other YAML may lie, is meant as a prompt."""
    try:
        return path.stat().st_size <= LARGEST and bool(_IS_A_PROMPT.search(path.read_bytes()))
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long for a file, or with a NUL
        return False


def _shipped() -> Path:
    return Path(str(files("mmrag_nb.assets"))) / "prompts"


def _read(path: Path) -> Template:
    try:
        kept = path.resolve()
        state = kept.stat()
    except OSError as error:
        raise InvalidSetting(f"prompt {path}: cannot be read ({error.strerror})") from None
    said = _file(path, kept, state.st_mtime_ns, state.st_size)
    origin = SHIPPED if path.parent == _shipped() else str(path)
    return Template(path.stem, said.description, said.instructions, said.examples, origin)


@lru_cache(maxsize=64)
def _file(path: Path, kept: Path, changed: int, size: int) -> TemplateFile:  # noqa: ARG001 - what tells of a change
    return TemplateFile(path)
