"""Missed calls: a client who was not answered is called back, and 1C reminds of it until then.

What an event makes of a missed call is decided in `domain.delivery.missed_calls`; here the calls
that it concerns are gathered, and the reminders that 1C should hold of each are set.
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
from bridge.domain.delivery import missed_calls as rules_of
from bridge.domain.delivery.caller_names import reminder_text
from bridge.domain.delivery.entry import OutboxEntry, find_sent_reminder
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.delivery.texts import Language
from bridge.domain.directory.entities import ExtensionOwner
from bridge.edges import Edge
from bridge.ports.clock import Clock
from bridge.ports.stores.ledger import CallLedger
from bridge.services.calls.active_calls import ActiveCalls
from bridge.services.calls.call_back_owners import CallBackOwners
from bridge.services.calls.change_builder import ChangeBuilder

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MissedCallRules:
    """How 1C reminds of missed calls. *escalate_after* is working time; None: never."""

    lang: Language
    zone: tzinfo
    keep_reminders: bool = True
    escalate_after: timedelta | None = None
    escalation_extension: str | None = None
    work_hours: WorkHours = field(default_factory=WorkHours)


class MissedCalls:
    """The clients who wait to be called back, each with one open missed call."""

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
        self._active_calls = active_calls
        self._owner_of = owner_of
        self._owners = owners
        self._rules = rules
        self._clock = clock
        #: By the key of their first call: the client's name in 1C may change.
        self._open: dict[str, MissedCall] = {}
        self._without_escalation_target = Edge()

    @property
    def open(self) -> tuple[MissedCall, ...]:
        """Return the open missed calls, the longest waiting first."""
        return tuple(sorted(self._open.values(), key=lambda missed: missed.opened_at))

    async def load(self) -> None:
        """Load the open missed calls from before a restart."""
        self._open = {missed.key: missed for missed in await self._ledger.open_missed_calls()}

    def is_reminder_call(self, key: str) -> bool:
        """Return whether the document of the call *key* carries the reminder of an open one."""
        return any(missed.reminder_call == key for missed in self._open.values())

    async def call_changed(
        self, changes: ChangeBuilder, before: PhoneCall, after: PhoneCall
    ) -> None:
        """Apply the change of a call: it opens a missed call, joins one, or closes one."""
        was_missed, is_missed = rules_of.is_missed(before), rules_of.is_missed(after)
        if is_missed and not was_missed:
            await self._add(changes, after)
        elif was_missed and not is_missed:
            await self._remove_answered(changes, after)
        elif after.state.disposition is Disposition.MISSED and not after.client_key:
            self._mark_missed_in_reminder(changes, after)
        if after.state.disposition in (Disposition.TALKING, Disposition.ANSWERED):
            if is_talk_with_client(after):
                for missed in self._of_client(after):
                    await self._close_by_talk(changes, missed, after)
            is_over = after.state.disposition.is_over and not is_missed
            if not self._rules.keep_reminders and is_over:
                self._set_reminders(changes, after, ())

    async def reminder_changed(self, changes: ChangeBuilder, entry: OutboxEntry) -> None:
        """Apply the known state in 1C of a missed call's reminder."""
        for missed in [m for m in self._open.values() if m.reminder_call == entry.key]:
            call = await self._call(changes, entry.key)
            owner = missed.owner.manager if missed.owner else None
            if call is None or owner is None:
                continue
            sent = find_sent_reminder(entry, owner)
            after = rules_of.apply_sent_reminder(
                missed, sent, call.desired_reminders, self._clock()
            )
            if after != missed:
                await self._put(changes, after)
            if not after.is_open and missed.separate_reminder_calls:
                await self._open_for(changes, missed.separate_reminder_calls)

    async def reassign(self, changes: ChangeBuilder) -> None:
        """Assign missed calls to the owners that 1C names now; merge those of one client."""
        for key in list(self._open):
            missed = self._open.get(key)
            last = None if missed is None else await self._call(changes, missed.call_keys[-1])
            if missed is None or last is None:
                continue
            after = self._owners.reassigned(missed, last)
            if after == missed:
                continue
            await self._put(changes, await self._merged(changes, after))
            await self._apply_owners_reminder(changes, key)

    async def _apply_owners_reminder(self, changes: ChangeBuilder, key: str) -> None:
        """Apply at once what the new owner did earlier with a reminder on this document."""
        missed = self._open.get(key)
        found = None if missed is None else await self._ledger.entry(missed.reminder_call)
        if found is not None:
            await self.reminder_changed(changes, found[0])

    async def reschedule_escalations(self, changes: ChangeBuilder, step: timedelta) -> None:
        """Move the moments of escalation: the wall clock made a *step*."""
        rules = self._rules
        if rules.escalate_after is None:
            return
        latest = rules.work_hours.moment_after(self._clock(), rules.escalate_after, rules.zone)
        if latest is None:
            return
        for missed in self.open:
            after = rules_of.shift_escalation(missed, step, latest)
            if after != missed:
                await self._put(changes, after)

    async def escalate(self, changes: ChangeBuilder) -> None:
        """Remind a second person of the missed calls that wait too long."""
        now, extension = self._clock(), self._rules.escalation_extension
        due = [missed for missed in self._open.values() if missed.is_due_for_escalation(now)]
        if not due or not extension:
            return
        manager = self._owner_of(extension).manager
        if manager is None:
            if self._without_escalation_target.begins():
                _log.warning("escalation_to_nobody", extra={"extension": extension})
            return
        self._without_escalation_target.ends()
        for missed in due:
            await self._put(changes, rules_of.mark_escalated(missed, manager.ref))

    async def _add(self, changes: ChangeBuilder, call: PhoneCall) -> None:
        """Open the client's missed call or add to it; closed where they have talked since."""
        open_one = next(iter(self._of_client(call)), None)
        missed = rules_of.add_missed_call(open_one, call, self._rules.lang, self._escalate_at(call))
        missed = await self._merged(changes, self._owners.with_call(missed, call))
        for other in self._others_of_client(changes, call):
            if is_talk_with_client(other) and is_later_talk(other, call):
                missed = rules_of.mark_called_back(missed, other, self._clock())
                break
        await self._put(changes, missed)

    def _of_client(self, call: PhoneCall) -> list[MissedCall]:
        """Return the open missed calls of the client of *call*, oldest first.

        A number stays the client's when 1C learns or loses its owner.
        """
        client, number = call.client_key, call.caller.number
        if not client:
            return []
        return [m for m in self.open if m.client == client or number in m.numbers]

    async def _merged(self, changes: ChangeBuilder, missed: MissedCall) -> MissedCall:
        """Return *missed* with all other open ones of the same client in it."""
        for other in self.open:
            is_same = other.client == missed.client or set(other.numbers) & set(missed.numbers)
            if other.key == missed.key or not is_same:
                continue
            elder, younger = sorted((missed, other), key=lambda m: (m.opened_at, m.key))
            missed = replace(
                rules_of.merge_missed_calls(elder, younger),
                client=missed.client,
                name=missed.name,
                owner=missed.owner,
            )
            await self._put(changes, rules_of.close_with_calls(younger, (), self._clock(), ""))
        return missed

    async def _close_by_talk(
        self, changes: ChangeBuilder, missed: MissedCall, talk: PhoneCall
    ) -> None:
        """Close *missed* for the calls before *talk*; open one of its own for later calls."""
        calls = {key: await self._call(changes, key) for key in missed.call_keys}
        later = [k for k, c in calls.items() if c is not None and not is_later_talk(talk, c)]
        if talk.key in missed.call_keys or len(later) == len(missed.call_keys):
            return
        if later:
            closed = [key for key in missed.call_keys if key not in later]
            if missed.key not in later:
                after = rules_of.close_with_calls(missed, closed, self._clock(), talk.key)
                await self._put(changes, after)
            await self._open_for(changes, later)
        else:
            await self._put(changes, rules_of.mark_called_back(missed, talk, self._clock()))

    async def _open_for(self, changes: ChangeBuilder, keys: Iterable[str]) -> None:
        """Open a missed call for the calls *keys*, which an earlier one contains no longer."""
        missed: MissedCall | None = None
        for key in keys:
            call = await self._call(changes, key)
            if call is not None:
                missed = rules_of.add_missed_call(
                    missed, call, self._rules.lang, self._escalate_at(call)
                )
                missed = self._owners.with_call(missed, call)
        if missed is not None:
            await self._put(changes, missed)

    def _escalate_at(self, call: PhoneCall) -> datetime | None:
        rules, now = self._rules, self._clock()
        # The PBX's clock may be ahead of ours, by which the escalation comes.
        ended_at = min(call.state.ended_at or now, now)
        if rules.escalate_after is None or not rules.escalation_extension:
            return None
        return rules.work_hours.moment_after(ended_at, rules.escalate_after, rules.zone)

    async def _remove_answered(self, changes: ChangeBuilder, call: PhoneCall) -> None:
        """Take *call* out of its missed call: the PBX reported later that it was answered."""
        for missed in [m for m in self._open.values() if call.key in m.call_keys]:
            after = rules_of.remove_answered_call(missed, call, self._clock())
            self._set_reminders(changes, call, None)
            await self._put(changes, after)

    async def _put(self, changes: ChangeBuilder, missed: MissedCall) -> None:
        """Add *missed* to the change, and to its calls the reminders that follow from it."""
        changes.missed_calls[missed.key] = missed
        if missed.is_open:
            self._open[missed.key] = missed
        else:
            self._open.pop(missed.key, None)
        last = await self._call(changes, missed.call_keys[-1]) if missed.call_keys else None
        if last is None:
            return
        lang, zone = self._rules.lang, self._rules.zone
        for key in missed.call_keys:
            call = await self._call(changes, key)
            if call is not None:
                reminders = rules_of.build_desired_reminders(missed, call, lang, zone, last)
                self._set_reminders(changes, call, reminders)

    def _mark_missed_in_reminder(self, changes: ChangeBuilder, call: PhoneCall) -> None:
        """Change the reminder of a ringing call into that of a missed one without a call back."""
        target = call.decision.target
        if target is not None and target.manager is not None and call.has_question:
            at = call.arrived_at.astimezone(self._rules.zone).strftime("%H:%M")
            text = reminder_text(call, self._rules.lang, "missed.once", time=at)
            self._set_reminders(changes, call, (DesiredReminder(target.manager, text),))

    def _set_reminders(
        self,
        changes: ChangeBuilder,
        call: PhoneCall,
        reminders: tuple[DesiredReminder, ...] | None,
    ) -> None:
        call = changes.calls.get(call.key, call)
        if call.desired_reminders != reminders:
            changed = replace(call, desired_reminders=reminders, revision=call.revision + 1)
            changes.change_call(changed)

    def _others_of_client(self, changes: ChangeBuilder, call: PhoneCall) -> Iterable[PhoneCall]:
        active = self._active_calls
        for other in (*active.of_client(call.client_key), *active.of_caller(call.caller)):
            if other.key != call.key:
                yield changes.calls.get(other.key, other)

    async def _call(self, changes: ChangeBuilder, key: str) -> PhoneCall | None:
        return changes.calls.get(key) or self._active_calls.get(key) or await self._ledger.call(key)
