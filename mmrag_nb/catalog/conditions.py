"""Conditions on the fields of a chunk, as SQL over ``chunks`` joined with ``items``.

Each is 1, 0 or NULL, as :mod:`mmrag_nb.catalog.where` says. Names and values are bound parameters throughout.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Value: TypeAlias = bool | int | float | str

_COLUMNS = {  # by name: the JSON type, NULL where missing, and the value
    "name": ("'text'", "name_of(items.uri)"),
    "uri": ("'text'", "items.uri"),
    "modality": ("'text'", "chunks.modality"),
    "text": ("CASE WHEN chunks.text <> '' THEN 'text' END", "nullif(chunks.text, '')"),
    "page": ("nullif(typeof(chunks.page), 'null')", "chunks.page"),
    "start": ("nullif(typeof(chunks.start), 'null')", "chunks.start"),
    "end": ("nullif(typeof(chunks.\"end\"), 'null')", 'chunks."end"'),
}
BUILT_IN = frozenset(_COLUMNS)
"""The names that every index knows."""
ORDERS = ("<", "<=", ">", ">=")


@dataclass(frozen=True)
class Sql:
    """A piece of SQL with its parameters in order."""

    text: str
    values: tuple[object, ...] = ()

    @classmethod
    def of(cls, template: str, *parts: Sql) -> Sql:
        """``template``, which holds nothing of the user's, with ``parts`` in its braces."""
        return cls(template.format(*(p.text for p in parts)), tuple(v for p in parts for v in p.values))

    def bound(self, keys: Mapping[str, str]) -> tuple[str, list[object]]:
        """Text and parameters, the names that are not spelt like their keys replaced by them."""
        return self.text, [f'$."{keys.get(v.name, v.name)}"' if isinstance(v, _Key) else v for v in self.values]


@dataclass(frozen=True)
class _Key:
    """Among the parameters, the path of a key."""

    name: str


@dataclass(frozen=True)
class _Place:
    """Where a field's value may come from: its JSON type, NULL where missing, and the value."""

    kind: Sql
    value: Sql
    decimal: bool = True
    """Whether floats lie there as decimal digits, which SQLite has to read."""

    def parameter(self, value: Value) -> Sql:
        # SQLite may read digits as the float next to the one that Python reads: then the other side goes that way too.
        wide = isinstance(value, float) or not (isinstance(value, str) or -(2**63) <= value < 2**63)
        if wide and self.decimal:
            return Sql("json_extract(?, '$')", (json.dumps(value),))
        return Sql("?", (float(value) if wide else value,))


def equals(name: str, values: Sequence[Value]) -> Sql:
    """Whether the field is one of ``values``."""
    groups: dict[str, list[Value]] = {}
    for value in values:
        groups.setdefault(_types(value), []).append(value)

    def asked(place: _Place) -> Sql:
        parts = []
        for types, same in groups.items():
            listed = Sql.of(", ".join(["{}"] * len(same)), *map(place.parameter, same))
            parts.append(Sql.of(f"({{}} IN ({types}) AND {{}} IN ({{}}))", place.kind, place.value, listed))
        return joined("OR", parts)

    return _ask(name, asked)


def ordered(name: str, order: str, value: Value) -> Sql:
    """Whether the field is before or after ``value``, by one of :data:`ORDERS`."""
    template = f"CASE WHEN {{}} IN ({_types(value)}) THEN {{}} {order} {{}} END"
    return _ask(name, lambda place: Sql.of(template, place.kind, place.value, place.parameter(value)))


def contains(name: str, value: Value) -> Sql:
    """Whether ``value`` is in the list that the field is, or a part of its text."""
    inside = f"SELECT 1 FROM json_each({{}}) WHERE type IN ({_types(value)}) AND atom = {{}}"  # noqa: S608

    def asked(place: _Place) -> Sql:
        among = Sql.of(f"WHEN 'array' THEN EXISTS ({inside})", place.value, place.parameter(value))
        within = Sql.of("WHEN 'text' THEN instr({}, {}) > 0", place.value, place.parameter(value))
        return Sql.of("CASE {} {} {} END", place.kind, among, within if isinstance(value, str) else Sql(""))

    return _ask(name, asked)


def missing(name: str) -> Sql:
    """Whether the field has no value."""
    return Sql.of("({} ISNULL)", _anywhere(name).kind)


def true(name: str) -> Sql:
    """Whether the field is true; unknown where it is neither true nor false."""
    return Sql.of("CASE {} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END", _anywhere(name).kind)


def compared(name: str, comparison: str, other: str) -> Sql:
    """Whether two fields are equal (``=``) or in one of :data:`ORDERS`; unknown for lists."""
    a, b = _anywhere(name), _anywhere(other)
    # one word for a kind; the words are SQLite's own
    first, second = (Sql.of("replace(replace({}, 'integer', 'real'), 'false', 'true')", p.kind) for p in (a, b))
    if comparison == "=":
        return Sql.of(
            "CASE WHEN {} IN ('real', 'text', 'true') AND {} IN ('real', 'text', 'true') THEN {} = {} AND {} = {} END",
            *(first, second, first, second, a.value, b.value),
        )
    template = f"CASE WHEN {{}} IN ('real', 'text') AND {{}} = {{}} THEN {{}} {comparison} {{}} END"
    return Sql.of(template, first, first, second, a.value, b.value)


def negated(part: Sql) -> Sql:
    """The opposite of ``part``; unknown where that is."""
    return Sql.of("(NOT {})", part)


def joined(word: str, parts: Sequence[Sql]) -> Sql:
    """``parts`` with AND or OR between them."""
    return parts[0] if len(parts) == 1 else Sql.of(f"({f' {word} '.join(['{}'] * len(parts))})", *parts)


def _types(value: Value) -> str:
    """What SQLite's JSON calls the kind of ``value``; of true and false each is one by itself."""
    if isinstance(value, bool):
        return "'true'" if value else "'false'"
    return "'text'" if isinstance(value, str) else "'integer', 'real'"


def _given(name: str) -> _Place:
    """In what the user said, else in what the loader found."""
    keys = (_Key(name), _Key(name))
    kinds = (f"nullif(json_type(items.{column}, ?), 'null')" for column in ("metadata", "facts"))
    value = "coalesce(json_extract(items.metadata, ?), json_extract(items.facts, ?))"
    return _Place(Sql(f"coalesce({', '.join(kinds)})", keys), Sql(value, keys))


def _anywhere(name: str) -> _Place:
    given = _given(name)
    if name not in _COLUMNS:
        return given
    kind, value = (f"coalesce({{}}, {sql})" for sql in _COLUMNS[name])
    return _Place(Sql.of(kind, given.kind), Sql.of(value, given.value))


def _ask(name: str, question: Callable[[_Place], Sql]) -> Sql:
    given = _given(name)
    if name not in _COLUMNS:
        return question(given)
    kind, value = map(Sql, _COLUMNS[name])
    column = _Place(kind, value, decimal=False)
    return Sql.of("CASE WHEN {} ISNULL THEN {} ELSE {} END", given.kind, question(column), question(given))
