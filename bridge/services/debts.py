"""Debts: a missed call is owed a call-back, and 1C reminds of it as long as it is.

What happens to a debt is decided in `domain.missed`; here the calls it touches are gathered, and
what 1C shall hold of each is wished anew.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo

from bridge.domain import missed, outbox
from bridge.domain.calls import PhoneCall
from bridge.domain.directory import ExtensionOwner
from bridge.domain.life import Disposition
from bridge.domain.missed import MissedDebt
from bridge.domain.missed_talks import is_after, is_talk
from bridge.domain.outbox import OutboxEntry
from bridge.domain.texts import Language
from bridge.domain.wanted import ReminderWish
from bridge.domain.work_hours import WorkHours
from bridge.domain.writeback import reminder_text
from bridge.ports import Change, Clock, Ledger, RawEvent, Talk
from bridge.services.open_calls import OpenCalls
from bridge.services.responsible import Responsible

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DebtRules:
    """How missed calls are reminded of. *escalate_after* is working time; None: never."""

    lang: Language
    zone: tzinfo
    keep_reminders: bool = True
    escalate_after: timedelta | None = None
    escalation_extension: str | None = None
    work_hours: WorkHours = field(default_factory=WorkHours)


@dataclass(slots=True)
class Step:
    """One step of following the calls, as it is gathered; calls by key as they shall stand."""

    calls: dict[str, PhoneCall] = field(default_factory=dict)
    entries: list[OutboxEntry] = field(default_factory=list)
    woken: dict[str, None] = field(default_factory=dict)
    debts: dict[str, MissedDebt] = field(default_factory=dict)
    talks: list[Talk] = field(default_factory=list)
    arrived: list[tuple[RawEvent, str | None]] = field(default_factory=list)
    events: list[tuple[int, str]] = field(default_factory=list)
    #: Whether pages were told of the calls.
    shown: bool = False

    def change(self) -> Change:
        """Give the step as the ledger takes it."""
        return Change(
            calls=tuple(self.calls.values()),
            entries=tuple(self.entries),
            woken=tuple(self.woken),
            debts=tuple(self.debts.values()),
            talks=tuple(self.talks),
            arrived=tuple(self.arrived),
            events=tuple(self.events),
        )

    def put(self, call: PhoneCall) -> None:
        """Have *call* stand so, and its outbox entry look at it."""
        self.calls[call.key] = call
        self.woken[call.key] = None


class Debts:
    """The open debts of all clients."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        open_calls: OpenCalls,
        owner_of: Callable[[str], ExtensionOwner],
        responsible: Responsible,
        rules: DebtRules,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._calls = open_calls
        self._owner_of = owner_of
        self._responsible = responsible
        self._rules = rules
        self._clock = clock
        #: By the key of their first call: the client's name in 1C may change.
        self._open: dict[str, MissedDebt] = {}
        self._nobody_told = False

    @property
    def open(self) -> tuple[MissedDebt, ...]:
        """The clients who wait, the longest waiting first."""
        return tuple(sorted(self._open.values(), key=lambda debt: debt.opened_at))

    async def remember(self) -> None:
        """Take up the open debts of before a restart."""
        self._open = {debt.key: debt for debt in await self._ledger.open_debts()}

    def holds(self, key: str) -> bool:
        """Whether the call of *key* carries the reminder of an open debt."""
        return any(debt.holder == key for debt in self._open.values())

    async def consider(self, step: Step, before: PhoneCall, after: PhoneCall) -> None:
        """Take up what became of a call: it opens a debt, joins one, or pays one."""
        was, now_missed = missed.is_missed(before), missed.is_missed(after)
        if now_missed and not was:
            await self._owe(step, after)
        elif was and not now_missed:
            await self._forgive(step, after)
        elif after.life.disposition is Disposition.MISSED and not after.client:
            self._retitle(step, after)
        if after.life.disposition in (Disposition.TALKING, Disposition.ANSWERED):
            if is_talk(after):
                for debt in self._of(after):
                    await self._pay(step, debt, after)
            over = after.life.disposition.is_over and not now_missed
            if not self._rules.keep_reminders and over:
                self._wish(step, after, ())

    async def review(self, step: Step, entry: OutboxEntry) -> None:
        """Take up what 1C is known to hold of a debt's reminder."""
        for debt in [d for d in self._open.values() if d.holder == entry.key]:
            call = await self._call(step, entry.key)
            owner = debt.owner.manager if debt.owner else None
            if call is None or owner is None:
                continue
            kept = outbox.kept_for(entry, owner)
            after = missed.reviewed(debt, kept, call.reminders, self._clock())
            if after != debt:
                await self._put(step, after)
            if not after.is_open and debt.merging:
                await self._begin(step, debt.merging)

    async def reassign(self, step: Step) -> None:
        """Give the debts to whom 1C names now; two that turn out to be one client's become one."""
        for key in list(self._open):
            debt = self._open.get(key)
            last = None if debt is None else await self._call(step, debt.calls[-1])
            if debt is None or last is None:
                continue
            after = self._responsible.now(debt, last)
            if after == debt:
                continue
            await self._put(step, await self._united(step, after))
            await self._look_at_holder(step, key)

    async def _look_at_holder(self, step: Step, key: str) -> None:
        """Take up at once what the new owner did before with a reminder on this document."""
        debt = self._open.get(key)
        found = None if debt is None else await self._ledger.entry(debt.holder)
        if found is not None:
            await self.review(step, found[0])

    async def redate(self, step: Step, by: timedelta) -> None:
        """Date what waits to be escalated anew: the wall clock stepped *by* so much."""
        rules = self._rules
        if rules.escalate_after is None:
            return
        latest = rules.work_hours.after(self._clock(), rules.escalate_after, rules.zone)
        if latest is None:
            return
        for debt in self.open:
            after = missed.redated(debt, by, latest)
            if after != debt:
                await self._put(step, after)

    async def escalate(self, step: Step) -> None:
        """Tell a second person of the debts whose time has come."""
        now, extension = self._clock(), self._rules.escalation_extension
        ripe = [debt for debt in self._open.values() if debt.escalates(now)]
        if not ripe or not extension:
            return
        manager = self._owner_of(extension).manager
        if manager is None:
            if not self._nobody_told:
                _log.warning("escalation_to_nobody", extra={"extension": extension})
            self._nobody_told = True
            return
        self._nobody_told = False
        for debt in ripe:
            await self._put(step, missed.escalated(debt, manager.ref))

    async def _owe(self, step: Step, call: PhoneCall) -> None:
        """Open the client's debt or add to it; not where he was talked to meanwhile."""
        lang = self._rules.lang
        talked = next(
            (c for c in self._others(step, call) if is_talk(c) and is_after(c, call)), None
        )
        known = self._of(call)
        debt = missed.owe(known[0] if known else None, call, lang, self._escalate_at(call))
        debt = await self._united(step, self._responsible.joined(debt, call))
        await self._put(step, debt if talked is None else missed.paid(debt, talked, self._clock()))

    def _of(self, call: PhoneCall) -> list[MissedDebt]:
        """Return the open debts of the client of *call*, by whatever he was known as; oldest first.

        A number stays his when 1C learns or forgets whose it is.
        """
        number = call.caller.number
        return [
            debt
            for debt in self.open
            if call.client and (debt.client == call.client or number in debt.numbers)
        ]

    async def _united(self, step: Step, debt: MissedDebt) -> MissedDebt:
        """Return *debt* with all others of the same client in it."""
        for other in self.open:
            same = other.client == debt.client or set(other.numbers) & set(debt.numbers)
            if other.key == debt.key or not same:
                continue
            elder, younger = sorted((debt, other), key=lambda d: (d.opened_at, d.key))
            debt = replace(
                missed.merged(elder, younger), client=debt.client, name=debt.name, owner=debt.owner
            )
            await self._put(step, missed.left_to(younger, (), self._clock(), ""))
        return debt

    async def _pay(self, step: Step, debt: MissedDebt, talk: PhoneCall) -> None:
        """Close the debt for the missed calls that *talk* came after."""
        calls = {key: await self._call(step, key) for key in debt.calls}
        waits = [k for k, c in calls.items() if c is not None and not is_after(talk, c)]
        if talk.key in debt.calls or len(waits) == len(debt.calls):
            return
        if waits:
            done = [key for key in debt.calls if key not in waits]
            if debt.key not in waits:
                await self._put(step, missed.left_to(debt, done, self._clock(), talk.key))
            await self._begin(step, waits)
        else:
            await self._put(step, missed.paid(debt, talk, self._clock()))

    async def _begin(self, step: Step, keys: Iterable[str]) -> None:
        """Open a debt of its own for missed calls that an earlier one no longer speaks of."""
        debt: MissedDebt | None = None
        for key in keys:
            call = await self._call(step, key)
            if call is not None:
                debt = missed.owe(debt, call, self._rules.lang, self._escalate_at(call))
                debt = self._responsible.joined(debt, call)
        if debt is not None:
            await self._put(step, debt)

    def _escalate_at(self, call: PhoneCall) -> datetime | None:
        rules, now = self._rules, self._clock()
        # The PBX's clock may be ahead of ours, by which the escalation comes.
        at = min(call.life.ended_at or now, now)
        if rules.escalate_after is None or not rules.escalation_extension:
            return None
        return rules.work_hours.after(at, rules.escalate_after, rules.zone)

    async def _forgive(self, step: Step, call: PhoneCall) -> None:
        """Take a call out of its debt: the PBX said later that it was answered."""
        for debt in [d for d in self._open.values() if call.key in d.calls]:
            left = missed.forgiven(debt, call, self._clock())
            self._wish(step, call, None)
            await self._put(step, left)

    async def _put(self, step: Step, debt: MissedDebt) -> None:
        """Have *debt* stand so, and 1C hold what follows from it."""
        step.debts[debt.key] = debt
        if debt.is_open:
            self._open[debt.key] = debt
        else:
            self._open.pop(debt.key, None)
        last = await self._call(step, debt.calls[-1]) if debt.calls else None
        for key in debt.calls:
            call = await self._call(step, key)
            if call is not None and last is not None:
                rules = self._rules
                self._wish(step, call, missed.wishes(debt, call, rules.lang, rules.zone, last))

    def _retitle(self, step: Step, call: PhoneCall) -> None:
        """Say in the ringing reminder that the call was missed; nobody can be called back."""
        target = call.decision.target
        if target is not None and target.manager is not None and call.asked:
            at = call.arrived_at.astimezone(self._rules.zone).strftime("%H:%M")
            text = reminder_text(call, self._rules.lang, "missed.once", time=at)
            self._wish(step, call, (ReminderWish(target.manager, text),))

    def _wish(self, step: Step, call: PhoneCall, wishes: tuple[ReminderWish, ...] | None) -> None:
        call = step.calls.get(call.key, call)
        if call.reminders != wishes:
            step.put(replace(call, reminders=wishes, revision=call.revision + 1))

    def _others(self, step: Step, call: PhoneCall) -> Iterable[PhoneCall]:
        known = (*self._calls.of_client(call.client), *self._calls.of_party(call.caller))
        for other in known:
            if other.key != call.key:
                yield step.calls.get(other.key, other)

    async def _call(self, step: Step, key: str) -> PhoneCall | None:
        return step.calls.get(key) or self._calls.get(key) or await self._ledger.call(key)
