"""Sync runs: what each brought, and a person's word that a loss is real."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.routing_facts import RoutingFact
from bridge.errors import Loss
from bridge.ports import AuditAct, Shrink, SyncRun
from bridge.web.actions import note
from bridge.web.console.room import Room, get, lead_to, post
from bridge.web.console.sheets import sheet
from bridge.web.console.words import KINDS
from bridge.web.language import mark

#: What calls are routed by, as the page names what was lost of it.
FACTS: Final[Mapping[RoutingFact, str]] = {
    RoutingFact.EXTENSION: mark("managers with an extension"),
    RoutingFact.PARTNER_PHONE: mark("telephone numbers of partners"),
    RoutingFact.CONTACT_PHONE: mark("telephone numbers of contact persons"),
    RoutingFact.COUNTERPARTY_PHONE: mark("telephone numbers of counterparties"),
    RoutingFact.MAIN_MANAGER: mark("partners with a main manager"),
    RoutingFact.CONTACT_OWNER: mark("contact persons with a partner"),
    RoutingFact.COUNTERPARTY_OWNER: mark("counterparties with a partner"),
}

#: What a person accepts where nobody ever had an extension.
_NOBODY: Final = Shrink(RoutingFact.EXTENSION.value, 0, 0)

_SHOWN = 500
_MOST_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """Runs in a row of which nothing else is to be told than of the *last*: *count*, *since*."""

    last: SyncRun
    since: datetime
    count: int = 1


class SyncRoom(Room):
    """The page of sync runs."""

    def routes(self) -> list[BaseRoute]:
        """Give the routes."""
        return [
            get("/console/sync", self.page),
            get("/console/sync.csv", self.download),
            post("/console/sync/run", self.run),
            post("/console/sync/accept", self.accept),
        ]

    async def page(self, request: Request) -> Response:
        """Show what is held, and the last runs."""
        viewer = await self.gate.admin(request.scope)
        runs = await self.services.runs.runs(_SHOWN)
        refused = runs[0].refused if runs else None
        return self.show(
            request,
            viewer,
            "sync.html",
            stretches=stretches(runs),
            refused=refused,
            nobody=refused is None and self._nobody_reachable(),
            report=self.services.directory.report(),
            kinds=KINDS,
            facts=FACTS,
            started=request.query_params.get("started", ""),
        )

    def _nobody_reachable(self) -> bool:
        report = self.services.directory.report()
        return report is not None and report.nobody_reachable

    async def run(self, request: Request) -> Response:
        """Start a run now."""
        await self.gate.admin(request.scope)
        self.services.sync_now()
        return lead_to("/console/sync?started=run")

    async def accept(self, request: Request) -> Response:
        """Start a run that believes what 1C lost; only where the last one was refused."""
        viewer = await self.gate.admin(request.scope)
        runs = await self.services.runs.runs(1)
        refused = runs[0].refused if runs else None
        if refused is None and self._nobody_reachable():
            refused = _NOBODY
        if refused is None:
            raise HTTPException(409, mark("No listing is refused any more."))
        lost = refused.losses or (Loss(refused.entity_set, "", refused.held, refused.listed),)
        subject = ", ".join(loss.what for loss in lost)
        words = ", ".join(f"{loss.before} → {loss.now}" for loss in lost)
        await note(self.services, viewer, AuditAct.SHRINK_ACCEPTED, subject, words)
        self.services.sync_now(accept_shrink=True)
        return lead_to("/console/sync?started=accept")

    async def download(self, request: Request) -> Response:
        """Give the runs as a file, a line for each entity set."""
        viewer = await self.gate.admin(request.scope)
        await note(self.services, viewer, AuditAct.EXPORTED, "sync")
        speech, zone = self.pages.speech(request.scope), self.services.zone
        rows: list[tuple[object, ...]] = []
        for run in await self.services.runs.runs(_MOST_ROWS):
            at = run.started_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
            if run.report is None:
                rows.append((at, "", "", "", "", "", "", "", run.error))
                continue
            rows += [
                (
                    at,
                    speech.say(KINDS[entity.kind]),
                    entity.listed,
                    entity.held,
                    entity.fetched,
                    entity.buried,
                    entity.requests,
                    speech.number(entity.seconds, 1),
                    entity.error,
                )
                for entity in run.report.entities
            ]
        header = speech.say(
            "Started; What; In 1C; Here; Fetched; Removed; Requests; Seconds; Trouble"
        )
        return sheet(speech.lang, "sync", header.split("; "), rows)


def stretches(runs: Sequence[SyncRun]) -> list[Stretch]:
    """Join runs in a row that failed alike, or found nothing new; *runs* come newest first."""
    joined: list[Stretch] = []
    for run in runs:
        before = joined[-1] if joined else None
        if before is not None and _tells(run) is not None and _tells(run) == _tells(before.last):
            joined[-1] = Stretch(before.last, run.started_at, before.count + 1)
        else:
            joined.append(Stretch(run, run.started_at))
    return joined


def _tells(run: SyncRun) -> tuple[object, ...] | None:
    """Give what is to be told of a run; None when that is its own."""
    if run.report is None:
        return (run.error,)
    if run.report.changed:
        return None
    return tuple((entity.kind, entity.listed, entity.error) for entity in run.report.entities)
