"""Bodies that are slow, endless or cut off, and servers that say one thing and send another."""

import gzip
import io
import os
import time
import tracemalloc
import wave
import zipfile
import zlib
from contextlib import suppress

import pytest
from loopback import Loopback
from PIL import Image

from mmrag_nb.errors import LoadError, SourceError
from mmrag_nb.loaders.image import ImageLoader
from mmrag_nb.registry import loader_of, modality_of
from mmrag_nb.reports import Skipped
from mmrag_nb.sources.inside import told
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.sources.urls import fetch
from mmrag_nb.types import Source

TEXT = b"A concert harp has forty-seven strings."


class Server(Loopback):
    """Answers with what it is given: all of it at once, then piece by piece without end."""

    def __init__(self):
        self.reply, self.endless, self.pause = b"", b"", 0.0
        self.asked = 0
        super().__init__()

    def serve(self, handler, raw):
        self.asked += 1
        with suppress(OSError):
            handler.wfile.write(self.reply)
            while self.endless and not self.over.is_set():
                handler.wfile.write(self.endless)
                self.over.wait(self.pause)


@pytest.fixture(scope="module")
def shared():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def server(shared):
    shared.reply, shared.endless, shared.pause, shared.asked = b"", b"", 0.0, 0
    return shared


def head(*lines, status="200 OK"):
    return "\r\n".join((f"HTTP/1.1 {status}", "Connection: close", *lines)).encode("latin-1") + b"\r\n\r\n"


def reason(server, seconds=5.0, **options):
    begin = time.monotonic()
    with pytest.raises(SourceError) as caught:
        fetch(f"{server.url}/a.txt", allow_private=True, seconds=seconds, **options)
    assert time.monotonic() - begin < seconds + 1
    assert "\n" not in str(caught.value)
    return str(caught.value)


# slow and endless

CHUNKED = "Transfer-Encoding: chunked"
GZIP = "Content-Encoding: gzip"


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["fast", "slow"])
@pytest.mark.parametrize(
    ("begin", "endless"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (head(CHUNKED), b"1;x=y\r\na\r\n"),
        (head(CHUNKED), b"0"),
        (head(CHUNKED) + b"1\r\na\r\n0\r\n", b"X: y\r\n"),
        (head(GZIP), gzip.compress(b"")),
        (head(GZIP) + zlib.compressobj(wbits=31).flush(zlib.Z_SYNC_FLUSH), b"\0\0\0\xff\xff"),
    ],
    ids=["continue", "header", "chunks", "chunk size", "trailers", "empty members", "empty blocks"],
)
def test_what_never_ends_ends_with_the_time(server, begin, endless, pause):
    server.reply, server.endless, server.pause = begin, endless, pause
    tracemalloc.start()
    assert reason(server, seconds=0.4) in {
        "not finished within 0.4 s",
        "the connection broke off before the end",  # a line longer than any honest one
    }
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_byte_a_moment(server):
    server.reply, server.endless, server.pause = head("Content-Length: 1000"), b"x", 0.05
    assert reason(server, seconds=0.5) == "not finished within 0.5 s"


def test_a_redirects_endless_body_is_not_read(server):
    server.reply, server.endless = head("Location: http://169.254.169.254/", status="302 Found"), b"x" * 65536
    begin = time.monotonic()
    assert "never visited" in reason(server)
    assert time.monotonic() - begin < 1


def bomb():
    engine = zlib.compressobj(wbits=31)
    return b"".join(engine.compress(b"\0" * 1_000_000) for _ in range(200)) + engine.flush()


@pytest.mark.parametrize(
    ("inner", "why"),
    [(bomb(), "larger than 1 MB"), (gzip.compress(bomb()), "the server sent an archive: unpack it")],
    ids=["once", "in itself"],
)
def test_a_bomb_is_put_out_early(server, inner, why):
    server.reply = head(GZIP) + inner
    tracemalloc.start()
    assert why in reason(server, max_bytes=1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_huge_chunk_is_not_made_room_for(server):
    server.reply, server.endless = head(CHUNKED) + b"7fffffffffffffff\r\n", b"x" * 65536
    assert "larger than 1 MB" in reason(server, max_bytes=1_000_000)


# cut off

NOISE = os.urandom(5_000)


@pytest.mark.parametrize(
    "reply",
    [
        head("Content-Length: 6000") + NOISE,
        head(CHUNKED) + b"1388\r\n" + NOISE + b"\r\n",
        head(CHUNKED) + b"2000\r\n" + NOISE,
        head(GZIP) + gzip.compress(NOISE)[:3000],
        head(GZIP) + gzip.compress(NOISE)[:-1],
        head(GZIP, CHUNKED) + b"5\r\n" + gzip.compress(NOISE)[:5] + b"\r\n0\r\n\r\n",
    ],
    ids=["length", "no last chunk", "within a chunk", "gzip", "gzip's last byte", "gzip's head"],
)
def test_what_was_cut_off_is_not_taken_for_whole(server, reply):
    server.reply = reply
    assert reason(server) == "the connection broke off before the end"


@pytest.mark.parametrize("name", ["br", "zstd", "deflate", "compress", "aes128gcm", "x" * 500])
def test_compressions_that_were_not_asked_for(server, name):
    server.reply = head(f"Content-Encoding: {name}") + TEXT
    told_why = reason(server)
    assert "compressed in a way that was not asked for" in told_why
    assert len(told_why) < 120


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(NOISE), "gzip"),
        (gzip.compress(NOISE[:2000]) + gzip.compress(NOISE[2000:]), "GZIP"),
        (gzip.compress(NOISE) + b"\0" * 512, "x-gzip"),
        (NOISE, "identity"),
        (NOISE, ""),
    ],
)
def test_what_is_whole_is_taken(server, body, encoding):
    server.reply = head(f"Content-Encoding: {encoding}") + body
    assert fetch(f"{server.url}/a.txt", allow_private=True).body == NOISE


# lying


def picture(kind):
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(file, kind)
    return file.getvalue()


def sound():
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(b"\0\1" * 4000)
    return file.getvalue()


def archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("a.txt", "a")
    return file.getvalue()


HTML = b"\xef\xbb\xbf\n<!-- made by hand -->\n<!DOCTYPE html><html><body><p>Please sign in.</p></body></html>"
PNG, JPEG, WEBP, WAV, ZIP = picture("PNG"), picture("JPEG"), picture("WEBP"), sound(), archive()
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"


def outcome(server, path, media_type, body, disposition=""):
    lines = [f"Content-Type: {media_type}"] * bool(media_type)
    lines += [f"Content-Disposition: {disposition}"] * bool(disposition)
    server.reply = head(f"Content-Length: {len(body)}", *lines) + body
    (found,) = resolve([Source(server.url + path)], modality_of=modality_of, allow_private=True)
    return found


@pytest.mark.parametrize(
    ("answer", "loader", "note"),
    [
        # what is inside is what the server says
        (("/photo.png", "image/png", PNG), "image", ""),
        (("/photo", "image/png", PNG), "image", ""),
        (("/page.php?id=3", "text/html; charset=utf-8", HTML), "text", ""),
        (("/view.aspx", "application/pdf", PDF), "pdf", ""),
        (("/notes.txt", "text/plain", TEXT), "text", ""),
        # another picture than the name says: its loader looks for itself
        (("/photo.jpg", "image/jpeg", WEBP), "image", ""),
        (("/photo.jpg", "image/webp", PNG), "image", ""),
        # the server tells nothing: the name does
        (("/photo.png", "", PNG), "image", ""),
        (("/photo.png", "application/octet-stream", PNG), "image", ""),
        (("/notes.txt", "", TEXT), "text", ""),
        (("/talk.wav", "binary/octet-stream", WAV), "audio", ""),
        # neither tells: what is inside does
        (("/download?id=4", "application/octet-stream", PNG), "image", ""),
        (("/download?id=4", "", JPEG), "image", ""),
        (("/download?id=4", "", WAV), "audio", ""),
        (("/download?id=4", "", PDF), "pdf", ""),
        (("/", "", HTML), "text", ""),
        # one of them is wrong
        (("/page.php", "text/html", PNG), "image", "read as a PNG picture, though sent as text/html"),
        (("/page.html", "text/html", PNG), "image", "read as a PNG picture, though named .html"),
        (("/page.html", "image/png", PNG), "image", "read as a PNG picture, though named .html"),
        (("/page.php", "text/html", PDF), "pdf", "read as a PDF, though sent as text/html"),
        (("/paper.txt", "text/plain", PDF), "pdf", "read as a PDF, though named .txt"),
        (("/talk.jpg", "image/jpeg", WAV), "audio", "read as a WAV sound, though named .jpg"),
        (("/photo.wav", "audio/wav", JPEG), "image", "read as a JPEG picture, though named .wav"),
        (("/photo.pdf", "application/pdf", JPEG), "image", "read as a JPEG picture, though named .pdf"),
        (("/photo.png", "text/html", PNG), "image", ""),
        (("/README.md", "text/html", HTML), "text", ""),
    ],
)
def test_what_is_inside_chooses_the_loader(server, answer, loader, note):
    found = outcome(server, *answer)
    assert not isinstance(found, Skipped), found.reason
    assert loader_of(found.file_name, found.media_type) == loader
    assert found.item.modality == modality_of(found.file_name, found.media_type)
    assert found.notes == ((note,) if note else ())
    assert found.content == answer[2]


PAGE = "the server sent a web page, not {}: an error, or a page to sign in"
ARCHIVE = "the server sent an archive: unpack it and name the files by their paths"


@pytest.mark.parametrize(
    ("path", "media_type", "body", "why"),
    [
        ("/photo.jpg", "text/html", HTML, PAGE.format("a picture")),
        ("/photo.jpg", "image/jpeg", HTML, PAGE.format("a picture")),
        ("/photo", "image/png", HTML, PAGE.format("a picture")),
        ("/talk.mp3", "audio/mpeg", HTML, PAGE.format("a sound")),
        ("/talk.mp3", "", HTML, PAGE.format("a sound")),
        ("/paper.pdf", "text/html", HTML, PAGE.format("a .pdf file")),
        ("/view.aspx", "application/pdf", HTML, PAGE.format("application/pdf")),
        ("/table.csv", "text/html", HTML, PAGE.format("a .csv file")),
        ("/page.html", "text/html", ZIP, ARCHIVE),
        ("/photo.jpg", "image/jpeg", ZIP, ARCHIVE),
        ("/photo.jpg", "image/jpeg", gzip.compress(JPEG), ARCHIVE),
        ("/download", "", ZIP, ARCHIVE),
        ("/all.zip", "application/zip", ZIP, "what the server sends is not supported (application/zip, all.zip)"),
        ("/download", "", TEXT, "what the server sends is not supported (kind not named, download)"),
        (
            "/setup",
            "application/octet-stream",
            b"MZ\x90\0" * 100,
            "what the server sends is not supported (application/octet-stream, setup)",
        ),
    ],
)
def test_what_is_not_what_was_wanted_is_refused(server, path, media_type, body, why):
    found = outcome(server, path, media_type, body)
    assert isinstance(found, Skipped)
    assert found.reason == why


def test_a_text_in_the_place_of_a_picture_is_told_by_its_loader(server):
    found = outcome(server, "/photo.jpg", "text/plain", b"Not found")
    with pytest.raises(LoadError, match="no picture"):
        ImageLoader().load(found.content, found.file_name)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="photo.png"', "photo.png"),
        ('attachment; filename="../../../etc/photo.png"', "photo.png"),
        ('attachment; filename="..\\..\\photo.png"', "photo.png"),
        ('attachment; filename="/etc/photo.png"', "photo.png"),
        ('attachment; filename="C:\\Windows\\photo.png"', "photo.png"),
        ("attachment; filename*=UTF-8''..%2F..%2Fphoto.png", "photo.png"),
        ("attachment; filename*=UTF-8''photo%00.png", "photo.png"),
        ("attachment; filename*=UTF-8''photo%0D%0A%1B%5B31m.png", "photo[31m.png"),
        ("attachment; filename*=UTF-8''photo%E2%80%AEgpj.png", "photogpj.png"),
        ("attachment; filename*=klingon''photo.png", "photo.png"),
        ("attachment; filename*1*=a; filename*x*=b; filename*=a'b", "asked.png"),  # the standard library fails on it
        ("attachment; filename", "asked.png"),
        ("filename=photo.png", "photo.png"),
        ('attachment; filename="/"', "index"),
        ('attachment; filename=".."', ".."),
        ('attachment; filename="' + "a" * 3000 + '.png"', "a" * 196 + ".png"),
    ],
)
def test_a_name_is_a_name_and_no_path(server, disposition, name):
    found = outcome(server, "/asked.png", "image/png", PNG, disposition)
    assert not isinstance(found, Skipped), found.reason
    assert found.file_name == name
    assert loader_of(found.file_name, found.media_type) == "image"
    assert found.item.name == "asked.png"


@pytest.mark.parametrize("fill", [b"<!---->", b" ", b"<?xml ", b"<!--", b"<!-- -- -->", b"<"])
def test_telling_takes_no_time(fill):
    begin = time.perf_counter()
    told("a.txt", "text/plain", (fill * 2048)[:2048], modality_of)
    assert time.perf_counter() - begin < 0.05
