"""The simulated 1C as a transport of httpx, with the connections that it breaks."""

import httpx

from bridge.lab.connection import LabConnectionLost, LossPhase
from bridge.lab.onec.app import create_onec_app
from bridge.lab.onec.simulator import OneCLab

_ERRORS: dict[LossPhase, type[httpx.TransportError]] = {
    "connect": httpx.ConnectError,
    "read": httpx.ReadError,
    "timeout": httpx.ReadTimeout,
}


class LabTransport(httpx.AsyncBaseTransport):
    """Sends requests to the lab; a lost connection is the error that a socket would give."""

    def __init__(self, lab: OneCLab) -> None:
        self._asgi = httpx.ASGITransport(app=create_onec_app(lab))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._asgi.handle_async_request(request)
        except LabConnectionLost as lost:
            raise _ERRORS[lost.phase](str(lost), request=request) from lost
