"""How calls go, step by step: the menu, a telephone, a group, a talk, a transfer, a callback.

docs/facts/mango.md, 'Sequences' and 'Routing by command'. What the facts mark as inferred (the
order of a group's legs, the code of an interception) is a guess here too.
"""

from dataclasses import dataclass

from bridge.lab.mango.calls import (
    LegCut,
    LegPickedUp,
    LegPlace,
    LegRouted,
    MangoCall,
    MangoCode,
    MangoKind,
    MangoLeg,
    MangoParty,
)
from bridge.lab.mango.exchange import MangoExchange
from bridge.lab.mango.push_fields import result_event
from bridge.lab.mango.switches import MangoOutcome, ResultPush
from bridge.lab.mango.talks import CallCut, TalkFlow


@dataclass(frozen=True, slots=True)
class _Destination:
    """Where a caller goes next, and from which leg."""

    number: str
    taken_from: MangoLeg | None = None
    command_id: str = ""


class CallFlow:
    """One call on its way through the exchange."""

    def __init__(self, exchange: MangoExchange, call: MangoCall) -> None:
        self._exchange = exchange
        self._call = call
        self._plan = call.plan
        self._switches = exchange.switches_of(call)
        self._caller = MangoParty(number=call.plan.caller)
        self._talk = TalkFlow(exchange, call, self._caller)

    async def run(self) -> None:
        """Take the call from its first leg to its summary."""
        flows = {MangoKind.INCOMING: self._come_in, MangoKind.CALLBACK: self._call_back}
        try:
            await flows.get(self._plan.kind, self._dial)()
        except CallCut as cut:
            self._end_all(self._call.legs, cut.reason)
        legs = self._call.legs
        unseen = bool(legs) and legs[-1].is_silent and not self._switches.off_schedule_summary
        self._exchange.finish(self._call, is_silent=unseen)

    async def _come_in(self) -> None:
        line = self._call.line
        if line.extension:
            destination: _Destination | None = _Destination(line.extension)
        else:
            destination = await self._wait_in_menu()
        while destination is not None:
            destination = await self._ring(destination)

    async def _wait_in_menu(self) -> _Destination | None:
        """Let the caller wait in silence; return the destination, None where the call is over."""
        call, exchange, switches = self._call, self._exchange, self._switches
        menu = exchange.add_leg(call, LegPlace.MENU, self._caller, self._line_party)
        if self._plan.dtmf:
            exchange.push_dtmf(call, menu)
        leaves = self._plan.outcome is MangoOutcome.LEFT_IN_MENU
        began = exchange.clock()
        destination = _Destination(exchange.cabinet.default_group, menu)
        silence_s = switches.silence_s / 2 if leaves else switches.silence_s
        step = await exchange.wait(call, silence_s, is_paced=False)
        if isinstance(step, LegRouted):
            destination = _Destination(step.to_number, menu, step.command_id)
            step = await exchange.wait(call, switches.route_delay_s, is_paced=False)
        elif step is None and leaves:
            step = LegCut(menu, MangoCode.CALLER)
        elif step is None and self._plan.outcome is MangoOutcome.SCHEME_END:
            step = LegCut(menu, MangoCode.SCHEME)
        call.silence_s = exchange.clock() - began
        if isinstance(step, LegCut):
            exchange.end(call, menu, step.reason)
            return None
        exchange.end(call, menu, MangoCode.NORMAL)
        call.went_to_default = not destination.command_id
        return destination

    async def _ring(self, to: _Destination) -> _Destination | None:
        """Ring at a destination; return where a command moves the call, None when it is over."""
        exchange, cabinet = self._exchange, self._exchange.cabinet
        self._push_result(to, ResultPush.BEFORE_LEG)
        group = cabinet.group(to.number)
        if group is not None:
            return await self._ring_group(to, group.members)
        party = MangoParty(number=to.number)
        if cabinet.employee(to.number) is not None:
            party = MangoParty(to.number, cabinet.sip_user(to.number))
        leg = self._add_leg(to, party)
        self._push_result(to, ResultPush.AFTER_LEG)
        refusal = self._refusal_of(party)
        if refusal is not None:
            exchange.end(self._call, leg, refusal)
            return None
        step = await self._wait_for_answer()
        if isinstance(step, LegRouted):
            exchange.end(self._call, leg, MangoCode.INTERCEPTED)
            return _Destination(step.to_number, leg, step.command_id)
        if isinstance(step, LegPickedUp):
            exchange.connect(self._call, leg)
            await self._talk.run(leg)
            return None
        exchange.end(self._call, leg, step.reason)
        return None

    async def _ring_group(self, to: _Destination, members: tuple[str, ...]) -> _Destination | None:
        call, exchange, cabinet = self._call, self._exchange, self._exchange.cabinet
        queue = self._add_leg(to, self._line_party, place=LegPlace.QUEUE, group=to.number)
        self._push_result(to, ResultPush.AFTER_LEG)
        parties = [MangoParty(one, cabinet.sip_user(one)) for one in members]
        queued = _Destination(to.number, queue, to.command_id)
        legs = [
            self._add_leg(queued, party, group=to.number)
            for party in parties
            if self._refusal_of(party) is None
        ]
        if not legs:
            exchange.end(call, queue, MangoCode.GROUP_AWAY)
            return None
        step = await self._wait_for_answer()
        if isinstance(step, LegPickedUp):
            named = (leg for leg in legs if leg.callee.extension == step.extension)
            winner = next(named, legs[0])
            exchange.connect(call, winner)
            self._end_all(legs, MangoCode.INTERCEPTED, but=winner)
            exchange.end(call, queue, MangoCode.NORMAL)
            await self._talk.run(winner)
            return None
        if isinstance(step, LegRouted):
            self._end_all(legs, MangoCode.INTERCEPTED)
            exchange.end(call, queue, MangoCode.NORMAL)
            return _Destination(step.to_number, step.leg, step.command_id)
        self._end_all(legs, step.reason)
        is_late = step.reason == MangoCode.TIME_OUT
        exchange.end(call, queue, MangoCode.QUEUE_TIME_OUT if is_late else step.reason)
        return None

    async def _wait_for_answer(self) -> LegRouted | LegCut | LegPickedUp:
        """Let a telephone ring; return how that ends."""
        outcome = self._plan.outcome
        is_manual = outcome is MangoOutcome.MANUAL
        ring_s = 0.0 if outcome is MangoOutcome.BUSY else self._plan.ring_s
        step = await self._exchange.wait(self._call, ring_s, is_paced=not is_manual)
        if step is not None:
            return step
        if outcome.is_answered:
            return LegPickedUp()
        if outcome in {MangoOutcome.GIVES_UP, MangoOutcome.LEFT_IN_MENU}:
            return LegCut(None, MangoCode.CALLER)
        is_busy = outcome is MangoOutcome.BUSY
        return LegCut(None, MangoCode.BUSY if is_busy else MangoCode.TIME_OUT)

    async def _dial(self) -> None:
        """Ring an outside number, or a colleague, for an employee."""
        cabinet, plan = self._exchange.cabinet, self._plan
        is_inner = plan.kind is MangoKind.INTERNAL
        callee = MangoParty(number=plan.number)
        if is_inner:
            callee = MangoParty(plan.number, cabinet.sip_user(plan.number))
        caller = MangoParty(plan.extension, cabinet.sip_user(plan.extension))
        leg = self._exchange.add_leg(self._call, LegPlace.EMPLOYEE, caller, callee)
        refusal = self._refusal_of(callee) if is_inner else None
        await self._answer_and_talk(leg, refusal)

    async def _call_back(self) -> None:
        """Ring the employee, and the client once the employee has picked up."""
        call, exchange, plan = self._call, self._exchange, self._plan
        command = _Destination(plan.extension, command_id=call.command_id)
        employee = MangoParty(plan.extension, exchange.cabinet.sip_user(plan.extension))
        client = MangoParty(number=plan.number)
        self._push_result(command, ResultPush.BEFORE_LEG)
        first = exchange.add_leg(
            call, LegPlace.EMPLOYEE, client, employee, command_id=call.command_id
        )
        self._push_result(command, ResultPush.AFTER_LEG)
        refusal = self._refusal_of(employee)
        is_silent = plan.outcome is MangoOutcome.EMPLOYEE_SILENT
        if refusal is None:
            step = await exchange.wait(call, plan.ring_s if is_silent else 3)
            refusal = step.reason if isinstance(step, LegCut) else None
        if refusal is not None or is_silent:
            exchange.end(call, first, refusal or MangoCode.TIME_OUT)
            return
        exchange.connect(call, first, is_talk=False)
        exchange.end(call, first, MangoCode.DONE)
        second = exchange.add_leg(
            call,
            LegPlace.EMPLOYEE,
            employee,
            client,
            taken_from=first,
            command_id=call.command_id,
        )
        await self._answer_and_talk(second, None)

    async def _answer_and_talk(self, leg: MangoLeg, refusal: int | None) -> None:
        if refusal is not None:
            self._exchange.end(self._call, leg, refusal)
            return
        step = await self._wait_for_answer()
        if isinstance(step, LegCut):
            self._exchange.end(self._call, leg, step.reason)
            return
        self._exchange.connect(self._call, leg)
        await self._talk.run(leg)

    @property
    def _line_party(self) -> MangoParty:
        return MangoParty(number=self._call.line.number)

    def _add_leg(
        self,
        to: _Destination,
        callee: MangoParty,
        *,
        place: LegPlace = LegPlace.EMPLOYEE,
        group: str = "",
    ) -> MangoLeg:
        """Return the caller's leg at a destination."""
        return self._exchange.add_leg(
            self._call,
            place,
            self._caller,
            callee,
            taken_from=to.taken_from,
            group=group,
            command_id=to.command_id,
            is_silent=callee.extension in self._switches.off_schedule,
        )

    def _end_all(self, legs: list[MangoLeg], reason: int, *, but: MangoLeg | None = None) -> None:
        for leg in legs:
            if leg is not but:
                self._exchange.end(self._call, leg, reason)

    def _refusal_of(self, party: MangoParty) -> int | None:
        """Return why an employee's telephone does not ring; None where it does."""
        extension, switches = party.extension, self._switches
        if not extension:
            is_number = party.number.startswith("sip:") or len(party.number) > 5  # noqa: PLR2004 - longer than an extension
            return None if is_number else MangoCode.NO_SUCH_NUMBER
        if extension in switches.off_schedule:
            return MangoCode.OFF_SCHEDULE
        if extension in switches.offline:
            return MangoCode.AWAY
        return MangoCode.NOT_DISTURBED if extension in switches.do_not_disturb else None

    def _push_result(self, to: _Destination, moment: ResultPush) -> None:
        """Push the result of the command that led here, if this is its moment."""
        is_callback = self._plan.kind is MangoKind.CALLBACK
        push_moment = self._switches.result_push
        if push_moment is ResultPush.AS_SEEN:
            push_moment = ResultPush.BEFORE_LEG if is_callback else ResultPush.AFTER_LEG
        if to.command_id and push_moment is moment:
            fields = result_event(self._switches, to.command_id, MangoCode.DONE)
            path = f"result/{'callback' if is_callback else 'route'}"
            self._exchange.push(self._call, path, fields)
