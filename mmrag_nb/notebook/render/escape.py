"""The one way by which foreign text gets into a page or a terminal."""

from __future__ import annotations

from html import escape as _html

_NAME = 240
"""Characters of a name that are shown: what file systems allow of one part of a path."""
_TITLE = 1000
"""Characters of an address that are shown where the pointer rests."""

_SHOWN: dict[int, int] = {
    # control characters as their pictures (a terminal would obey them), line ends and tabs excepted
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    # characters that reorder what stands around them: "photo\u202egpj.exe" shows as "photoexe.jpg"
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD),
    # halves of surrogate pairs, as undecodable file names have them: no notebook with one can be saved
    **dict.fromkeys(range(0xD800, 0xE000), 0xFFFD),
}


def visible(text: object) -> str:
    """Return ``text`` with nothing in it that acts instead of being seen: control characters, direction overrides."""
    return str(text).replace("\r\n", "\n").replace("\r", "\n").translate(_SHOWN)


def one_line(text: object) -> str:
    """Return ``text`` as :func:`visible`, all white space folded into single spaces."""
    return visible(" ".join(str(text).split()))


def middle_cut(text: str, most: int) -> str:
    """Return at most ``most`` characters of ``text``: its begin and its end."""
    return text if len(text) <= most else f"{text[: most * 2 // 3]}…{text[-(most // 3 - 1) :]}"


def escape(text: object) -> str:
    """Return ``text`` for use between tags or inside a quoted attribute."""
    return _html(visible(text), quote=True)


def name(text: object, title: object = "", most: int = _NAME) -> str:
    """Return ``text`` as an element that keeps right-to-left names from reordering their surroundings.

    A very long one loses its middle: names differ at their ends.
    """
    hover = f' title="{escape(middle_cut(str(title), _TITLE))}"' if title else ""
    return f'<bdi class="mm-name"{hover}>{escape(middle_cut(one_line(text), most))}</bdi>'
