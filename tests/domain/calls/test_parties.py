"""Which way a call goes and who its client is: a stated order of trust, whatever comes first."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from bridge.domain.calls.call import PhoneCall, apply_event, call_from_event, join_question
from bridge.domain.calls.correlation import (
    find_call_at_moment,
    find_call_of_question,
    reread_as_inbound,
)
from bridge.domain.calls.events import CallEvent, Direction, DirectionSource, EventKind, Outcome
from bridge.domain.calls.state import Disposition
from bridge.domain.phone.callers import Caller, CallerKind
from bridge.domain.phone.phone import PhoneNumber
from tests.support import builders as b

CLIENT = Caller(CallerKind.EXTERNAL, "79001234567", PhoneNumber(79001234567))
COLLEAGUE = Caller(CallerKind.INTERNAL, "900", extension="900")
SHORT = Caller(CallerKind.SHORT, "900")
DID = "74950000001"
LINE = Caller(CallerKind.EXTERNAL, DID, PhoneNumber(int(DID)))


def event(second: int = 0, kind: EventKind = EventKind.STARTED, **parts: Any) -> CallEvent:
    at = b.NOON + timedelta(seconds=second)
    return replace(CallEvent("sipuni", kind, at, "1.1", code=kind.value), **parts)


INBOUND = event(1, direction=Direction.INBOUND, client=SHORT, did=DID)
DIALS = event(
    0,
    direction=Direction.OUTBOUND,
    client=LINE,
    extension="900",
    direction_source=DirectionSource.NUMBERS,
)
INSIDE = event(
    2,
    direction=Direction.INTERNAL,
    client=COLLEAGUE,
    extension="205",
    direction_source=DirectionSource.NUMBERS,
)
SILENT = event(3, EventKind.ANSWERED, extension="205", direction_source=DirectionSource.NONE)
ENDS = event(60, EventKind.ENDED, outcome=Outcome.ANSWERED, direction_source=DirectionSource.NONE)


def call_with(*events: CallEvent) -> PhoneCall:
    first = events[0]
    caller = first.client or Caller(CallerKind.WITHHELD, "")
    call = call_from_event(first, b.decision(), received_at=first.at, caller=caller)
    for one in events:
        call = apply_event(call, one)
    return call


@pytest.mark.parametrize("order", list(permutations((INBOUND, DIALS, INSIDE, SILENT, ENDS))))
def test_what_is_stated_beats_what_numbers_look_like_in_any_order(
    order: tuple[CallEvent, ...],
) -> None:
    call = call_with(*order)

    assert (call.direction, call.caller, call.did) == (Direction.INBOUND, SHORT, DID)
    assert (call.state.disposition, call.state.talked_extensions) == (
        Disposition.ANSWERED,
        ("205",),
    )
    assert call.placed_by == ""


def test_no_internal_call_has_an_outside_line() -> None:
    line = event(1, did=DID, direction_source=DirectionSource.NONE)

    call = call_with(INSIDE, line)

    assert (call.direction, call.caller) == (Direction.INBOUND, SHORT)


def test_numbers_alone_decide_where_nothing_else_does() -> None:
    call = call_with(DIALS)

    assert (call.direction, call.caller, call.placed_by) == (Direction.OUTBOUND, LINE, "900")


def test_a_caller_whom_the_first_event_did_not_name_is_learnt_later() -> None:
    call = call_with(
        event(0, direction_source=DirectionSource.NONE),
        event(1, direction=Direction.INBOUND, client=CLIENT),
    )

    assert call.caller == CLIENT
    assert call.revision == 1


def test_the_question_decides_what_few_digits_are() -> None:
    question = replace(b.question(did=DID), caller=SHORT)
    begun = call_with(replace(DIALS, at=b.NOON))

    assert find_call_of_question(question, [begun]) == begun
    assert reread_as_inbound(DIALS) == replace(
        DIALS, direction=Direction.INBOUND, client=SHORT, did=DID, extension=""
    )
    joined = join_question(begun, replace(b.call(question), key=begun.key))
    assert (joined.direction, joined.caller, joined.did) == (Direction.INBOUND, SHORT, DID)


def test_an_outgoing_call_to_another_number_is_nobodys_question() -> None:
    question = replace(b.question(did="74957654321"), caller=SHORT)

    assert find_call_of_question(question, [call_with(DIALS)]) is None


def test_line_and_moment_join_only_where_one_call_fits() -> None:
    nameless = event(1, did=b.question().did, direction_source=DirectionSource.NONE)
    call, other = b.call(), replace(b.call(b.question("79001112233")), key="other")

    assert find_call_at_moment(nameless, [call]) == call
    assert find_call_at_moment(nameless, [call, other]) is None
    assert find_call_at_moment(replace(nameless, did="74957654321"), [call]) is None
    assert find_call_at_moment(replace(nameless, at=b.NOON + timedelta(seconds=60)), [call]) is None
    assert find_call_at_moment(replace(nameless, order_ref="ab"), [call]) is None
