"""The cabinet from outside: calls come in, commands change them, and each is remembered."""

import asyncio
import time
from collections.abc import Callable, Coroutine

import httpx

from bridge.lab.mango.cabinet import MangoCabinet
from bridge.lab.mango.calls import (
    LegCut,
    LegPickedUp,
    LegPlace,
    LegRouted,
    LegState,
    MangoCall,
    MangoCode,
    MangoKind,
    MangoPlan,
    MangoPush,
)
from bridge.lab.mango.exchange import MangoExchange
from bridge.lab.mango.flows import CallFlow
from bridge.lab.mango.push_fields import Fields, result_event, write_json
from bridge.lab.mango.switches import MangoSwitches


class MangoLab(MangoExchange):
    """A whole cabinet; its API and control addresses are made by `create_mango_app`."""

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
        super().__init__(cabinet, http, clock=clock, switches=switches, pace=pace, seed=seed)
        self._running: set[asyncio.Task[None]] = set()

    def start_call(self, plan: MangoPlan) -> MangoCall:
        """Let a call begin, and return it at once."""
        call = self.begin(plan)
        self.run_in_background(CallFlow(self, call).run())
        return call

    async def place_call(self, plan: MangoPlan) -> MangoCall:
        """Place a call and return it when it is over and its pushes have been answered.

        Never raises for anything the bridge does: that is in the report.
        """
        call = self.begin(plan)
        await CallFlow(self, call).run()
        await self.sender.drain()
        return call

    def order_callback(
        self, command_id: str, extension: str, number: str, line: str
    ) -> Coroutine[object, object, None]:
        """Accept `commands/callback`; return what rings the telephones.

        Nothing looks whether the command came before: sent twice it rings twice. *line* is a
        number, or the name of a SIP line.
        """
        lines = self.cabinet.lines
        named = (one.number for one in lines if line and line in {one.number, one.sip_name})
        plan = MangoPlan(
            kind=MangoKind.CALLBACK,
            extension=extension,
            number=number,
            did=next(named, line or lines[0].number),
            outcome=self.switches.ordered_outcome,
        )
        return CallFlow(self, self.begin(plan, command_id=command_id)).run()

    def route(self, command_id: str, call_id: str, to_number: str) -> MangoCode:
        """Move a leg that is not answered; 4101 where it is over, 4100 where it cannot be.

        It cannot where people talk, where a command moves it already, and where an employee is
        giving the caller to another.
        """
        found = self.legs.get(call_id)
        if found is None or found[1].is_over:
            return MangoCode.OVER
        call, leg = found
        is_free = leg.state is LegState.APPEARED and not leg.is_routed and not leg.transfer
        if call.plan.kind is not MangoKind.INCOMING or not is_free:
            return MangoCode.NOT_NOW
        leg.is_routed = True
        call.interventions.put_nowait(LegRouted(leg, to_number, command_id))
        return MangoCode.DONE

    def hang_up(self, call_id: str) -> MangoCode:
        """End a leg, but not in a queue."""
        found = self.legs.get(call_id)
        if found is None or found[1].is_over:
            return MangoCode.OVER
        call, leg = found
        if leg.place is LegPlace.QUEUE:
            return MangoCode.NOT_NOW
        call.interventions.put_nowait(LegCut(leg, MangoCode.COMMAND))
        return MangoCode.DONE

    def answer(self, entry_id: str, extension: str = "") -> bool:
        """Pick up a telephone that rings; return whether one did."""
        call = self.find_call(entry_id)
        rings = call and any(
            leg.state is LegState.APPEARED and leg.place is LegPlace.EMPLOYEE
            for leg in call.legs
            if not extension or leg.callee.extension == extension
        )
        if not call or not rings:
            return False
        call.interventions.put_nowait(LegPickedUp(extension))
        return True

    def leave(self, entry_id: str, *, by_caller: bool = True) -> bool:
        """Let one side hang up; return whether the call went on until then."""
        call = self.find_call(entry_id)
        if call is None or call.is_over:
            return False
        reason = MangoCode.CALLER if by_caller else MangoCode.CALLEE
        call.interventions.put_nowait(LegCut(None, reason))
        return True

    def find_call(self, entry_id: str) -> MangoCall | None:
        """Return the call with this identifier."""
        return next((one for one in self.calls if one.entry_id == entry_id), None)

    async def push_result(self, command: str, command_id: str, code: int) -> None:
        """Push `result/<command>` and wait for the answer."""
        await self.push_anything(f"result/{command}", result_event(self.switches, command_id, code))

    async def push_anything(self, path: str, fields: Fields) -> MangoPush:
        """Push what no call of the lab's does, and wait for the answer."""
        push = MangoPush(path, write_json(fields, self.switches.json_style))
        await self._push_now(push)
        return push

    async def ping(self, *, is_signed: bool = True) -> MangoPush:
        """Press «Проверить подключение»: a signed `{}` or an empty form."""
        push = MangoPush("ping", "{}" if is_signed else "")
        await self._push_now(push)
        return push

    async def _push_now(self, push: MangoPush) -> None:
        self.sender.log.append(push)
        await self.sender.send(push, self.switches)

    def run_in_background(self, going_on: Coroutine[object, object, None]) -> None:
        """Let something go on beside its caller; `wait_until_idle` waits for it."""
        task = asyncio.create_task(going_on)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def wait_until_idle(self) -> None:
        """Wait until every call has run its course and every push has been answered."""
        while self._running:
            await asyncio.gather(*self._running)
        await self.sender.drain()
