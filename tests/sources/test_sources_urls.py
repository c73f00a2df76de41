"""Guarded downloads, from real servers on loopback."""

import contextlib
import gzip
import hashlib
import ipaddress
import socket
import ssl
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from mmrag_nb.errors import SourceError
from mmrag_nb.reports import Skipped
from mmrag_nb.sources import urls
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.sources.urls import fetch
from mmrag_nb.types import Source

BODY = b"A harpist played."


class Handler(BaseHTTPRequestHandler):
    """Does what the path says, and notes that it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        route = self.path.partition("?")[0].strip("/").split("/")[0]
        with contextlib.suppress(ConnectionError):
            getattr(self, route.replace("-", "_").removesuffix(".txt"), self.missing)()

    def log_message(self, *args):
        pass

    def reply(self, body=BODY, status=200, **headers):
        self.send_response(status)
        headers = {"Content_Type": "text/plain; charset=utf-8", "Content_Length": str(len(body)), **headers}
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def missing(self):
        self.reply(b"", 404)

    def plain(self):
        self.reply()

    def picture(self):
        self.reply(
            b"\x89PNG", Content_Type="image/png", Content_Disposition="attachment; filename*=UTF-8''c%C3%A1t.png"
        )

    def up(self):
        self.reply(Content_Disposition='attachment; filename="../../etc/pass\\"wd.txt"')

    def zip(self):
        self.reply(b"PK" * 100, Content_Type="application/zip")

    def empty(self):
        self.reply(b"")

    def to(self):
        self.reply(b"", 302, Location=unquote(self.path.partition("?")[2]))

    def loop(self):
        self.reply(b"", 307, Location="/loop")

    def nowhere(self):
        self.reply(b"", 301)

    def slow(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Connection", "close")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b"drip ")
            time.sleep(0.1)

    def slow_head(self):
        for _ in range(100):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: "[:1])
            time.sleep(0.1)

    def slow_header(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(100):
            self.wfile.write(b"X-%d: y\r\n" % number)
            time.sleep(0.1)

    def silent(self):
        time.sleep(3)

    def slow_redirect(self):
        time.sleep(0.3)
        self.reply(b"", 302, Location="/slow-redirect")

    def endless(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65536)

    def chunks(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def claims_more(self):
        self.reply(Content_Length="1000", Connection="close")
        self.close_connection = True

    def claims_too_much(self):
        self.reply(Content_Length="999999999999")

    def claims_less(self):
        self.reply(Content_Length="5")

    def claims_nonsense(self):
        self.reply(Content_Length="many", Connection="close")
        self.close_connection = True

    def gzipped(self):
        self.reply(gzip.compress(BODY), Content_Encoding="gzip")

    def bomb(self):
        self.reply(self.server.bomb, Content_Encoding="gzip")

    def twice(self):
        self.reply(gzip.compress(gzip.compress(BODY)), Content_Encoding="gzip, gzip")

    def damaged(self):
        self.reply(b"no gzip at all", Content_Encoding="gzip")

    def not_http(self):
        self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        self.close_connection = True


@contextlib.contextmanager
def serving(context=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked = []
    server.bomb = gzip.compress(b"\0" * 30_000_000)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def shared_server():
    with serving() as server:
        yield server


@pytest.fixture
def server(shared_server):
    shared_server.asked.clear()
    return shared_server


@pytest.fixture
def at(server):
    return lambda path: f"http://127.0.0.1:{server.server_port}/{path}"


def get(url, **options):
    return fetch(url, **{"allow_private": True, "seconds": 10, **options})


def reason(url, **options):
    start = time.monotonic()
    with pytest.raises(SourceError) as caught:
        get(url, **options)
    assert time.monotonic() - start < options.get("seconds", 10) + 1
    assert "\n" not in str(caught.value)
    return str(caught.value)


# what works


def test_a_body_its_kind_and_its_name(at, server):
    found = get(at("plain.txt?x=1#part"))
    assert (found.body, found.media_type, found.name) == (BODY, "text/plain", "plain.txt")
    path, headers = server.asked[0]
    assert path == "/plain.txt?x=1"
    assert headers["Host"] == f"127.0.0.1:{server.server_port}"
    assert headers["User-Agent"].startswith("mmrag-nb")


def test_the_servers_name_for_it(at):
    assert get(at("picture")).name == "cát.png"
    assert get(at("up")).name == 'pass"wd.txt'
    assert get(at("to?/plain.txt")).name == "plain.txt"


def test_gzip_is_undone(at):
    assert get(at("gzipped")).body == BODY


def test_a_name_that_is_no_ascii(at, server):
    get(at("plain/日本 語.txt"))
    assert server.asked[0][0] == "/plain/%E6%97%A5%E6%9C%AC%20%E8%AA%9E.txt"


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6(at, monkeypatch):
    try:
        server = ThreadingHTTPServer.__new__(ThreadingHTTPServer)
        server.address_family = socket.AF_INET6
        ThreadingHTTPServer.__init__(server, ("::1", 0), Handler)
    except OSError as error:
        pytest.skip(f"no IPv6 loopback: {error}")
    server.asked, server.daemon_threads = [], True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert get(f"http://[::1]:{server.server_port}/plain").body == BODY
    assert server.asked[0][1]["Host"] == f"[::1]:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_redirects_are_followed_relative_ones_too(at, server):
    assert get(at("to?/to?/plain")).body == BODY
    assert [path for path, _ in server.asked] == ["/to?/to?/plain", "/to?/plain", "/plain"]


def test_no_proxy_is_taken_from_the_environment(at, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert get(at("plain")).body == BODY


# what is refused


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.1", "[::ffff:127.0.0.1]"])
def test_nothing_of_ones_own_is_asked_unless_allowed(server, host):
    url = f"http://{host}:{server.server_port}/plain"
    assert "private or loopback address, refused for safety" in reason(url, allow_private=False)
    assert server.asked == []


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("http://169.254.169.254/latest/meta-data/", "never visited"),
        ("http://[::ffff:169.254.169.254]/", "never visited"),
        ("file:///etc/passwd", "file: addresses are not read"),
        ("ftp://example.org/a", "ftp: addresses are not supported, only http and https"),
        ("gopher://127.0.0.1:70/x", "only http and https"),
        ("data:text/plain,hello", "only http and https"),
        ("http://anna:pw@127.0.0.1/", "user name or password"),
        ("//127.0.0.1:99999/", "not a valid URL"),
        ("http://[::1/", "not a valid URL"),
    ],
)
def test_redirects_are_checked_like_the_first_address(at, server, target, why):
    assert why in reason(at(f"to?{target}"))
    assert len(server.asked) == 1


def test_a_redirect_from_a_public_to_a_private_address(server, monkeypatch):
    real = socket.getaddrinfo

    def names(host, port, *args, **options):
        # A public name, whose connection is led to the test's server below.
        return real("93.184.215.14" if host == "public.example" else host, port, *args, **options)

    connect = socket.socket.connect

    def led(self, address):
        connect(self, ("127.0.0.1", server.server_port) if address[0] == "93.184.215.14" else address)

    monkeypatch.setattr(socket, "getaddrinfo", names)
    monkeypatch.setattr(socket.socket, "connect", led)
    assert get("http://public.example/plain", allow_private=False).body == BODY
    to = f"http://127.0.0.1:{server.server_port}/plain"
    assert "refused for safety" in reason(f"http://public.example/to?{to}", allow_private=False)
    assert [path for path, _ in server.asked] == ["/plain", f"/to?{to}"]


def test_the_address_that_was_checked_is_the_one_that_is_visited(server, monkeypatch):
    real, asked = socket.getaddrinfo, []

    def rebinding(host, *args, **options):
        if host != "rebind.example":
            return real(host, *args, **options)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "169.254.169.254", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert get(f"http://rebind.example:{server.server_port}/plain").body == BODY
    assert asked == ["rebind.example"]
    assert server.asked[0][1]["Host"] == f"rebind.example:{server.server_port}"


def test_the_next_address_is_tried_where_the_first_does_not_answer(server, monkeypatch):
    real = socket.getaddrinfo

    def two(host, *args, **options):
        if host != "two.example":
            return real(host, *args, **options)
        return real("127.0.0.2", *args, **options) + real("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", two)
    assert get(f"http://two.example:{server.server_port}/plain").body == BODY


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "file: addresses are not read: type the path itself"),
        ("ftp://127.0.0.1/a.txt", "ftp: addresses are not supported, only http and https"),
        ("data:text/plain,hello", "data: addresses are not supported"),
        ("gopher://127.0.0.1/x", "gopher: addresses are not supported"),
        ("javascript:alert(1)", "javascript: addresses are not supported"),
        ("s3://bucket/key", "s3: addresses are not supported"),
        ("http://", "names no host"),
        ("http:/x.txt", "names no host"),
        ("https://anna:pw123@example.org/", "a URL with a user name or password is refused"),
        ("http://127.0.0.1:1/", "no server answers there"),
        ("http://no-such-host.invalid/", "no such host: no-such-host.invalid"),
    ],
)
def test_addresses_that_lead_nowhere(url, why):
    assert why in reason(url)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("missing", "the server answers 404 Not Found"),
        ("empty", "the server sends an empty body"),
        ("loop", "more than 5 redirects"),
        ("nowhere", "the server redirects to nowhere"),
        ("claims-more", "the connection broke off before the end"),
        ("claims-too-much", "larger than 100 MB"),
        ("twice", "compressed more than once"),
        ("damaged", "the body's compression is damaged"),
        ("not-http", "the connection broke off"),
    ],
)
def test_answers_that_are_no_content(at, path, why):
    assert why in reason(at(path))


def test_five_redirects_are_not_too_many(at):
    assert get(at("to?/" * 5 + "plain")).body == BODY


def test_a_length_that_is_too_short_or_nonsense(at):
    assert get(at("claims-less")).body == BODY[:5]
    assert get(at("claims-nonsense")).body == BODY


@pytest.mark.parametrize("path", ["endless", "chunks", "bomb"])
def test_no_more_than_the_limit_is_taken(at, path):
    assert "larger than 1 MB" in reason(at(path), max_bytes=1_000_000)


def test_the_limit_itself_is_not_too_much(at):
    assert get(at("plain"), max_bytes=len(BODY)).body == BODY
    assert "larger than" in reason(at("plain"), max_bytes=len(BODY) - 1)
    assert "larger than" in reason(at("gzipped"), max_bytes=len(BODY) - 1)


@pytest.mark.parametrize("path", ["slow", "slow-head", "slow-header", "silent", "slow-redirect"])
def test_no_server_holds_us_longer_than_the_limit(at, path):
    start = time.monotonic()
    assert reason(at(path), seconds=0.5) == "not finished within 0.5 s"
    assert time.monotonic() - start < 1


def test_an_unsupported_kind_is_refused_before_its_body(at):
    def kinds(name, media_type):
        return None if media_type == "text/plain" else "text"

    assert "not supported (text/plain, endless)" in reason(at("endless"), modality_of=kinds)


def test_no_thread_or_timer_stays_behind(at):
    get(at("plain"))
    reason(at("slow"), seconds=0.3)
    deadline = time.monotonic() + 3
    while (
        left := [t for t in threading.enumerate() if isinstance(t, threading.Timer)]
    ) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == []


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for ``good.example``, signed by itself, and its file."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "good.example")])
    now = datetime.now(timezone.utc)
    names = [x509.DNSName("good.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "good.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.fixture
def secure(authority, monkeypatch):
    """A TLS server, to which every name under .example leads."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    real = socket.getaddrinfo

    def names(host, *args, **options):
        return real("127.0.0.1" if str(host).endswith(".example") else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", names)
    with serving(context) as server:
        yield server


def test_tls_is_checked_against_the_name_not_the_address(secure, authority, monkeypatch):
    good = f"https://good.example:{secure.server_port}/plain"
    assert reason(good) == "the server's certificate is not valid for it"
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    assert get(good).body == BODY
    assert secure.asked[-1][1]["Host"] == f"good.example:{secure.server_port}"
    assert get(f"https://127.0.0.1:{secure.server_port}/plain").body == BODY
    assert reason(f"https://other.example:{secure.server_port}/plain") == "the server's certificate is not valid for it"


def test_no_way_down_from_https_to_http(secure, authority, at, server, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    down = f"https://good.example:{secure.server_port}/to?{at('plain')}"
    assert reason(down) == "the server redirects from https to plain http: refused"
    assert server.asked == []
    up = at(f"to?https://good.example:{secure.server_port}/plain")
    assert get(up).body == BODY


def test_https_to_a_server_without_tls(server):
    assert reason(f"https://127.0.0.1:{server.server_port}/") == "no secure connection comes about"


def test_a_tls_handshake_that_drips(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"\x16\x03\x03\x40\x00")  # a handshake record of 16 KiB, a byte at a time
                for _ in range(50):
                    connection.sendall(b"\0")
                    time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        assert reason(f"https://127.0.0.1:{listener.getsockname()[1]}/", seconds=0.5) == "not finished within 0.5 s"


# as sources


def modality_of(name, media_type):
    return {"text/plain": "text", "image/png": "image"}.get(media_type)


def outcomes(*typed, allow_private=True):
    return list(resolve([Source(url, {"n": 1}) for url in typed], modality_of=modality_of, allow_private=allow_private))


def test_a_url_becomes_an_item_that_shows_no_secret(at):
    (found,) = outcomes(at("plain.txt?token=HIDE&x=1#HIDE"))
    assert found.content == BODY
    assert found.media_type == "text/plain"
    assert found.item.id == hashlib.sha256(BODY).hexdigest()
    assert found.item.uri == at("plain.txt?token=…&x=1")
    assert found.item.name == "plain.txt"
    assert (found.item.modality, found.item.metadata) == ("text", {"n": 1})


def test_what_is_skipped_shows_no_secret_either(at, server):
    port = server.server_port
    bad = [
        at("missing?key=HIDE"),
        at("zip?sig=HIDE"),
        at("to?http://169.254.169.254/?token=HIDE"),
        f"http://anna:HIDE@127.0.0.1:{port}/plain",
        "http://127.0.0.1:1/?password=HIDE",
        at("claims-more?api_key=HIDE"),
        "data:text/plain;base64," + "A" * 500,
    ]
    skipped = outcomes(*bad, at("plain"))
    assert [type(outcome) for outcome in skipped[:-1]] == [Skipped] * len(bad)
    assert "HIDE" not in repr(skipped)
    assert all(len(outcome.source) <= 100 for outcome in skipped[:-1])
    assert skipped[1].reason == "what the server sends is not supported (application/zip, zip)"


def test_private_addresses_are_refused_by_default(at, server):
    (skipped,) = outcomes(at("plain"), allow_private=False)
    assert "allow private addresses in the settings (allow_private_urls)" in skipped.reason
    assert server.asked == []


def test_urls_in_records(at):
    (found,) = resolve(
        [Source({"url": at("plain"), "price": 3}, label="{{row}}")], modality_of=modality_of, allow_private=True
    )
    assert (found.item.uri, found.item.metadata) == (at("plain"), {"price": 3})


def test_the_limits_are_the_promised_ones():
    assert (urls.MAX_BYTES, urls.SECONDS, urls.MAX_REDIRECTS) == (100_000_000, 30.0, 5)
