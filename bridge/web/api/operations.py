"""What operations look at: alive, ready, figures."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.domain.clock import age_by_wall
from bridge.errors import StoreDamaged
from bridge.ports.alarms import ActiveAlarm
from bridge.ports.stores.directory import SyncReport
from bridge.web.access import AccessControl
from bridge.web.shared.alarm_texts import ALARM_TEXTS
from bridge.web.shared.store_fallback import or_default
from bridge.web.web_services import WebServices

_FRESH = {"Cache-Control": "no-store"}


def _why_stale(report: SyncReport | None) -> str:
    behind = None if report is None else report.lagging_entity
    if behind is None:
        return "1C was not heard of for too long"
    return f"{behind.kind.plural} could not be compared with 1C for too long"


def _warning(alarm: ActiveAlarm) -> str:
    """Return what all may see: the message may name files, addresses, people."""
    about = f" ({alarm.subject})" if alarm.subject else ""
    return f"{alarm.name}{about}: {ALARM_TEXTS[alarm.name].title}"


def operations_routes(services: WebServices, access: AccessControl) -> list[BaseRoute]:
    """Build `/healthz`, `/readyz` (open to all, they show no secret) and `/metrics`."""

    async def healthz(request: Request) -> Response:
        del request
        return JSONResponse("ok", headers=_FRESH)

    async def readyz(request: Request) -> Response:
        del request
        now = services.clock()
        age = services.directory.age(now)
        reason, trouble = "", services.directory.error()
        warnings = [_warning(alarm) for alarm in services.alarms()]
        if trouble is not None:
            reason = f"the index cannot be read: {trouble.reason}"
            if isinstance(trouble, StoreDamaged):
                reason += "; the next sync sets the file aside and pulls all of it anew"
        elif age.proven_at is None:
            reason = "the index is not loaded yet"
        elif age_by_wall(age.proven_at, now) is None:
            reason = "the index is proven in the future: this machine's clock is, or was, wrong"
        elif age.is_stale:
            reason = f"the index is stale: {_why_stale(services.directory.report())}"
        state = {
            "ready": not reason,
            "reason": reason,
            "warnings": warnings,
            "proven_at": None if age.proven_at is None else age.proven_at.isoformat(),
            "stale": age.is_stale,
            "numbers": services.directory.count_numbers(),
        }
        return JSONResponse(state, status_code=503 if reason else 200, headers=_FRESH)

    async def metrics(request: Request) -> Response:
        await access.require_metrics_reader(request.scope)
        now = services.clock()
        proven = services.directory.age(now).proven_at
        figures = services.metrics.expose(
            await or_default(services.ledger.count_entries(), None),
            age_by_wall(proven, now),
            services.directory.count_numbers(),
        )
        headers = {**_FRESH, "Content-Type": services.metrics.content_type}
        return Response(figures, headers=headers)

    return [
        Route("/healthz", healthz, include_in_schema=False),
        Route("/readyz", readyz, include_in_schema=False),
        Route("/metrics", metrics, include_in_schema=False),
    ]
