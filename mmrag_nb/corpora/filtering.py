"""Filters for Milvus: what may be asked of a chunk, as one JSON object, and the conditions on it.

What engines make of a condition on a key that is absent, or of another type, differs. So every field is told twice: its
kind by ``k:NAME`` (``n`` number, ``t`` text, ``b`` true or false, ``l`` list, ``o`` anything else), and its value by a
key of that kind, ``n:price``. And every condition is two: where it is known to hold, and where it is known not to. Then
nothing is ever negated that could be unknown, and the rules of :mod:`mmrag_nb.catalog.where` hold anywhere.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmrag_nb.catalog.where import read
from mmrag_nb.errors import InvalidSetting
from mmrag_nb.milvus.tables import literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmrag_nb.catalog.conditions import Value
    from mmrag_nb.types import Chunk, Item, Metadata

_KINDS = "ntblo"
_LONGEST = 8_000
"""Characters of a text that a filter looks into: passages are shorter."""
_ROOM = 60_000
"""Bytes of JSON that Milvus takes in a field."""
_PLAIN = str.maketrans({"%": "\ue025", "_": "\ue05f", "\\": "\ue05c"})
"""What ``like`` takes for more than itself, and what stands for it in ``s:NAME``: not every engine can escape it."""
_NOTHING = "id < 0"
_INVERSE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def fields_of(chunk: Chunk, item: Item, facts: Metadata) -> dict[str, Any]:
    """What a filter may ask of a chunk: the loader's facts, then what the user said, before what is built in."""
    built_in: dict[str, Any] = {"name": item.name, "uri": item.uri, "modality": chunk.modality}
    built_in |= {"text": chunk.text or None, "page": chunk.page, "start": chunk.start, "end": chunk.end}
    known: dict[str, Any] = {}
    for source in (built_in, facts, item.metadata):
        spelt = {key: unicodedata.normalize("NFKC", key) for key in map(str, source)}
        # One that is spelt as it is asked for goes before another that only looks like it.
        for key in sorted(spelt, key=lambda one: spelt[one] == one):
            if source[key] is not None and re.fullmatch(r"\w+", spelt[key]) and source[key] == source[key]:
                known[spelt[key]] = source[key]
    fields: dict[str, Any] = {}
    room = _ROOM
    for name, value in known.items():
        kind, kept = _kept(value)
        told = {f"k:{name}": kind, **({} if kind == "o" else {f"{kind}:{name}": kept})}
        if kind == "t" and kept != (plain := kept.translate(_PLAIN)):
            told[f"s:{name}"] = plain
        room -= (size := len(json.dumps(told)))
        if room < 0:
            room += size
        else:
            fields |= told
    return fields


def names_in(fields: Mapping[str, Any]) -> set[str]:
    """The names that a filter may use of :func:`fields_of`."""
    return {key[2:] for key in fields if key.startswith("k:")}


def condition(where: str) -> tuple[frozenset[str], str]:
    """The names in a filter, and the condition that Milvus is given.

    Raises
    ------
    InvalidSetting
        It is no filter, or asks what Milvus cannot answer.
    """
    names, known = read(where, _Milvus())
    return names, known.holds


def _kept(value: object) -> tuple[str, Any]:
    if isinstance(value, bool):
        return "b", value
    if isinstance(value, (int, float)):
        return "n", _number(value)
    if isinstance(value, str):
        return "t", value[:_LONGEST]
    if isinstance(value, (list, tuple)):
        return "l", [tagged for one in value if (tagged := _tagged(one))]
    return "o", None


def _number(value: float) -> float:
    return value if -(2**63) <= value < 2**63 else float(value)


def _tagged(value: object) -> str:
    """An element of a list with its kind, so that 1, 1.0 and "1" are what they are."""
    kind, kept = _kept(value)
    if kind not in "ntb":
        return ""
    if kind == "n":
        kept = int(kept) if float(kept).is_integer() and abs(kept) < 2**63 else repr(float(kept))
    return f"{kind}:{kept}"


@dataclass(frozen=True)
class _Known:
    """A condition: where it is known to hold, and where it is known not to."""

    holds: str
    fails: str


class _Milvus:
    """See :class:`mmrag_nb.catalog.language.Language`."""

    def equals(self, name: str, values: Sequence[Value]) -> _Known:
        by_kind: dict[str, list[Value]] = {}
        for value in values:
            kind, kept = _kept(value)
            by_kind.setdefault(kind, []).append(kept)
        holds = [f"{_at(kind, name)} == {literal(one)}" for kind, same in by_kind.items() for one in same]
        fails = [_is(kind, name) for kind in _KINDS if kind not in by_kind]
        for kind, same in by_kind.items():
            others = [f"{_at(kind, name)} != {literal(one)}" for one in same]
            fails.append(_all([_is(kind, name), *others]))
        return _Known(_any(holds), _any(fails))

    def ordered(self, name: str, order: str, value: Value) -> _Known:
        kind, kept = _kept(value)
        field, guard = _at(kind, name), _is(kind, name)
        return _Known(
            _all([guard, f"{field} {order} {literal(kept)}"]),
            _all([guard, f"{field} {_INVERSE[order]} {literal(kept)}"]),
        )

    def contains(self, name: str, value: Value) -> _Known:
        inside = f"json_contains({_at('l', name)}, {literal(_tagged(value))})"
        listed = _is("l", name)
        holds, fails = [_all([listed, inside])], [_all([listed, f"not {inside}"])]
        if isinstance(value, str):
            plain = value.translate(_PLAIN)
            place = _at("t" if plain == value else "s", name)
            within = f"{place} like {literal(f'%{plain}%')}"
            holds.append(_all([_is("t", name), within]))
            apart = f"not ({within})" if plain == value else f"((not exists {place}) or not ({within}))"
            fails.append(_all([_is("t", name), apart]))
        return _Known(_any(holds), _any(fails))

    def missing(self, name: str) -> _Known:
        there = f"exists {_at('k', name)}"
        return _Known(f"(not {there})", f"({there})")

    def true(self, name: str) -> _Known:
        guard, field = _is("b", name), _at("b", name)
        return _Known(_all([guard, f"{field} == true"]), _all([guard, f"{field} == false"]))

    def compared(self, name: str, comparison: str, other: str) -> _Known:
        sign = "==" if comparison == "=" else comparison
        raise InvalidSetting(
            f"where: {name} {sign} {other}: an index in Milvus compares a field with a value, not with another field; "
            "%mmrag_save it to a file to ask that"
        )

    def negated(self, part: _Known) -> _Known:
        return _Known(part.fails, part.holds)

    def joined(self, word: str, parts: Sequence[_Known]) -> _Known:
        holds, fails = [part.holds for part in parts], [part.fails for part in parts]
        return _Known(_all(holds), _any(fails)) if word == "AND" else _Known(_any(holds), _all(fails))


def _at(kind: str, name: str) -> str:
    return f"fields[{literal(f'{kind}:{name}')}]"


def _is(kind: str, name: str) -> str:
    return f"{_at('k', name)} == {literal(kind)}"


def _all(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({' and '.join(parts)})"


def _any(parts: Sequence[str]) -> str:
    if not parts:
        return _NOTHING
    return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"
