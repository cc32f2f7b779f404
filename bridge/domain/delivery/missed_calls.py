"""A missed call is a debt to a client that closes itself.

    missed ─► open ─(missed again: one debt, one reminder)─┬─ anyone talked to the client ─► paid
                └─(working time passed)─► escalated ──────┴─ its manager dismissed it ──► closed

One debt per client, from whichever of his numbers he calls. It belongs to whom 1C names now, and
moves when 1C changes. Its one reminder hangs on the document of one call, the holder. When the
client is missed again, the new call's own reminder stays until 1C is known to hold the joint one:
a manager may have dismissed it, and then nobody would be reminded at all.
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
    """What the company owes a client who was not answered. *key* is that of his first call.

    *calls* are his missed calls, oldest first; *holder* is the one whose document carries the
    reminder, *merging* those whose own reminders are still up. *owner* is whose debt it is.
    *escalate_at* None: to nobody. Open while *closed_at* is None; *closed_by* is the call that
    paid it, empty where its manager dismissed it.
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
        """Whether the client still waits."""
        return self.closed_at is None

    @property
    def has_onec_owner(self) -> bool:
        """Return whether there is a 1C user whose reminder it can be."""
        return self.owner is not None and self.owner.manager is not None

    def is_due_for_escalation(self, now: datetime) -> bool:
        """Whether it is time to tell a second person: at once, where no first one sees it."""
        due = self.escalate_at is not None and (self.escalate_at <= now or not self.has_onec_owner)
        return self.is_open and due and self.escalated_to is None


def shift_escalation(debt: MissedCall, step: timedelta, latest: datetime) -> MissedCall:
    """Return *debt* behind a *step* of the wall clock; *latest* is when one of now escalates."""
    if debt.escalate_at is None or debt.escalated_to is not None or not debt.is_open:
        return debt
    return replace(debt, escalate_at=min(debt.escalate_at + step, latest))


def is_missed(call: PhoneCall) -> bool:
    """Whether *call* leaves a debt: a client who can be called back was not answered.

    Nor was one, for all that he got, who was answered and then lost in a transfer nobody took.
    """
    missed = call.state.disposition is Disposition.MISSED or call.state.is_lost_in_transfer
    return missed and call.direction is Direction.INBOUND and bool(call.client_key)


def find_first_owner(call: PhoneCall) -> Target | None:
    """Name who owes the call back: the client's manager, else the last rung, else the default."""
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

    The manager 1C names; else whoever had it *before*, unless he had it as the manager that 1C
    does not name any more; else who was rung last; else the default. Only who *sees* a reminder
    counts, as long as there is one.
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
    debt: MissedCall | None, call: PhoneCall, lang: Language, escalate_at: datetime | None
) -> MissedCall:
    """Give the client's debt with the missed *call* in it; *debt* is his open one, if there is."""
    number = call.caller.number
    numbers = () if number is None else (number,)
    if debt is None:
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
    if call.key in debt.call_keys:
        return debt
    return replace(
        debt,
        numbers=tuple(dict.fromkeys((*debt.numbers, *numbers))),
        call_keys=(*debt.call_keys, call.key),
        separate_reminder_calls=(*debt.separate_reminder_calls, call.key),
        last_missed_at=max(debt.last_missed_at, call.arrived_at),
    )


def mark_called_back(debt: MissedCall, call: PhoneCall, now: datetime) -> MissedCall:
    """Close the debt: *call* is the talk that paid it."""
    return replace(debt, closed_at=now, closed_by=call.key)


def merge_missed_calls(debt: MissedCall, other: MissedCall) -> MissedCall:
    """Return *debt* with the calls of *other*, the younger one of the same client.

    The other's reminder stays until 1C is known to hold the joint one.
    """
    keys = (other.reminder_call, *other.separate_reminder_calls)
    return replace(
        debt,
        numbers=tuple(dict.fromkeys((*debt.numbers, *other.numbers))),
        call_keys=tuple(dict.fromkeys((*debt.call_keys, *other.call_keys))),
        separate_reminder_calls=tuple(
            dict.fromkeys(
                (*debt.separate_reminder_calls, *(k for k in keys if k != debt.reminder_call))
            )
        ),
        last_missed_at=max(debt.last_missed_at, other.last_missed_at),
    )


def close_with_calls(
    debt: MissedCall, keys: Collection[str], now: datetime, closed_by: str
) -> MissedCall:
    """Return *debt* closed, with the calls of *keys* alone: the others are another debt."""
    calls = tuple(key for key in debt.call_keys if key in keys)
    return replace(
        debt, call_keys=calls, separate_reminder_calls=(), closed_at=now, closed_by=closed_by
    )


def remove_answered_call(debt: MissedCall, call: PhoneCall, now: datetime) -> MissedCall:
    """Take *call* out of the debt: it was answered after all. Closed when no call is left."""
    left = tuple(key for key in debt.call_keys if key != call.key)
    if not left:
        return replace(debt, closed_at=now, closed_by=call.key)
    holder = left[-1] if debt.reminder_call == call.key else debt.reminder_call
    merging = tuple(key for key in debt.separate_reminder_calls if key in left and key != holder)
    return replace(debt, call_keys=left, reminder_call=holder, separate_reminder_calls=merging)


def build_desired_reminders(
    debt: MissedCall, call: PhoneCall, lang: Language, zone: tzinfo, last: PhoneCall
) -> tuple[DesiredReminder, ...] | None:
    """Tell which reminders 1C should hold of *call*; None: the ringing one, as it stands.

    *last* is the debt's latest call, told in the text.
    """
    if not debt.is_open:
        return ()
    if call.key in debt.separate_reminder_calls:
        return call.desired_reminders
    if call.key != debt.reminder_call or debt.owner is None or debt.owner.manager is None:
        return () if call.key != debt.reminder_call else _escalation(debt, call, lang, zone)
    own = DesiredReminder(debt.owner.manager, _text(debt, lang, zone, last))
    return (own, *_escalation(debt, call, lang, zone))


def apply_sent_reminder(
    debt: MissedCall,
    kept: SentReminder | None,
    wish: tuple[DesiredReminder, ...] | None,
    now: datetime,
) -> MissedCall:
    """Take up what 1C is known to hold: *kept* is the owner's reminder on the holder's document.

    The joint reminder is there: the others may go. It was dismissed: its manager has closed the
    debt, but for the calls that came since and still have reminders of their own.
    """
    if not debt.is_open or kept is None or debt.owner is None:
        return debt
    if kept.state is ReminderState.DISMISSED:
        told = [key for key in debt.call_keys if key not in debt.separate_reminder_calls]
        return close_with_calls(debt, told, now, "")
    wanted = next((w for w in wish or () if w.user == debt.owner.manager), None)
    holds = wanted is not None and kept.text == wanted.text
    return (
        replace(debt, separate_reminder_calls=())
        if holds and kept.state is ReminderState.WRITTEN
        else debt
    )


def mark_escalated(debt: MissedCall, to: Ref) -> MissedCall:
    """Tell a second person; where it is the owner himself nobody new is told."""
    return replace(debt, escalated_to=to)


def _escalation(
    debt: MissedCall, call: PhoneCall, lang: Language, zone: tzinfo
) -> tuple[DesiredReminder, ...]:
    owner = debt.owner.manager if debt.owner else None
    if debt.escalated_to is None or debt.escalated_to == owner:
        return ()
    who = (
        debt.owner.name if debt.owner and debt.owner.name else format_text(lang, "missed.no_owner")
    )
    since = _clock_time(debt.opened_at, zone)
    text = reminder_text(call, lang, "missed.escalated", time=since, owner=who)
    return (DesiredReminder(debt.escalated_to, text, unless_dismissed_by=owner),)


def _text(debt: MissedCall, lang: Language, zone: tzinfo, last: PhoneCall) -> str:
    at = _clock_time(debt.last_missed_at, zone)
    if len(debt.call_keys) == 1:
        what = "missed.lost" if last.state.is_lost_in_transfer else "missed.once"
        return reminder_text(last, lang, what, time=at)
    return reminder_text(last, lang, "missed.often", count=str(len(debt.call_keys)), time=at)


def _clock_time(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime("%H:%M")
