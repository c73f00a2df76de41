"""Filters find just what they say, tell a slip from a filter, and let nothing hostile through."""

import random
import time
import warnings
from contextlib import closing, suppress

import pytest
import slow_filters as slow
from hypothesis import given, settings
from hypothesis.strategies import integers

from mmrag_nb.catalog.catalog import Catalog
from mmrag_nb.catalog.database import Database
from mmrag_nb.catalog.entries import Entry
from mmrag_nb.catalog.where import LONGEST, parse
from mmrag_nb.errors import InvalidSetting, MMRagError, UnknownName
from mmrag_nb.types import Chunk, Item


def filled(*entries, path=None):
    catalog = Catalog(path)
    catalog.add(entries, {})
    return catalog


def picture(number, facts=None, **metadata):
    item = Item(f"hash {number}", f"shop/{number}.jpg", "image", metadata)
    return Entry(item, [Chunk(item.id, 0, "image")], [[]], "recipe", facts or {})


def found(catalog, where):
    """Numbers of the pictures."""
    chunks = catalog.records(catalog.chunks_where(where).tolist()).values()
    return sorted(int(stored.item.name.removesuffix(".jpg")) for stored in chunks)


@pytest.fixture(scope="module")
def shop():
    catalog = filled(
        picture(1, species="rose", price=12, sold=True, tags=["red", "garden", 5], taken="2024-05-01"),
        picture(2, species="lily", price=49.5, sold=False, tags=[], taken="2024-06-11"),
        picture(3, species="Rose", price=50, tags=["white", "red rose", None], note="a red one", taken="2023-12-31"),
        picture(4, species="fern", price=None, sold=False, tags="red and green", origin={"land": "Peru"}),
        picture(5, species=7, price="cheap", sold="yes", tags=12),
        picture(
            6, {"width": 640, "height": 480}, price=-3, width=10, **{"class": "bird", "gro\u0308ße": 1, "种类": "玫瑰"}
        ),
        picture(7, {"width": 640, "height": 480}, width=None, name="seven"),
    )
    yield catalog
    catalog.close()


# -- what a filter finds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("species == 'rose' and price < 50", [1]),
        ("species == 'rose' or species == 'lily'", [1, 2]),
        ('species == "rose"', [1]),
        ("  species == 'rose'\n   or price >= 50  ", [1, 3]),
        ("10 <= price < 50", [1, 2]),
        ("50 > price", [1, 2, 6]),
        ("price == -3", [6]),
        ("price > -3.5 and (price < +0 or price == 12.0)", [1, 6]),
        ("species in ('rose', 'lily', 7)", [1, 2, 5]),
        ("species not in ['rose', 'lily']", [3, 4, 5]),
        ("taken >= '2024-05-01'", [1, 2]),
        ("'2023-01-01' <= taken < '2024-06'", [1, 3]),
        ("'red' in tags", [1, 4]),  # in a list the whole word, in a text any part
        ("'red' not in tags", [2, 3]),
        ("'5' in tags", []),
        ("5 in tags", [1]),
        ("'lil' in species and not 'Lil' in species", [2]),
        ("'玫' in 种类 and 种类 == '玫瑰'", [6]),
        ("sold", [1]),
        ("not sold", [2, 4]),
        ("sold == True", [1]),
        ("sold != True", [2, 4, 5]),
        ("sold in (False, 'yes')", [2, 4, 5]),
        ("sold == 1 or sold == 0", []),
        ("`class` == 'bird'", [6]),
        ("width == 10 or width == 640", [6, 7]),  # what the user said goes before what the loader found
        ("width > height", [7]),
        ("name == '2.jpg' or uri == 'shop/3.jpg' or name == 'seven'", [2, 3, 7]),
        ("'shop/' in uri and name > '5'", [5, 6, 7]),
        ("modality == 'image' and text is None and page is None", [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_it_finds_what_it_says(shop, where, wanted):
    assert found(shop, where) == wanted


def test_a_missing_value_fits_neither_a_condition_nor_its_negation(shop):
    assert found(shop, "price < 50") == [1, 2, 6]
    assert found(shop, "not price < 50") == found(shop, "price >= 50") == [3]
    assert found(shop, "price == 50 or price != 50") == [1, 2, 3, 5, 6], "null is missing, text is not"
    assert found(shop, "price is None") == [4, 7]
    assert found(shop, "not price is None") == found(shop, "price is not None") == [1, 2, 3, 5, 6]
    assert found(shop, "price > 0 or note is None") == [1, 2, 3, 4, 5, 6, 7], "true or unknown is true"


def test_values_of_two_kinds_are_unequal_and_in_no_order(shop):
    assert found(shop, "species == '7'") == []
    assert 5 in found(shop, "species != '7'")
    for order in ("<", "<=", ">", ">="):
        assert 5 not in found(shop, f"price {order} 20") + found(shop, f"not price {order} 20")
    assert found(shop, "tags == 'red'") == [], "a list is no text"
    assert found(shop, "tags != 'red'") == [1, 2, 3, 4, 5]
    assert found(shop, "origin is not None") == [4]
    assert found(shop, "origin == 'Peru'") == found(shop, "'land' in origin") == []


def test_a_name_is_known_in_any_spelling_of_its_characters(shop):
    assert found(shop, "gr\u00f6ße == 1") == found(shop, "gro\u0308ße == 1") == [6]
    assert found(shop, "ｐｒｉｃｅ == -3") == [6]


def test_pages_and_times_are_those_of_the_chunk_and_seconds_those_of_the_file():
    book, talk = Item("b", "papers/harps.pdf", "text", {"start": "Dublin"}), Item("t", "talk.mp3", "audio")
    pages = [Chunk("b", n, "text" if n else "image", "harp" * n, page=n + 1) for n in range(4)]
    said = [Chunk("t", n, "audio", "", start=2.5 * n, end=2.5 * n + 2.4) for n in range(4)]
    facts = {"seconds": 10.25, "rate": 16_000}
    with closing(filled(Entry(book, pages, [[]] * 4, "r"), Entry(talk, said, [[]] * 4, "r", facts))) as catalog:
        asked = {
            "page == 2": [2],
            "2 <= page <= 3 and name == 'harps.pdf'": [2, 3],
            "start >= 2.5 and end <= 7.4": [6, 7],
            "start < 5 < end or start == 'Dublin' and page == 4": [4],
            "start <= 3 <= end": [6],
            "seconds > 10": [5, 6, 7, 8],
            "rate == 16000 and start == 0": [5],
            "modality == 'image'": [1],
            "'harpharp' in text": [3, 4],
            "text is None": [1, 5, 6, 7, 8],
        }
        assert {where: catalog.chunks_where(where).tolist() for where in asked} == asked


WIDE = [2**63 - 1, 2**63, -(2**63) - 1, 2**64 + 3, 10**300, 0.1 + 0.2, 5e-324, 1.7e308]
ODD = [6.074379962852603e-299, 4.5814680009972445e299]  # which SQLite 3.51 reads one bit off


@pytest.mark.parametrize("number", [*WIDE, *ODD])
def test_the_widest_numbers_are_found_again(number):
    with closing(filled(picture(1, n=number), picture(2, n=3))) as catalog:
        assert found(catalog, f"n == {number}") == found(catalog, f"n in ({number},)") == [1]
        assert found(catalog, f"n != {number}") == [2]
    stored = float(number)
    with closing(filled(Entry(Item("h", "a.mp3", "audio"), [Chunk("h", 0, "audio", start=stored)], [[]], "r"))) as talk:
        assert len(talk.chunks_where(f"start == {stored!r} and not start < {stored!r}")) == 1


@settings(max_examples=60, deadline=None)
@given(integers(0, 2**32), integers(1, 40))
def test_random_filters_over_random_rows_find_what_plain_python_finds(seed, n):
    rng = random.Random(seed)
    made = slow.entries(rng, n)
    rows = slow.rows(made)
    with closing(filled(*made)) as catalog:
        known = set().union(*rows) | set(slow.BUILT_IN) | {key for e in made for key in (*e.item.metadata, *e.facts)}
        for _ in range(20):
            where, answer = slow.condition(rng)
            if not parse(where).names <= known:
                with pytest.raises(UnknownName):
                    catalog.chunks_where(where)
                continue
            wanted = [number for number, row in enumerate(rows, 1) if answer(row) is True]
            assert catalog.chunks_where(where).tolist() == wanted, where


def test_ten_thousand_rows_against_plain_python():
    rng = random.Random(8)
    made = slow.entries(rng, 10_000)
    rows = slow.rows(made)
    with closing(filled(*made)) as catalog:
        hits = 0
        for _ in range(25):
            where, answer = slow.condition(rng)
            begin = time.perf_counter()
            ids = catalog.chunks_where(where).tolist()
            assert time.perf_counter() - begin < 5
            assert ids == [number for number, row in enumerate(rows, 1) if answer(row) is True], where
            hits += len(ids)
    assert hits > 10_000, "the filters found something"


# -- what is no filter -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "piece", "right"),
    [
        ("species = 'rose'", "=", "write =="),
        ("price > 1 && price < 3", "&&", "write and"),
        ("price > 1 || sold", "||", "write or"),
        ("(price > 1) & (price < 3)", "(price > 1) & (price < 3)", "write and"),
        ("(price > 1) | sold", "(price > 1) | sold", "write or"),
        ("price <> 3", "<>", "write !="),
        ("!sold", "!", "write not"),
        ("~sold", "~sold", "write not"),
        ("price => 3", "=>", "write >="),
        ("price > 1 AND price < 3", "AND", "write and"),
        ("price between 1 and 3", "between", "write 10 <= price < 50"),
        ("species LIKE 'r%'", "LIKE", "'red' in tags"),
        ("species == “rose”", "“", "straight quotes"),
        ("price == None", "price == None", "is None"),
        ("species is 'rose'", "species is 'rose'", "write =="),
        ("species in ('rose')", "species in ('rose')", "('rose',)"),
        ("species == ['rose', 'lily']", "['rose', 'lily']", "in ('rose', 'lily')"),
        ("sold == true", "true", "write True"),
        ("sold < True", "sold < True", "write == or !="),
        ("class == 'bird'", "class", "`class`"),
        ("price < @limit", "@", "write the value itself"),
        ("price < 5 # and more", "#", "no comments"),
        ("origin['land'] == 'Peru'", "origin['land']", "no looking into values"),
        ("species.str.contains('ro')", "species.str.contains('ro')", "'red' in name"),
        ("price < 1e999", "1e999", "1.8e308"),
        ("'rose'", "'rose'", "no condition"),
        ("price == 3 or 1 == 1", "1 == 1", "names no field"),
        ("", "''", "species == 'rose'"),
        ("(species == 'rose'", "(species == 'rose'", "was never closed"),
        ("price < 3" + " " * LONGEST, "price < 3", "1,000 at most"),
    ],
)
def test_a_slip_is_told_with_the_piece_and_what_is_right(shop, where, piece, right):
    with pytest.raises(InvalidSetting) as told:
        shop.chunks_where(where)
    assert str(told.value).index(piece) < str(told.value).index(right)


def test_a_doubtful_backslash_warns_of_nothing(shop):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found(shop, "species == '\\d'") == []


def test_a_name_that_no_item_has_is_told_with_the_nearest(shop):
    with pytest.raises(UnknownName, match=r"unknown field 'prise': did you mean 'price'\?"):
        shop.chunks_where("prise < 50 or species == 'rose'")
    with closing(Catalog()) as empty:
        assert empty.chunks_where("page == 1").tolist() == []
        with pytest.raises(UnknownName, match="known are end, modality, name, page, start, text, uri"):
            empty.chunks_where("price < 50")


HOSTILE = [
    "'; DROP TABLE items; --",
    "price == 1; DROP TABLE items",
    "price == 1) OR 1 = 1; DELETE FROM chunks; --",
    "1 == 1",
    "`x\"') OR 1 = 1 --` == 1",
    "price < (SELECT count(*) FROM items)",
    "__import__('os').system('touch hacked')",
    "().__class__.__bases__[0].__subclasses__()",
    "price.__class__ == 1",
    "__class__ == 1",
    "__builtins__",
    "print(price)",
    "lambda: price",
    "[price for price in tags]",
    "(x := 5) == price",
    "f'{price}' == 'rose'",
    "price if price else price",
    "*price",
    "{**price}",
    "await price",
    "yield price",
    "price == 9**9**9",
    "price == 'x' * 10**9",
    f"price < {'9' * 900}",
    f"price < {'9' * 100_000}",
    "price < 1j",
    "price == b'x'",
    "price == ...",
    "(" * 10_000,
    "(" * 450 + "sold" + ")" * 450,
    "not " * 240 + "sold",
    "sold or (sold and (" * 12 + "'a' in text" + "))" * 12,
    "-" * 900 + "1 < price",
    "price" + ".a" * 400,
    "price[" * 150 + "0" + "]" * 150,
    "price\0 == 1",
    "species == '\0'",
    "species == '\\0'",
    "species == '\ud800'",
    "species == '\\udfff'",
    "\ud800 == 1",
    "\u202eprice == 1",
    "\ufeffprice == 1",
    "price == 1\\",
    "price == '''",
    "import os",
    "\x1b[31mprice == 1",
    "price ==",
    "``",
    "\n\n",
    None,
    5,
    b"price == 1",
    ["price == 1"],
]


@pytest.mark.parametrize("where", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_hostile_gives_one_line_and_nothing_else(shop, where, recwarn):
    with pytest.raises(MMRagError) as told:
        shop.chunks_where(where)
    line = str(told.value)
    assert line.isprintable()
    assert len(line) < 300
    assert not recwarn.list


def test_nothing_hostile_changes_the_file(tmp_path):
    path = tmp_path / "shop.mmrag"
    with closing(filled(*slow.entries(random.Random(2), 20), path=path)) as catalog:
        before = _state(path)
        changes = catalog._db.total_changes()
        for where in [*HOSTILE, *(f"species == {text!r}" for text in HOSTILE if isinstance(text, str))]:
            with suppress(MMRagError):
                catalog.chunks_where(where)
        assert catalog._db.total_changes() == changes
    assert _state(path) == before
    assert not (tmp_path / "hacked").exists()


def test_hostile_text_in_quotes_is_a_text_as_any_other():
    texts = [text for text in HOSTILE if isinstance(text, str) and "\0" not in text and len(text) < 900]
    texts = [text for text in texts if not any("\ud800" <= character <= "\udfff" for character in text)]
    with closing(filled(*(picture(n, said=text) for n, text in enumerate(texts)))) as catalog:
        for n, text in enumerate(texts):
            assert n in found(catalog, f"said == {text!r}")
            assert n in found(catalog, f"{text!r} in said")


@pytest.mark.parametrize(
    "where",
    [
        "<".join(["n"] * 500),
        "<".join(["end"] * 250),
        " or ".join(["n"] * 200),
        " and ".join(["not n"] * 90),
        f"n in ({','.join(['1.5'] * 240)})",
        "not " * 18 + "n",
        "(" * 150 + "n" + ")" * 150,
        "n == 1 or (name != 'a' and (" * 8 + "end" + "))" * 8,
        "n == 1 or (name != 'a' and (" * 7 + "n or 'a' not in name" + "))" * 7,
        "n == 1 or (name != 'a' and (" * 7 + "n or end != start" + "))" * 7,
        "n == 1 or not (name != 'a' or not (" * 4 + "n or 1.5 < end <= -1e300" + "))" * 4,
    ],
)
def test_the_longest_filters_stay_within_the_limits_of_sqlite(where):
    assert len(where) <= LONGEST
    with closing(filled(picture(1, n=2))) as catalog:
        assert isinstance(catalog.chunks_where(where).tolist(), list)


def _state(path):
    with closing(Database(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone() for name in tables}
        schema = db.execute("SELECT * FROM sqlite_master ORDER BY name").fetchall()
        return counts, schema, db.execute("PRAGMA integrity_check").fetchall()
