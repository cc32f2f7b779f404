"""Where a request comes from: the client's address and network, our own pages, an encrypted line.

Proxies' headers are believed from the networks the settings name, and from no others. Where a
request comes from proves no identity: a proxy on this machine passes on requests of all.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import Scope

from bridge.web.shared.request_headers import read_header

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: A chain of proxies is short; what is longer was made up.
_MAX_HOPS = 20

#: A provider gives each customer at least so much of IPv6: 2⁶⁴ addresses are one guesser.
_IPV6_CUSTOMER = 64


def client_address(scope: Scope, proxies: tuple[Network, ...]) -> Address | None:
    """Return the client's address: the peer's or, behind *proxies*, the last hop they do not own.

    None when it is not known; garbage in the header ends the search.
    """
    address = _peer(scope)
    if not proxies or address is None or not is_in_networks(address, proxies):
        return address
    # Several header lines are one list (RFC 9110 §5.3).
    value = b",".join(v for name, v in scope["headers"] if name == b"x-forwarded-for")
    hops = value.decode("latin-1").rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]
    for hop in reversed(hops):
        if not hop.strip():
            continue
        address = _read_address(hop)
        if address is None or not is_in_networks(address, proxies):
            return address
    return address


def network_of(address: Address | None) -> str:
    """Return the network that is counted as one guesser; "unknown" when it is not known."""
    if address is None:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_CUSTOMER), strict=False))
    return str(address)


def is_same_origin(scope: Scope) -> bool:
    """Return whether our own page, or a script that is no browser, sent this request."""
    site = read_header(scope, b"sec-fetch-site")
    if site:
        return site in {b"same-origin", b"none"}
    origin = read_header(scope, b"origin").decode("latin-1")
    if not origin:
        return True  # every browser sends it with what changes something
    host = read_header(scope, b"host").decode("latin-1")
    try:
        return _split_host(urlsplit(origin).netloc) == _split_host(host)
    except ValueError:
        return False


def is_encrypted(scope: Scope, proxies: tuple[Network, ...]) -> bool:
    """Return whether the client's line is TLS: our own, or as one of our *proxies* reports."""
    if scope.get("scheme") == "https":
        return True
    if not is_in_networks(_peer(scope), proxies):
        return False
    # The proxy nearest to us wrote last.
    value = read_header(scope, b"x-forwarded-proto").rsplit(b",", 1)[-1]
    return value.strip().lower() == b"https"


def is_in_networks(address: Address | None, networks: Iterable[Network]) -> bool:
    """Return whether *address* lies in one of *networks*."""
    return address is not None and any(address in network for network in networks)


def _peer(scope: Scope) -> Address | None:
    client = scope.get("client")
    return _read_address(client[0]) if client else None


def _read_address(text: str) -> Address | None:
    """Read "10.0.0.1", "10.0.0.1:8080", "::1", "[::1]:8080"; None for anything else."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _split_host(host: str) -> tuple[str, str]:
    """Split "name:port" into the name in lower case and the port, the usual ports left out."""
    host = host.strip().lower()
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        name, _, port = host.partition(":")
    return name, "" if port in {"80", "443"} else port
