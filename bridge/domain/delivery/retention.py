"""What age may delete: what is old by days that the bridge has seen, and whose work is done.

A clock that jumps adds one day, not the days between: so a jump deletes nothing.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.orders import OrderState
from bridge.domain.delivery.entry import EntryState, OutboxEntry

#: A day counts as seen once the wall clock has gone on so long without a step: a machine that
#: begins each time in 1970, until NTP answers, has not seen 1970.
STEADY_PERIOD = timedelta(minutes=10)


def day_of(moment: datetime) -> date:
    """Return the day of *moment*, by UTC, which no summer time shifts."""
    return moment.astimezone(UTC).date()


def oldest_kept(days: Sequence[date], keep_days: int) -> datetime | None:
    """Return the moment before which things are old; None while nothing is.

    *days* are those on which the bridge ran, in the order it saw them. Kept are the present one
    and *keep_days* whole ones before it, whatever the wall clock called them.
    """
    latest = list(dict.fromkeys(reversed(days)))
    if len(latest) <= keep_days + 1:
        return None
    return datetime.combine(min(latest[: keep_days + 1]), time(), UTC)


def is_done(call: PhoneCall, entry: OutboxEntry | None, *, is_client_waiting: bool) -> bool:
    """Return whether nothing is pending for *call*: for 1C, the client, or who ordered it.

    *entry* is its outbox entry; *is_client_waiting*: to be called back. A dead entry is pending
    until the administrator has dropped it, and so is the last search for a duplicate.
    """
    written = entry is None or entry.state is EntryState.DELIVERED
    order = call.order
    over = order is None or order.state is OrderState.REFUSED or not call.is_unfinished
    return written and over and not is_client_waiting
