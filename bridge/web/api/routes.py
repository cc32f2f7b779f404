"""`/api/v1`: calls, callers, the outbox, sync and freshness, for scripts, 1C code and the pages."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import StreamingResponse

from bridge.domain.delivery.entry import EntryState
from bridge.domain.delivery.texts import Language
from bridge.web.access import AccessControl, Viewer
from bridge.web.actions import choose_owner, drop_entry, find_entry, retry_entry
from bridge.web.api.calls import Key, Lang, add_call_routes, read_number
from bridge.web.api.stream import event_lines
from bridge.web.api.unread_events import add_unread_event_routes
from bridge.web.api.views.base import ErrorView
from bridge.web.api.views.callers import CallerCardView, ExplanationView, NewOwnerChoice
from bridge.web.api.views.state import (
    FreshnessView,
    OutboxCountsView,
    OutboxEntryView,
    OutboxView,
    StandingAlarmView,
    SyncReportView,
)
from bridge.web.shared.bodies import route_class_admitting_first
from bridge.web.shared.event_stream import EventStream
from bridge.web.web_services import WebServices

_PROBLEMS: dict[int | str, dict[str, object]] = {
    401: {"model": ErrorView, "description": "The admin password is missing or wrong."},
    403: {"model": ErrorView, "description": "Not from here."},
    404: {"model": ErrorView, "description": "There is no such thing."},
    409: {"model": ErrorView, "description": "Its state does not allow it."},
    422: {"model": ErrorView, "description": "The request cannot be read; the sentence says why."},
    503: {"model": ErrorView, "description": "The store cannot be read or written."},
}

#: What a person may have typed; longer texts are no number.
_NUMBER = Path(min_length=1, max_length=100, description="a number, typed in any way")
Number = Annotated[str, _NUMBER]
Admitted = Callable[[Request], Awaitable[Viewer]]
Kind = Literal["call", "call_changed", "debt", "entry", "directory", "onec", "alarm"]


def api_router(services: WebServices, access: AccessControl) -> APIRouter:
    """Build the router; every path of it is the administrator's alone."""

    async def admitted(request: Request) -> Viewer:
        return await access.require_admin(request.scope)

    router = APIRouter(
        prefix="/api/v1",
        tags=["api"],
        dependencies=[Depends(admitted)],
        route_class=route_class_admitting_first(admitted),
        responses=_PROBLEMS,
    )
    add_call_routes(router, services)
    add_unread_event_routes(router, services)
    _add_callers(router, services, admitted)
    _add_outbox(router, services, admitted)
    _add_state(router, services, access, admitted)
    return router


def _add_callers(router: APIRouter, services: WebServices, admitted: Admitted) -> None:
    def card_of(typed: str, lang: Language) -> CallerCardView:
        number = read_number(services, typed)
        _, decision = services.route_answers.explain(typed, "")
        card = services.directory.look_up(number)
        return CallerCardView.build(
            number, card, services.ledger.number_memory(number), decision, lang
        )

    @router.get("/callers/{number}")
    async def show_caller(number: Number, lang: Lang = None) -> CallerCardView:
        """Show all that 1C knows of a number, and where its call would go now."""
        return card_of(number, lang or services.lang)

    @router.put("/callers/{number}/choice")
    async def choose(
        number: Number,
        choice: NewOwnerChoice,
        viewer: Annotated[Viewer, Depends(admitted)],
        lang: Lang = None,
    ) -> CallerCardView:
        """Save whose number it is, where several share it; it counts from the next call on."""
        await choose_owner(services, viewer, read_number(services, number), choice.owner)
        return card_of(number, lang or services.lang)

    @router.get("/explain")
    async def explain(
        number: Annotated[str, Query(max_length=100, description="the caller")],
        did: Annotated[str, Query(max_length=100, description="the number dialled")] = "",
        lang: Lang = None,
    ) -> ExplanationView:
        """Show what the PBX would be answered for this caller, and why; records nothing."""
        question, decision = services.route_answers.explain(number, did)
        return ExplanationView.build(question, decision, lang or services.lang)


def _add_outbox(router: APIRouter, services: WebServices, admitted: Admitted) -> None:
    @router.get("/outbox")
    async def list_outbox(
        state: Annotated[
            list[EntryState] | None,
            Query(max_length=4, description="by default what is not settled"),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        lang: Lang = None,
    ) -> OutboxView:
        """List outbox entries, newest first."""
        states = state or [EntryState.DUE, EntryState.SENDING, EntryState.DEAD]
        entries = await services.ledger.entries(states, limit)
        return OutboxView(
            counts=OutboxCountsView.of(await services.ledger.count_entries()),
            entries=[
                OutboxEntryView.of(entry, lang or services.lang, call=call)
                for entry, call in entries
            ],
        )

    @router.get("/outbox/{key}")
    async def show_entry(key: Key, lang: Lang = None) -> OutboxEntryView:
        """Show one entry; an unambiguous beginning of its key is enough."""
        entry = await find_entry(services, key)
        call = await services.ledger.call(entry.key)
        return OutboxEntryView.of(entry, lang or services.lang, call=call)

    @router.post("/outbox/{key}/retry")
    async def retry(
        key: Key, viewer: Annotated[Viewer, Depends(admitted)], lang: Lang = None
    ) -> OutboxEntryView:
        """Make a dead or waiting entry due at once; it is looked for before anything is written."""
        entry = await retry_entry(services, viewer, key)
        return OutboxEntryView.of(entry, lang or services.lang)

    @router.delete("/outbox/{key}", status_code=204)
    async def drop(key: Key, viewer: Annotated[Viewer, Depends(admitted)]) -> None:
        """Delete an outbox entry: the call stays in the journal and is never written to 1C."""
        await drop_entry(services, viewer, key)


def _add_state(
    router: APIRouter, services: WebServices, access: AccessControl, admitted: Admitted
) -> None:
    @router.get("/sync")
    async def show_sync() -> SyncReportView | None:
        """Show the last sync run that proved the directory; null before the first."""
        report = services.directory.report()
        return None if report is None else SyncReportView.of(report)

    @router.get("/freshness")
    async def show_freshness() -> FreshnessView:
        """Show when the directory was last proven equal to 1C, and whether 1C answers."""
        now = services.clock()
        directory = services.directory
        return FreshnessView.build(
            directory.age(now),
            now,
            directory.count_numbers(),
            services.onec_availability(),
            directory.report(),
        )

    @router.get("/alarms")
    async def list_alarms(lang: Lang = None) -> list[StandingAlarmView]:
        """List the alarms that stand now, the oldest first."""
        alarms = services.alarms()
        return [StandingAlarmView.of(alarm, lang or services.lang) for alarm in alarms]

    @router.get(
        "/stream",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}, "description": "events"}},
    )
    async def listen(
        request: Request,
        viewer: Annotated[Viewer, Depends(admitted)],
        kind: Annotated[
            list[Kind] | None, Query(max_length=7, description="all by default")
        ] = None,
        after: Annotated[str, Query(max_length=64, description="id of the last event seen")] = "",
        last_event_id: Annotated[str, Header(max_length=64)] = "",
    ) -> StreamingResponse:
        """Stream what happens, as server-sent events; `gap` means some were lost: look anew."""
        may_read = access.access_check(request.scope, viewer)
        lines = event_lines(services, kind or [], last_event_id or after)
        guarded = access.streams.guard(lines, may_read, services.heartbeat_s)
        return EventStream(guarded, services.stream_limits, viewer.role.value)
