"""Headers and cookies of a request, read from its ASGI scope without a Request around it."""

from starlette.requests import cookie_parser
from starlette.types import Scope


def read_header(scope: Scope, header: bytes) -> bytes:
    """Return the first value of the named *header*, in lower case; empty without one."""
    for name, value in scope["headers"]:
        if name == header:
            found: bytes = value
            return found
    return b""


def read_cookie(scope: Scope, name: str) -> str:
    """Return the value of the cookie *name*; empty without one."""
    return cookie_parser(read_header(scope, b"cookie").decode("latin-1")).get(name, "")
