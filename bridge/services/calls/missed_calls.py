"""Debts: a missed call is owed a call-back, and 1C reminds of it as long as it is.

What happens to a debt is decided in `domain.missed`; here the calls it touches are gathered, and
what 1C shall hold of each is wished anew.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.desired import DesiredReminder
from bridge.domain.calls.state import Disposition
from bridge.domain.calls.talks import is_later_talk, is_talk_with_client
from bridge.domain.calls.work_hours import WorkHours
from bridge.domain.delivery import missed_calls as missed
from bridge.domain.delivery.caller_names import reminder_text
from bridge.domain.delivery.entry import OutboxEntry, find_sent_reminder
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.delivery.texts import Language
from bridge.domain.directory.entities import ExtensionOwner
from bridge.ports.clock import Clock
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.ledger import CallLedger, LedgerChange
from bridge.ports.stores.number_memory import Talk
from bridge.services.calls.active_calls import ActiveCalls
from bridge.services.calls.call_back_owners import CallBackOwners

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MissedCallRules:
    """How missed calls are reminded of. *escalate_after* is working time; None: never."""

    lang: Language
    zone: tzinfo
    keep_reminders: bool = True
    escalate_after: timedelta | None = None
    escalation_extension: str | None = None
    work_hours: WorkHours = field(default_factory=WorkHours)


@dataclass(slots=True)
class ChangeBuilder:
    """One step of following the calls, as it is gathered; calls by key as they shall stand."""

    calls: dict[str, PhoneCall] = field(default_factory=dict)
    entries: list[OutboxEntry] = field(default_factory=list)
    reopened: dict[str, None] = field(default_factory=dict)
    missed_calls: dict[str, MissedCall] = field(default_factory=dict)
    talks: list[Talk] = field(default_factory=list)
    new_events: list[tuple[RawEvent, str | None]] = field(default_factory=list)
    assigned_events: list[tuple[int, str]] = field(default_factory=list)
    #: Whether pages were told of the calls.
    published: bool = False

    def build(self) -> LedgerChange:
        """Give the step as the ledger takes it."""
        return LedgerChange(
            calls=tuple(self.calls.values()),
            entries=tuple(self.entries),
            reopened=tuple(self.reopened),
            missed_calls=tuple(self.missed_calls.values()),
            talks=tuple(self.talks),
            new_events=tuple(self.new_events),
            assigned_events=tuple(self.assigned_events),
        )

    def change_call(self, call: PhoneCall) -> None:
        """Have *call* stand so, and its outbox entry look at it."""
        self.calls[call.key] = call
        self.reopened[call.key] = None


class MissedCalls:
    """The open debts of all clients."""

    def __init__(
        self,
        *,
        ledger: CallLedger,
        active_calls: ActiveCalls,
        owner_of: Callable[[str], ExtensionOwner],
        owners: CallBackOwners,
        rules: MissedCallRules,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._calls = active_calls
        self._owner_of = owner_of
        self._responsible = owners
        self._rules = rules
        self._clock = clock
        #: By the key of their first call: the client's name in 1C may change.
        self._open: dict[str, MissedCall] = {}
        self._nobody_told = False

    @property
    def open(self) -> tuple[MissedCall, ...]:
        """The clients who wait, the longest waiting first."""
        return tuple(sorted(self._open.values(), key=lambda debt: debt.opened_at))

    async def load(self) -> None:
        """Take up the open debts of before a restart."""
        self._open = {debt.key: debt for debt in await self._ledger.open_missed_calls()}

    def is_reminder_call(self, key: str) -> bool:
        """Whether the call of *key* carries the reminder of an open debt."""
        return any(debt.reminder_call == key for debt in self._open.values())

    async def call_changed(self, step: ChangeBuilder, before: PhoneCall, after: PhoneCall) -> None:
        """Take up what became of a call: it opens a debt, joins one, or pays one."""
        was, now_missed = missed.is_missed(before), missed.is_missed(after)
        if now_missed and not was:
            await self._owe(step, after)
        elif was and not now_missed:
            await self._forgive(step, after)
        elif after.state.disposition is Disposition.MISSED and not after.client_key:
            self._retitle(step, after)
        if after.state.disposition in (Disposition.TALKING, Disposition.ANSWERED):
            if is_talk_with_client(after):
                for debt in self._of(after):
                    await self._pay(step, debt, after)
            over = after.state.disposition.is_over and not now_missed
            if not self._rules.keep_reminders and over:
                self._wish(step, after, ())

    async def reminder_changed(self, step: ChangeBuilder, entry: OutboxEntry) -> None:
        """Take up what 1C is known to hold of a debt's reminder."""
        for debt in [d for d in self._open.values() if d.reminder_call == entry.key]:
            call = await self._call(step, entry.key)
            owner = debt.owner.manager if debt.owner else None
            if call is None or owner is None:
                continue
            kept = find_sent_reminder(entry, owner)
            after = missed.apply_sent_reminder(debt, kept, call.desired_reminders, self._clock())
            if after != debt:
                await self._put(step, after)
            if not after.is_open and debt.separate_reminder_calls:
                await self._begin(step, debt.separate_reminder_calls)

    async def reassign(self, step: ChangeBuilder) -> None:
        """Give the debts to whom 1C names now; two that turn out to be one client's become one."""
        for key in list(self._open):
            debt = self._open.get(key)
            last = None if debt is None else await self._call(step, debt.call_keys[-1])
            if debt is None or last is None:
                continue
            after = self._responsible.reassigned(debt, last)
            if after == debt:
                continue
            await self._put(step, await self._united(step, after))
            await self._look_at_holder(step, key)

    async def _look_at_holder(self, step: ChangeBuilder, key: str) -> None:
        """Take up at once what the new owner did before with a reminder on this document."""
        debt = self._open.get(key)
        found = None if debt is None else await self._ledger.entry(debt.reminder_call)
        if found is not None:
            await self.reminder_changed(step, found[0])

    async def reschedule_escalations(self, step: ChangeBuilder, by: timedelta) -> None:
        """Date what waits to be escalated anew: the wall clock stepped *by* so much."""
        rules = self._rules
        if rules.escalate_after is None:
            return
        latest = rules.work_hours.moment_after(self._clock(), rules.escalate_after, rules.zone)
        if latest is None:
            return
        for debt in self.open:
            after = missed.shift_escalation(debt, by, latest)
            if after != debt:
                await self._put(step, after)

    async def escalate(self, step: ChangeBuilder) -> None:
        """Tell a second person of the debts whose time has come."""
        now, extension = self._clock(), self._rules.escalation_extension
        ripe = [debt for debt in self._open.values() if debt.is_due_for_escalation(now)]
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
            await self._put(step, missed.mark_escalated(debt, manager.ref))

    async def _owe(self, step: ChangeBuilder, call: PhoneCall) -> None:
        """Open the client's debt or add to it; not where he was talked to meanwhile."""
        lang = self._rules.lang
        talked = next(
            (
                c
                for c in self._others(step, call)
                if is_talk_with_client(c) and is_later_talk(c, call)
            ),
            None,
        )
        known = self._of(call)
        debt = missed.add_missed_call(
            known[0] if known else None, call, lang, self._escalate_at(call)
        )
        debt = await self._united(step, self._responsible.with_call(debt, call))
        await self._put(
            step, debt if talked is None else missed.mark_called_back(debt, talked, self._clock())
        )

    def _of(self, call: PhoneCall) -> list[MissedCall]:
        """Return the open debts of the client of *call*, by whatever he was known as; oldest first.

        A number stays his when 1C learns or forgets whose it is.
        """
        number = call.caller.number
        return [
            debt
            for debt in self.open
            if call.client_key and (debt.client == call.client_key or number in debt.numbers)
        ]

    async def _united(self, step: ChangeBuilder, debt: MissedCall) -> MissedCall:
        """Return *debt* with all others of the same client in it."""
        for other in self.open:
            same = other.client == debt.client or set(other.numbers) & set(debt.numbers)
            if other.key == debt.key or not same:
                continue
            elder, younger = sorted((debt, other), key=lambda d: (d.opened_at, d.key))
            debt = replace(
                missed.merge_missed_calls(elder, younger),
                client=debt.client,
                name=debt.name,
                owner=debt.owner,
            )
            await self._put(step, missed.close_with_calls(younger, (), self._clock(), ""))
        return debt

    async def _pay(self, step: ChangeBuilder, debt: MissedCall, talk: PhoneCall) -> None:
        """Close the debt for the missed calls that *talk* came after."""
        calls = {key: await self._call(step, key) for key in debt.call_keys}
        waits = [k for k, c in calls.items() if c is not None and not is_later_talk(talk, c)]
        if talk.key in debt.call_keys or len(waits) == len(debt.call_keys):
            return
        if waits:
            done = [key for key in debt.call_keys if key not in waits]
            if debt.key not in waits:
                await self._put(step, missed.close_with_calls(debt, done, self._clock(), talk.key))
            await self._begin(step, waits)
        else:
            await self._put(step, missed.mark_called_back(debt, talk, self._clock()))

    async def _begin(self, step: ChangeBuilder, keys: Iterable[str]) -> None:
        """Open a debt of its own for missed calls that an earlier one no longer speaks of."""
        debt: MissedCall | None = None
        for key in keys:
            call = await self._call(step, key)
            if call is not None:
                debt = missed.add_missed_call(debt, call, self._rules.lang, self._escalate_at(call))
                debt = self._responsible.with_call(debt, call)
        if debt is not None:
            await self._put(step, debt)

    def _escalate_at(self, call: PhoneCall) -> datetime | None:
        rules, now = self._rules, self._clock()
        # The PBX's clock may be ahead of ours, by which the escalation comes.
        at = min(call.state.ended_at or now, now)
        if rules.escalate_after is None or not rules.escalation_extension:
            return None
        return rules.work_hours.moment_after(at, rules.escalate_after, rules.zone)

    async def _forgive(self, step: ChangeBuilder, call: PhoneCall) -> None:
        """Take a call out of its debt: the PBX said later that it was answered."""
        for debt in [d for d in self._open.values() if call.key in d.call_keys]:
            left = missed.remove_answered_call(debt, call, self._clock())
            self._wish(step, call, None)
            await self._put(step, left)

    async def _put(self, step: ChangeBuilder, debt: MissedCall) -> None:
        """Have *debt* stand so, and 1C hold what follows from it."""
        step.missed_calls[debt.key] = debt
        if debt.is_open:
            self._open[debt.key] = debt
        else:
            self._open.pop(debt.key, None)
        last = await self._call(step, debt.call_keys[-1]) if debt.call_keys else None
        for key in debt.call_keys:
            call = await self._call(step, key)
            if call is not None and last is not None:
                rules = self._rules
                self._wish(
                    step,
                    call,
                    missed.build_desired_reminders(debt, call, rules.lang, rules.zone, last),
                )

    def _retitle(self, step: ChangeBuilder, call: PhoneCall) -> None:
        """Say in the ringing reminder that the call was missed; nobody can be called back."""
        target = call.decision.target
        if target is not None and target.manager is not None and call.has_question:
            at = call.arrived_at.astimezone(self._rules.zone).strftime("%H:%M")
            text = reminder_text(call, self._rules.lang, "missed.once", time=at)
            self._wish(step, call, (DesiredReminder(target.manager, text),))

    def _wish(
        self, step: ChangeBuilder, call: PhoneCall, wishes: tuple[DesiredReminder, ...] | None
    ) -> None:
        call = step.calls.get(call.key, call)
        if call.desired_reminders != wishes:
            step.change_call(replace(call, desired_reminders=wishes, revision=call.revision + 1))

    def _others(self, step: ChangeBuilder, call: PhoneCall) -> Iterable[PhoneCall]:
        known = (*self._calls.of_client(call.client_key), *self._calls.of_caller(call.caller))
        for other in known:
            if other.key != call.key:
                yield step.calls.get(other.key, other)

    async def _call(self, step: ChangeBuilder, key: str) -> PhoneCall | None:
        return step.calls.get(key) or self._calls.get(key) or await self._ledger.call(key)
