"""Clients who were not answered and have to be called back.

    missed ─► open ─(missed again: still one)──────┬─ the client was talked to ─► closed
                └─(working time passed)─► escalated ┴─ its owner dismissed it ──► closed

One missed call per client, whichever of the client's numbers rings. It belongs to the manager whom
1C names now, and moves when 1C changes. Its one joint reminder is on the 1C document of one call,
the reminder call. When the client is missed again, the reminder of the new call stays until 1C is
known to hold the joint one: a manager may have dismissed that, and there would be no reminder at
all.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.desired import DesiredReminder, ReminderState, SentReminder
from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.caller_names import caller_name, reminder_text
from bridge.domain.delivery.texts import Language, format_text
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import RouteDecision, Target


@dataclass(frozen=True, slots=True)
class MissedCall:
    """A client who was not answered and waits to be called back. *key* is that of the first call.

    *call_keys* are the client's missed calls, oldest first; *reminder_call* is the one whose 1C
    document carries the joint reminder, *separate_reminder_calls* those whose own reminders are
    still there. *owner* is who has to call back. *escalate_at* None: it never escalates. Open
    while *closed_at* is None; *closed_by* is the call that closed it, empty where its manager
    dismissed the reminder.
    """

    key: str
    client: str
    name: str
    numbers: tuple[PhoneNumber, ...]
    call_keys: tuple[str, ...]
    reminder_call: str
    owner: Target | None
    opened_at: datetime
    last_missed_at: datetime
    separate_reminder_calls: tuple[str, ...] = ()
    escalate_at: datetime | None = None
    escalated_to: Ref | None = None
    closed_at: datetime | None = None
    closed_by: str = ""

    @property
    def is_open(self) -> bool:
        """Return whether the client still waits."""
        return self.closed_at is None

    @property
    def has_onec_owner(self) -> bool:
        """Return whether there is a 1C user whose reminder it can be."""
        return self.owner is not None and self.owner.manager is not None

    def is_due_for_escalation(self, now: datetime) -> bool:
        """Return whether a second person is to be reminded: at once, where no owner sees it."""
        due = self.escalate_at is not None and (self.escalate_at <= now or not self.has_onec_owner)
        return self.is_open and due and self.escalated_to is None


def shift_escalation(missed: MissedCall, step: timedelta, latest: datetime) -> MissedCall:
    """Return *missed* after a *step* of the wall clock.

    *latest* is when a call that is missed now would escalate.
    """
    if missed.escalate_at is None or missed.escalated_to is not None or not missed.is_open:
        return missed
    return replace(missed, escalate_at=min(missed.escalate_at + step, latest))


def is_missed(call: PhoneCall) -> bool:
    """Return whether a client who can be called back was not answered by *call*.

    A client who was answered and then lost in a transfer counts as not answered.
    """
    missed = call.state.disposition is Disposition.MISSED or call.state.is_lost_in_transfer
    return missed and call.direction is Direction.INBOUND and bool(call.client_key)


def find_first_owner(call: PhoneCall) -> Target | None:
    """Return who has to call back: the client's manager, the one rung last, or the default."""
    decision = call.decision
    if decision.targets:
        return decision.targets[0]
    rung = call.target_of(call.state.rung_extensions[-1]) if call.state.rung_extensions else None
    if rung is not None and rung.manager is not None:
        return rung
    return decision.fallback or rung


def find_present_owner(
    call: PhoneCall,
    before: Target | None,
    decision: RouteDecision,
    sees: Callable[[Ref], bool],
) -> Target | None:
    """Return who has to call the client of *call* back, where today's *decision* is made.

    The manager whom 1C names; else the owner *before*, unless as the manager whom 1C does not name
    any more; else who was rung last; else the default. Only who *sees* a reminder counts, as long
    as there is one.
    """
    if decision.targets:
        return decision.targets[0]
    named = call.decision.targets[0] if call.decision.targets else None
    lost = before is not None and named is not None and before.manager == named.manager
    rung = [call.target_of(extension) for extension in reversed(call.state.rung_extensions)]
    first = [] if before is None or lost else [before]
    last = [before] if before is not None and lost else []
    choice = [*first, *rung, *([decision.fallback] if decision.fallback else []), *last]
    seen = (t for t in choice if t.manager is not None and sees(t.manager))
    named_by_nobody = decision.fallback or (None if before is None else Target(before.extension))
    return next(seen, named_by_nobody)


def add_missed_call(
    missed: MissedCall | None, call: PhoneCall, lang: Language, escalate_at: datetime | None
) -> MissedCall:
    """Return the client's missed call with *call* added.

    *missed* is the client's open one, None where there is none.
    """
    number = call.caller.number
    numbers = () if number is None else (number,)
    if missed is None:
        return MissedCall(
            key=call.key,
            client=call.client_key,
            name=caller_name(call, lang),
            numbers=numbers,
            call_keys=(call.key,),
            reminder_call=call.key,
            owner=find_first_owner(call),
            opened_at=call.arrived_at,
            last_missed_at=call.arrived_at,
            escalate_at=escalate_at,
        )
    if call.key in missed.call_keys:
        return missed
    return replace(
        missed,
        numbers=tuple(dict.fromkeys((*missed.numbers, *numbers))),
        call_keys=(*missed.call_keys, call.key),
        separate_reminder_calls=(*missed.separate_reminder_calls, call.key),
        last_missed_at=max(missed.last_missed_at, call.arrived_at),
    )


def mark_called_back(missed: MissedCall, call: PhoneCall, now: datetime) -> MissedCall:
    """Return *missed* closed: the client was talked to in *call*."""
    return replace(missed, closed_at=now, closed_by=call.key)


def merge_missed_calls(missed: MissedCall, other: MissedCall) -> MissedCall:
    """Return *missed* with the calls of *other*, a later one of the same client.

    The other's reminder stays until 1C is known to hold the joint one.
    """
    keys = (other.reminder_call, *other.separate_reminder_calls)
    return replace(
        missed,
        numbers=tuple(dict.fromkeys((*missed.numbers, *other.numbers))),
        call_keys=tuple(dict.fromkeys((*missed.call_keys, *other.call_keys))),
        separate_reminder_calls=tuple(
            dict.fromkeys(
                (*missed.separate_reminder_calls, *(k for k in keys if k != missed.reminder_call))
            )
        ),
        last_missed_at=max(missed.last_missed_at, other.last_missed_at),
    )


def close_with_calls(
    missed: MissedCall, keys: Collection[str], now: datetime, closed_by: str
) -> MissedCall:
    """Return *missed* closed, with the calls of *keys* only: the others stay missed."""
    calls = tuple(key for key in missed.call_keys if key in keys)
    return replace(
        missed, call_keys=calls, separate_reminder_calls=(), closed_at=now, closed_by=closed_by
    )


def remove_answered_call(missed: MissedCall, call: PhoneCall, now: datetime) -> MissedCall:
    """Return *missed* without *call*, which was answered after all.

    Closed where no call is left.
    """
    left = tuple(key for key in missed.call_keys if key != call.key)
    if not left:
        return replace(missed, closed_at=now, closed_by=call.key)
    reminder_call = left[-1] if missed.reminder_call == call.key else missed.reminder_call
    separate = tuple(
        key for key in missed.separate_reminder_calls if key in left and key != reminder_call
    )
    return replace(
        missed, call_keys=left, reminder_call=reminder_call, separate_reminder_calls=separate
    )


def build_desired_reminders(
    missed: MissedCall, call: PhoneCall, lang: Language, zone: tzinfo, last: PhoneCall
) -> tuple[DesiredReminder, ...] | None:
    """Return which reminders 1C should hold of *call*; None: the ringing one, as it stands.

    *last* is the latest call of it, which the text names.
    """
    if not missed.is_open:
        return ()
    if call.key in missed.separate_reminder_calls:
        return call.desired_reminders
    if call.key != missed.reminder_call:
        return ()
    escalation = _escalation(missed, call, lang, zone)
    if missed.owner is None or missed.owner.manager is None:
        return escalation
    return (DesiredReminder(missed.owner.manager, _text(missed, lang, zone, last)), *escalation)


def apply_sent_reminder(
    missed: MissedCall,
    sent: SentReminder | None,
    desired: tuple[DesiredReminder, ...] | None,
    now: datetime,
) -> MissedCall:
    """Return *missed* by what 1C is known to hold of its owner's reminder, which is *sent*.

    Where the joint reminder is written the separate ones may go. Where it was dismissed its owner
    has closed the missed call, but for the calls that came since and have reminders of their own.
    """
    if not missed.is_open or sent is None or missed.owner is None:
        return missed
    if sent.state is ReminderState.DISMISSED:
        seen = [key for key in missed.call_keys if key not in missed.separate_reminder_calls]
        return close_with_calls(missed, seen, now, "")
    own = next((r for r in desired or () if r.user == missed.owner.manager), None)
    is_joint = own is not None and sent.text == own.text
    if is_joint and sent.state is ReminderState.WRITTEN:
        return replace(missed, separate_reminder_calls=())
    return missed


def mark_escalated(missed: MissedCall, to: Ref) -> MissedCall:
    """Return *missed* escalated to the second person *to*."""
    return replace(missed, escalated_to=to)


def _escalation(
    missed: MissedCall, call: PhoneCall, lang: Language, zone: tzinfo
) -> tuple[DesiredReminder, ...]:
    owner = missed.owner.manager if missed.owner else None
    if missed.escalated_to is None or missed.escalated_to == owner:
        return ()
    name = "" if missed.owner is None else missed.owner.name
    who = name or format_text(lang, "missed.no_owner")
    since = _clock_time(missed.opened_at, zone)
    text = reminder_text(call, lang, "missed.escalated", time=since, owner=who)
    return (DesiredReminder(missed.escalated_to, text, unless_dismissed_by=owner),)


def _text(missed: MissedCall, lang: Language, zone: tzinfo, last: PhoneCall) -> str:
    at = _clock_time(missed.last_missed_at, zone)
    if len(missed.call_keys) == 1:
        what = "missed.lost" if last.state.is_lost_in_transfer else "missed.once"
        return reminder_text(last, lang, what, time=at)
    return reminder_text(last, lang, "missed.often", count=str(len(missed.call_keys)), time=at)


def _clock_time(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime("%H:%M")
