"""Sipuni's events over a websocket, for a bridge without a public address.

Messages, keepalive and back-off: facts/telephony-apis.md §1.3. Nothing is replayed after a gap, so
a line that is down is an alarm; the calls in it are settled from the statistics.
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
from bridge.adapters.pbx.sipuni.questions import make_raw_event
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

_FIRST_PAUSE_S: Final = 2.0
_MAX_PAUSE_S: Final = 60.0

#: How long a stop waits for the event that is being stored.
_STOP_PATIENCE_S: Final = 5.0

#: What a message of ours holds at most; an event has about a kilobyte.
_MAX_MESSAGE: Final = 1 << 18


#: What a message that speaks of a call cannot do without.
_A_NUMBER: Final = re.compile(rb"[0-9]{9}")


class _Refused(Exception):
    """The cabinet does not accept the key."""


class SipuniWebsocket:
    """Holds one line to the cabinet and gives every event to *receive*, which makes it durable.

    Logs and alarms on the edge: when the line breaks, and when it stands again.
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
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        self._url = url
        self._auth = json.dumps({"type": "auth", "body": {"key": key}})
        self._receive = receive
        self._events = events
        self._clock = clock
        self._keepalive_s = keepalive_s
        self._first_pause_s = first_pause_s
        self._stopping = asyncio.Event()
        self._line: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._run(), name="sipuni-websocket")

    async def aclose(self) -> None:
        """Hang up; the event that is being stored gets a moment."""
        self._stopping.set()
        if self._line is not None:
            await self._line.close()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=_STOP_PATIENCE_S)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = self._first_pause_s
        while not self._stopping.is_set():
            began = loop.time()
            try:
                await self._hold_line()
            except (OSError, TimeoutError, WebSocketException, _Refused) as error:
                self._note_loss(type(error).__name__, str(error) or "no answer in time")
            except Exception as error:  # noqa: BLE001 - logged with its traceback, and an alarm
                # The last line of defence: a line that died silently would never ring again.
                if self._trouble != repr(error):
                    _log.exception("websocket_broken")
                self._note_loss(repr(error), "the bridge stumbled over a message; see the log")
            else:
                self._note_loss("closed", "the PBX hung up")
            if loop.time() - began > _MAX_PAUSE_S:
                pause_s = self._first_pause_s
            await self._rest(pause_s)
            pause_s = min(2 * pause_s, _MAX_PAUSE_S)

    async def _hold_line(self) -> None:
        """Hold one connection until either side hangs up."""
        async with connect(
            self._url,
            proxy=None,
            ping_interval=_KEEPALIVE_S,
            ping_timeout=_PING_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=_MAX_MESSAGE,
        ) as line:
            self._line = line
            try:
                if self._stopping.is_set():
                    return
                await line.send(self._auth)
                await self._wait_for_admission(line)
                self._note_return()
                keepalive = asyncio.create_task(self._keep_alive(line))
                try:
                    async for message in line:
                        if _admission(_read(message)) is False:
                            raise _Refused("the PBX no longer accepts the key")
                        await self._take(message)
                finally:
                    keepalive.cancel()
            finally:
                self._line = None

    async def _wait_for_admission(self, line: ClientConnection) -> None:
        async with asyncio.timeout(_AUTH_TIMEOUT_S):
            while True:
                message = await line.recv()
                admitted = _admission(_read(message))
                if admitted:
                    return
                if admitted is False:
                    raise _Refused("the PBX does not accept the key (BRIDGE_SIPUNI_WS_KEY)")
                await self._take(message)

    async def _keep_alive(self, line: ClientConnection) -> None:
        with suppress(ConnectionClosed):  # who reads the line notices it too
            while True:
                await asyncio.sleep(self._keepalive_s)
                await line.send(_KEEPALIVE)

    async def _take(self, message: str | bytes) -> None:
        """Make the events in *message* durable, however long the disk takes: nobody repeats it."""
        for event in _events_in(message, self._clock()):
            await self._keep(event)

    async def _keep(self, event: RawEvent) -> None:
        refused = False
        while True:
            try:
                await self._receive(event)
            except StoreError as error:
                if self._stopping.is_set():
                    _log.critical("event_lost", extra={"reason": str(error)})
                    return
                if not refused:
                    _log.error("event_not_stored", extra={"reason": str(error)})
                refused = True
                await self._rest(self._first_pause_s)
            else:
                return

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):  # a stop ends the pause
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _note_loss(self, kind: str, words: str) -> None:
        if self._stopping.is_set() or self._trouble == kind:
            return
        self._trouble = kind
        _log.error("pbx_events_lost", extra={"reason": words})
        self._events.publish(Alarm("pbx_events_lost", f"no events from the PBX: {words}"))

    def _note_return(self) -> None:
        if self._trouble is not None:
            _log.info("pbx_events_back")
            self._events.publish(Alarm("pbx_events_lost", "the PBX sends events again", clear=True))
        self._trouble = None


def _read(message: str | bytes) -> Mapping[str, Any]:
    """Read a message's JSON object; what is none says nothing."""
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _admission(said: Mapping[str, Any]) -> bool | None:
    """Tell whether the key was accepted; None where the message speaks of something else."""
    if said.get("action") != "auth":
        return None
    return said.get("status") in (1, "1")


def _events_in(message: str | bytes, received_at: datetime) -> list[RawEvent]:
    """Return the events in a message; none in one that only keeps the line."""
    if _admission(_read(message)) is not None:
        return []
    body = message.encode() if isinstance(message, str) else message
    found = parse_body(body, {"content-type": "application/json"})
    if found or _read(message):
        told = [fields for fields in found if EventFields(fields).mentions_call]
        return [make_raw_event(fields, received_at) for fields in told]
    if not _A_NUMBER.search(body):
        return []  # a word like "pong"
    raw = make_raw_event((), received_at)
    return [replace(raw, body=encode_body(body), content_type="websocket")]
