"""No URL leads where it must not: each known trick in a network where it would succeed, against real servers."""

import urllib.request

import pytest
from ssrf_network import PAGE, Network
from ssrf_vectors import PUBLIC, PUBLIC_6, SECRET, VECTORS, Vector

from mmrag_nb import MultimodalRAG
from mmrag_nb.errors import SourceError
from mmrag_nb.registry import modality_of
from mmrag_nb.reports import Skipped
from mmrag_nb.sources import addresses, exchange
from mmrag_nb.sources.resolve import resolve
from mmrag_nb.sources.urls import fetch
from mmrag_nb.types import Resolved, Source

PLAIN = Vector("a public page", "http://public.example/plain")


@pytest.fixture(scope="module")
def opened():
    network = Network()
    yield network
    network.close()


@pytest.fixture
def network(opened):
    with opened.within(PLAIN):
        yield opened


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.name for vector in VECTORS])
def test_the_forbidden_side_is_not_so_much_as_connected_to(opened, vector):
    assert opened.attempt(vector) == ""


def test_there_are_enough_ways_and_each_is_another():
    assert len({vector.url for vector in VECTORS if vector.says and not vector.private}) >= 40
    assert len({vector.name for vector in VECTORS}) == len(VECTORS)


# that the network is one where they would succeed


def test_without_the_check_of_addresses_they_would_get_there(opened, monkeypatch):
    monkeypatch.setattr(addresses, "_check", lambda *_, **__: None)
    told = {vector.name: opened.attempt(vector) for vector in VECTORS if vector.direct}
    assert len(told) >= 90
    assert [name for name, wrong in told.items() if "the forbidden side was reached" not in wrong] == []


def test_by_name_rebinding_would_get_there(opened, monkeypatch):
    def by_name(host, *args, **options):
        addresses.look_up(host, *args, **options)
        return [host]

    monkeypatch.setattr(exchange, "look_up", by_name)
    rebinding = next(vector for vector in VECTORS if vector.name == "rebinding")
    assert "the forbidden side was reached: 127.0.0.1" in opened.attempt(rebinding)


def test_others_go_through_the_proxy(opened):
    proxied = next(vector for vector in VECTORS if vector.name == "proxy in http_proxy")
    with opened.within(proxied):
        assert b"root" in urllib.request.urlopen("http://public.example/plain").read()


# what is permitted


def test_a_public_page_is_fetched_from_the_address_that_was_checked(network):
    assert fetch("http://public.example/plain").body == PAGE
    assert network.asked == ["public.example"]
    assert network.visited == [PUBLIC]
    assert b"\r\nHost: public.example\r\n" in network.public.requests[0]


@pytest.mark.parametrize("host", [PUBLIC, f"[{PUBLIC_6}]", "1572394766", "0x5d.0xb8.0xd70e"])
def test_a_public_address_in_any_notation(network, host):
    assert fetch(f"http://{host}/plain").body == PAGE
    assert network.untouched


def test_redirects_among_public_pages(network):
    assert fetch("http://public.example/to/302?/hops/2?/plain").body == PAGE
    assert set(network.visited) == {PUBLIC}


def test_ones_own_where_allowed(network):
    found = fetch(network.fill("http://127.0.0.1:{port}/notes.txt"), allow_private=True)
    assert found.body.startswith(b"root")
    assert network.visited == ["127.0.0.1"]
    assert network.forbidden.accepted == 1


# what is told to servers


def test_no_password_cookie_or_referrer_is_sent_on(network, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine public.example login anna password {SECRET}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    netrc.rename(tmp_path / ".netrc")
    with pytest.raises(SourceError):
        fetch("http://public.example/to/401?x")
    fetch(f"http://public.example/hops/1?/plain%3Ftoken={SECRET}")
    fetch("http://public.example/plain?Set-Cookie: a=b")
    fetch("http://public.example/plain")
    for request in network.public.requests:
        names = {line.partition(b":")[0].lower() for line in request.split(b"\r\n")[1:] if line}
        assert names == {b"host", b"user-agent", b"accept", b"accept-encoding"}


@pytest.mark.parametrize("name", ["another request in the path", "another request in the query"])
def test_a_url_makes_one_request(opened, name):
    assert opened.attempt(next(vector for vector in VECTORS if vector.name == name)) == ""
    (request,) = opened.public.requests
    assert request.count(b"\r\nHost:") == 1
    assert b"\r\nX-Injected" not in request


# wherever a URL stands

INSIDE = f"http://2130706433:{{port}}/a.txt?token={SECRET}"


def outcomes(*values, metadata=None):
    return list(resolve([Source(value, metadata or {}) for value in values], modality_of=modality_of))


def _frame(inside):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"url": ["http://public.example/plain", inside], "price": [1, 2]})


def _series(inside):
    pandas = pytest.importorskip("pandas")
    return pandas.Series(["http://public.example/plain", inside], name="url")


@pytest.mark.parametrize(
    "typed",
    [
        lambda inside: inside,
        lambda inside: ["http://public.example/plain", inside],
        lambda inside: {"url": inside, "price": 3},
        lambda inside: {"text": "a red shoe", "image": inside},
        lambda inside: {"urls": ["http://public.example/plain", inside]},
        _frame,
        _series,
    ],
    ids=["str", "list", "dict", "record", "several", "DataFrame", "Series"],
)
def test_wherever_it_stands_it_is_refused_alike(network, typed):
    found = outcomes(typed(network.fill(INSIDE)))
    (skipped,) = (one for one in found if isinstance(one, Skipped))
    assert "2130706433 (127.0.0.1) is a private or loopback address, refused for safety" in skipped.reason
    assert SECRET not in repr(skipped)
    assert network.untouched


def test_what_is_said_of_an_item_is_never_fetched(network):
    pandas = pytest.importorskip("pandas")
    inside = network.fill("http://2130706433:{port}/about")
    frame = pandas.DataFrame({"text": ["a red shoe", "a blue hat"], "homepage": [inside] * 2})
    found = outcomes(frame, {"text": "a hat", "source": inside}, metadata={"seen_at": inside})
    assert [type(one) for one in found] == [Resolved] * 3
    assert (network.asked, network.visited) == ([], [])


def test_all_the_way_by_the_settings(opened):
    inside, metadata = opened.fill("http://local.example:{port}/a.txt"), "http://169.254.169.254/a.txt"
    local = Vector("", "", names={"local.example": (("127.0.0.1",),)})
    with MultimodalRAG(preset="offline", clip="none") as rag, opened.within(local):
        report = rag.index([inside, metadata, "http://public.example/plain"])
        assert [skipped.source for skipped in report.skipped] == [inside, metadata]
        assert opened.untouched
        rag.settings.allow_private_urls = True
        report = rag.index([inside, metadata])
        (skipped,) = report.skipped
        assert (skipped.source, "never visited" in skipped.reason) == (metadata, True)
        assert opened.forbidden.accepted == 1
