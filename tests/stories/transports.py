"""What stands between the service, 1C and the cabinet: lines that a test can stop."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from bridge.lab.connection import LabConnectionLost
from bridge.lab.onec.simulator import OneCLab
from bridge.lab.sipuni.app import create_sipuni_app
from bridge.lab.sipuni.pbx import SipuniLab
from tests.support.lab_transport import LabTransport


class InterruptibleTransport(httpx.AsyncBaseTransport):
    """The line to 1C; it can stop one request for ever, before 1C has it or after."""

    def __init__(self, lab: OneCLab) -> None:
        self._lab = LabTransport(lab)
        self._stop: tuple[str, str, bool] | None = None
        self.stopped = asyncio.Event()

    def stop_at(self, method: str, entity_set: str, *, executed: bool) -> None:
        """Stop the next request of *method* to *entity_set*; *executed*: 1C has done it."""
        self._stop = (method, entity_set, executed)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._stop is None or not self._is_meant(request, *self._stop[:2]):
            return await self._lab.handle_async_request(request)
        (_, _, executed), self._stop = self._stop, None
        if executed:
            await self._lab.handle_async_request(request)
        self.stopped.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody lets it go")

    @staticmethod
    def _is_meant(request: httpx.Request, method: str, entity_set: str) -> bool:
        return request.method == method and request.url.path.endswith(f"/{entity_set}")


class SipuniTransport(httpx.AsyncBaseTransport):
    """The way from the bridge to the cabinet's API; a reply it loses is lost as on a wire."""

    def __init__(self, lab: SipuniLab) -> None:
        self._app = httpx.ASGITransport(app=create_sipuni_app(lab))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._app.handle_async_request(request)
        except LabConnectionLost as lost:
            raise httpx.ReadError(str(lost), request=request) from lost


class ServiceTransport(httpx.AsyncBaseTransport):
    """The way from the cabinet to the bridge; something may happen after its n-th request."""

    def __init__(self) -> None:
        self.inner: httpx.AsyncBaseTransport | None = None
        self.after: dict[int, Callable[[], Awaitable[object]]] = {}
        self.passed = 0

    def connect(self, app: Callable[..., Awaitable[None]]) -> None:
        """Lead to *app* from now on."""
        self.inner = httpx.ASGITransport(app=app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.inner is None:
            raise httpx.ConnectError("the service is stopped", request=request)
        response = await self.inner.handle_async_request(request)
        self.passed += 1
        if self.passed in self.after:
            await self.after.pop(self.passed)()
        return response
