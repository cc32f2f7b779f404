"""The journal of calls, and each call's story: what was asked, decided, done, and written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from difflib import SequenceMatcher
from itertools import zip_longest
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.caller_names import caller_name
from bridge.domain.delivery.texts import Language, format_evidence_step, format_rule
from bridge.domain.phone.callers import CallerKind, read_caller
from bridge.domain.phone.formatting import format_phone
from bridge.domain.phone.phone import PhoneRules
from bridge.domain.routing.decision import RouteDecision
from bridge.ports.audit import AuditAct
from bridge.ports.stores.calls import CallFilter, CallSearch
from bridge.web.actions import record_audit
from bridge.web.console.console_page import ConsolePage, page_route
from bridge.web.console.csv_file import csv_response
from bridge.web.shared.labels import (
    DIRECTION_LABELS,
    DISPOSITION_LABELS,
    ENTRY_STATE_LABELS,
    EVENT_LABELS,
    OUTCOME_LABELS,
    STAGE_LABELS,
    call_outcome_label,
)
from bridge.web.shared.language import translatable

_PAGE = 50
_MOST_ROWS = 20_000
_FIELDS = ("q", "extension", "direction", "outcome", "from", "to")


@dataclass(frozen=True, slots=True)
class ReplayedDecision:
    """What would be decided today, beside what was: *lines* are pairs of then and now.

    A side without a counterpart is empty.
    """

    decision: RouteDecision
    is_changed: bool
    lines: Sequence[tuple[str, str]]


class CallsPage(ConsolePage):
    """The list of calls and the page of one."""

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            page_route("/console/calls", self.page),
            page_route("/console/calls.csv", self.download),
            page_route("/console/calls/{key}", self.story),
        ]

    async def page(self, request: Request) -> Response:
        """Show the calls that were asked for, newest first."""
        viewer = await self.access.require_admin(request.scope)
        asked = _asked(request)
        calls, more = await self.services.call_journal.find(
            read_search(asked, self.services.zone, self.services.phones),
            limit=_PAGE,
            after=request.query_params.get("after", ""),
        )
        return self.render(
            request,
            viewer,
            "calls.html",
            calls=calls,
            asked=asked,
            filtered=any(asked.values()),
            query=urlencode({name: value for name, value in asked.items() if value}),
            more=more,
            directions=DIRECTION_LABELS,
            dispositions=DISPOSITION_LABELS,
            call_outcome_label=call_outcome_label,
        )

    async def download(self, request: Request) -> Response:
        """Return the same calls as a file."""
        viewer = await self.access.require_admin(request.scope)
        asked = _asked(request)
        calls, _ = await self.services.call_journal.find(
            read_search(asked, self.services.zone, self.services.phones), limit=_MOST_ROWS
        )
        filters = urlencode({name: value for name, value in asked.items() if value and name != "q"})
        await record_audit(self.services, viewer, AuditAct.CALLS_EXPORTED, "calls", filters)
        localizer = self.pages.localizer_of(request.scope)
        header = localizer.translate(
            "Time; Direction; Outcome; Caller; Number; Line; Sent to; Manager; Why; Answered by; "
            "Wait, s; Talk, s; Key"
        )
        rows = [self._row(call, localizer.lang) for call in calls]
        return csv_response(localizer.lang, "calls", header.split("; "), rows)

    def _row(self, call: PhoneCall, lang: Language) -> Sequence[object]:
        say = self.pages.localizers[lang].translate
        number, target, state = call.caller.number, call.decision.target, call.state
        return (
            call.arrived_at.astimezone(self.services.zone).strftime("%Y-%m-%d %H:%M:%S"),
            say(DIRECTION_LABELS[call.direction]),
            say(call_outcome_label(call)),
            caller_name(call, lang),
            call.caller.raw if number is None else format_phone(number),
            call.did,
            "" if target is None else target.extension,
            "" if target is None else target.name,
            format_rule(lang, call.decision.rule),
            state.answered_by,
            _seconds(state.wait_time),
            _seconds(state.talk_time),
            call.key,
        )

    async def story(self, request: Request) -> Response:
        """Show one call whole; with `replay`, also what would be decided on today's data."""
        viewer = await self.access.require_admin(request.scope)
        services = self.services
        call = await services.ledger.call(request.path_params["key"])
        if call is None:
            raise HTTPException(404, translatable("There is no such call."))
        found = await services.ledger.entry(call.key)
        replayed = None
        if "replay" in request.query_params:
            _, today = services.route_answers.explain(call.caller.raw, call.did)
            replayed = compare_decisions(
                call.decision, today, self.pages.language_of(request.scope)
            )
        return self.render(
            request,
            viewer,
            "story.html",
            call=call,
            entry=None if found is None or found[0].key != call.key else found[0],
            replayed=replayed,
            directions=DIRECTION_LABELS,
            call_outcome_label=call_outcome_label,
            events=EVENT_LABELS,
            outcomes=OUTCOME_LABELS,
            states=ENTRY_STATE_LABELS,
            stages=STAGE_LABELS,
        )


def read_search(asked: Mapping[str, str], zone: tzinfo, phones: PhoneRules) -> CallSearch:
    """Read what the viewer searches for; what cannot be read narrows nothing.

    Days are those of *zone*, both included. A search that reads as a whole number is one; with
    digits and no letters it is a part of one; anything else is a part of a name.
    """
    query = asked.get("q", "").strip()
    caller = read_caller(query, phones)
    number = caller.number if caller.kind is CallerKind.EXTERNAL else None
    digits = "".join(sign for sign in query if sign in "0123456789")
    numeric = bool(digits) and not any(sign.isalpha() for sign in query)
    disposition = next((d for d in Disposition if d.value == asked.get("outcome")), None)
    return CallSearch(
        CallFilter(
            number=number if query else None,
            extension=asked.get("extension", "").strip() or None,
            direction=next((d for d in Direction if d.value == asked.get("direction")), None),
            dispositions=() if disposition is None else (disposition,),
            since=_midnight(asked.get("from", ""), zone),
            until=_midnight(asked.get("to", ""), zone, timedelta(days=1)),
        ),
        digits=digits if numeric and number is None else "",
        name="" if numeric or number is not None else query,
    )


def compare_decisions(then: RouteDecision, now: RouteDecision, lang: Language) -> ReplayedDecision:
    """Return what was decided beside what is decided now, line by line."""
    old = [format_evidence_step(lang, step) for step in then.evidence]
    new = [format_evidence_step(lang, step) for step in now.evidence]
    lines: list[tuple[str, str]] = []
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        lines += zip_longest(old[i1:i2], new[j1:j2], fillvalue="")
    return ReplayedDecision(now, (then.extension, then.rule) != (now.extension, now.rule), lines)


def _asked(request: Request) -> dict[str, str]:
    return {name: request.query_params.get(name, "")[:100] for name in _FIELDS}


def _midnight(day: str, zone: tzinfo, later: timedelta = timedelta(0)) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(day) + later, time(), zone)
    except (ValueError, OverflowError):
        return None


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else round(span.total_seconds())
