"""The flag Рассмотрено of a call: set once somebody talked, taken back where the client was lost.

A write whose outcome is unknown may be committed late. Set again, that does no harm; taken back, it
would stand again, so the flag is taken back once nothing can be committed late any more.
"""

from dataclasses import replace
from datetime import datetime

from bridge.domain.calls.desired import DesiredState
from bridge.domain.delivery.entry import DeliveryRules, DeliveryStage, OutboxEntry


def needs_considered(entry: OutboxEntry, desired: DesiredState) -> bool:
    """Return whether 1C holds the other value, or may."""
    in_doubt = entry.considered_maybe_sent_at is not None and not desired.considered
    return in_doubt or entry.considered_written != desired.considered


def may_take_back_at(entry: OutboxEntry, rules: DeliveryRules) -> datetime | None:
    """Return when the flag may be taken back; None: at any time."""
    sent_at = entry.considered_maybe_sent_at
    return None if sent_at is None else sent_at + rules.verify_after


def doubt_considered(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Return *entry* after an attempt of which nobody knows whether it reached 1C."""
    if entry.stage is not DeliveryStage.CONSIDERED:
        return entry
    return replace(entry, considered_maybe_sent_at=now)


def confirm_considered(entry: OutboxEntry, desired: DesiredState) -> OutboxEntry:
    """Return *entry* after 1C took the flag; an earlier write may still be committed after it."""
    sent_at = entry.considered_maybe_sent_at if desired.considered else None
    return replace(entry, considered_written=desired.considered, considered_maybe_sent_at=sent_at)
