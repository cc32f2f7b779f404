"""A missed call is a debt to a client that closes itself.

    missed ─► open ─(missed again: one debt, one reminder)─┬─ anyone talked to the client ─► paid
                └─(working time passed)─► escalated ──────┴─ its manager dismissed it ──► closed

One debt per client, from whichever of his numbers he calls; its one reminder hangs on the
document of one call, the holder. When the client is missed again, the new call's own reminder
stays until 1C is known to hold the joint one: a manager may have dismissed it, and then nobody
would be reminded at all.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from bridge.domain.call_events import Direction
from bridge.domain.calls import PhoneCall
from bridge.domain.decision import Target
from bridge.domain.directory import Ref
from bridge.domain.life import Disposition
from bridge.domain.phone import PhoneNumber
from bridge.domain.texts import Language, say
from bridge.domain.wanted import KeptReminder, ReminderState, ReminderWish
from bridge.domain.writeback import caller_name, reminder_text


@dataclass(frozen=True, slots=True)
class MissedDebt:
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
    calls: tuple[str, ...]
    holder: str
    owner: Target | None
    opened_at: datetime
    last_at: datetime
    merging: tuple[str, ...] = ()
    escalate_at: datetime | None = None
    escalated_to: Ref | None = None
    closed_at: datetime | None = None
    closed_by: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the client still waits."""
        return self.closed_at is None

    def escalates(self, now: datetime) -> bool:
        """Whether it is time to tell a second person."""
        due = self.escalate_at is not None and self.escalate_at <= now
        return self.is_open and due and self.escalated_to is None


def redated(debt: MissedDebt, step: timedelta, latest: datetime) -> MissedDebt:
    """Return *debt* behind a *step* of the wall clock; *latest* is when one of now escalates."""
    if debt.escalate_at is None or debt.escalated_to is not None or not debt.is_open:
        return debt
    return replace(debt, escalate_at=min(debt.escalate_at + step, latest))


def is_missed(call: PhoneCall) -> bool:
    """Whether *call* leaves a debt: a client who can be called back was not answered."""
    missed = call.life.disposition is Disposition.MISSED
    return missed and call.direction is Direction.INBOUND and bool(call.client)


def owner_of(call: PhoneCall) -> Target | None:
    """Name who owes the call back: the client's manager, else the last rung, else the default."""
    decision = call.decision
    if decision.targets:
        return decision.targets[0]
    rung = call.person(call.life.rung[-1]) if call.life.rung else None
    if rung is not None and rung.manager is not None:
        return rung
    return decision.fallback or rung


def owe(
    debt: MissedDebt | None, call: PhoneCall, lang: Language, escalate_at: datetime | None
) -> MissedDebt:
    """Give the client's debt with the missed *call* in it; *debt* is his open one, if there is."""
    number = call.caller.number
    numbers = () if number is None else (number,)
    if debt is None:
        return MissedDebt(
            key=call.key,
            client=call.client,
            name=caller_name(call, lang),
            numbers=numbers,
            calls=(call.key,),
            holder=call.key,
            owner=owner_of(call),
            opened_at=call.arrived_at,
            last_at=call.arrived_at,
            escalate_at=escalate_at,
        )
    if call.key in debt.calls:
        return debt
    return replace(
        debt,
        numbers=tuple(dict.fromkeys((*debt.numbers, *numbers))),
        calls=(*debt.calls, call.key),
        merging=(*debt.merging, call.key),
        last_at=max(debt.last_at, call.arrived_at),
    )


def pays(call: PhoneCall, debt: MissedDebt) -> bool:
    """Whether *call* is a talk with the debt's client that lasted beyond his first missed call."""
    life = call.life
    talking = life.disposition is Disposition.TALKING
    at = life.ended_at or life.answered_at or call.arrived_at
    talked = call.life.disposition in (Disposition.TALKING, Disposition.ANSWERED)
    same = call.client == debt.client or call.caller.number in debt.numbers
    outside = call.direction is not Direction.INTERNAL
    later = talking or at >= debt.opened_at
    return talked and same and outside and later and call.key not in debt.calls


def paid(debt: MissedDebt, call: PhoneCall, now: datetime) -> MissedDebt:
    """Close the debt: *call* is the talk that paid it."""
    return replace(debt, closed_at=now, closed_by=call.key)


def forgiven(debt: MissedDebt, call: PhoneCall, now: datetime) -> MissedDebt:
    """Take *call* out of the debt: it was answered after all. Closed when no call is left."""
    left = tuple(key for key in debt.calls if key != call.key)
    if not left:
        return replace(debt, closed_at=now, closed_by=call.key)
    holder = left[-1] if debt.holder == call.key else debt.holder
    merging = tuple(key for key in debt.merging if key in left and key != holder)
    return replace(debt, calls=left, holder=holder, merging=merging)


def wishes(
    debt: MissedDebt, call: PhoneCall, lang: Language, zone: tzinfo, last: PhoneCall
) -> tuple[ReminderWish, ...] | None:
    """Tell which reminders 1C should hold of *call*; None: the ringing one, as it stands.

    *last* is the debt's latest call, told in the text.
    """
    if not debt.is_open:
        return ()
    if call.key in debt.merging:
        return call.reminders
    if call.key != debt.holder or debt.owner is None or debt.owner.manager is None:
        return () if call.key != debt.holder else _escalation(debt, call, lang, zone)
    own = ReminderWish(debt.owner.manager, _text(debt, lang, zone, last))
    return (own, *_escalation(debt, call, lang, zone))


def reviewed(
    debt: MissedDebt,
    kept: KeptReminder | None,
    wish: tuple[ReminderWish, ...] | None,
    now: datetime,
) -> MissedDebt:
    """Take up what 1C is known to hold: *kept* is the owner's reminder on the holder's document.

    The joint reminder is there: the others may go. It was dismissed: the latest call that still
    has its own becomes the holder; where none has, its manager has closed the debt.
    """
    if not debt.is_open or kept is None or debt.owner is None:
        return debt
    if kept.state is ReminderState.GONE:
        if debt.merging:
            return replace(debt, holder=debt.merging[-1], merging=debt.merging[:-1])
        return replace(debt, closed_at=now, closed_by="")
    wanted = next((w for w in wish or () if w.user == debt.owner.manager), None)
    told = wanted is not None and kept.text == wanted.text
    return replace(debt, merging=()) if told and kept.state is ReminderState.KEPT else debt


def escalated(debt: MissedDebt, to: Ref) -> MissedDebt:
    """Tell a second person; where it is the owner himself nobody new is told."""
    return replace(debt, escalated_to=to)


def _escalation(
    debt: MissedDebt, call: PhoneCall, lang: Language, zone: tzinfo
) -> tuple[ReminderWish, ...]:
    owner = debt.owner.manager if debt.owner else None
    if debt.escalated_to is None or debt.escalated_to == owner:
        return ()
    who = debt.owner.name if debt.owner and debt.owner.name else say(lang, "missed.no_owner")
    since = _clock_time(debt.opened_at, zone)
    text = reminder_text(call, lang, "missed.escalated", time=since, owner=who)
    return (ReminderWish(debt.escalated_to, text, unless_gone=owner),)


def _text(debt: MissedDebt, lang: Language, zone: tzinfo, last: PhoneCall) -> str:
    at = _clock_time(debt.last_at, zone)
    if len(debt.calls) == 1:
        return reminder_text(last, lang, "missed.once", time=at)
    return reminder_text(last, lang, "missed.often", count=str(len(debt.calls)), time=at)


def _clock_time(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime("%H:%M")
