"""The head of a request as bytes: what the parser refuses and we can still read, and what is none.

A PBX that does not percent-encode a label still waits for an answer (docs/contract.md, 'The
routing answer'), so bytes that may not stand in a request line are encoded before the parser.
"""

import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

from bridge.web.connections.limits import ConnectionLimits

Headers = Sequence[tuple[bytes, bytes]]

HEAD_END: Final = b"\r\n\r\n"

_REQUEST_LINE: Final = re.compile(rb"([A-Z]{3,16}) +(/.*) (HTTP/1\.[01])", re.DOTALL)
_NOT_ALLOWED: Final = re.compile(rb"[\x00-\x20\x7f-\xff]")
_METHOD: Final = re.compile(rb"[A-Z]{1,16}(?:[ \r\n]|$)")
_LONGEST_METHOD: Final = 16
_LONGEST_PATH: Final = 32 * 1024
_LENGTH_DIGITS: Final = 16
_LOOKED_AT: Final = 1024
_UPGRADE: Final = re.compile(rb"\r\nupgrade:[^\r]*", re.IGNORECASE)
_BARE_LF: Final = re.compile(rb"HTTP/1\.[01]\n")


class Refusal(NamedTuple):
    """Why a request is not read: an HTTP status and a sentence."""

    status: int
    message: str


NOT_HTTP: Final = Refusal(400, "This is not an HTTP request.")
TLS: Final = Refusal(400, "This port speaks plain HTTP: use http://, or ask the proxy before it.")
HTTP2: Final = Refusal(505, "This port speaks HTTP/1.1; HTTP/2 is for the proxy before it.")
BARE_LF: Final = Refusal(400, "Lines of a request end with CR LF.")
LONG_ADDRESS: Final = Refusal(414, "This address is too long.")
LARGE_HEAD: Final = Refusal(431, "The headers are too large or too many.")
LARGE_BODY: Final = Refusal(413, "The body is too large.")
SLOW: Final = Refusal(408, "The request did not come in time.")
FULL: Final = Refusal(503, "There are too many connections; try again in a few seconds.")
UNREADABLE: Final = Refusal(400, "This request cannot be read.")


def repair_request_line(head: bytes) -> bytes | None:
    """Return *head* with the bytes percent-encoded that no request line may hold.

    None where that is not what is wrong with it.
    """
    line, _, rest = head.partition(b"\r\n")
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        return None
    method, target, version = found.groups()
    encoded = _NOT_ALLOWED.sub(lambda byte: b"%%%02X" % byte[0][0], target)
    if encoded == target:
        return None
    return b"%b %b %b\r\n%b" % (method, encoded, version, rest)


def without_upgrade(head: bytes) -> bytes:
    """Return *head* without its request for another protocol, to which the parser leaves the body.

    A server may ignore that request (RFC 9110 §7.8).
    """
    return _UPGRADE.sub(b"", head)


def refusal_of_beginning(head: bytes | bytearray) -> Refusal | None:
    """Return why *head*, not whole yet, cannot become a request; None while it can."""
    beginning = bytes(head[:_LOOKED_AT])
    if beginning.startswith(b"\x16\x03"):
        return TLS
    if beginning.startswith(b"PRI * HTTP/2"):
        return HTTP2
    if not _METHOD.match(beginning[: _LONGEST_METHOD + 1]):
        return NOT_HTTP
    if _BARE_LF.search(beginning):
        return BARE_LF
    return None


def refusal_of_whole(head: bytes) -> Refusal:
    """Return the refusal of a whole head that the parser does not take."""
    return refusal_of_beginning(head) or UNREADABLE


def refusal_of_path(path: bytes) -> Refusal | None:
    """Return the refusal of an address that is too long without its query."""
    return LONG_ADDRESS if len(path) > _LONGEST_PATH else None


def refusal_of_size(head: bytes | bytearray) -> Refusal:
    """Return the refusal of a head that is too large: its address or its headers."""
    return LARGE_HEAD if b"\r\n" in head[:_LOOKED_AT] else LONG_ADDRESS


def has_body(headers: Headers) -> bool:
    """Return whether a body follows a head with *headers*."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 ") != b"")
        for name, value in headers
    )


def wants_upgrade(headers: Headers) -> bool:
    """Return whether a head with *headers* asks for another protocol."""
    return any(name == b"upgrade" for name, _ in headers)


def refusal_of_body(headers: Headers, limits: ConnectionLimits) -> Refusal | None:
    """Return the refusal of a body that is too large by its own header."""
    for name, value in headers:
        # The parser took it for a number; a longer one is too large whatever it is.
        if name == b"content-length" and (
            len(value) > _LENGTH_DIGITS or int(value) > limits.body_bytes
        ):
            return LARGE_BODY
    return None


def render_refusal(refusal: Refusal) -> bytes:
    """Return *refusal* as the whole answer of a connection that ends with it."""
    body = json.dumps({"error": refusal.message}).encode()
    status = HTTPStatus(refusal.status)
    retry = "retry-after: 5\r\n" if status is HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\ncache-control: no-store\r\n{retry}"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body
