"""Calls not written to 1C yet, with 1C's own answer, to be retried or dropped."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.delivery.caller_names import caller_name, how_to_reach
from bridge.domain.delivery.entry import EntryState
from bridge.ports.audit import AuditAct
from bridge.web.actions import drop_entry, record_audit, retry_entry
from bridge.web.console.console_page import ConsolePage, action_route, page_route, redirect_to
from bridge.web.console.csv_file import csv_response
from bridge.web.shared.forms import read_form, safe_path
from bridge.web.shared.labels import ENTRY_STATE_LABELS, STAGE_LABELS

_MOST = 200
_MOST_ROWS = 10_000
_OPEN = (EntryState.DEAD, EntryState.DUE, EntryState.SENDING)


class OutboxPage(ConsolePage):
    """The page of outbox entries."""

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        entry = "/console/outbox/{key}"
        return [
            page_route("/console/outbox", self.page),
            page_route("/console/outbox.csv", self.download),
            action_route(f"{entry}/retry", self.retry),
            action_route(f"{entry}/drop", self.drop),
        ]

    async def page(self, request: Request) -> Response:
        """Show the entries of one state, or all that are not delivered."""
        viewer = await self.access.require_admin(request.scope)
        state = _state(request)
        entries = await self.services.ledger.entries(_OPEN if state is None else [state], _MOST)
        return self.render(
            request,
            viewer,
            "outbox.html",
            entries=entries,
            counts=await self.services.ledger.count_entries(),
            state=state,
            states=ENTRY_STATE_LABELS,
            stages=STAGE_LABELS,
            most=_MOST,
        )

    async def download(self, request: Request) -> Response:
        """Return the same as a file."""
        viewer = await self.access.require_admin(request.scope)
        state = _state(request)
        found = await self.services.ledger.entries(_OPEN if state is None else [state], _MOST_ROWS)
        await record_audit(self.services, viewer, AuditAct.CALLS_EXPORTED, "outbox")
        localizer = self.pages.localizer_of(request.scope)
        say, zone = localizer.translate, self.services.zone
        rows = [
            (
                call.arrived_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
                caller_name(call, localizer.lang),
                how_to_reach(call, localizer.lang),
                say(ENTRY_STATE_LABELS[entry.state]),
                say(STAGE_LABELS[entry.stage]),
                entry.attempts,
                entry.document or "",
                entry.last_error,
                entry.key,
            )
            for entry, call in found
        ]
        header = localizer.translate(
            "Time; Caller; Number; State; Stage; Attempts; Document; 1C's answer; Key"
        )
        return csv_response(localizer.lang, "outbox", header.split("; "), rows)

    async def retry(self, request: Request) -> Response:
        """Retry an entry, and go back."""
        viewer = await self.access.require_admin(request.scope)
        await retry_entry(self.services, viewer, request.path_params["key"])
        return await _back(request)

    async def drop(self, request: Request) -> Response:
        """Drop an entry, and go back."""
        viewer = await self.access.require_admin(request.scope)
        await drop_entry(self.services, viewer, request.path_params["key"])
        return await _back(request)


def _state(request: Request) -> EntryState | None:
    asked = request.query_params.get("state")
    return next((state for state in EntryState if state.value == asked), None)


async def _back(request: Request) -> Response:
    form = await read_form(request)
    return redirect_to(safe_path(form.get("next", ""), "/console/outbox"))
