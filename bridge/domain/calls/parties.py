"""Which way a call goes and who its client is, from everything that is known of it.

In this order of trust:

1. our own order (click-to-call): it goes out, to the number ordered;
2. the routing question: who came by an outside line calls from outside, however few digits its
   number has;
3. what the PBX states of the parties (`STATED`); a statement with an outside party beats
   one without, for there is no internal call with an outside line;
4. the form of the numbers (`NUMBERS`);
5. what the call began as.

Within one level the earliest event counts; among numbers the one that knows its client best. All of
it is a pure function of the set of events, so neither order nor repetition can change it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.domain.calls.events import CallEvent, Direction, DirectionSource
from bridge.domain.phone.callers import Caller, CallerKind

#: An outside line has more digits than any extension.
_LONGEST_EXTENSION = 5
#: E.164: no number has more digits.
_LONGEST_NUMBER = 15

#: The better a client is known, the earlier the kind stands.
_KNOWN = (
    CallerKind.EXTERNAL,
    CallerKind.SHORT,
    CallerKind.INTERNAL,
    CallerKind.NONSENSE,
    CallerKind.WITHHELD,
)


@dataclass(frozen=True, slots=True)
class Parties:
    """Which way a call goes, with whom, by which line, and who of the company placed it."""

    direction: Direction
    caller: Caller
    did: str = ""
    placed_by: str = ""


def is_outside_line(did: str) -> bool:
    """Return whether the dialled *did* is a line of the telephone network, not an extension."""
    return _LONGEST_EXTENSION < len(did) <= _LONGEST_NUMBER and did.isdecimal()


def is_unknown_caller(caller: Caller) -> bool:
    """Return whether nothing at all was sent of the caller; a hidden number was sent as such."""
    return caller.kind is CallerKind.WITHHELD and not caller.raw


def derive_parties(
    initial: Parties, events: Sequence[CallEvent], *, has_question: bool, is_ordered: bool
) -> Parties:
    """Return the parties of a call by its *initial* ones and its *events*, in order."""
    if is_ordered:
        dialling = (e.extension for e in events if e.extension)
        return replace(initial, placed_by=initial.placed_by or next(dialling, ""))
    direction = _direction(initial, events, asked=has_question)
    did = _did(initial, direction, events, asked=has_question)
    if direction is Direction.INTERNAL and is_outside_line(did):
        direction = Direction.INBOUND
    own = [e for e in events if e.direction is direction]
    return Parties(
        direction=direction,
        caller=_caller(initial, direction, own, asked=has_question),
        did=did,
        placed_by=_placed_by(initial, direction, own),
    )


def fit_event(event: CallEvent, parties: Parties) -> CallEvent:
    """Return *event* as it reads in a call of these *parties*.

    Where its own reading took a short outside number for an extension that dials, that number
    is the client and none of our telephones.
    """
    client = parties.caller.short_number
    if parties.direction is not Direction.INBOUND or not client or event.extension != client:
        return event
    return replace(event, extension="") if event.direction is Direction.OUTBOUND else event


def _direction(initial: Parties, events: Sequence[CallEvent], *, asked: bool) -> Direction:
    if asked and initial.direction is Direction.INBOUND:
        return Direction.INBOUND
    for trust in (DirectionSource.STATED, DirectionSource.NUMBERS):
        stated = [e for e in events if e.direction_source is trust and e.direction is not None]
        if (
            trust is DirectionSource.NUMBERS
        ):  # the better an event knows its client, the more it knows
            stated.sort(key=_distrust)
        outside = [e.direction for e in stated if e.direction is not Direction.INTERNAL]
        if asked:  # the client may be a colleague: only a caller from outside changes that
            outside = [
                d for d in outside if d is Direction.INBOUND and trust is DirectionSource.STATED
            ]
        if outside:
            return outside[0] or initial.direction
        if stated and not asked:
            return Direction.INTERNAL
    return initial.direction


def _did(
    initial: Parties, direction: Direction, events: Sequence[CallEvent], *, asked: bool
) -> str:
    stated = (e.did for e in events if e.did and e.direction in (direction, None))
    return initial.did if asked and initial.did else next(stated, initial.did)


def _caller(
    initial: Parties, direction: Direction, own: Sequence[CallEvent], *, asked: bool
) -> Caller:
    clients = [e for e in own if e.client is not None]
    caller = initial.caller
    if clients and (not asked or is_unknown_caller(caller)):
        caller = min(clients, key=_distrust).client or caller
    if direction is Direction.INBOUND and caller.kind is CallerKind.INTERNAL:
        return Caller(CallerKind.SHORT, caller.raw)
    return caller


def _distrust(event: CallEvent) -> tuple[int, int]:
    kind = CallerKind.WITHHELD if event.client is None else event.client.kind
    return -event.direction_source, _KNOWN.index(kind)


def _placed_by(initial: Parties, direction: Direction, own: Sequence[CallEvent]) -> str:
    if direction is Direction.INBOUND:
        return ""
    if direction is Direction.INTERNAL:
        dialling = [e.client.short_number for e in own if e.client is not None]
    else:
        dialling = [e.extension for e in own]
    return next(filter(None, dialling), initial.placed_by)
