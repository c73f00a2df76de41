"""Which addresses a URL may lead to."""

import socket
import time

import pytest

from mmrag_nb.errors import SourceError
from mmrag_nb.sources.addresses import look_up


def look(host, *, allow_private=False, seconds=5):
    return look_up(host, 80, allow_private=allow_private, seconds=seconds)


PUBLIC = ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "2002:808:808::1"]
OWN = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0x7f.1",
    "localhost",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "::ffff:192.168.1.1",
    "100.64.0.1",
    "fd00::1",
]
NEVER = [
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "0xa9fea9fe",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "fe80::1",
    "fec0::1",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "0.1.2.3",
    "192.0.0.8",
    "192.88.99.1",
    "64:ff9b:1::7f00:1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "3fff::1",
    # the clouds' metadata
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:100.100.100.200",
]


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_pass(host):
    assert look(host)


@pytest.mark.parametrize("host", OWN)
def test_private_ones_pass_where_allowed_only(host):
    with pytest.raises(SourceError, match="private or loopback address, refused"):
        look(host)
    assert look(host, allow_private=True)


@pytest.mark.parametrize("host", NEVER)
@pytest.mark.parametrize("allow_private", [False, True])
def test_some_never_pass(host, allow_private):
    with pytest.raises(SourceError, match="never visited"):
        look(host, allow_private=allow_private)


def test_one_private_address_among_public_ones_is_enough(monkeypatch):
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    with pytest.raises(SourceError, match=r"two-faced\.example \(10\.0\.0\.1\) is a private"):
        look("two-faced.example")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".invalid", "a..b"])
def test_unknown_names(host):
    with pytest.raises(SourceError, match="no such host"):
        look(host)


def test_a_name_server_that_does_not_answer_is_left(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3) or [])
    start = time.monotonic()
    with pytest.raises(SourceError, match="not resolved in time"):
        look("slow.example", seconds=0.2)
    assert time.monotonic() - start < 1
