"""Builds the lookup in 1C of callers whom the index does not know."""

from datetime import timedelta

from bridge.adapters.onec.protocol.slots import RequestSlots, Urgency
from bridge.adapters.onec.reading.lookup import ODataLookup
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.bootstrap.shared import (
    LIVE_LOOKUP_TIMEOUT_S,
    build_odata_client,
    monotonic,
    now,
    phone_rules,
)
from bridge.services.answering.live_lookup import RECORD_RESERVE, LiveLookup
from bridge.settings import Settings

#: A question to 1C asks three sets at the same time: with fewer connections for each question it
#: would wait for other questions, and that would be taken for 1C's answering time.
_REQUESTS_OF_A_QUESTION = 3


def build_live_lookup(
    settings: Settings, directory: SqliteDirectory, slots: RequestSlots
) -> LiveLookup | None:
    """Build the lookup of unknown callers in 1C; None where it may not be, or never in time.

    It has connections of its own and goes first at 1C: no caller waits behind a delivery.
    """
    patience = timedelta(milliseconds=settings.route_deadline_ms) - RECORD_RESERVE
    if not settings.live_lookup or patience <= timedelta(0):
        return None
    lookup = ODataLookup(
        build_odata_client(settings, LIVE_LOOKUP_TIMEOUT_S, slots=slots.for_client(Urgency.CALLER)),
        rules=phone_rules(settings),
        find_partner=directory.partner,
        metadata_cache=settings.data_dir / "metadata.json",
        is_crowded=lambda: live_lookup.is_crowded(),  # noqa: PLW0108 - it is made below
    )
    live_lookup = LiveLookup(
        lookup=lookup,
        directory=directory,
        clock=now,
        patience=patience,
        concurrency=max(1, settings.onec_concurrency // _REQUESTS_OF_A_QUESTION),
        monotonic=monotonic,
    )
    return live_lookup
