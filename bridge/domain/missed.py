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

from bridge.domain.call_events import Direction
from bridge.domain.calls import PhoneCall
from bridge.domain.decision import RouteDecision, Target
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

    @property
    def is_seen(self) -> bool:
        """Return whether there is a 1C user whose reminder it can be."""
        return self.owner is not None and self.owner.manager is not None

    def escalates(self, now: datetime) -> bool:
        """Whether it is time to tell a second person: at once, where no first one sees it."""
        due = self.escalate_at is not None and (self.escalate_at <= now or not self.is_seen)
        return self.is_open and due and self.escalated_to is None


def redated(debt: MissedDebt, step: timedelta, latest: datetime) -> MissedDebt:
    """Return *debt* behind a *step* of the wall clock; *latest* is when one of now escalates."""
    if debt.escalate_at is None or debt.escalated_to is not None or not debt.is_open:
        return debt
    return replace(debt, escalate_at=min(debt.escalate_at + step, latest))


def is_missed(call: PhoneCall) -> bool:
    """Whether *call* leaves a debt: a client who can be called back was not answered.

    Nor was one, for all that he got, who was answered and then lost in a transfer nobody took.
    """
    missed = call.life.disposition is Disposition.MISSED or call.life.lost_in_transfer
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


def owner_now(
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
    rung = [call.person(extension) for extension in reversed(call.life.rung)]
    first = [] if before is None or lost else [before]
    last = [before] if before is not None and lost else []
    choice = [*first, *rung, *([decision.fallback] if decision.fallback else []), *last]
    seen = (t for t in choice if t.manager is not None and sees(t.manager))
    named_by_nobody = decision.fallback or (None if before is None else Target(before.extension))
    return next(seen, named_by_nobody)


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


def paid(debt: MissedDebt, call: PhoneCall, now: datetime) -> MissedDebt:
    """Close the debt: *call* is the talk that paid it."""
    return replace(debt, closed_at=now, closed_by=call.key)


def merged(debt: MissedDebt, other: MissedDebt) -> MissedDebt:
    """Return *debt* with the calls of *other*, the younger one of the same client.

    The other's reminder stays until 1C is known to hold the joint one.
    """
    keys = (other.holder, *other.merging)
    return replace(
        debt,
        numbers=tuple(dict.fromkeys((*debt.numbers, *other.numbers))),
        calls=tuple(dict.fromkeys((*debt.calls, *other.calls))),
        merging=tuple(dict.fromkeys((*debt.merging, *(k for k in keys if k != debt.holder)))),
        last_at=max(debt.last_at, other.last_at),
    )


def left_to(debt: MissedDebt, keys: Collection[str], now: datetime, closed_by: str) -> MissedDebt:
    """Return *debt* closed, with the calls of *keys* alone: the others are another debt."""
    calls = tuple(key for key in debt.calls if key in keys)
    return replace(debt, calls=calls, merging=(), closed_at=now, closed_by=closed_by)


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

    The joint reminder is there: the others may go. It was dismissed: its manager has closed the
    debt, but for the calls that came since and still have reminders of their own.
    """
    if not debt.is_open or kept is None or debt.owner is None:
        return debt
    if kept.state is ReminderState.GONE:
        told = [key for key in debt.calls if key not in debt.merging]
        return left_to(debt, told, now, "")
    wanted = next((w for w in wish or () if w.user == debt.owner.manager), None)
    holds = wanted is not None and kept.text == wanted.text
    return replace(debt, merging=()) if holds and kept.state is ReminderState.KEPT else debt


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
        what = "missed.lost" if last.life.lost_in_transfer else "missed.once"
        return reminder_text(last, lang, what, time=at)
    return reminder_text(last, lang, "missed.often", count=str(len(debt.calls)), time=at)


def _clock_time(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime("%H:%M")
