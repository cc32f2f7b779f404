"""Which call an event belongs to where no id tells."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.domain.calls.call import PhoneCall, apply_event, with_order
from bridge.domain.calls.correlation import find_call_of_event, find_call_of_history
from bridge.domain.calls.events import CallEvent, Direction, EventKind
from bridge.domain.calls.orders import CallOrder, OrderState
from tests.support import builders as b

SECOND = timedelta(seconds=1)


def ordered(key: str, state: OrderState, after: timedelta = timedelta(0)) -> PhoneCall:
    """Return the call of an order of which the PBX gave no id."""
    at = b.NOON + after
    call = replace(
        b.call(),
        key=key,
        direction=Direction.OUTBOUND,
        arrived_at=at,
        received_at=at,
        has_question=False,
        placed_by="205",
    )
    return with_order(call, CallOrder(key, "205", b.NUMBER, at, state))


def rings(call: PhoneCall) -> CallEvent:
    return CallEvent(
        call.provider,
        EventKind.STARTED,
        b.NOON + SECOND,
        "1772625600.10",
        direction=Direction.OUTBOUND,
        client=call.caller,
        extension="205",
        order_ref="order1",
    )


@pytest.mark.parametrize("state", [OrderState.SENDING, OrderState.ACCEPTED, OrderState.UNKNOWN])
def test_of_two_orders_the_event_is_of_the_one_that_was_not_refused(state: OrderState) -> None:
    sent = ordered("sent", state)
    refused = ordered("refused", OrderState.REFUSED, SECOND)

    found = find_call_of_event(rings(sent), [sent, refused], b.NOON + SECOND)

    assert found == sent


def test_a_refused_order_has_no_events() -> None:
    refused = ordered("refused", OrderState.REFUSED)

    assert find_call_of_event(rings(refused), [refused], b.NOON) is None


@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=12)])
def test_a_line_of_the_history_is_of_the_call_whose_id_differs_in_the_last_digit(
    after: timedelta,
) -> None:
    nearer = ordered("nearer", OrderState.ACCEPTED, SECOND)
    other = ordered("other", OrderState.UNKNOWN, after)
    known = apply_event(other, rings(other))
    line = replace(rings(other), kind=EventKind.HISTORY, call_ref="1772625600.11")

    assert find_call_of_history(line, [nearer, known]) == known
    assert find_call_of_history(line, [nearer]) == nearer
