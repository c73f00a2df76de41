"""Whole files of every kind that is read, made here, for mutation."""

import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, features

CASES = Path(os.environ.get("MMRAG_CASES", Path(__file__).parents[2] / "shared" / "cases"))
LARGEST = 400_000
"""Bytes of a seed: what is mutated should be what is read."""
STORY = "The lake is deep and cold. Boats cross it twice a day, but not in winter. Émile sells tickets — for €3.50.\n"

Seed = tuple[str, bytes]
"""A file's name, which tells its format, and its content."""


def seeds(loader: str) -> list[Seed]:
    """Small good files for ``loader``; none for one that is not known here."""
    made = {"text": texts, "image": pictures, "audio": sounds, "video": films, "pdf": pdfs, "notebook": notebooks}
    made["tables"] = tables
    own = list(made[loader]()) if loader in made else []
    return [*own, *_cases(loader)]


def _cases(loader: str) -> Iterator[Seed]:
    """The real files of the cases folder that ``loader`` reads, where it is there."""
    from mmrag_nb.registry import loader_of

    for path in sorted(CASES.rglob("*")) if CASES.is_dir() else []:
        if path.is_file() and loader_of(path.name) == loader and 0 < path.stat().st_size <= LARGEST:
            yield path.name, path.read_bytes()


def texts() -> Iterator[Seed]:
    page = (
        "<!DOCTYPE html><html><head><meta charset=utf-8><title>Lake</title><style>p{}</style><script>alert(1)</script>"
        "</head><body><h1>Boats</h1>" + f"<p>{STORY}</p><table><tr><td>a<td>b</table><ul><li>x &amp; y</ul>" * 8
    )
    yield "story.txt", (STORY * 30).encode()
    yield "cp1252.txt", (STORY * 10).encode("cp1252")
    yield "utf16.txt", (STORY * 10).encode("utf-16")
    yield "utf32.txt", (STORY * 5).encode("utf-32")
    yield "japanese.txt", ("すべての人間は、生まれながらにして自由である。" * 20).encode("cp932")
    yield "page.html", page.encode()
    yield "deep.html", ("<div>" * 300 + STORY + "</div>" * 300).encode()
    yield "data.json", json.dumps([{"name": f"boat {i}", "text": STORY} for i in range(20)]).encode()
    yield "data.xml", ("<?xml version='1.0'?><a>" + f"<b c='d'>{STORY}</b>" * 20 + "</a>").encode()
    yield "lines.srt", "".join(f"{i}\n00:00:0{i},000 --> 00:00:0{i},900\n{STORY}\n" for i in range(9)).encode()
    yield "notes.md", ("# Lake\n\n" + STORY * 10 + "\n```\ncode\n```\n|a|b|\n|-|-|\n|1|2|\n").encode()


def a_picture(size: tuple[int, int] = (120, 80)) -> Image.Image:
    image = Image.effect_mandelbrot(size, (-3, -2.5, 2, 2.5), 100).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 10, 60, 40), fill="red")
    draw.text((5, 50), "Boats at 12", fill="yellow")
    return image


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pictures() -> Iterator[Seed]:
    image = a_picture()
    turned = [image.rotate(angle) for angle in (90, 180)]
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a lake"
    deep = Image.fromarray((np.arange(80 * 120).reshape(80, 120) * 6).astype(np.uint16))
    see_through = image.convert("RGBA")
    see_through.putalpha(Image.effect_noise(image.size, 90))
    palette = image.quantize(16)
    yield "photo.jpg", _encoded(image, "JPEG", exif=exif)
    yield "progressive.jpg", _encoded(image, "JPEG", progressive=True)
    yield "cmyk.jpg", _encoded(image.convert("CMYK"), "JPEG")
    yield "grey.jpg", _encoded(image.convert("L"), "JPEG", icc_profile=b"x" * 500, comment=b"boats")
    yield "plain.png", _encoded(image, "PNG")
    yield "alpha.png", _encoded(see_through, "PNG")
    yield "palette.png", _encoded(palette, "PNG", transparency=3)
    yield "deep.png", _encoded(deep, "PNG")
    yield "bits.png", _encoded(image.convert("1"), "PNG")
    yield "animated.png", _encoded(image, "PNG", save_all=True, append_images=turned)
    yield "animated.gif", _encoded(image, "GIF", save_all=True, append_images=turned, transparency=2)
    yield "plain.gif", _encoded(palette, "GIF")
    yield "lossy.webp", _encoded(image, "WEBP")
    yield "lossless.webp", _encoded(see_through, "WEBP", lossless=True)
    yield "animated.webp", _encoded(image, "WEBP", save_all=True, append_images=turned)
    yield "plain.bmp", _encoded(image, "BMP")
    yield "palette.bmp", _encoded(palette, "BMP")
    yield "plain.dib", _encoded(image, "DIB")
    for compression in ("raw", "tiff_lzw", "jpeg", "tiff_deflate", "packbits"):
        yield f"{compression}.tif", _encoded(image, "TIFF", compression=compression)
    yield "fax.tif", _encoded(image.convert("1"), "TIFF", compression="group4")
    yield "deep.tif", _encoded(deep, "TIFF")
    yield "float.tif", _encoded(deep.convert("F"), "TIFF")
    yield "pages.tif", _encoded(image, "TIFF", save_all=True, append_images=turned)
    yield "icon.ico", _encoded(image.resize((64, 64)), "ICO", sizes=[(16, 16), (64, 64)])
    yield "plain.ppm", _encoded(image, "PPM")
    yield "words.ppm", b"P3 4 2 255\n" + b"10 200 30 " * 8
    if features.check("avif"):
        yield "plain.avif", _encoded(image, "AVIF")


def _ffmpeg(name: str, *arguments: str) -> Iterator[Seed]:
    """What ffmpeg makes; nothing where it is absent or was built without the codec."""
    program = shutil.which("ffmpeg")
    if program is None:
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        command = [program, "-v", "error", "-nostdin", *arguments, str(path)]
        if subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0:
            yield name, path.read_bytes()


_VOICE = "aevalsrc='0.4*sin(2*PI*180*t)*sin(2*PI*3*t)*gt(mod(t,1.5),0.5)':s=16000:d=3"


def sounds() -> Iterator[Seed]:
    for suffix in "wav mp3 flac ogg opus m4a aac aiff au caf wma mka w64".split():
        yield from _ffmpeg(f"voice.{suffix}", "-f", "lavfi", "-i", _VOICE)
    for codec in ("pcm_s24le", "pcm_f32le", "pcm_u8", "adpcm_ms", "pcm_mulaw"):
        yield from _ffmpeg(f"{codec}.wav", "-f", "lavfi", "-i", _VOICE, "-ac", "2", "-c:a", codec)


def films() -> Iterator[Seed]:
    subtitles = "1\n00:00:00,200 --> 00:00:01,500\nBoats at noon\n\n2\n00:00:02,000 --> 00:00:02,900\nA cold lake\n"
    picture = ("-f", "lavfi", "-i", "testsrc=s=160x120:r=10:d=3")
    sound = ("-f", "lavfi", "-i", _VOICE)
    with TemporaryDirectory() as folder:
        words = Path(folder) / "words.srt"
        words.write_text(subtitles, encoding="utf-8")
        told = ("-i", str(words))
        yield from _ffmpeg("film.mp4", *picture, *sound, *told, "-c:s", "mov_text")
        yield from _ffmpeg("film.mkv", *picture, *sound, *told, "-c:s", "srt")
        yield from _ffmpeg("film.webm", *picture, *sound, "-c:v", "libvpx", "-b:v", "200k")
        yield from _ffmpeg("film.mov", *picture, *sound)
        yield from _ffmpeg("silent.mp4", *picture, "-movflags", "frag_keyframe+empty_moov")


def pdfs() -> Iterator[Seed]:
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    yield "scan.pdf", _encoded(a_picture(), "PDF", save_all=True, append_images=[a_picture((60, 90))])
    out = io.BytesIO()
    with PdfPages(out) as pages:
        for number in range(3):
            figure = Figure(figsize=(4, 5))
            figure.text(0.1, 0.8, f"Page {number}\n" + STORY)
            figure.add_subplot(2, 1, 2).plot(range(5))
            pages.savefig(figure)
    yield "words.pdf", out.getvalue()
    yield "bare.pdf", _bare_pdf()


def _bare_pdf() -> bytes:
    """Objects without compression, so that mutations reach what is in them."""
    stream = b"BT /F1 24 Tf 72 700 Td (Boats cross the lake) Tj 0 -40 Td (twice a day) Tj ET"
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 300 800] /Contents 4 0 R /Resources<< /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 6\n0000000000 65535 f \n%strailer << /Root 1 0 R /Size 6 >>\nstartxref\n%d\n%%%%EOF\n"
    return out + end % (table, len(out))


def notebooks() -> Iterator[Seed]:
    import base64

    import nbformat.v4 as make

    shown = base64.b64encode(_encoded(a_picture(), "PNG")).decode()
    output = make.new_output("display_data", {"image/png": shown, "text/plain": "<Figure>"})
    table = make.new_output("execute_result", {"text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "1"})
    cells = [
        make.new_markdown_cell("# Boats\n" + STORY),
        make.new_code_cell("plot(boats)", outputs=[output, make.new_output("stream", text=STORY)]),
        make.new_code_cell("boats", outputs=[table]),
        make.new_raw_cell("raw"),
    ]
    book = make.new_notebook(cells=cells)
    yield "book.ipynb", json.dumps(book, indent=1).encode()
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}}
    old["worksheets"] = [{"cells": [{"cell_type": "code", "input": "a", "outputs": [], "language": "python"}]}]
    yield "old.ipynb", json.dumps(old).encode()


def tables() -> Iterator[Seed]:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "text": [f"{STORY} Boat {i}" for i in range(12)],
            "price": [i * 1.5 for i in range(12)],
            "when": pd.date_range("2024-01-01", periods=12).astype(str),
        }
    )
    yield "boats.csv", frame.to_csv(index=False).encode()
    yield "semicolons.csv", frame.to_csv(index=False, sep=";").encode("cp1252")
    yield "boats.tsv", frame.to_csv(index=False, sep="\t").encode("utf-16")
    for compression in ("snappy", "gzip", "zstd", None):
        out = io.BytesIO()
        try:
            frame.to_parquet(out, compression=compression)
        except (ImportError, OSError):  # no pyarrow, or one without the codec
            continue
        yield f"{compression}.parquet", out.getvalue()
