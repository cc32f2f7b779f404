"""A talk from its answer to its end, with the transfers that may come between.

docs/facts/mango.md, 'Sequences'.
"""

from bridge.lab.mango.calls import (
    LegCut,
    LegPlace,
    MangoCall,
    MangoCode,
    MangoLeg,
    MangoParty,
)
from bridge.lab.mango.exchange import MangoExchange
from bridge.lab.mango.switches import MangoOutcome


class CallCut(Exception):
    """A party hung up where the flow waits for nothing else."""

    def __init__(self, reason: int) -> None:
        super().__init__(reason)
        self.reason = reason


class TalkFlow:
    """The part of a call in which people talk; *caller* is who stays when one is transferred."""

    def __init__(self, exchange: MangoExchange, call: MangoCall, caller: MangoParty) -> None:
        self._exchange = exchange
        self._call = call
        self._plan = call.plan
        self._caller = caller

    async def run(self, leg: MangoLeg) -> None:
        """Let two people talk until one hangs up, or transfers the other."""
        if self._plan.outcome is MangoOutcome.BLIND_TRANSFER:
            leg = await self._transfer_blindly(leg)
        elif self._plan.outcome is MangoOutcome.RETURNED_TRANSFER:
            leg = await self._transfer_in_vain(leg)
        elif self._plan.outcome is MangoOutcome.CONSULTED_TRANSFER:
            leg = await self._consult(leg)
        is_manual = self._plan.outcome is MangoOutcome.MANUAL
        step = await self._exchange.wait(self._call, self._plan.talk_s, is_paced=not is_manual)
        by_caller = self._plan.ended_by == "caller"
        reason: int = MangoCode.CALLER if by_caller else MangoCode.CALLEE
        self._exchange.end(self._call, leg, step.reason if isinstance(step, LegCut) else reason)

    async def _transfer_blindly(self, leg: MangoLeg) -> MangoLeg:
        second = await self._ring_colleague(leg)
        self._exchange.connect(self._call, second)
        return second

    async def _transfer_in_vain(self, leg: MangoLeg) -> MangoLeg:
        """Let a blind transfer come back to the one who made it."""
        second = await self._ring_colleague(leg)
        self._exchange.end(self._call, second, MangoCode.TIME_OUT)
        third = self._exchange.add_leg(
            self._call,
            LegPlace.EMPLOYEE,
            self._caller,
            leg.callee,
            taken_from=second,
            command_id=leg.command_id,
            transfer="return_blind",
        )
        await self._pass(5)
        self._exchange.connect(self._call, third)
        return third

    async def _ring_colleague(self, leg: MangoLeg) -> MangoLeg:
        """Return the leg at the colleague to whom the caller is transferred blindly."""
        call, exchange = self._call, self._exchange
        await self._pass(10)
        exchange.hold(call, leg)
        second = self._add_transferred(leg, "blind")
        leg.transfer = "out"
        exchange.end(call, leg, MangoCode.CALLEE)
        exchange.substitute_caller(call, second, self._caller, leg)
        await self._pass(5)
        return second

    async def _consult(self, leg: MangoLeg) -> MangoLeg:
        call, exchange = self._call, self._exchange
        await self._pass(10)
        exchange.hold(call, leg)
        second = self._add_transferred(leg, "consultative")
        await self._pass(5)
        exchange.connect(call, second)
        await self._pass(10)
        leg.transfer = "out"
        exchange.end(call, leg, MangoCode.CALLEE)
        exchange.substitute_caller(call, second, self._caller, leg)
        return second

    async def _pass(self, seconds: float) -> None:
        step = await self._exchange.wait(self._call, seconds)
        if isinstance(step, LegCut):
            raise CallCut(step.reason)

    def _add_transferred(self, leg: MangoLeg, transfer: str) -> MangoLeg:
        """Return the leg from the employee who transfers to the colleague."""
        cabinet = self._exchange.cabinet
        colleagues = (one.extension for one in cabinet.employees)
        others = (one for one in colleagues if one not in {"", leg.callee.extension})
        extension = self._plan.transfer_to or next(others, "")
        consulted = transfer == "consultative"
        return self._exchange.add_leg(
            self._call,
            LegPlace.EMPLOYEE,
            leg.callee,
            MangoParty(extension, cabinet.sip_user(extension)),
            taken_from=leg if consulted else None,
            command_id=leg.command_id,
            transfer=transfer,
        )
