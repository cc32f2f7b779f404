"""The first page: the state of the service, and the last calls as they come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.reporting.figures import LatencyHour
from bridge.errors import SESSIONS_BLOCKED
from bridge.ports.events import OneCAvailability
from bridge.ports.stores.directory import SyncReport
from bridge.ports.stores.outbox import OutboxCounts
from bridge.web.access import Viewer
from bridge.web.console.console_page import ConsolePage, page_route
from bridge.web.shared.alarm_texts import ALARM_TEXTS
from bridge.web.shared.labels import ENTITY_LABELS, ENTRY_STATE_LABELS, call_outcome_label
from bridge.web.shared.language import translatable
from bridge.web.shared.store_fallback import or_default

#: How many calls and outbox entries the page shows.
_CALLS = 30
_ENTRIES = 10

#: A publication that takes longer for one request than this is slow, and users of UT notice it.
_SLOW_REQUEST_S = 3.0

OneCState = Literal["unknown", "up", "slow", "blocked", "down"]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the top of the page shows."""

    onec: OneCState
    onec_since: datetime | None
    onec_message: str
    counts: OutboxCounts
    entries: Sequence[tuple[OutboxEntry, PhoneCall]]
    missed_calls: Sequence[MissedCall]
    report: SyncReport | None
    numbers: int
    proven_at: datetime | None
    stale: bool
    calls_today: int
    latency: LatencyHour | None


class OverviewPage(ConsolePage):
    """The first page and its parts, which its script fetches anew."""

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            page_route("/", self.page),
            page_route("/console/state", self.state),
            page_route("/console/rows/{key}", self.row),
        ]

    async def page(self, request: Request) -> Response:
        """Show the whole page; its stream goes on from what it shows."""
        viewer = await self.access.require_admin(request.scope)
        after = self.services.event_feed.latest
        calls = await or_default(self.services.ledger.calls(limit=_CALLS), ())
        return self._show(
            request,
            viewer,
            "overview.html",
            s=await self._overview(),
            after=after,
            calls=calls,
            limit=_CALLS,
        )

    async def state(self, request: Request) -> Response:
        """Show the top of the page alone."""
        viewer = await self.access.require_admin(request.scope)
        return self._show(request, viewer, "state.html", s=await self._overview())

    async def row(self, request: Request) -> Response:
        """Show one call of the list alone."""
        viewer = await self.access.require_admin(request.scope)
        call = await self.services.ledger.call(request.path_params["key"])
        if call is None:
            raise HTTPException(404, translatable("There is no such call."))
        return self._show(request, viewer, "call.html", call=call)

    def _show(self, request: Request, viewer: Viewer, template: str, **fields: object) -> Response:
        return self.render(
            request,
            viewer,
            template,
            alarms=self.services.alarms(),
            alarm_texts=ALARM_TEXTS,
            kinds=ENTITY_LABELS,
            states=ENTRY_STATE_LABELS,
            call_outcome_label=call_outcome_label,
            **fields,
        )

    async def _overview(self) -> Overview:
        services = self.services
        now = services.clock()
        age = services.directory.age(now)
        ledger = services.ledger
        # The refused ones first: they wait for a person, the others only for 1C.
        dead = await or_default(ledger.entries([EntryState.DEAD], _ENTRIES), ())
        rest = await or_default(ledger.entries([EntryState.DUE, EntryState.SENDING], _ENTRIES), ())
        today = services.call_journal.facts(self._midnight(now), now + timedelta(minutes=1))
        report = services.directory.report()
        availability = services.onec_availability()
        return Overview(
            onec=onec_state(availability, report),
            onec_since=services.availability_since(),
            onec_message="" if availability is None else availability.message,
            counts=await or_default(ledger.count_entries(), OutboxCounts()),
            missed_calls=await or_default(ledger.open_missed_calls(), ()),
            entries=[*dead, *(pair for pair in rest if pair[0].is_pending)][:_ENTRIES],
            report=report,
            numbers=services.directory.count_numbers(),
            proven_at=age.proven_at,
            stale=age.is_stale,
            calls_today=len(await or_default(today, ())),
            latency=services.latency.day(),
        )

    def _midnight(self, now: datetime) -> datetime:
        local = now.astimezone(self.services.zone)
        return local.replace(hour=0, minute=0, second=0, microsecond=0)


def onec_state(availability: OneCAvailability | None, report: SyncReport | None) -> OneCState:
    """Return the state of 1C by its last answer, and by how long its answers took."""
    if availability is None:
        return "unknown"
    if not availability.available:
        return "blocked" if SESSIONS_BLOCKED in availability.message else "down"
    entities = () if report is None else report.entities
    requests = sum(entity.requests for entity in entities)
    seconds = sum(entity.seconds for entity in entities)
    return "slow" if requests and seconds / requests > _SLOW_REQUEST_S else "up"
