"""Ways to make a program fetch what it must not (CWE-918): one table for the tests and the bench.

``ssrf_network`` is where each of them would succeed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLIC = "93.184.215.14"
PUBLIC_6 = "2606:4700::1111"
SECRET = "HIDE"
"""In no message."""

_OWN = "refused for safety"
_NEVER = "never visited"
_SCHEME = "only http and https"
_INVALID = "not a valid URL"
_USER = "user name or password"


@dataclass(frozen=True)
class Vector:
    """One way in."""

    name: str
    url: str
    """``{port}`` is the forbidden server's."""
    says: tuple[str, ...] = ()
    """The refusal has one of these; nothing where the URL is fetched, and only what it leads on to is not."""
    names: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    """The addresses that the name server gives for a name, one answer after the other; the last one stays."""
    private: bool = False
    """With ``allow_private_urls``."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment."""

    @property
    def direct(self) -> bool:
        """Whether only the check of the address stands between it and the forbidden server."""
        # Where several addresses are given at once and the first is a public one, that one answers.
        public_first = any(len(given) > 1 and given[0] in {PUBLIC, PUBLIC_6} for given, *_ in self.names.values())
        return bool(self.says) and set(self.says) <= {_OWN, _NEVER} and not public_first


def _literal(name: str, host: str, *says: str) -> Vector:
    return Vector(name, f"http://{host}:{{port}}/?token={SECRET}", says or (_OWN,))


def _through(name: str, status: int, target: str, *says: str) -> Vector:
    return Vector(
        f"redirect {status} {name}", f"http://public.example/to/{status}?{quote(target, safe='{}')}", says or (_OWN,)
    )


def _resolved(name: str, host: str, *answers: tuple[str, ...], says: str = _OWN) -> Vector:
    return Vector(name, f"http://{host}/?token={SECRET}", (says,), {host: answers})


_NOTATIONS = (
    _literal("dotted", "127.0.0.1"),
    _literal("elsewhere in 127/8", "127.44.3.2"),
    _literal("decimal", "2130706433"),
    _literal("hexadecimal", "0x7f000001"),
    _literal("hexadecimal in capitals", "0X7F000001"),
    _literal("dotted hexadecimal", "0x7f.0x0.0x0.0x1"),
    _literal("octal", "017700000001"),
    _literal("dotted octal", "0177.0.0.01"),
    _literal("padded octal", "0000177.0.0.1"),
    _literal("mixed bases", "0x7f.0.01"),
    _literal("two parts", "127.1"),
    _literal("three parts", "127.0.1"),
    _literal("decimal beyond 32 bits", "6425673729", "no such host"),
    _literal("part beyond 8 bits", "127.0.0.257", "no such host"),
    _literal("zero", "0", _NEVER),
    _literal("all zeros", "0.0.0.0", _NEVER),
    _literal("this network", "0.1.2.3", _NEVER),
    _literal("percent-encoded", "%31%32%37.%30.0.1", _OWN, _INVALID),
    _literal("percent-encoded twice", "%2531%2532%2537.0.0.1", _INVALID),
    _literal("full-width digits", "１２７.０.０.１", _OWN, _INVALID),
    _literal("ideographic full stops", "127。0。0。1", _OWN, _INVALID),
    _literal("half-width full stops", "127｡0｡0｡1", _OWN, _INVALID),
    _literal("enclosed digits", "①②⑦.⓪.⓪.①", _OWN, _INVALID),
    _literal("enclosed letters", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", _OWN, _INVALID),
    _literal("zero-width space within", "127.0.0.\u200b1", _OWN, _INVALID, "no such host"),
    _literal("trailing dot", "127.0.0.1.", "no such host", _OWN),
)
_IPV6 = (
    _literal("::1", "[::1]"),
    _literal("::1 written out", "[0:0:0:0:0:0:0:1]"),
    _literal("::", "[::]", _NEVER),
    _literal("IPv4-mapped", "[::ffff:127.0.0.1]"),
    _literal("IPv4-mapped in hexadecimal", "[::ffff:7f00:1]"),
    _literal("IPv4-mapped metadata", "[::ffff:a9fe:a9fe]", _NEVER),
    _literal("IPv4-mapped shared address", "[::ffff:100.64.0.1]"),
    _literal("IPv4-compatible", "[::127.0.0.1]", _NEVER),
    _literal("IPv4-translated", "[::ffff:0:127.0.0.1]", _NEVER),
    _literal("6to4", "[2002:7f00:1::]"),
    _literal("6to4 of metadata", "[2002:a9fe:a9fe::1]", _NEVER),
    _literal("NAT64", "[64:ff9b::7f00:1]"),
    _literal("NAT64 of metadata", "[64:ff9b::169.254.169.254]", _NEVER),
    _literal("NAT64 of one's own network", "[64:ff9b:1::a9fe:a9fe]", _NEVER),
    _literal("Teredo", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", _NEVER),
    _literal("unique local", "[fd12:3456::1]"),
    _literal("link-local", "[fe80::1]", _NEVER),
    _literal("link-local with a zone", "[fe80::1%25lo]", _NEVER),
    _literal("site-local", "[fec0::1]", _NEVER),
    _literal("IPv6 multicast", "[ff02::1]", _NEVER),
    _literal("IPv6 documentation", "[2001:db8::1]"),
    _literal("IPv6 documentation, the newer", "[3fff::1]", _NEVER),
    _literal("discard only", "[100::1]", _NEVER),
)
_NETWORKS = (
    _literal("10/8", "10.0.0.1"),
    _literal("172.16/12", "172.31.255.254"),
    _literal("192.168/16", "192.168.0.1"),
    _literal("shared, 100.64/10", "100.64.0.1"),
    _literal("benchmarks, 198.18/15", "198.19.0.1"),
    _literal("documentation, 203.0.113/24", "203.0.113.7"),
    _literal("protocol assignments, 192.0.0/24", "192.0.0.8", _NEVER),
    _literal("relays of 6to4", "192.88.99.1", _NEVER),
    _literal("multicast", "239.255.255.250", _NEVER),
    _literal("reserved, 240/4", "240.0.0.1", _NEVER),
    _literal("broadcast", "255.255.255.255", _NEVER),
)
_CLOUDS = {
    "link-local": "169.254.169.254",
    "link-local, decimal": "2852039166",
    "link-local, hexadecimal": "0xa9fea9fe",
    "of a container": "169.254.170.2",
    "Alibaba": "100.100.100.200",
    "Oracle": "192.0.0.192",
    "Azure's public one": "168.63.129.16",
    "Amazon, IPv6": "[fd00:ec2::254]",
    "Google, IPv6": "[fd20:ce::254]",
    "mapped Alibaba": "[::ffff:100.100.100.200]",
}
_METADATA = (
    *(_literal(f"metadata {name}", host, _NEVER) for name, host in _CLOUDS.items()),
    *(
        Vector(f"metadata {name}, private allowed", f"http://{host}/?token={SECRET}", (_NEVER,), private=True)
        for name, host in _CLOUDS.items()
    ),
    _resolved("metadata by name", "metadata.google.internal", ("169.254.169.254",), says=_NEVER),
    Vector(
        "NAT64 of one's own network, private allowed", "http://[64:ff9b:1:a9fe:a9:fe00::]/", (_NEVER,), private=True
    ),
    Vector("link-local, private allowed", "http://[fe80::1]/", (_NEVER,), private=True),
    Vector("all zeros, private allowed", "http://0.0.0.0/", (_NEVER,), private=True),
)
_NAMES = (
    _resolved("localhost", "localhost", ("127.0.0.1", "::1")),
    _resolved("localhost with a dot", "localhost.", ("127.0.0.1",)),
    Vector("LOCALHOST", "http://LOCALHOST/", (_OWN,), {"localhost": (("127.0.0.1",),)}),
    _resolved("below localhost", "a.localhost", ("::1",)),
    _resolved("name of the machine", "ip6-localhost", ("::1",)),
    _resolved("name that holds its address", "127.0.0.1.nip.example", ("127.0.0.1",)),
    _resolved("name of a private network", "router.example", ("192.168.1.1",)),
    _resolved("name to a mapped address", "mapped.example", ("::ffff:127.0.0.1",)),
    _resolved("punycode", "xn--e1afmkfd.example", ("10.0.0.9",)),
    _resolved("two faces, the private one last", "two.example", (PUBLIC, "127.0.0.1")),
    _resolved("two faces, the private one first", "two.example", ("127.0.0.1", PUBLIC)),
    _resolved("two families", "two.example", (PUBLIC_6, "10.1.2.3")),
    # Once asked, the public address is visited, whatever the name server says later.
    Vector("rebinding", "http://rebind.example/", (), {"rebind.example": ((PUBLIC,), ("127.0.0.1",))}),
    Vector("rebinding to IPv6", "http://rebind.example/", (), {"rebind.example": ((PUBLIC,), ("::1",))}),
    Vector(
        "rebinding on a redirect",
        "http://rebind.example/to/302?/plain",
        (_OWN,),
        {"rebind.example": ((PUBLIC,), ("127.0.0.1",))},
    ),
)
_PARSING = (
    Vector("user name", f"http://public.example:{SECRET}@127.0.0.1:{{port}}/", (_USER,)),
    Vector("user name without password", "http://public.example@127.0.0.1:{port}/", (_USER,)),
    Vector("two at signs", "http://a@127.0.0.1:{port}@public.example/", (_USER, _INVALID)),
    Vector("encoded at sign", "http://public.example%40127.0.0.1:{port}/", (_INVALID, "no such host")),
    Vector("fragment before the at sign", "http://127.0.0.1:{port}#@public.example/", (_OWN,)),
    Vector("query before the at sign", "http://127.0.0.1:{port}?@public.example/", (_OWN,)),
    Vector("backslash before the at sign", "http://127.0.0.1:{port}\\@public.example/", (_OWN, _INVALID)),
    Vector("backslash after the name", "http://public.example\\@127.0.0.1:{port}/"),
    Vector("backslashes for slashes", "http:\\\\127.0.0.1:{port}\\", (_INVALID, _SCHEME)),
    Vector("slash too few", "http:/127.0.0.1:{port}/", (_INVALID,)),
    Vector("slash too many", "http:///127.0.0.1:{port}/", (_INVALID,)),
    Vector("space before", " http://127.0.0.1:{port}/", (_SCHEME,)),
    Vector("tab in the scheme", "ht\ttp://127.0.0.1:{port}/", (_SCHEME,)),
    Vector("tab in the host", "http://127.0.\t0.1:{port}/", (_INVALID,)),
    Vector("line break in the host", "http://public.example\r\nHost: 127.0.0.1/", (_INVALID,)),
    Vector("line break in the port", "http://127.0.0.1:{port}\r\n/", (_INVALID,)),
    Vector("NUL in the host", "http://127.0.0.1\0.public.example/", (_INVALID,)),
    Vector("encoded NUL in the host", "http://127.0.0.1%00.public.example/", (_INVALID, "no such host")),
    Vector("encoded line break in the host", "http://public.example%0d%0aHost:%20127.0.0.1/", (_INVALID,)),
    Vector("another request in the path", "http://public.example/plain HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /"),
    Vector("another request in the query", "http://public.example/plain?\r\nX-Injected: yes\r\n"),
    Vector("path that looks like a host", "http://public.example//127.0.0.1:{port}/"),
    Vector("path out of the root", "http://public.example/../../127.0.0.1:{port}/"),
    Vector("port beyond 65535", "http://127.0.0.1:65616/", (_INVALID,)),
    Vector("port zero", "http://127.0.0.1:0/", (_INVALID,)),
    Vector("negative port", "http://127.0.0.1:-80/", (_INVALID,)),
    Vector("port in full-width digits", "http://127.0.0.1:８０/", (_INVALID,)),
    Vector("two ports", "http://127.0.0.1:80:{port}/", (_INVALID,)),
    Vector("brackets that do not close", "http://[::1/", (_INVALID,)),
    Vector("brackets around IPv4", "http://[127.0.0.1]:{port}/", (_INVALID,)),
    Vector("surrogate", "http://127.0.0.1\ud800/", (_INVALID,)),
    Vector("very long name", "http://" + "a" * 100_000 + "ß.example/", (_INVALID,)),
    *(
        Vector(f"scheme {url.partition(':')[0]}", url, (_SCHEME, "file: addresses are not read"))
        for url in (
            "file:///etc/passwd",
            "FILE://localhost/etc/passwd",
            "gopher://127.0.0.1:{port}/_GET%20/",
            "dict://127.0.0.1:{port}/",
            "ftp://127.0.0.1:{port}/",
            "sftp://127.0.0.1:{port}/",
            "tftp://127.0.0.1:{port}/",
            "ldap://127.0.0.1:{port}/",
            "jar:http://127.0.0.1:{port}/a!/",
            "netdoc:///etc/passwd",
            "view-source:http://127.0.0.1:{port}/",
            "URL:http://127.0.0.1:{port}/",
            "blob:http://127.0.0.1:{port}/",
            "unix://127.0.0.1:{port}/",
            "ws://127.0.0.1:{port}/",
            "data:text/html,<meta http-equiv=refresh content=0;url=http://127.0.0.1/>",
            "javascript:fetch('http://127.0.0.1/')",
        )
    ),
)
INSIDE = "http://127.0.0.1:{port}/?token=" + SECRET
_LEADING = (
    *(_through("to loopback", status, INSIDE) for status in (301, 302, 303, 307, 308)),
    _through("to decimal", 302, "http://2130706433:{port}/"),
    _through("to IPv6", 302, "http://[::1]:{port}/"),
    _through("to metadata", 302, "http://169.254.169.254/latest/meta-data/", _NEVER),
    _through("without a scheme", 302, "//127.0.0.1:{port}/"),
    _through("with blanks before", 302, "  \t" + INSIDE),
    _through("to a user name", 302, "http://public.example@127.0.0.1:{port}/", _USER),
    _through("to file", 302, "file:///etc/passwd", "file: addresses are not read"),
    _through("to gopher", 307, "gopher://127.0.0.1:{port}/_x", _SCHEME),
    _through("to ftp", 302, "ftp://127.0.0.1:{port}/", _SCHEME),
    _through("to data", 302, "data:text/plain,x", _SCHEME),
    Vector("redirect 302 to two places", "http://public.example/twice"),
    _through("relative, then inside", 302, "/to/302?" + quote(INSIDE, safe="{}")),
    _through("over four public steps, then inside", 302, "/hops/4?" + quote(INSIDE, safe="{}")),
    _through("in a circle", 302, "/circle", "more than 5 redirects"),
    _through("to a name that leads inside", 302, "http://inside.example/"),
    *(
        Vector(
            f"status {status} with a Location", f"http://public.example/to/{status}?{INSIDE}", ("the server answers",)
        )
        for status in (201, 300, 304, 305, 306, 401, 407)
    ),
    *(
        Vector(f"{name} is not followed", f"http://public.example/plain?{quote(header, safe='{}')}")
        for name, header in (
            ("Location of a 200", f"Location: {INSIDE}"),
            ("Refresh", f"Refresh: 0; url={INSIDE}"),
            ("Content-Location", f"Content-Location: {INSIDE}"),
            ("Alt-Svc", 'Alt-Svc: http/1.1="127.0.0.1:{port}"; ma=3600'),
            ("Link", f"Link: <{INSIDE}>; rel=preload"),
            ("Upgrade", "Upgrade: h2c"),
        )
    ),
    Vector("meta refresh is not followed", "http://public.example/refresh"),
)
_SURROUNDINGS = (
    *(
        Vector(
            f"proxy in {variable}", "http://public.example/plain", (), variables={variable: "http://127.0.0.1:{port}"}
        )
        for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
    ),
    Vector(
        "exempted by no_proxy",
        "http://127.0.0.1:{port}/",
        (_OWN,),
        variables={"no_proxy": "127.0.0.1", "NO_PROXY": "*"},
    ),
)

VECTORS: tuple[Vector, ...] = (
    *_NOTATIONS,
    *_IPV6,
    *_NETWORKS,
    *_METADATA,
    *_NAMES,
    *_PARSING,
    *_LEADING,
    *_SURROUNDINGS,
)
