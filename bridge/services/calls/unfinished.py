"""Settle: calls whose end nobody told are ended from the PBX's own statistics, or given up.

Sipuni's final event may never come (facts/telephony-apis.md §1.2), so every call must be
closable without it.
"""

import logging
from datetime import timedelta

from bridge.errors import PbxError, PbxRefused
from bridge.ports.alarms import Alarm
from bridge.ports.clock import Clock
from bridge.ports.events import EventPublisher
from bridge.ports.pbx import PbxControl
from bridge.services.calls.tracking import CallTracker

_log = logging.getLogger(__name__)

#: The statistics are asked from a little before the oldest open call: clocks differ.
_MARGIN = timedelta(minutes=5)

#: Nobody talks so long; what has not ended by then has lost its end.
GIVE_UP_AFTER = timedelta(hours=4)

#: An order that no event followed is no call: asked after so long, the statistics would know it.
_SILENT_ORDER = timedelta(minutes=30)


class UnfinishedCalls:
    """Asks for the end of calls that have been silent for *after*; *pbx* None: only gives up."""

    def __init__(
        self,
        *,
        tracker: CallTracker,
        pbx: PbxControl | None,
        events: EventPublisher,
        clock: Clock,
        silent_for: timedelta,
        give_up_after: timedelta = GIVE_UP_AFTER,
    ) -> None:
        self._following = tracker
        self._pbx = pbx
        self._events = events
        self._clock = clock
        self._after = silent_for
        self._give_up_after = max(give_up_after, silent_for)
        self._failing = ""

    async def resolve(self) -> None:
        """Settle what can be settled now; a PBX that does not tell is asked again next time."""
        waiting = self._following.unfinished_calls(self._after)
        if waiting and self._pbx is not None:
            since = min(call.arrived_at for call in waiting) - _MARGIN
            try:
                records = await self._pbx.history(since, self._clock())
            except PbxError as error:
                if not self._failing:
                    _log.warning("statistics_failed", extra={"reason": str(error)})
                    if isinstance(error, PbxRefused):
                        self._events.publish(Alarm("pbx_refuses", str(error), "statistics"))
                self._failing = str(error)
            else:
                if self._failing:
                    _log.info("statistics_back")
                    over = Alarm(
                        "pbx_refuses", "it gives statistics again", "statistics", clear=True
                    )
                    self._events.publish(over)
                self._failing = ""
                await self._following.apply_history(waiting, records)
                silent = self._following.unfinished_calls(max(self._after, _SILENT_ORDER))
                await self._following.give_up(c for c in silent if c.order and not c.applied_events)
        await self._following.give_up(self._following.unfinished_calls(self._give_up_after))
