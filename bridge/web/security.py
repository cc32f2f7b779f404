"""Who may come in: PBXs by a secret and a network, people by the admin password or the loopback.

Secrets are compared as hashes in constant time. A refusal never says what was wrong with them.
"""

import hashlib
import hmac
import ipaddress
import logging
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_log = logging.getLogger(__name__)

_HOOK_CHALLENGE = {"WWW-Authenticate": 'Basic realm="1C-bridge"'}
_ADMIN_CHALLENGE = {"WWW-Authenticate": 'Basic realm="1C-bridge", charset="UTF-8"'}

#: A chain of proxies is short; what is longer was made up.
_MAX_HOPS = 20

#: Any of these says that somebody stands between us and the client, whatever its address.
_PROXY_HEADERS = frozenset(
    b"forwarded via x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip".split()
)

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class HookAccess:
    """Which PBX may ask: Basic credentials, or a token in the path, or both on their own paths.

    An empty *allow* lets every network in. `X-Forwarded-For` is believed from *trusted_proxies*.
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    allow: tuple[Network, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class AdminAccess:
    """What opens the console and the API; without a password they answer on loopback only."""

    password: str | None = field(default=None, repr=False)


class _Secret:
    """Something to be matched in constant time, whatever the lengths."""

    def __init__(self, secret: str) -> None:
        self._digest = hashlib.sha256(secret.encode()).digest()

    def matches(self, offered: bytes) -> bool:
        return hmac.compare_digest(hashlib.sha256(offered).digest(), self._digest)


class HookGuard:
    """Admits a PBX's request, or raises the refusal it gets."""

    def __init__(self, access: HookAccess) -> None:
        basic = access.user is not None and access.password is not None
        self._basic = _Secret(f"{access.user}:{access.password}") if basic else None
        self._token = None if access.token is None else _Secret(access.token)
        self._allow = access.allow
        self._proxies = access.trusted_proxies

    def admit(self, scope: Scope, token: str | None) -> None:
        """Check *scope*; *token* is the path's, None on the paths without one.

        Raises:
            HTTPException: 401 or 403 on plain paths; 404 on paths with a token, and wherever the
                way in is not set up, as if there were no such path.
        """
        secret = self._basic if token is None else self._token
        if secret is None:
            raise HTTPException(404)
        if self._allow and not _is_in(client_address(scope, self._proxies), self._allow):
            raise HTTPException(403 if token is None else 404)
        if token is not None:
            if not secret.matches(token.encode("utf-8", "replace")):
                raise HTTPException(404)
            return
        offered = _basic_credentials(_header(scope, b"authorization"))
        if offered is None or not secret.matches(offered):
            raise HTTPException(401, headers=_HOOK_CHALLENGE)


class AdminGuard:
    """Admits the administrator and his scripts, or raises the refusal they get."""

    def __init__(self, access: AdminAccess) -> None:
        self._password = _Secret(access.password) if access.password else None

    def admit(self, scope: Scope) -> None:
        """Check *scope*, and that no foreign page makes the browser change anything.

        Raises:
            HTTPException: 401 for a wrong password, 403 for a stranger or a foreign page.
        """
        if self._password is not None:
            self._check_password(scope, self._password)
        elif not is_local(scope):
            raise HTTPException(
                403, "Only this machine may see this until BRIDGE_ADMIN_PASSWORD is set."
            )
        if scope["method"] not in _SAFE_METHODS and not is_same_origin(scope):
            raise HTTPException(403, "Another site's page asked for this; it was not done.")

    def admit_operations(self, scope: Scope) -> None:
        """Check *scope* for figures only: this machine, or the admin password.

        Raises:
            HTTPException: 401 or 403.
        """
        if not is_local(scope):
            self.admit(scope)

    def _check_password(self, scope: Scope, password: _Secret) -> None:
        header = _header(scope, b"authorization")
        offered = _password_of(header)
        if offered is not None and password.matches(offered):
            return
        if header:
            # A browser's first request comes without any; only a wrong one is worth a line.
            _log.warning("admin_refused", extra={"client": str(client_address(scope, ()))})
        raise HTTPException(401, headers=_ADMIN_CHALLENGE)


def client_address(scope: Scope, proxies: tuple[Network, ...]) -> Address | None:
    """Find who really asks: the socket's peer or, behind *proxies*, the last hop they do not own.

    None when there is no telling; garbage in the header ends the search.
    """
    client = scope.get("client")
    address = _read_address(client[0]) if client else None
    if not proxies or address is None or not _is_in(address, proxies):
        return address
    # Several header lines are one list (RFC 9110 §5.3).
    said = b",".join(v for name, v in scope["headers"] if name == b"x-forwarded-for")
    hops = said.decode("latin-1").rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]
    for hop in reversed(hops):
        if not hop.strip():
            continue
        address = _read_address(hop)
        if address is None or not _is_in(address, proxies):
            return address
    return address


def is_local(scope: Scope) -> bool:
    """Whether the request comes from this machine, and from no page that only pretends so.

    A proxy's header makes it foreign. So does a Host that is not the loopback's: by DNS rebinding
    a foreign page may reach the loopback, but only under its own name.
    """
    address = client_address(scope, ())
    if address is None or not address.is_loopback:
        return False
    if any(name in _PROXY_HEADERS for name, _ in scope["headers"]):
        return False
    host = _header(scope, b"host").decode("latin-1")
    return _split_host(host)[0] in _LOOPBACK_NAMES


def is_same_origin(scope: Scope) -> bool:
    """Whether our own page, or a script that is no browser, sent this request."""
    site = _header(scope, b"sec-fetch-site")
    if site:
        return site in {b"same-origin", b"none"}
    origin = _header(scope, b"origin").decode("latin-1")
    if not origin:
        return True  # every browser sends it with what changes something
    host = _header(scope, b"host").decode("latin-1")
    try:
        return _split_host(urlsplit(origin).netloc) == _split_host(host)
    except ValueError:
        return False


def _header(scope: Scope, wanted: bytes) -> bytes:
    for name, value in scope["headers"]:
        if name == wanted:
            found: bytes = value
            return found
    return b""


def _credentials(header: bytes, scheme: bytes) -> bytes | None:
    said, _, value = header.partition(b" ")
    return value.strip() if said.lower() == scheme else None


def _basic_credentials(header: bytes) -> bytes | None:
    value = _credentials(header, b"basic")
    if value is None:
        return None
    try:
        return b64decode(value, validate=True)
    except ValueError:
        return None


def _password_of(header: bytes) -> bytes | None:
    bearer = _credentials(header, b"bearer")
    if bearer is not None:
        return bearer
    basic = _basic_credentials(header)
    return None if basic is None else basic.partition(b":")[2]


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


def _is_in(address: Address | None, networks: Iterable[Network]) -> bool:
    return address is not None and any(address in network for network in networks)


def _split_host(host: str) -> tuple[str, str]:
    """Split "name:port" into the name in lower case and the port, the usual ports left out."""
    host = host.strip().lower()
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        name, _, port = host.partition(":")
    return name, "" if port in {"80", "443"} else port
