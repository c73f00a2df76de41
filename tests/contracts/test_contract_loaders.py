"""What holds for every loader: its errors are `LoadError`, its chunks depend on the content alone."""

import contextlib
import io
import os
import re
import wave
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import pdfs
import pytest
from PIL import Image

from mmrag_nb.errors import LoadError
from mmrag_nb.loaders.audio import AudioLoader
from mmrag_nb.loaders.image import ImageLoader
from mmrag_nb.loaders.pdf import PdfLoader
from mmrag_nb.loaders.text import TextLoader
from mmrag_nb.loaders.video import VideoLoader
from mmrag_nb.protocols import Loader
from mmrag_nb.types import LoadedItem, Preview


def a_text() -> bytes:
    return ("The lake is deep and cold. Boats cross it twice a day, but not in winter. " * 40).encode()


def a_picture() -> bytes:
    out = io.BytesIO()
    Image.effect_mandelbrot((300, 200), (-3, -2.5, 2, 2.5), 100).convert("RGB").save(out, "PNG")
    return out.getvalue()


def a_recording() -> bytes:
    time = np.arange(6 * 16_000) / 16_000
    voice = 0.3 * np.sign(np.sin(2 * np.pi * 140 * time)) * ((time % 3) < 2)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((voice * 32767).astype("<i2").tobytes())
    return out.getvalue()


@dataclass(frozen=True)
class Case:
    loader: Loader
    good: bytes
    suffix: str
    object: Any
    """A Python object of another kind."""
    kinds: tuple[str, ...] = ()
    """Modalities of its chunks, where they are not the loader's own."""


def a_document() -> bytes:
    lines = pdfs.paragraph(
        "The lake is deep and cold. Boats cross it twice a day, but not in winter. " * 9, 60, 760, 70
    )
    return pdfs.pdf([pdfs.text_page(lines)] * 2)


def a_film() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        seen, heard = file.add_stream("libx264", rate=10), file.add_stream("aac", rate=16_000, layout="mono")
        seen.width, seen.height, seen.pix_fmt = 96, 54, "yuv420p"
        for number in range(40):
            pixels = np.full((54, 96, 3), (200, 30, 30) if number < 20 else (30, 30, 200), np.uint8)
            pixels[20:34, number : number + 14] = 255
            file.mux(seen.encode(av.VideoFrame.from_ndarray(pixels)))
        file.mux(seen.encode(None))
        tone = (0.3 * np.sin(np.arange(4 * 16_000) / 5)).astype(np.float32)
        sound = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        sound.sample_rate = 16_000
        file.mux(heard.encode(sound))
        file.mux(heard.encode(None))
    return out.getvalue()


def _tokens(text: str) -> int:
    return 2 + len(re.findall(r"\w+|\S", text))


CASES = {
    "text": Case(TextLoader(60, _tokens), a_text(), ".txt", Image.new("L", (2, 2))),
    "image": Case(ImageLoader(), a_picture(), ".png", "a text"),
    "audio": Case(AudioLoader(), a_recording(), ".wav", "a text"),
    "pdf": Case(PdfLoader(60, _tokens), a_document(), ".pdf", "a text", ("image", "text")),
    "video": Case(VideoLoader(60, _tokens), a_film(), ".mp4", "a text", ("image", "audio")),
}


@pytest.fixture(params=CASES)
def case(request) -> Case:
    return CASES[request.param]


def test_it_fits_the_protocol(case):
    assert isinstance(case.loader, Loader)
    assert case.loader.version


def test_a_good_file_gives_chunks_of_its_modality(case, tmp_path):
    path = tmp_path / f"good{case.suffix}"
    path.write_bytes(case.good)
    item = case.loader.load(path, path.name)
    assert isinstance(item, LoadedItem)
    assert item.chunks
    assert {chunk.modality for chunk in item.chunks} == set(case.kinds or [case.loader.modality])
    for chunk in item.chunks:
        assert bool(chunk.text) == (chunk.modality == "text")
        assert (chunk.pixels is not None) == (chunk.modality == "image")
        assert (chunk.audio is not None) == (chunk.modality == "audio")
    previews = [*item.previews.values(), *(shown for chunk in item.chunks for shown in chunk.previews.values())]
    assert all(isinstance(shown, Preview) and shown.data and "/" in shown.mime for shown in previews)
    assert all(isinstance(value, (int, float, str)) for value in item.facts.values()), "facts are JSON values"


def test_the_same_content_gives_the_same_chunks(case, tmp_path):
    path = tmp_path / f"good{case.suffix}"
    path.write_bytes(case.good)
    first = case.loader.load(path, path.name)
    assert case.loader.load(path, path.name) == first
    assert case.loader.load(case.good, path.name) == first, "a download is no other thing than a file"
    assert case.loader.load(case.good, "") == first, "the name is a help, not a must"


@pytest.mark.parametrize("size", [20, 3000, 100_000])
def test_random_bytes_are_refused(case, size, tmp_path):
    path = tmp_path / f"random{case.suffix}"
    for _ in range(5):
        data = b"\0\x81" + os.urandom(size - 2)
        path.write_bytes(data)
        with pytest.raises(LoadError):
            case.loader.load(path, path.name)
        with pytest.raises(LoadError):
            case.loader.load(data, path.name)


def test_empty_content_is_refused(case, tmp_path):
    path = tmp_path / f"empty{case.suffix}"
    path.touch()
    for content in (b"", path):
        with pytest.raises(LoadError, match="empty"):
            case.loader.load(content, path.name)


def test_a_missing_file_is_refused(case, tmp_path):
    with pytest.raises(LoadError, match="no such file"):
        case.loader.load(tmp_path / f"missing{case.suffix}", "missing")


def test_a_folder_is_refused(case, tmp_path):
    with pytest.raises(LoadError, match="cannot be opened"):
        case.loader.load(tmp_path, "folder")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this user may read every file")
def test_a_forbidden_file_is_refused(case, tmp_path):
    path = tmp_path / f"forbidden{case.suffix}"
    path.write_bytes(case.good)
    path.chmod(0)
    with pytest.raises(LoadError, match="cannot be opened"):
        case.loader.load(path, path.name)


def test_another_kind_of_object_is_refused(case):
    with pytest.raises(LoadError, match="not a"):
        case.loader.load(case.object, "object")


@pytest.mark.parametrize("kind", ["image", "audio", "pdf", "video"])
def test_a_text_named_as_medium_is_refused(kind, tmp_path):
    case = CASES[kind]
    path = tmp_path / f"note{case.suffix}"
    path.write_text("These are some lines of text, not what the name says.\n" * 200, encoding="utf-8")
    with pytest.raises(LoadError) as caught:
        case.loader.load(path, path.name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["image", "audio", "pdf", "video"])
def test_a_part_of_a_file_gives_chunks_or_a_load_error(kind, share):
    case = CASES[kind]
    with contextlib.suppress(LoadError):
        assert case.loader.load(case.good[: int(len(case.good) * share)], "part").chunks
