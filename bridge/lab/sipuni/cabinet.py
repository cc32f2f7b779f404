"""The cabinet of all calls: its clock and switches, and the push of its events.

Over HTTP each event is sent once, and incorrect answers may end the push; over the websocket it
goes to those who listen at this moment.
"""

from collections.abc import Callable

import httpx

from bridge.lab.sipuni.calls import PushedEvent
from bridge.lab.sipuni.protocol.events import Params
from bridge.lab.sipuni.scheme import SipuniScheme, signature
from bridge.lab.sipuni.switches import BodyForm, CabinetSwitches, EventsOver
from bridge.lab.sipuni.transport.bridge_client import BridgeClient
from bridge.lab.sipuni.transport.websocket_listeners import WebSocketListeners


class Cabinet:
    """One customer's settings at the PBX, and the way its events are pushed."""

    def __init__(
        self,
        scheme: SipuniScheme,
        http: httpx.AsyncClient,
        *,
        clock: Callable[[], float],
        stopwatch: Callable[[], float],
        switches: CabinetSwitches | None = None,
    ) -> None:
        self.scheme = scheme
        self.bad_answers = 0
        self.bridge_client = BridgeClient(scheme, http, stopwatch)
        self.listeners = WebSocketListeners(scheme.ws_key, lambda: self._switches)
        self._clock = clock
        self._switches = switches or CabinetSwitches()
        self._counter = 100_000

    @property
    def switches(self) -> CabinetSwitches:
        """Return the switches of calls that bring none of their own."""
        return self._switches

    def set_switches(self, switches: CabinetSwitches) -> None:
        """Set the cabinet's switches and reset the count of incorrect answers."""
        self._switches = switches
        self.bad_answers = 0

    @property
    def is_suspended(self) -> bool:
        """Return whether the cabinet has stopped pushing because of incorrect answers."""
        return 0 < self._switches.suspend_after <= self.bad_answers

    def unix_time(self) -> int:
        """Return the cabinet's clock in Unix seconds."""
        return int(self._clock())

    def reserve_serials(self, count: int) -> int:
        """Reserve *count* counters for call ids; return the number before the first of them."""
        self._counter += count
        return self._counter - count

    def recording_link(self, record_id: str) -> str:
        """Return the address a recording has in events: its own hash, no login."""
        scheme = self.scheme
        signed = signature({"id": record_id}, scheme.cabinet, scheme.key)
        return (
            f"{scheme.public_url}/api/crm/record?id={record_id}&hash={signed}&user={scheme.cabinet}"
        )

    async def push(
        self, code: str, params: Params, *, post: bool = False, form: BodyForm = BodyForm.FORM
    ) -> list[PushedEvent]:
        """Push one event, once by every way that is switched on and not suspended."""
        ways, pushes = self._switches.events_over, []
        if ways is not EventsOver.WEBSOCKET and self.scheme.push_url and not self.is_suspended:
            pushes.append(await self._send(code, params, post=post, form=form))
        if ways is not EventsOver.HTTP:
            reached = await self.listeners.notify(params)
            problem = "" if reached else "nobody listens on the websocket"
            pushes.append(PushedEvent(event=code, params=params, status=None, problem=problem))
        return pushes

    async def save_settings_page(self) -> PushedEvent:
        """Push the request without any field that saving the cabinet's settings may cause."""
        return await self._send("", ())

    async def _send(
        self, code: str, params: Params, *, post: bool = False, form: BodyForm = BodyForm.FORM
    ) -> PushedEvent:
        push = await self.bridge_client.push(code, params, post=post, form=form)
        self.bad_answers += bool(push.problem)
        return push
