"""What arbitrary questions look like: English lines of questions, captions and statements, and some drawings."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path


@cache
def background() -> tuple[str, ...]:
    """All lines: first questions, then captions, then statements (about 2 : 1 : 1), each of them once."""
    return tuple(files(__package__).joinpath("background.txt").read_text(encoding="utf-8").splitlines())


@cache
def of_drawings() -> tuple[str, ...]:
    """Captions of drawings and questions for them, with some general lines: for the image-text model that ships."""
    own = files("mmrag_nb.assets").joinpath("emoji_clip", "background.txt").read_text(encoding="utf-8")
    return (*own.splitlines(), *queries(40))


@cache
def of_sounds() -> tuple[str, ...]:
    """Captions of sounds and questions for them: for models that bring texts and sounds together."""
    own = files("mmrag_nb.assets").joinpath("background_sounds.txt").read_text(encoding="utf-8")
    return tuple(own.splitlines())


@cache
def pictures() -> tuple[Path, ...]:
    """Pictures of many kinds: the demo's, for questions that are pictures."""
    return tuple(sorted(Path(str(files("mmrag_nb.assets.demo"))).rglob("*.png")))


@cache
def queries(n: int = 100) -> tuple[str, ...]:
    """Spread ``n`` picks evenly over the lines, so that questions, captions and statements keep their shares.

    The same ``n`` always gives the same lines; more than there are gives all.
    """
    lines = background()
    n = min(n, len(lines))
    return tuple(lines[i * len(lines) // n] for i in range(n))
