"""The audit list: sign-ins, revealed numbers, changes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.whole_numbers import read_whole_number
from bridge.ports.audit import AuditAct, AuditRecord
from bridge.web.actions import record_audit
from bridge.web.console.console_page import ConsolePage, page_route
from bridge.web.console.csv_file import csv_response
from bridge.web.shared.labels import AUDIT_LABELS
from bridge.web.shared.language import Localizer, translatable

_PAGE = 100
_MOST_ROWS = 20_000

_TABLE_LABELS: Final[Mapping[str, str]] = {
    "audit": translatable("Audit"),
    "calls": translatable("Calls"),
    "doctor": translatable("Errors in 1C"),
    "figures": translatable("Statistics"),
    "outbox": translatable("Waiting for 1C"),
    "sync": translatable("Sync"),
}

_SIGN_IN_LABELS: Final[Mapping[str, str]] = {"link": translatable("by a link")}

_ADDRESS_LABELS: Final[Mapping[str, str]] = {"terminal": translatable("on the bridge's machine")}


class AuditPage(ConsolePage):
    """The page of the audit list."""

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            page_route("/console/audit", self.page),
            page_route("/console/audit.csv", self.download),
        ]

    async def page(self, request: Request) -> Response:
        """Show the records of one act, or all, newest first."""
        viewer = await self.access.require_admin(request.scope)
        act = _act(request)
        records = await self.services.audit.records(
            limit=_PAGE + 1,
            before=read_whole_number(request.query_params.get("before", "")),
            act=act,
        )
        localizer = self.pages.localizer_of(request.scope)
        more = records[_PAGE - 1][0] if len(records) > _PAGE else None
        return self.render(
            request,
            viewer,
            "audit.html",
            records=[(number, _labelled(record, localizer)) for number, record in records[:_PAGE]],
            act=act,
            acts=AUDIT_LABELS,
            more=more,
            names={m.ref: m.name for m in self.services.directory.managers().values()},
        )

    async def download(self, request: Request) -> Response:
        """Return the records as a file."""
        viewer = await self.access.require_admin(request.scope)
        await record_audit(self.services, viewer, AuditAct.CALLS_EXPORTED, "audit")
        localizer, zone = self.pages.localizer_of(request.scope), self.services.zone
        records = await self.services.audit.records(limit=_MOST_ROWS, act=_act(request))
        rows = [
            (
                record.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
                record.role,
                record.who,
                record.address,
                localizer.translate(AUDIT_LABELS[record.act]),
                record.subject,
                record.words,
            )
            for record in (_labelled(record, localizer) for _, record in records)
        ]
        header = localizer.translate("Time; Role; Who; Address; What; Of what; Details")
        return csv_response(localizer.lang, "audit", header.split("; "), rows)


def _labelled(record: AuditRecord, localizer: Localizer) -> AuditRecord:
    """Return *record* with the bridge's own terms named in the reader's language."""

    def label(labels: Mapping[str, str], term: str) -> str:
        return localizer.translate(labels[term]) if term in labels else term

    exported, signed_in = AuditAct.CALLS_EXPORTED, AuditAct.SIGNED_IN
    return replace(
        record,
        address=label(_ADDRESS_LABELS, record.address),
        subject=label(_TABLE_LABELS if record.act is exported else {}, record.subject),
        words=label(_SIGN_IN_LABELS if record.act is signed_in else {}, record.words),
    )


def _act(request: Request) -> AuditAct | None:
    asked = request.query_params.get("act")
    return next((act for act in AuditAct if act.value == asked), None)
