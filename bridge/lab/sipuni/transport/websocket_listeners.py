"""The cabinet's websocket, for bridges without a public address.

Who sends `{"type": "auth", "body": {"key": …}}` gets `{"action": "auth", "status": 1}` and then
every event as `{"action": "notify", "request": {…}}`, the fields of the HTTP push. Nothing is kept
for a listener who is away: an event without a listener is lost (doc.sipuni.com 636-641; that
nothing is replayed is the worst case, unverified).
"""

import asyncio
import hmac
import json
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from bridge.lab.sipuni.protocol.events import Params
from bridge.lab.sipuni.switches import CabinetSwitches

#: RFC 6455: the endpoint's own policy; goes away.
POLICY, GOING_AWAY = 1008, 1001


class WebSocketListeners:
    """The websockets that were let in."""

    def __init__(self, key: str, switches: Callable[[], CabinetSwitches]) -> None:
        self._key = key
        self._switches = switches
        self._open: list[WebSocket] = []
        self._came = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._open)

    async def wait_for_listeners(self, number: int = 1) -> None:
        """Wait until *number* of listeners have been let in and are still there."""
        async with self._came:
            await self._came.wait_for(lambda: len(self._open) >= number)

    async def serve(self, websocket: WebSocket) -> None:
        """Keep one connection until it leaves, or is silent for longer than the cabinet waits."""
        await websocket.accept()
        try:
            while True:
                async with asyncio.timeout(self._switches().keepalive_s):
                    text = await websocket.receive_text()
                await self._receive(websocket, text)
        except TimeoutError:
            await self._close(websocket, GOING_AWAY, "no keepalive")
        except (WebSocketDisconnect, KeyError, RuntimeError):
            pass  # it left, sent bytes and no text, or was dropped while it sent
        finally:
            self._remove(websocket)
            await self._close(websocket, POLICY, "texts only")

    async def notify(self, params: Params) -> int:
        """Send one event to all who listen; return how many there were."""
        switches = self._switches()
        message: dict[str, object] = {"action": "notify", "request": dict(params)}
        if switches.ws_unwrapped:
            message = {**dict(params)}
        if switches.ws_namespace:
            message["namespace"] = "api"
        text = json.dumps(message, ensure_ascii=False)
        reached = 0
        for one in tuple(self._open):
            try:
                await one.send_text(text)
                reached += 1
            except (WebSocketDisconnect, RuntimeError):
                self._remove(one)  # it left without closing
        return reached

    async def drop(self) -> int:
        """Cut every connection, as a gap in the network does; return how many there were."""
        dropped, self._open = self._open, []
        for one in dropped:
            await self._close(one, GOING_AWAY, "gone")
        return len(dropped)

    async def _receive(self, websocket: WebSocket, text: str) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            return
        if not isinstance(message, dict) or message.get("type") != "auth":
            return  # a keepalive, or a message the cabinet does not know
        body = message.get("body")
        key = str(body.get("key", "")) if isinstance(body, dict) else ""
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            await websocket.send_json({"action": "auth", "status": 0})
            return
        self._remove(websocket)
        if self._switches().single_listener:
            await self.drop()
        await websocket.send_json({"action": "auth", "status": 1})
        async with self._came:
            self._open.append(websocket)
            self._came.notify_all()

    def _remove(self, websocket: WebSocket) -> None:
        if websocket in self._open:
            self._open.remove(websocket)

    @staticmethod
    async def _close(websocket: WebSocket, code: int, reason: str) -> None:
        if websocket.application_state is WebSocketState.CONNECTED:
            try:
                await websocket.close(code, reason)
            except RuntimeError:
                return  # closed from the other side at this very moment
