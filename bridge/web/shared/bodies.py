"""Bodies of requests: read to a limit, and only for who may send them."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from bridge.domain.whole_numbers import read_whole_number
from bridge.web.shared.language import translatable

#: What scripts send: an order, a choice, a note.
MAX_API_BODY = 64 * 1024

_TOO_LARGE = translatable("This request is too large.")

Admit = Callable[[Request], Awaitable[object]]


class BodyTooLarge(HTTPException):
    """A body is larger than its address allows: 413."""

    def __init__(self) -> None:
        super().__init__(413, _TOO_LARGE)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body, of at most *max_bytes* bytes.

    Raises:
        BodyTooLarge: it is larger, or its header announces that.
        ClientDisconnect: it did not come whole.
    """
    require_length(request, max_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise BodyTooLarge
    return bytes(body)


def require_length(request: Request, max_bytes: int) -> None:
    """Raise BodyTooLarge where the head announces more than *max_bytes* bytes."""
    announced = request.headers.get("content-length", "")
    if announced and read_whole_number(announced, max_bytes) is None:
        raise BodyTooLarge


def route_class_admitting_first(admit: Admit) -> type[APIRoute]:
    """Return the kind of route that asks *admit* before it reads a body.

    FastAPI reads and parses a body before it looks at any dependency, also a stranger's.
    """

    class AdmittingRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """Wrap FastAPI's own."""
            answer = super().get_route_handler()
            if self.body_field is None:
                return answer

            async def admitted(request: Request) -> Response:
                await admit(request)
                require_length(request, MAX_API_BODY)
                return await answer(Request(request.scope, _bounded(request)))

            return admitted

    return AdmittingRoute


def _bounded(request: Request) -> Callable[[], Awaitable[Message]]:
    read_bytes = 0

    async def receive() -> Message:
        nonlocal read_bytes
        message = await request.receive()
        read_bytes += len(message.get("body", b""))
        if read_bytes > MAX_API_BODY:
            raise BodyTooLarge
        return message

    return receive
