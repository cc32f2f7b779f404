"""Unfinished calls: ended by the PBX's own history, or given up.

Sipuni's final event may never come, so every call must come to its end without it.
Source: docs/facts/sipuni.md, "Events".
"""

import logging
from datetime import timedelta
from typing import Final

from bridge.edges import Edge
from bridge.errors import PbxError, PbxRefused
from bridge.ports.alarms import Alarm
from bridge.ports.clock import Clock
from bridge.ports.events import EventPublisher
from bridge.ports.pbx import PbxControl
from bridge.services.calls.tracking import CallTracker

_log = logging.getLogger(__name__)

#: The history is asked from a little before the oldest unfinished call: clocks differ.
_MARGIN: Final = timedelta(minutes=5)

#: No conversation lasts so long; the end of a call that has none by then is lost.
GIVE_UP_AFTER: Final = timedelta(hours=4)

#: An order that no event followed is no call: after so long, the history would contain it.
_SILENT_ORDER: Final = timedelta(minutes=30)


class UnfinishedCalls:
    """Asks the PBX for the end of calls without events for *silent_for*.

    *pbx* is None where its API is not set up: then calls are only given up.
    """

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
        self._tracker = tracker
        self._pbx = pbx
        self._events = events
        self._clock = clock
        self._silent_for = silent_for
        self._give_up_after = max(give_up_after, silent_for)
        self._history_fails = Edge()

    async def resolve(self) -> None:
        """End the calls that can be ended now; a PBX that fails is asked again the next time.

        Raises:
            StoreError: an end could not be written.
        """
        waiting = self._tracker.unfinished_calls(self._silent_for)
        if waiting and self._pbx is not None:
            since = min(call.arrived_at for call in waiting) - _MARGIN
            try:
                records = await self._pbx.history(since, self._clock())
            except PbxError as error:
                self._report_failure(error)
            else:
                self._report_answer()
                await self._tracker.apply_history(waiting, records)
                silent = self._tracker.unfinished_calls(max(self._silent_for, _SILENT_ORDER))
                await self._tracker.give_up(
                    call for call in silent if call.order and not call.applied_events
                )
        await self._tracker.give_up(self._tracker.unfinished_calls(self._give_up_after))

    def _report_failure(self, error: PbxError) -> None:
        if self._history_fails.begins():
            _log.warning("statistics_failed", extra={"reason": str(error)})
            if isinstance(error, PbxRefused):
                self._events.publish(Alarm("pbx_refuses", str(error), "statistics"))

    def _report_answer(self) -> None:
        if self._history_fails.ends():
            _log.info("statistics_back")
            message = "it gives statistics again"
            self._events.publish(Alarm("pbx_refuses", message, "statistics", clear=True))
