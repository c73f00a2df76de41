"""Which network addresses a URL may lead to.

A notebook that fetches what it is told to can be told to fetch what only its own machine or network can see: the
Jupyter server, a router, a cloud's metadata service (server-side request forgery, CWE-918).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from queue import Empty, SimpleQueue
from threading import Thread

from mmrag_nb.errors import SourceError

_NAT64 = IPv6Network("64:ff9b::/96")
# By IANA's registries of special-purpose addresses: Python before 3.12.4, 3.11.10 and 3.10.15 takes some of these for
# public ones (CVE-2024-4032), and each version takes others for private ones, which a setting lets pass.
_NEVER = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # "this network"
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays of 6to4
        "64:ff9b:1::/48",  # NAT64 of one's own network: where in it the IPv4 address stands is the network's choice
        "2001::/23",  # protocol assignments, Teredo among them
        "3fff::/20",  # documentation
    )
)
# The clouds' metadata services hand out keys. Most are link-local; these are shared, unique-local, even public ones.
_METADATA = tuple(
    ip_network(block)
    for block in (
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's WireServer
        "192.0.0.192",  # Oracle
        "fd00:ec2::/32",  # Amazon
        "fd20:ce::254",  # Google
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd00:42::42",  # Scaleway
        "fd00:a9fe:a9fe::/48",  # Akamai
    )
)


def look_up(host: str, port: int, *, allow_private: bool, seconds: float) -> list[str]:
    """Resolve ``host`` once, and return its addresses, each of them checked.

    Any notation of an address (decimal, octal, hexadecimal) is read by the resolver as a connection would read it.

    Raises
    ------
    SourceError
        The name is unknown, took longer than ``seconds``, or one of its addresses is not to be visited.
    """
    answers: SimpleQueue[list[str] | OSError | ValueError] = SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)))
        except (OSError, ValueError) as error:
            answers.put(error)

    # The system's resolver knows no time limit of ours.
    Thread(target=ask, daemon=True).start()
    try:
        addresses = answers.get(timeout=max(seconds, 0))
    except Empty:
        raise SourceError(f"the name {host} was not resolved in time") from None
    if not isinstance(addresses, list):
        raise SourceError(f"no such host: {host}")
    for address in addresses:
        _check(host, address, allow_private=allow_private)
    return addresses


def _check(host: str, text: str, *, allow_private: bool) -> None:
    address = _innermost(ip_address(text))
    if address.is_global and not _special(address):
        return
    if allow_private and (address.is_loopback or not _special(address)):
        return
    where = host if host == text else f"{host} ({text})"
    if _serves_metadata(address):
        raise SourceError(f"{where} is a cloud's metadata service: it is never visited")
    if allow_private or _special(address):
        raise SourceError(f"{where} is a link-local, multicast or reserved address: these are never visited")
    raise SourceError(
        f"{where} is a private or loopback address, refused for safety: download the file and name it by its path, "
        "or allow private addresses in the settings (allow_private_urls)"
    )


def _innermost(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that a translating IPv6 address stands for; others as they are."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _special(address: IPv4Address | IPv6Address) -> bool:
    """Neither a public host nor one of one's own: the cloud's metadata service is link-local."""
    return not address.is_loopback and (
        address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or (isinstance(address, IPv6Address) and address.is_site_local)
        or any(address in block for block in _NEVER)
        or _serves_metadata(address)
    )


def _serves_metadata(address: IPv4Address | IPv6Address) -> bool:
    return any(address in block for block in _METADATA)
