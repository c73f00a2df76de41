"""Damage to files, drawn by hypothesis: a list of operations, each plain data, so that it can be kept and repeated."""

import struct
import zlib

from hypothesis import strategies as st

_LIES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1)

_place = st.one_of(st.integers(0, 64), st.integers(0, 2_000), st.integers(0, 1 << 24), st.integers(-200, -1))
"""Mostly in the head, where the lengths and sizes are; negative from the end. Taken modulo the file's size."""
_operation = st.one_of(
    st.tuples(st.just("flip"), _place, st.integers(0, 7)),
    st.tuples(st.just("byte"), _place, st.integers(0, 255)),
    st.tuples(st.just("run"), _place, st.integers(1, 5_000), st.sampled_from([0, 0xFF, 0x20, 0x41])),
    st.tuples(st.just("noise"), _place, st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("cut"), _place, st.integers(1, 3_000)),
    st.tuples(st.just("double"), _place, st.integers(1, 3_000), st.integers(1, 50)),
    st.tuples(st.just("move"), _place, _place, st.integers(1, 2_000)),
    st.tuples(st.just("lie"), _place, st.sampled_from(_LIES), st.sampled_from([1, 2, 4, 8]), st.booleans()),
    st.tuples(st.just("digits"), st.integers(0, 400), st.sampled_from(["0", "-1", "99999999999", "1e9", "4294967296"])),
    st.tuples(st.just("end"), _place),
    st.tuples(st.just("splice"), st.integers(0, 1_000), _place, _place),
)
recipes = st.tuples(st.lists(_operation, min_size=1, max_size=6), st.booleans())
"""Operations, and whether the checksums of a PNG are put right after them, so that the damage gets further in."""


def mutated(data: bytes, recipe, others: list[bytes]) -> bytes:
    """``data`` after the operations of ``recipe``; ``others`` are what it may be spliced with."""
    operations, mended = recipe
    out = bytearray(data)
    for name, *values in operations:
        if not out:
            break
        _OPERATIONS[name](out, others, *values)
    return _png_mended(bytes(out)) if mended else bytes(out)


def _flip(out, _others, place, bit):
    out[place % len(out)] ^= 1 << bit


def _byte(out, _others, place, value):
    out[place % len(out)] = value


def _run(out, _others, place, length, value):
    place %= len(out)
    length = min(length, len(out) - place)
    out[place : place + length] = bytes([value]) * length


def _noise(out, _others, place, data):
    place %= len(out)
    out[place : place + len(data)] = data


def _cut(out, _others, place, length):
    place %= len(out)
    del out[place : place + length]


def _double(out, _others, place, length, times):
    place %= len(out)
    out[place:place] = out[place : place + length] * times


def _move(out, _others, place, to, length):
    part = out[place % len(out) :][:length]
    to %= len(out)
    out[to : to + len(part)] = part


def _lie(out, _others, place, value, size, big):
    place %= len(out)
    lie = (value & ((1 << 8 * size) - 1)).to_bytes(size, "big" if big else "little")
    out[place : place + size] = lie


def _digits(out, _others, number, lie):
    """Another number where the ``number``-th run of digits is: what text formats and PDF have for lengths."""
    import re

    runs = list(re.finditer(rb"\d+", bytes(out[:200_000])))
    if runs:
        one = runs[number % len(runs)]
        out[one.start() : one.end()] = lie.encode()


def _end(out, _others, place):
    del out[place % len(out) :]


def _splice(out, others, number, place, from_):
    if others:
        other = others[number % len(others)]
        out[place % len(out) :] = other[from_ % max(len(other), 1) :]


_OPERATIONS = {
    "flip": _flip, "byte": _byte, "run": _run, "noise": _noise, "cut": _cut, "double": _double,
    "move": _move, "lie": _lie, "digits": _digits, "end": _end, "splice": _splice,
}  # fmt: skip


def _png_mended(data: bytes) -> bytes:
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        if len(body) != length + 4:
            break
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out) + data[at:]
