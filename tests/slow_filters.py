"""Filters the slow, obvious way: random ones over random rows, each with its answer as a plain Python function.

Nothing here reads a filter or knows SQL. A condition is its text together with a function of a row: ``True``, ``False``
or ``None`` where there is no answer.
"""

import operator
import random

from mmrag_nb.catalog.entries import Entry
from mmrag_nb.types import Chunk, Item

TEXTS = [
    "",
    "rose",
    "Rose",
    "red rose",
    "lily",
    "ÄÖ",
    "玫瑰",
    "it's",
    'say "hi"',
    "a\\b",
    "50",
    "True",
    "'; DROP --",
    "🌹",
]
NUMBERS = [0, 1, -1, 2, 50, 50.0, 0.5, -0.25, 49.99, 11.937, 1e-7, 1e22, 7.1e300, 2**53 + 1, 2**63 - 1, -(2**63), 2**63]
NUMBERS += [2**64 + 3, -(2**80), 0.1 + 0.2, 0.3, 5e-324]
ALONE = [*TEXTS, *NUMBERS, True, False]
KEYS = ["species", "price", "sold", "tags", "größe", "种类", "class", "name", "start", "text", "width"]
FACTS = ["width", "height", "seconds", "price"]
BUILT_IN = ["name", "uri", "modality", "text", "page", "start", "end"]
NAMES = sorted({*KEYS, *FACTS, *BUILT_IN})
NEGATED, ORDERS = "not ", {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def entries(rng: random.Random, n: int) -> list[Entry]:
    """``n`` items with 1 to 3 chunks of every kind of place, and values of every kind under every key."""
    return [_entry(rng, number) for number in range(n)]


def rows(made: list[Entry]) -> list[dict]:
    """What is known of each chunk by name, in the order in which the catalog numbers them."""
    known = []
    for entry in made:
        for chunk in entry.chunks:
            places = {key: getattr(chunk, key) for key in ("modality", "page", "start", "end")}
            places |= {"text": chunk.text or None, "uri": entry.item.uri, "name": entry.item.name}
            for said in (entry.facts, entry.item.metadata):
                places |= {key: value for key, value in said.items() if value is not None}
            known.append(places)
    return known


def condition(rng: random.Random, depth: int = 3):
    """A random filter: its text, and what it should say of a row."""
    if depth and rng.random() < 0.6:
        (one, first), (other, second) = condition(rng, depth - 1), condition(rng, depth - 1)
        return rng.choice(
            [
                (f"({one}) and ({other})", lambda row: _all(first(row), second(row))),
                (f"({one}) or ({other})", lambda row: _not(_all(_not(first(row)), _not(second(row))))),
                (f"not ({one})", lambda row: _not(first(row))),
            ]
        )
    return rng.choice([_equality, _order, _order, _chain, _several, _part, _part, _absence, _truth, _two_names])(rng)


def _entry(rng, number):
    values = {key: _value(rng) for key in KEYS if rng.random() < (0.2 if key in BUILT_IN else 0.7)}
    facts = {key: rng.choice(NUMBERS) for key in FACTS if rng.random() < 0.5}
    where = rng.choice(["shop/red rose.jpg", "shop/lily", "https://a.org/rose?x=1", "{{df}}", "C:\\rose"])
    item = Item(f"hash {number}", where if number % 3 else f"shop/{number}", rng.choice(["text", "image"]), values)
    chunks = [
        Chunk(
            item.id,
            ordinal,
            rng.choice(["text", "image", "audio"]),
            rng.choice(TEXTS),
            start := rng.choice([None, 0.0, 0.5, 11.937, 50.0]),
            None if start is None else start + rng.choice([0.0, 0.1, 49.49]),
            rng.choice([None, 1, 2, 50]),
        )
        for ordinal in range(rng.choice([1, 1, 2, 3]))
    ]
    return Entry(item, chunks, [[]] * len(chunks), "recipe", facts)


def _value(rng):
    draw = rng.random()
    if draw < 0.1:
        return None
    if draw < 0.3:
        return [rng.choice([*ALONE, None, ["rose"], {}]) for _ in range(rng.choice([0, 1, 2, 5]))]
    return {"red": 1} if draw < 0.33 else rng.choice(ALONE)


def _literal(rng):
    value = rng.choice(ALONE)
    if isinstance(value, (bool, str)) or rng.random() < 0.8:
        return value
    return value + rng.choice([-1, 1, 0.5, 0]) if abs(value) < 1e6 else -value


def _name(rng):
    name = rng.choice(NAMES)
    return (f"`{name}`" if name == "class" or rng.random() < 0.1 else name), lambda row: row.get(name)


def _equality(rng):
    (name, get), value, sign = _name(rng), _literal(rng), rng.choice(["==", "!="])
    text = f"{name} {sign} {value!r}" if rng.random() < 0.7 else f"{value!r} {sign} {name}"
    return text, lambda row: _signed(_equal(get(row), value), sign == "!=")


def _order(rng):
    (name, get), value, sign = _name(rng), _unsworn(rng), rng.choice(list(ORDERS))
    if rng.random() < 0.7:
        return f"{name} {sign} {value!r}", lambda row: _ordered(get(row), sign, value)
    return f"{value!r} {sign} {name}", lambda row: _ordered(value, sign, get(row))


def _chain(rng):
    (name, get), low, high = _name(rng), _unsworn(rng), _unsworn(rng)
    first, second = rng.choice(list(ORDERS)), rng.choice(list(ORDERS))
    text = f"{low!r} {first} {name} {second} {high!r}"
    return text, lambda row: _all(_ordered(low, first, get(row)), _ordered(get(row), second, high))


def _several(rng):
    (name, get), values, negated = _name(rng), [_literal(rng) for _ in range(rng.choice([1, 2, 7]))], rng.random() < 0.4
    listed = rng.choice([repr(tuple(values)), repr(values)])

    def answer(row):
        value = get(row)
        return None if value is None else _signed(any(_equal(value, one) for one in values), negated)

    return f"{name} {NEGATED * negated}in {listed}", answer


def _part(rng):
    (name, get), value, negated = _name(rng), _literal(rng), rng.random() < 0.4

    def answer(row):
        whole = get(row)
        if isinstance(whole, list):
            return _signed(any(_equal(one, value) is True for one in whole), negated)
        if isinstance(whole, str) and isinstance(value, str):
            return _signed(value in whole, negated)
        return None

    return f"{value!r} {NEGATED * negated}in {name}", answer


def _absence(rng):
    (name, get), negated = _name(rng), rng.random() < 0.5
    return f"{name} is {NEGATED * negated}None", lambda row: (get(row) is None) != negated


def _truth(rng):
    name, get = _name(rng)
    return name, lambda row: get(row) if isinstance(get(row), bool) else None


def _two_names(rng):
    (name, get), (other, get_other), sign = _name(rng), _name(rng), rng.choice(["==", "!=", *ORDERS])

    def answer(row):
        one, two = get(row), get_other(row)
        if isinstance(one, (list, dict)) or isinstance(two, (list, dict)):
            return None
        return _ordered(one, sign, two) if sign in ORDERS else _signed(_equal(one, two), sign == "!=")

    return f"{name} {sign} {other}", answer


def _unsworn(rng):
    while isinstance(value := _literal(rng), bool):
        pass
    return value


def _kind(value):
    return float if type(value) is int else type(value)


def _wide(value):
    return float(value) if type(value) is int and not -(2**63) <= value < 2**63 else value


def _equal(one, other):
    if one is None or other is None:
        return None
    return _kind(one) is _kind(other) and _wide(one) == _wide(other)


def _ordered(one, sign, other):
    if _kind(one) is not _kind(other) or _kind(one) not in {float, str}:
        return None
    return ORDERS[sign](_wide(one), _wide(other))


def _signed(answer, negated):
    return _not(answer) if negated else answer


def _not(answer):
    return None if answer is None else not answer


def _all(one, other):
    if one is False or other is False:
        return False
    return None if one is None or other is None else True
