"""Sync runs: what each brought, and the administrator's confirmation that a loss is real."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.directory.routing_facts import RoutingFact
from bridge.errors import Loss
from bridge.ports.audit import AuditAct
from bridge.ports.stores.sync_runs import Shrink, SyncRun
from bridge.web.actions import record_audit
from bridge.web.console.console_page import ConsolePage, action_route, page_route, redirect_to
from bridge.web.console.csv_file import csv_response
from bridge.web.shared.labels import ENTITY_LABELS
from bridge.web.shared.language import translatable

#: What calls are routed by, as the page names what was lost of it.
ROUTING_FACT_LABELS: Final[Mapping[RoutingFact, str]] = {
    RoutingFact.EXTENSION: translatable("managers with an extension"),
    RoutingFact.PARTNER_PHONE: translatable("telephone numbers of partners"),
    RoutingFact.CONTACT_PHONE: translatable("telephone numbers of contact persons"),
    RoutingFact.COUNTERPARTY_PHONE: translatable("telephone numbers of counterparties"),
    RoutingFact.MAIN_MANAGER: translatable("partners with a main manager"),
    RoutingFact.CONTACT_OWNER: translatable("contact persons with a partner"),
    RoutingFact.COUNTERPARTY_OWNER: translatable("counterparties with a partner"),
}

#: What is accepted where no manager ever had an extension.
_NO_EXTENSIONS: Final = Shrink(RoutingFact.EXTENSION.value, 0, 0)

_SHOWN = 500
_MOST_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Runs in a row that ended like the *last*: how many, and since when."""

    last: SyncRun
    since: datetime
    count: int = 1


class SyncPage(ConsolePage):
    """The page of sync runs."""

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            page_route("/console/sync", self.page),
            page_route("/console/sync.csv", self.download),
            action_route("/console/sync/run", self.run),
            action_route("/console/sync/accept", self.accept),
        ]

    async def page(self, request: Request) -> Response:
        """Show what is held, and the last runs."""
        viewer = await self.access.require_admin(request.scope)
        runs = await self.services.sync_runs.runs(_SHOWN)
        refused = runs[0].refused if runs else None
        return self.render(
            request,
            viewer,
            "sync.html",
            stretches=group_runs(runs),
            refused=refused,
            nobody=refused is None and self._nobody_reachable(),
            report=self.services.directory.report(),
            kinds=ENTITY_LABELS,
            facts=ROUTING_FACT_LABELS,
            started=request.query_params.get("started", ""),
        )

    def _nobody_reachable(self) -> bool:
        report = self.services.directory.report()
        return report is not None and report.nobody_reachable

    async def run(self, request: Request) -> Response:
        """Start a run now."""
        await self.access.require_admin(request.scope)
        self.services.sync_now()
        return redirect_to("/console/sync?started=run")

    async def accept(self, request: Request) -> Response:
        """Start a run that accepts what 1C lost; only where the last one was refused."""
        viewer = await self.access.require_admin(request.scope)
        runs = await self.services.sync_runs.runs(1)
        refused = runs[0].refused if runs else None
        if refused is None and self._nobody_reachable():
            refused = _NO_EXTENSIONS
        if refused is None:
            raise HTTPException(409, translatable("There is nothing to accept any more."))
        lost = refused.losses or (Loss(refused.entity_set, "", refused.held, refused.listed),)
        subject = ", ".join(loss.what for loss in lost)
        losses = ", ".join(f"{loss.before} → {loss.now}" for loss in lost)
        await record_audit(self.services, viewer, AuditAct.SHRINK_ACCEPTED, subject, losses)
        self.services.sync_now(accept_shrink=True)
        return redirect_to("/console/sync?started=accept")

    async def download(self, request: Request) -> Response:
        """Return the runs as a file, a line for each entity set."""
        viewer = await self.access.require_admin(request.scope)
        await record_audit(self.services, viewer, AuditAct.CALLS_EXPORTED, "sync")
        localizer, zone = self.pages.localizer_of(request.scope), self.services.zone
        rows: list[tuple[object, ...]] = []
        for run in await self.services.sync_runs.runs(_MOST_ROWS):
            at = run.started_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
            if run.report is None:
                rows.append((at, "", "", "", "", "", "", "", run.error))
                continue
            rows += [
                (
                    at,
                    localizer.translate(ENTITY_LABELS[entity.kind]),
                    entity.listed,
                    entity.held,
                    entity.fetched,
                    entity.buried,
                    entity.requests,
                    localizer.format_number(entity.seconds, 1),
                    entity.error,
                )
                for entity in run.report.entities
            ]
        header = localizer.translate(
            "Started; What; In 1C; Here; Fetched; Removed; Requests; Seconds; Trouble"
        )
        return csv_response(localizer.lang, "sync", header.split("; "), rows)


def group_runs(runs: Sequence[SyncRun]) -> list[RunGroup]:
    """Join runs in a row that failed alike, or found nothing new; *runs* come newest first."""
    joined: list[RunGroup] = []
    for run in runs:
        before = joined[-1] if joined else None
        if (
            before is not None
            and _summary_of(run) is not None
            and _summary_of(run) == _summary_of(before.last)
        ):
            joined[-1] = RunGroup(before.last, run.started_at, before.count + 1)
        else:
            joined.append(RunGroup(run, run.started_at))
    return joined


def _summary_of(run: SyncRun) -> tuple[object, ...] | None:
    """Return what runs are grouped by; None for a run that stands alone."""
    if run.report is None:
        return (run.error,)
    if run.report.changed:
        return None
    return tuple((entity.kind, entity.listed, entity.error) for entity in run.report.entities)
