"""Texts in the encodings that people have; what is no text is refused."""

import os

import pytest

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.decoding import decode

GERMAN = "Die Größe des Gebäudes überrascht: “fünfzehn Meter”, sagte die Bürgermeisterin."
RUSSIAN = "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью."
POLISH = "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw, żółta łódka."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Plain words.", GERMAN])
def test_unicode_in_all_its_forms(text, encoding):
    assert decode(text.encode(encoding))[0] == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "cp1252"),
        ("café", "cp1252"),
        ("naïve café — “hi”", "cp1252"),
        (POLISH, "cp1250"),
        (RUSSIAN, "cp1251"),
        ("すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。", "cp932"),
        ("人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心。", "gb18030"),
    ],
)
def test_other_encodings_are_guessed_and_said(text, encoding):
    decoded, note = decode(text.encode(encoding))
    assert decoded == text
    assert note == f"decoded as {encoding}"


def test_a_declared_encoding_beats_the_guess():
    page = '<html><head><meta charset="iso-8859-2"></head><body>' + POLISH.replace("“", '"') + "</body></html>"
    decoded, note = decode(page.encode("iso-8859-2"))
    assert decoded == page
    assert note == "decoded as iso-8859-2"


def test_a_few_damaged_characters_do_not_change_the_encoding():
    data = (RUSSIAN * 3).encode() + b"\xff" + RUSSIAN.encode()
    decoded, note = decode(data)
    assert decoded == RUSSIAN * 3 + "\ufffd" + RUSSIAN
    assert note == "decoded as UTF-8, 1 damaged characters replaced"


@pytest.mark.parametrize(
    "data",
    [
        b"text\0with a zero",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\x01\x02\x03\x04\x05\x06 mostly control characters \x07\x0e\x0f",
        b"\xff\xfe\0",
        b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
        bytes(range(256)) * 40,
    ],
)
def test_binary_data_are_refused(data):
    with pytest.raises(LoadError, match=r"not text|damaged text"):
        decode(data)


def test_random_bytes_are_never_text():
    for _ in range(20):
        with pytest.raises(LoadError):
            decode(os.urandom(2000))
