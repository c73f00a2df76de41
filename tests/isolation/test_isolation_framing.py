"""Messages between processes arrive whole or not at all."""

import io
import struct

import pytest

from mmrag_nb.isolation.framing import Broken, Piece, read, write


def sent(piece):
    out = io.BytesIO()
    write(out, piece)
    return out.getvalue()


class Sip(io.RawIOBase):
    """Takes few bytes at a time, as a pipe may."""

    def __init__(self):
        self.got = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.got += bytes(data[:7])
        return min(len(data), 7)


PIECE = Piece({"a": [1, 2.5, None], "name": "caf\udce9 漢"}, (b"", b"x" * 1000, b"\0"))


def test_what_is_written_is_read():
    assert read(io.BytesIO(sent(PIECE)), most=2000) == PIECE


def test_a_stream_that_takes_parts_gets_all():
    sip = Sip()
    write(sip, PIECE)
    assert bytes(sip.got) == sent(PIECE)


def test_every_cut_is_broken():
    whole = sent(Piece({"a": 1}, (b"xyz",)))
    for size in range(len(whole)):
        with pytest.raises(Broken):
            read(io.BytesIO(whole[:size]), most=100)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 5000,
        struct.pack("<II", 4, 0) + b"nope",
        struct.pack("<II", 2, 1) + b"{}" + struct.pack("<Q", 1 << 60),
        struct.pack("<II", 2, 5000) + b"{}",
        struct.pack("<II", 1 << 31, 0),
    ],
)
def test_nonsense_is_broken(data):
    with pytest.raises(Broken):
        read(io.BytesIO(data), most=1000)
