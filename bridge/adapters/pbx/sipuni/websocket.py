"""Sipuni's events over a websocket, for a bridge without a public address.

Events are not repeated after a gap, so a broken connection is an alarm; calls of that time are
completed from the statistics. Source: docs/facts/sipuni.md, 'Websocket'.
"""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from bridge.adapters.pbx.sipuni.bodies import encode_body, parse_body
from bridge.adapters.pbx.sipuni.fields import EventFields
from bridge.adapters.pbx.sipuni.raw_events import make_raw_event
from bridge.errors import StoreError
from bridge.ports.alarms import Alarm
from bridge.ports.clock import Clock
from bridge.ports.events import EventPublisher
from bridge.ports.pbx import RawEvent

_log = logging.getLogger(__name__)

_KEEPALIVE: Final = json.dumps({"type": "keepalive"})
_KEEPALIVE_S: Final = 30.0
_AUTH_TIMEOUT_S: Final = 15.0
_PING_TIMEOUT_S: Final = 60.0
_CLOSE_TIMEOUT_S: Final = 2.0

_FIRST_BACKOFF_S: Final = 2.0
_MAX_BACKOFF_S: Final = 60.0

#: Seconds a stop waits for the event that is being stored.
_STOP_TIMEOUT_S: Final = 5.0

#: The size limit of a message; an event has about a kilobyte.
_MAX_MESSAGE: Final = 1 << 18


#: Every message that mentions a call has such a number.
_A_NUMBER: Final = re.compile(rb"[0-9]{9}")


class _Refused(Exception):
    """The cabinet does not accept the key."""


class SipuniWebsocket:
    """Keeps one connection to the cabinet and gives every event to *receive*, which stores it.

    Logs and raises an alarm when the connection breaks, and once more when it is back.
    """

    def __init__(
        self,
        url: str,
        key: str,
        receive: Callable[[RawEvent], Awaitable[None]],
        events: EventPublisher,
        clock: Clock,
        *,
        keepalive_s: float = _KEEPALIVE_S,
        first_backoff_s: float = _FIRST_BACKOFF_S,
    ) -> None:
        self._url = url
        self._auth = json.dumps({"type": "auth", "body": {"key": key}})
        self._receive = receive
        self._events = events
        self._clock = clock
        self._keepalive_s = keepalive_s
        self._first_backoff_s = first_backoff_s
        self._stopping = asyncio.Event()
        self._connection: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost_reason: str | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._run(), name="sipuni-websocket")

    async def aclose(self) -> None:
        """Close the connection, after the event that is being stored, if it does not take long."""
        self._stopping.set()
        if self._connection is not None:
            await self._connection.close()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=_STOP_TIMEOUT_S)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        backoff_s = self._first_backoff_s
        while not self._stopping.is_set():
            started_at = loop.time()
            try:
                await self._stay_connected()
            except (OSError, TimeoutError, WebSocketException, _Refused) as error:
                self._report_loss(type(error).__name__, str(error) or "no answer in time")
            except Exception as error:  # noqa: BLE001 - logged with its traceback, and an alarm
                # Whatever fails, the connection must be tried again.
                if self._lost_reason != repr(error):
                    _log.exception("websocket_broken")
                self._report_loss(repr(error), "the bridge stumbled over a message; see the log")
            else:
                self._report_loss("closed", "the PBX hung up")
            if loop.time() - started_at > _MAX_BACKOFF_S:
                backoff_s = self._first_backoff_s
            await self._pause(backoff_s)
            backoff_s = min(2 * backoff_s, _MAX_BACKOFF_S)

    async def _stay_connected(self) -> None:
        """Keep one connection until either side closes it."""
        async with connect(
            self._url,
            proxy=None,
            ping_interval=_KEEPALIVE_S,
            ping_timeout=_PING_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=_MAX_MESSAGE,
        ) as connection:
            self._connection = connection
            try:
                if self._stopping.is_set():
                    return
                await connection.send(self._auth)
                await self._wait_for_acceptance(connection)
                self._report_return()
                keepalive = asyncio.create_task(self._keep_alive(connection))
                try:
                    async for message in connection:
                        if _is_accepted(_read(message)) is False:
                            raise _Refused("the PBX no longer accepts the key")
                        await self._store_events(message)
                finally:
                    keepalive.cancel()
            finally:
                self._connection = None

    async def _wait_for_acceptance(self, connection: ClientConnection) -> None:
        async with asyncio.timeout(_AUTH_TIMEOUT_S):
            while True:
                message = await connection.recv()
                accepted = _is_accepted(_read(message))
                if accepted:
                    return
                if accepted is False:
                    raise _Refused("the PBX does not accept the key (BRIDGE_SIPUNI_WS_KEY)")
                await self._store_events(message)

    async def _keep_alive(self, connection: ClientConnection) -> None:
        with suppress(ConnectionClosed):  # the reader of messages notices it too
            while True:
                await asyncio.sleep(self._keepalive_s)
                await connection.send(_KEEPALIVE)

    async def _store_events(self, message: str | bytes) -> None:
        """Store the events in *message*, however long it takes: Sipuni does not repeat them."""
        for event in _events_in(message, self._clock()):
            await self._store(event)

    async def _store(self, event: RawEvent) -> None:
        was_logged = False
        while True:
            try:
                await self._receive(event)
            except StoreError as error:
                if self._stopping.is_set():
                    _log.critical("event_lost", extra={"reason": str(error)})
                    return
                if not was_logged:
                    _log.error("event_not_stored", extra={"reason": str(error)})
                was_logged = True
                await self._pause(self._first_backoff_s)
            else:
                return

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):  # a stop ends the pause
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _report_loss(self, kind: str, reason: str) -> None:
        if self._stopping.is_set() or self._lost_reason == kind:
            return
        self._lost_reason = kind
        _log.error("pbx_events_lost", extra={"reason": reason})
        self._events.publish(Alarm("pbx_events_lost", f"no events from the PBX: {reason}"))

    def _report_return(self) -> None:
        if self._lost_reason is not None:
            _log.info("pbx_events_back")
            self._events.publish(Alarm("pbx_events_lost", "the PBX sends events again", clear=True))
        self._lost_reason = None


def _read(message: str | bytes) -> Mapping[str, Any]:
    """Return a message's JSON object, empty where it has none."""
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_accepted(content: Mapping[str, Any]) -> bool | None:
    """Return whether the key was accepted; None where the message is about something else."""
    if content.get("action") != "auth":
        return None
    return content.get("status") in (1, "1")


def _events_in(message: str | bytes, received_at: datetime) -> list[RawEvent]:
    """Return the events in a message; none in one that only keeps the connection open."""
    if _is_accepted(_read(message)) is not None:
        return []
    body = message.encode() if isinstance(message, str) else message
    found = parse_body(body, "application/json")
    if found or _read(message):
        of_calls = [fields for fields in found if EventFields(fields).mentions_call]
        return [make_raw_event(fields, received_at) for fields in of_calls]
    if not _A_NUMBER.search(body):
        return []  # a message like "pong"
    raw = make_raw_event((), received_at)
    return [replace(raw, body=encode_body(body), content_type="websocket")]
