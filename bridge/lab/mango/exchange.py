"""The exchange's own work: legs and their states, each of which is pushed as it comes.

docs/facts/mango.md, 'Call events'.
"""

import asyncio
import base64
import time
from collections.abc import Callable

import httpx

from bridge.lab.mango import push_fields
from bridge.lab.mango.cabinet import MangoCabinet
from bridge.lab.mango.calls import (
    Intervention,
    LegPlace,
    LegState,
    MangoCall,
    MangoLeg,
    MangoParty,
    MangoPlan,
    MangoPush,
)
from bridge.lab.mango.pushes import PushSender
from bridge.lab.mango.switches import MangoSwitches


class MangoExchange:
    """The calls of one cabinet.

    *pace* is how much of a second of ringing and talking passes really: 1 for all of it, 0 for
    none, and then times in pushes run ahead of *clock*. The silence of the menu always passes, for
    the bridge decides meanwhile.
    """

    def __init__(
        self,
        cabinet: MangoCabinet,
        http: httpx.AsyncClient,
        *,
        clock: Callable[[], float] = time.time,
        switches: MangoSwitches | None = None,
        pace: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.cabinet = cabinet
        self.clock = clock
        self.switches = switches or MangoSwitches()
        self.calls: list[MangoCall] = []
        #: Every leg by its identifier, with its call.
        self.legs: dict[str, tuple[MangoCall, MangoLeg]] = {}
        self.sender = PushSender(cabinet, http, seed=seed)
        self._pace = pace
        self._serial = 1000 * seed

    def switches_of(self, call: MangoCall) -> MangoSwitches:
        """Return the switches of a call: its own, else those of the moment."""
        return call.plan.switches or self.switches

    def now(self, call: MangoCall) -> int:
        """Return the time of a call in Unix seconds."""
        return int(self.clock() + call.ahead_s)

    def begin(self, plan: MangoPlan, *, command_id: str = "") -> MangoCall:
        """Return a new call without a leg."""
        serial = self._next_serial()
        # Of the clock too: a lab that is started again must not use its identifiers again.
        entry_id = base64.b64encode(f"{int(self.clock())}{serial}".encode()).decode()
        line = self.cabinet.line(plan.did)
        call = MangoCall(entry_id, serial, plan, line, int(self.clock()), command_id)
        self.calls.append(call)
        return call

    def add_leg(
        self,
        call: MangoCall,
        place: LegPlace,
        caller: MangoParty,
        callee: MangoParty,
        *,
        taken_from: MangoLeg | None = None,
        group: str = "",
        command_id: str = "",
        transfer: str = "",
        is_silent: bool = False,
    ) -> MangoLeg:
        """Return a new leg, which has appeared."""
        name = f"1:{self.cabinet.product}:17:{int(self.clock())}{self._next_serial()}"
        if place is LegPlace.MENU:
            name += ":1"
        leg = MangoLeg(
            call_id=base64.b64encode(name.encode()).decode(),
            place=place,
            caller=caller,
            callee=callee,
            appeared_at=self.now(call),
            taken_from=taken_from.call_id if taken_from else "",
            group=group,
            command_id=command_id,
            transfer=transfer,
            is_silent=is_silent,
        )
        call.legs.append(leg)
        self.legs[leg.call_id] = call, leg
        self._push_state(call, leg, LegState.APPEARED)
        return leg

    def substitute_caller(
        self, call: MangoCall, leg: MangoLeg, caller: MangoParty, taken_from: MangoLeg
    ) -> None:
        """Set the new caller of a transferred leg: its state comes a second time."""
        leg.caller, leg.taken_from = caller, taken_from.call_id
        switches = self.switches_of(call)
        repeats = {
            LegState.APPEARED: switches.appeared_twice,
            LegState.CONNECTED: switches.connected_twice,
        }
        if repeats.get(leg.state):
            self._push_state(call, leg, leg.state)

    def connect(self, call: MangoCall, leg: MangoLeg, *, is_talk: bool = True) -> None:
        """Let a leg be answered; a talk counts as the call's answer, and is recorded."""
        leg.connected_at = self.now(call)
        self._push_state(call, leg, LegState.CONNECTED)
        if not is_talk:
            return
        recorded = [one for one in call.legs if one.recording_id]
        call.answered_leg = call.answered_leg or leg
        if self.switches_of(call).recordings:
            serial = f"rec:{self.cabinet.product}:{call.began_at}{call.serial}"
            leg.recording_id = base64.b64encode(serial.encode()).decode()
            state = "Continued" if recorded else "Started"
            self._push_recording(call, leg, state, 1 + len(recorded))

    def hold(self, call: MangoCall, leg: MangoLeg) -> None:
        """Put a leg on hold."""
        self._push_state(call, leg, LegState.ON_HOLD)

    def end(self, call: MangoCall, leg: MangoLeg, reason: int) -> None:
        """End a leg, unless it is over."""
        if not leg.is_over:
            leg.reason, leg.ended_at = int(reason), self.now(call)
            self._push_state(call, leg, LegState.DISCONNECTED)

    def finish(self, call: MangoCall, *, is_silent: bool = False) -> None:
        """End a call: its recording, then its summary, unless nothing is pushed of it."""
        call.ended_at, switches = self.now(call), self.switches_of(call)
        recorded = [leg for leg in call.legs if leg.recording_id]
        if recorded:
            last = recorded[-1]
            self._push_recording(call, last, "Completed", 1 + len(recorded))
        if not is_silent and call.legs:
            fields = push_fields.summary_event(self.cabinet, switches, call)
            self.push(call, "events/summary", fields)
        if recorded:
            added = push_fields.recording_added(
                self.cabinet, switches, call, recorded[-1], call.ended_at
            )
            self.push(call, "events/record/added", added)
        call.finished_at, call.is_over = self.clock(), True

    def push(
        self, call: MangoCall | None, path: str, fields: push_fields.Fields, *, state: str = ""
    ) -> MangoPush:
        """Send a push, and remember it with its call."""
        switches = self.switches_of(call) if call else self.switches
        push = self.sender.queue(path, fields, switches, state=state)
        if call:
            call.pushes.append(push)
        return push

    def push_dtmf(self, call: MangoCall, leg: MangoLeg) -> None:
        """Push what the caller has keyed in the menu."""
        fields = push_fields.dtmf_event(self.switches_of(call), call, leg, self.now(call))
        self.push(call, "events/dtmf", fields)

    async def wait(
        self, call: MangoCall, seconds: float, *, is_paced: bool = True
    ) -> Intervention | None:
        """Let *seconds* of a call pass; return what was done meanwhile, None for nothing."""
        really = seconds * self._pace if is_paced else seconds
        try:
            async with asyncio.timeout(really):
                return await call.interventions.get()
        except TimeoutError:
            # A command that was accepted at the last moment counts.
            if not call.interventions.empty():
                return call.interventions.get_nowait()
            call.ahead_s += seconds - really
            return None

    def _push_state(self, call: MangoCall, leg: MangoLeg, state: LegState) -> None:
        leg.state = state
        leg.seq += 1
        if leg.is_silent:
            return
        fields = push_fields.leg_event(
            self.cabinet, self.switches_of(call), call, leg, self.now(call)
        )
        self.push(call, "events/call", fields, state=state.value)

    def _push_recording(self, call: MangoCall, leg: MangoLeg, state: str, seq: int) -> None:
        switches = self.switches_of(call)
        fields = push_fields.recording_event(switches, call, leg, state, seq=seq, at=self.now(call))
        self.push(call, "events/recording", fields)

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial
