"""The state of a call: a pure function of the set of its events.

Events come twice, out of order, or never. So nothing is kept from step to step: with every event
the whole state is derived again, and the order in which events came cannot matter. "Answered" beats
every other outcome. Source: docs/facts/sipuni.md, 'Events'.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from bridge.domain.calls.events import CallEvent, Direction, EventKind, Outcome


class Disposition(StrEnum):
    """What became of a call."""

    RINGING = "ringing"
    TALKING = "talking"
    ANSWERED = "answered"
    MISSED = "missed"  # a client or a colleague called, and was not answered
    NOT_REACHED = "not_reached"  # the company called, and was not answered
    UNKNOWN = "unknown"  # the PBX never reported how it went

    @property
    def is_over(self) -> bool:
        """Return whether the call has ended."""
        return self not in (Disposition.RINGING, Disposition.TALKING)


@dataclass(frozen=True, slots=True)
class CallState:
    """How a call went, by its events. Extensions are those of the company.

    *talked_extensions* are all who talked, in order; *answered_by* is the last of them. *wait_time*
    is until the call was answered or the caller gave up. What is not known is None or empty.

    *is_outcome_unread*: the PBX reported that the call is over and not how, or in an unknown form;
    its history has to be asked. *is_lost_in_transfer*: see `_is_lost_in_transfer`.
    """

    disposition: Disposition = Disposition.RINGING
    outcome: Outcome | None = None
    call_ref: str = ""
    order_ref: str = ""
    rung_extensions: tuple[str, ...] = ()
    talked_extensions: tuple[str, ...] = ()
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    wait_time: timedelta | None = None
    talk_time: timedelta | None = None
    recording: str = ""
    scheme: str = ""
    is_outcome_unread: bool = False
    is_lost_in_transfer: bool = False

    @property
    def needs_history(self) -> bool:
        """Return whether only the PBX's history can show how the call ended."""
        return self.is_outcome_unread or not self.disposition.is_over

    @property
    def answered_by(self) -> str:
        """Return the extension that talked last; empty when none did, or it is not known."""
        return self.talked_extensions[-1] if self.talked_extensions else ""


#: Kinds in the order in which events of one second happened.
_RANKS = {kind: rank for rank, kind in enumerate(EventKind)}
_EARLY = datetime.min.replace(tzinfo=UTC)


def add_event(events: Sequence[CallEvent], event: CallEvent) -> tuple[CallEvent, ...]:
    """Return *events* with *event*, in order of time; of a repeated one the earliest stays."""
    same = [other for other in events if other.repeat_key == event.repeat_key]
    others = [other for other in events if other.repeat_key != event.repeat_key]
    return tuple(sorted([*others, min([*same, event], key=_order)], key=_order))


def derive_state(direction: Direction, began: datetime, events: Iterable[CallEvent]) -> CallState:
    """Return the state of a call that *began* then; the order of *events* does not matter."""
    events = sorted(events, key=_order)
    rang, talked = _rung(direction, events), _talked(direction, events)
    finals = [e for e in events if e.kind in (EventKind.ENDED, EventKind.HISTORY)]
    answers = [e for e in events if _is_talk(direction, e)]
    # An ANSWER that reached no extension was given by a greeting or a voice menu: the
    # client talked to a machine, and waits to be called back.
    believed = [f for f in finals if f.outcome is Outcome.ANSWERED]
    someone = direction is not Direction.INBOUND or bool(rang or talked)
    answered = bool(answers) or (bool(believed) and someone)
    given_up = any(e.kind is EventKind.GIVEN_UP for e in events)

    started = [e.started_at or e.at for e in events if e.kind is EventKind.STARTED]
    start = min([began, *started])
    ends = [e.at for e in events if e.kind is EventKind.ENDED]
    ended_at = max(ends, default=None)
    answer_times = [f.answered_at for f in believed if f.answered_at is not None]
    answered_at = min([*(e.at for e in answers), *answer_times], default=None) if answered else None
    # An end in an unknown form proves nothing: the PBX's history decides.
    unread = bool(finals) and all(f.outcome is None for f in finals) and not answered
    has_history = given_up or any(f.kind is EventKind.HISTORY for f in finals)
    return CallState(
        disposition=Disposition.UNKNOWN
        if unread
        else _disposition(direction, answered=answered, over=bool(finals), given_up=given_up),
        outcome=Outcome.ANSWERED if answered else None if unread else _failure(finals),
        call_ref=next((e.call_ref for e in events if e.call_ref), ""),
        order_ref=next((e.order_ref for e in events if e.order_ref), ""),
        rung_extensions=rang,
        talked_extensions=talked if answered else (),
        answered_at=answered_at,
        ended_at=ended_at,
        wait_time=_span(start, answered_at or ended_at),
        talk_time=_talk(events, answers, answered_at, ended_at) if answered else None,
        recording=_recording(events) if answered else "",
        scheme=next((e.scheme for e in events if e.scheme), ""),
        is_outcome_unread=unread and not has_history,
        is_lost_in_transfer=_is_lost_in_transfer(direction, events, answers, ended_at),
    )


def _is_lost_in_transfer(
    direction: Direction,
    events: Sequence[CallEvent],
    answers: Sequence[CallEvent],
    ended_at: datetime | None,
) -> bool:
    """Return whether a client was answered, transferred, and gave up before the call was taken.

    Every manager who talked to the client had left before the call ended, and an extension that was
    rung after the last answer still rang then and was not picked up: the client has to be called
    back like one who was missed. The client is not lost where the first one took the call back, or
    where the history names the second as having talked. Where no end of a leg was reported, the
    final event decides: transferred by the last one who talked, to an extension that never
    answered.
    """
    if direction is not Direction.INBOUND or not answers or ended_at is None:
        return False
    last = answers[-1]
    answered = {answer.extension for answer in answers}
    named = {e.extension for e in events if e.kind is EventKind.HISTORY} - answered
    left = [_left_early(answer, events, ended_at) for answer in answers]
    leaving = max((at for at in left if at is not None), default=None)
    if leaving is None or None in left:
        return any(
            e.kind is EventKind.ENDED
            and e.transferred_by == last.extension
            and bool(e.rung_extensions)
            and e.rung_extensions[-1] not in answered | named
            for e in events
        )
    return any(
        e.kind is EventKind.STARTED
        and e.at > last.at
        and bool(e.extension)
        and e.extension not in named
        and _left(e, events, ended_at) >= leaving
        for e in events
    )


def _left_early(
    answer: CallEvent, events: Sequence[CallEvent], ended_at: datetime
) -> datetime | None:
    """Return when whoever gave *answer* left a call that went on; None where that is not so."""
    left = _left(answer, events, ended_at)
    return left if left < ended_at else None


def _disposition(
    direction: Direction, *, answered: bool, over: bool, given_up: bool
) -> Disposition:
    if answered:
        return Disposition.ANSWERED if over or given_up else Disposition.TALKING
    if over:
        outbound = direction is Direction.OUTBOUND
        return Disposition.NOT_REACHED if outbound else Disposition.MISSED
    return Disposition.UNKNOWN if given_up else Disposition.RINGING


def _is_talk(direction: Direction, event: CallEvent) -> bool:
    """Return whether *event* reports that a person picked up; a greeting is none."""
    if event.kind is not EventKind.ANSWERED:
        return False
    return bool(event.extension) or direction is Direction.OUTBOUND


def _rung(direction: Direction, events: Sequence[CallEvent]) -> tuple[str, ...]:
    if direction is Direction.OUTBOUND:
        return ()
    found: dict[str, None] = {}
    for event in events:
        if event.kind is EventKind.STARTED and event.extension:
            found[event.extension] = None
    for event in events:
        found |= dict.fromkeys(event.rung_extensions)
    return tuple(found)


def _talked(direction: Direction, events: Sequence[CallEvent]) -> tuple[str, ...]:
    """Return who talked, in order; where only the end was reported, whom the PBX names there."""
    extensions = [e.extension for e in events if _is_talk(direction, e) and e.extension]
    for event in events:
        final = event.kind in (EventKind.ENDED, EventKind.HISTORY)
        if not final or event.outcome is not Outcome.ANSWERED or extensions:
            continue
        last = event.extension or (event.rung_extensions[-1] if event.rung_extensions else "")
        extensions = [e for e in (event.transferred_by, last) if e]
    # Who took the client back stands last, and once.
    return tuple(reversed(dict.fromkeys(reversed(extensions))))


def _talk(
    events: Sequence[CallEvent],
    answers: Sequence[CallEvent],
    answered_at: datetime | None,
    ended_at: datetime | None,
) -> timedelta | None:
    """Return how long the client talked; while a transfer rings, the client waits again."""
    reported = [
        e.talk_time for e in events if e.kind is EventKind.HISTORY and e.talk_time is not None
    ]
    if answered_at is None or ended_at is None or ended_at < answered_at:
        return max(reported, default=None)
    spoken = [(a.at, _left(a, events, ended_at)) for a in answers] or [(answered_at, ended_at)]
    total, until = timedelta(0), _EARLY
    for start, end in sorted(spoken):
        begins = max(start, until)
        if end > begins:
            total += end - begins
            until = end
    return total


def _left(answer: CallEvent, events: Sequence[CallEvent], ended_at: datetime) -> datetime:
    """Return when whoever gave *answer* left the call."""
    return min(
        (
            e.at
            for e in events
            if e.kind is EventKind.LEG_ENDED
            and e.extension == answer.extension
            and e.at >= answer.at
        ),
        default=ended_at,
    )


def _recording(events: Sequence[CallEvent]) -> str:
    """Return the recording; of a call lost in a transfer it is that of the leg that talked."""
    ends = (EventKind.ENDED, EventKind.HISTORY, EventKind.LEG_ENDED)
    found = [e for e in events if e.recording and e.kind in ends]
    whole = [e.recording for e in found if e.kind is not EventKind.LEG_ENDED]
    legs = [e.recording for e in found if e.outcome is Outcome.ANSWERED]
    return (whole or legs or [""])[-1]


def _failure(finals: Sequence[CallEvent]) -> Outcome | None:
    known = [f.outcome for f in finals if f.outcome not in (None, Outcome.ANSWERED)]
    if known:
        return known[-1]
    return Outcome.NO_ANSWER if finals else None


def _span(start: datetime | None, end: datetime | None) -> timedelta | None:
    if start is None or end is None or end < start:
        return None
    return end - start


def _order(event: CallEvent) -> tuple[object, ...]:
    """Sort by time, then so that any two different events stand in one order."""
    return (
        event.at,
        _RANKS[event.kind],
        event.extension,
        event.leg,
        event.code,
        event.call_ref,
        event.outcome or "",
        event.answered_at or _EARLY,
        event.talk_time or timedelta(-1),
        event.rung_extensions,
        event.recording,
        repr(event),
    )
