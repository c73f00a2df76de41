"""Filters: conditions on what is known of a chunk and its item, in Python's grammar, for SQLite to answer.

``species == 'rose' and price < 50``, ``not sold``, ``10 <= price < 50``, ``kind in ('a', 'b')``, ``'red' in tags``,
``caption is None``, ``width > height``, ``taken >= '2024-05-01'`` (a date is a text; ISO's order is that of time).

Names
    The keys of the metadata; what the loader found (``width``, ``height``, ``seconds``, ...); of the item ``name`` and
    ``uri``; of the chunk ``modality``, ``text``, ``page``, ``start`` and ``end`` (seconds). In this order the first
    that has a value counts: metadata goes before what is built in. One that is a word of Python stands in backticks,
    as in pandas.
Values
    Numbers, texts in quotes (capitals count), ``True`` and ``False``. These are three kinds, lists are a fourth:
    across kinds ``==`` is false and ``!=`` true, so ``True`` is not 1. Whole numbers beyond 64 bits count as floats.
Missing
    What is absent, ``null`` or an empty ``text``. As in SQL, a condition on it does not hold and neither does its
    negation; only ``is None`` asks for it. So it is, too, where there is no answer: ``<`` across kinds or of anything
    but numbers and texts, ``==`` of two names where one is a list, ``in`` something that is neither list nor text, a
    name by itself that is neither true nor false.
In
    ``value in name`` is membership of a list, and for texts also part of a text; ``name in (value, ...)`` is any of
    several ``==``.

Nothing of a filter is evaluated as Python, and nothing of it becomes part of an SQL text.
"""

from __future__ import annotations

import ast
import keyword
import re
import sys
import unicodedata
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from mmrag_nb.errors import InvalidSetting, UnknownName

from . import conditions
from .conditions import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .conditions import Sql, Value
    from .language import Language

T = TypeVar("T")

LONGEST = 1_000
"""Characters of a filter."""
_DEEPEST = 20
"""Levels of its syntax tree. SQLite's parser, which has a stack of 100 symbols before 3.46, gives up at 24."""
_SHOWN = 60

_ORDERS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

_EXAMPLE = "write a filter such as species == 'rose' and price < 50"
_NO_CODE = "a filter has names, values and comparisons only; part of a text is 'red' in name"
_NO_NONE = "for a missing value write is None or is not None"
_NO_HALVES = "no text of an index has NUL or half a surrogate pair in it"
_SLIPS = {
    **dict.fromkeys(["=", "===", ":="], "to compare, write =="),
    **dict.fromkeys(["&&", "&", "AND"], "write and"),
    **dict.fromkeys(["||", "|", "OR"], "write or"),
    **dict.fromkeys(["!", "~", "NOT"], "write not"),
    **dict.fromkeys(["<>", "!=="], "write !="),
    "=<": "write <=",
    "=>": "write >=",
    "IN": "write in",
    "IS": "write is",
    **dict.fromkeys(["BETWEEN", "between"], "write 10 <= price < 50"),
    **dict.fromkeys(["LIKE", "like", "CONTAINS", "contains"], "write 'red' in tags"),
    **dict.fromkeys("\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb", "write straight quotes: 'rose'"),
    "@": "a filter knows no variables: write the value itself",
    "#": "a filter has no comments",
}
_CONSTANTS = {"true": "True", "false": "False", "null": "None", "NULL": "None", "none": "None", "TRUE": "True"}
_LEXEME = re.compile(
    r"""(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|`(?P<name>\w+)`|(?P<gap>\s+)|(?P<other>\w+|[=!<>:&|]+|.)""",
    re.DOTALL,
)
_UNKEPT = re.compile("[\0\ud800-\udfff]")
_QUOTED = "_in_backticks_"


@dataclass(frozen=True)
class Filter:
    """A filter that was understood."""

    names: frozenset[str]
    """The names in it, as Python normalises identifiers (NFKC)."""
    condition: Sql

    def sql(self, keys: Mapping[str, str] | None = None) -> tuple[str, list[object]]:
        """A condition on ``chunks JOIN items``, of value 1, 0 or NULL, and its parameters in order.

        It calls ``name_of(uri)``, :func:`mmrag_nb.types.name_of`, where it asks for the name.

        Parameters
        ----------
        keys
            The keys in the index by name, as of :meth:`keys`.
        """
        return self.condition.bound(keys or {})

    def keys(self, rows: Callable[[str, Sequence[object]], list[tuple[object, ...]]]) -> dict[str, str]:
        """By name, the key in the index where it is spelt otherwise (in other code points for the same characters).

        Parameters
        ----------
        rows
            Runs a query on the index.

        Raises
        ------
        UnknownName
            No item has such a key; the message has the nearest.
        """
        query = "SELECT 1 FROM items WHERE json_type(metadata, ?) NOTNULL OR json_type(facts, ?) NOTNULL LIMIT 1"
        every = "SELECT key FROM items, json_each(metadata) UNION SELECT key FROM items, json_each(facts)"
        absent = [name for name in sorted(self.names - BUILT_IN) if not rows(query, [f'$."{name}"'] * 2)]
        known = [str(row[0]) for row in rows(every, ())] if absent else []
        by_form = {unicodedata.normalize("NFKC", key): key for key in known}
        for name in absent:
            if name not in by_form:
                raise UnknownName("field", name, {*known, *BUILT_IN})
        return {name: by_form[name] for name in absent}


def parse(where: str) -> Filter:
    """Read a filter; the text at the top of this module says what it may be.

    Raises
    ------
    InvalidSetting
        It is none; the message has the piece that is wrong and what is right.

    Examples
    --------
    >>> sorted(parse("species == 'rose' and 10 <= price < 50").names)
    ['price', 'species']
    """
    return Filter(*read(where, conditions))


def read(where: str, language: Language[T]) -> tuple[frozenset[str], T]:
    """The names in a filter, and its condition put into ``language``; see :func:`parse`."""
    if not isinstance(where, str) or not where.strip():
        raise _wrong(repr(where), _EXAMPLE)
    if len(where) > LONGEST:
        raise _wrong(repr(where), f"{len(where):,} characters; a filter has {LONGEST:,} at most")
    if _UNKEPT.search(where):
        raise _wrong(repr(where), _NO_HALVES)
    if "#" in (m["other"] for m in _LEXEME.finditer(where)):  # would hide what follows it
        raise _explained(where, ValueError())
    # one line, as a line break ends an expression; names in backticks may be words of Python
    text = _LEXEME.sub(lambda m: " " if m["gap"] else f"{_QUOTED}{m['name']}" if m["name"] else m[0], where).strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of doubtful escapes in texts
            tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _explained(where, error) from error
    _measure(tree)
    reader = _Reader(text, set(), language)
    condition = reader.condition(tree)
    return frozenset(reader.names), condition


def _wrong(piece: str, right: str) -> InvalidSetting:
    shown = " ".join(piece.replace(_QUOTED, "").split())
    return InvalidSetting(f"where: {shown if len(shown) <= _SHOWN else f'{shown[:_SHOWN]}…'}: {right}")


def _explained(where: str, error: Exception) -> InvalidSetting:
    """Say what is wrong with a filter that is no Python expression."""
    for found in _LEXEME.finditer(where):
        word = found["other"] or ""
        around = repr(where[max(0, found.start() - 20) : found.end() + 20])
        if word in _SLIPS:
            return _wrong(f"{word} in {around}", _SLIPS[word])
        if keyword.iskeyword(word) and word not in {"and", "or", "not", "in", "is", "True", "False", "None"}:
            return _wrong(f"{word} in {around}", f"it is a word of Python; for the field of that name write `{word}`")
    told = str(getattr(error, "msg", "")) if type(error) is SyntaxError else ""
    return _wrong(repr(where), f"{told.split(' (')[0]}; {_EXAMPLE}" if told else _EXAMPLE)


def _measure(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise _wrong("the filter", f"nested more than {_DEEPEST} deep; make it flatter")


@dataclass(frozen=True)
class _Reader(Generic[T]):
    """Translates the syntax tree of ``text``."""

    text: str
    names: set[str]
    language: Language[T]

    def condition(self, node: ast.expr) -> T:
        if isinstance(node, ast.BoolOp):
            word = "AND" if isinstance(node.op, ast.And) else "OR"
            return self.language.joined(word, [self.condition(part) for part in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.language.negated(self.condition(node.operand))
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            pairs = zip(sides, node.ops, sides[1:], strict=False)
            return self.language.joined("AND", [self._comparison(node, *pair) for pair in pairs])
        if isinstance(node, ast.Name):
            return self.language.true(self._name(node))
        if isinstance(node, (ast.Constant, ast.Tuple, ast.List, ast.Set)):
            raise self._wrong(node, f"a value is no condition; {_EXAMPLE}")
        raise self._code(node)

    def _comparison(self, whole: ast.expr, left: ast.expr, op: ast.cmpop, right: ast.expr) -> T:
        negated = isinstance(op, (ast.NotEq, ast.NotIn, ast.IsNot))
        if isinstance(op, (ast.Is, ast.IsNot)):
            if not _is_none(right) or not isinstance(left, ast.Name):
                raise self._wrong(whole, "is goes with None, as in price is None; else write ==")
            found = self.language.missing(self._name(left))
        elif isinstance(op, (ast.In, ast.NotIn)):
            found = self._inclusion(whole, left, right)
        elif _is_none(left) or _is_none(right):
            raise self._wrong(whole, _NO_NONE)
        elif isinstance(left, (ast.Tuple, ast.List, ast.Set)) or isinstance(right, (ast.Tuple, ast.List, ast.Set)):
            raise self._wrong(whole, "to ask for one of several, write species in ('rose', 'lily')")
        else:
            found = self._relation(whole, left, _ORDERS.get(type(op), "="), right)
        return self.language.negated(found) if negated else found

    def _relation(self, whole: ast.expr, left: ast.expr, relation: str, right: ast.expr) -> T:
        if isinstance(left, ast.Name) and isinstance(right, ast.Name):
            return self.language.compared(self._name(left), relation, self._name(right))
        if isinstance(right, ast.Name):
            left, relation, right = right, _MIRRORED.get(relation, "="), left
        value = self._value(right)
        if not isinstance(left, ast.Name):
            self._value(left)  # which has its own complaint
            raise self._wrong(whole, f"it names no field; {_EXAMPLE}")
        if relation == "=":
            return self.language.equals(self._name(left), [value])
        if isinstance(value, bool):
            raise self._wrong(whole, "true and false have no order; write == or !=")
        return self.language.ordered(self._name(left), relation, value)

    def _inclusion(self, whole: ast.expr, left: ast.expr, right: ast.expr) -> T:
        if isinstance(right, ast.Name) and not isinstance(left, ast.Name):
            value = self._value(left)
            return self.language.contains(self._name(right), value)
        if isinstance(left, ast.Name) and isinstance(right, (ast.Tuple, ast.List, ast.Set)) and right.elts:
            return self.language.equals(self._name(left), [self._value(one) for one in right.elts])
        if isinstance(left, ast.Name) and isinstance(right, ast.Constant):
            raise self._wrong(whole, "one value in brackets needs a comma, ('rose',); or write ==")
        raise self._wrong(whole, "in takes values or one name: species in ('rose', 'lily'), 'red' in tags")

    def _name(self, node: ast.Name) -> str:
        name = node.id.removeprefix(_QUOTED)
        if node.id in _CONSTANTS:
            raise self._wrong(node, f"write {_CONSTANTS[name]}")
        self.names.add(name)
        return name

    def _value(self, node: ast.expr) -> Value:
        sign = node.op if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)) else None
        plain = node.operand if sign and isinstance(node, ast.UnaryOp) else node
        value = plain.value if isinstance(plain, ast.Constant) else ...
        if isinstance(value, (int, float)) and not (sign and isinstance(value, bool)):
            if not abs(value) <= sys.float_info.max:
                raise self._wrong(node, "numbers go up to 1.8e308")
            return -value if isinstance(sign, ast.USub) else value
        if isinstance(value, str) and not sign:
            if _UNKEPT.search(value):
                raise self._wrong(node, _NO_HALVES)
            return value
        if value is None:
            raise self._wrong(node, _NO_NONE)
        raise self._code(node)

    def _code(self, node: ast.expr) -> InvalidSetting:
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            return self._wrong(node, _SLIPS["&" if isinstance(node.op, ast.BitAnd) else "|"])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
            return self._wrong(node, _SLIPS["~"])
        if isinstance(node, ast.NamedExpr):
            return self._wrong(node, _SLIPS[":="])
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            return self._wrong(node, f"there is no looking into values; {_NO_CODE}")
        return self._wrong(node, _NO_CODE)

    def _wrong(self, node: ast.expr, right: str) -> InvalidSetting:
        return _wrong(repr(ast.get_source_segment(self.text, node) or self.text), right)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
