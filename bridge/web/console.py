"""The console: the administrator's page, rendered here, kept alive by its small script."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bridge.domain.calls import PhoneCall
from bridge.domain.outbox import EntryState, OutboxEntry
from bridge.domain.texts import say_rule, say_step
from bridge.domain.writeback import caller_name, candidate_name, how_to_reach
from bridge.ports import OutboxCounts, SyncReport
from bridge.web.access import Gate
from bridge.web.actions import drop_entry, retry_entry
from bridge.web.surface import WebServices
from bridge.web.wording import duration, words

_ROOM = Path(__file__).parent

#: How many calls and debts the page shows.
_CALLS = 50
_ENTRIES = 20

#: No inline script, no other host, no frame; forms go back to us alone.
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer browsers send "Origin: null" along with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Action(Protocol):
    """An action on an outbox entry."""

    async def __call__(self, services: WebServices, key: str) -> object:
        """Act on the entry of *key*."""
        ...


@dataclass(frozen=True, slots=True)
class Glance:
    """What the top of the page tells."""

    now: datetime
    counts: OutboxCounts
    entries: Sequence[tuple[OutboxEntry, PhoneCall]]
    report: SyncReport | None
    numbers: int
    proven_at: datetime | None
    stale: bool


class _Static(StaticFiles):
    """The page's own files; asked about anew each time, so that an update shows at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class Console:
    """Renders the page and its parts, and does what its buttons say."""

    def __init__(self, services: WebServices, gate: Gate) -> None:
        self._services = services
        self._gate = gate
        pages = Environment(
            loader=FileSystemLoader(_ROOM / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        lang = services.lang
        pages.globals.update(
            lang=lang,
            t=lambda key, **fields: words(lang, key, **fields),
            caller_name=lambda call: caller_name(call, lang),
            how_to_reach=lambda call: how_to_reach(call, lang),
            say_rule=lambda rule: say_rule(lang, rule),
            say_step=lambda step: say_step(lang, step),
        )
        pages.filters.update(clock=self._clock_time, iso=datetime.isoformat, ago=self._ago)
        pages.filters["candidate_name"] = candidate_name
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        """Give the page's routes."""
        entry = "/console/outbox/{key}"
        return [
            Route("/", self.page, include_in_schema=False),
            Route("/console/state", self.state, include_in_schema=False),
            Route("/console/calls/{key}", self.call, include_in_schema=False),
            Route(f"{entry}/retry", self.retry, methods=["POST"], include_in_schema=False),
            Route(f"{entry}/drop", self.drop, methods=["POST"], include_in_schema=False),
            Mount("/static", _Static(directory=_ROOM / "static"), name="static"),
        ]

    async def page(self, request: Request) -> Response:
        """Show the whole page; its stream goes on from what it shows."""
        await self._gate.admin(request.scope)
        after = self._services.hub.latest
        calls = await self._services.ledger.calls(limit=_CALLS)
        glance = await self._glance()
        return self._render(
            "console.html", after=after, calls=calls, limit=_CALLS, **self._told(glance)
        )

    async def state(self, request: Request) -> Response:
        """Show the top of the page alone, for the page's script."""
        await self._gate.admin(request.scope)
        return self._render("state.html", **self._told(await self._glance()))

    async def call(self, request: Request) -> Response:
        """Show one call alone, for the page's script."""
        await self._gate.admin(request.scope)
        call = await self._services.ledger.call(request.path_params["key"])
        if call is None:
            raise HTTPException(404, "There is no such call.")
        return self._render("call.html", call=call, now=self._services.clock())

    async def retry(self, request: Request) -> Response:
        """Retry a debt, and go back to the page."""
        return await self._act(request, retry_entry)

    async def drop(self, request: Request) -> Response:
        """Drop a debt, and go back to the page."""
        return await self._act(request, drop_entry)

    async def _act(self, request: Request, action: Action) -> Response:
        await self._gate.admin(request.scope)
        await action(self._services, request.path_params["key"])
        return RedirectResponse("/", 303, headers=PAGE_HEADERS)

    async def _glance(self) -> Glance:
        services = self._services
        now = services.clock()
        age = services.directory.age(now)
        ledger = services.ledger
        # The refused ones first: they wait for a person, the others only for 1C.
        dead = await ledger.entries([EntryState.DEAD], _ENTRIES)
        rest = await ledger.entries([EntryState.DUE, EntryState.SENDING], _ENTRIES)
        return Glance(
            now=now,
            counts=await ledger.counts(),
            entries=[*dead, *(pair for pair in rest if pair[0].owed)][:_ENTRIES],
            report=services.directory.report(),
            numbers=services.directory.numbers(),
            proven_at=age.proven_at,
            stale=age.stale,
        )

    def _told(self, glance: Glance) -> dict[str, object]:
        return {
            "s": glance,
            "now": glance.now,
            "mood": self._services.mood(),
            "alarms": self._services.alarms(),
        }

    def _render(self, template: str, **fields: object) -> Response:
        text = self._pages.get_template(template).render(**fields)
        return HTMLResponse(text, headers=PAGE_HEADERS)

    def _clock_time(self, moment: datetime, now: datetime) -> str:
        """Write a moment on the administrator's clock; the day too unless it is today."""
        local = moment.astimezone(self._services.zone)
        today = now.astimezone(self._services.zone).date()
        return local.strftime("%H:%M:%S" if local.date() == today else "%d.%m %H:%M")

    def _ago(self, moment: datetime, now: datetime) -> str:
        lang = self._services.lang
        return words(lang, "ago", time=duration(lang, now - moment))
