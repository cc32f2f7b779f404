"""The figures: calls by hour and outcome, answered share, time to answer, latency, freshness."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.texts import format_rule
from bridge.domain.reporting.figures import WAIT_CLASSES, CallFigures, LatencyHour, count_calls
from bridge.domain.routing.decision import Rule
from bridge.ports.audit import AuditAct
from bridge.ports.stores.sync_runs import SyncRun
from bridge.web.actions import record_audit
from bridge.web.console.charts import Chart, ChartSeries, ChartSpec, line_chart, stacked_bars
from bridge.web.console.console_page import ConsolePage, page_route, read_choice
from bridge.web.console.csv_file import csv_response
from bridge.web.shared.labels import DISPOSITION_LABELS
from bridge.web.shared.language import Localizer

_DAYS = (1, 7, 30, 90)
_RUNS = 2_000
_HOURS = 24

#: Steps of a scale of time whose marks differ in their largest unit, in seconds.
_TIMES = (10, 15, 60, 120, 300, 600, 900, 3600, 7200, 6 * 3600, 86400, 7 * 86400)

#: Outcomes from the floor of a bar upwards.
_STACK = (
    Disposition.ANSWERED,
    Disposition.TALKING,
    Disposition.RINGING,
    Disposition.NOT_REACHED,
    Disposition.UNKNOWN,
    Disposition.MISSED,
)


class FiguresPage(ConsolePage):
    """The page of charts."""

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            page_route("/console/figures", self.page),
            page_route("/console/figures.csv", self.download),
        ]

    async def page(self, request: Request) -> Response:
        """Show the charts of the last days."""
        viewer = await self.access.require_admin(request.scope)
        days = read_choice(request.query_params.get("days"), _DAYS, 7)
        figures, charts = await self._draw(request, days)
        lang = self.pages.language_of(request.scope)
        rules = sorted(figures.rules.items(), key=lambda pair: -pair[1])
        return self.render(
            request,
            viewer,
            "figures.html",
            days=days,
            choices=_DAYS,
            figures=figures,
            share=_share(figures),
            rules=[(format_rule(lang, rule), count) for rule, count in rules],
            asked=sum(figures.rules.values()),
            owners=sum(count for rule, count in rules if rule in _OWNERS),
            charts=charts,
        )

    async def download(self, request: Request) -> Response:
        """Return the tables of all charts as one file."""
        viewer = await self.access.require_admin(request.scope)
        days = read_choice(request.query_params.get("days"), _DAYS, 7)
        _, charts = await self._draw(request, days)
        await record_audit(self.services, viewer, AuditAct.CALLS_EXPORTED, "figures")
        rows: list[Sequence[str]] = []
        for chart in charts:
            rows += [[chart.title], chart.header, *chart.rows, []]
        return csv_response(self.pages.language_of(request.scope), "figures", [], rows)

    async def _draw(self, request: Request, days: int) -> tuple[CallFigures, list[Chart]]:
        services, localizer = self.services, self.pages.localizer_of(request.scope)
        now = services.clock()
        local = now.astimezone(services.zone)
        first = local.date() - timedelta(days=days - 1)
        since = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
        # A day more: midnights of winter and summer are not 24 hours apart.
        facts = await services.call_journal.facts(
            since - timedelta(days=1), now + timedelta(minutes=1)
        )
        figures = count_calls(facts, first, local.date(), services.zone)
        runs = await services.sync_runs.runs(_RUNS, now - timedelta(hours=_HOURS + 1))
        return figures, [
            _by_hour(figures, localizer),
            _answered(figures, localizer),
            _waits(figures, localizer),
            _latency(services.latency.hours(), now, localizer),
            _freshness(runs, now, localizer),
        ]


_OWNERS = frozenset(
    {
        Rule.CONTACT_MANAGER,
        Rule.PARTNER_MANAGER,
        Rule.COUNTERPARTY_MANAGER,
        Rule.PARENT_MANAGER,
    }
)


def _share(figures: CallFigures) -> float | None:
    answered = sum(day.answered for day in figures.days.values())
    known = answered + sum(day.missed for day in figures.days.values())
    return answered / known if known else None


def _by_hour(figures: CallFigures, localizer: Localizer) -> Chart:
    series = [
        ChartSeries(
            localizer.translate(DISPOSITION_LABELS[one]),
            one.value,
            [hour.get(one, 0) for hour in figures.hours],
        )
        for one in _STACK
        if any(hour.get(one) for hour in figures.hours)
    ]
    return stacked_bars(
        ChartSpec(
            "hours",
            localizer.translate("Calls by hour of day and outcome"),
            localizer.translate("Hour"),
            [f"{hour}:00" for hour in range(_HOURS)],
            series,
            localizer.format_number,
            min_top=4,
            is_count=True,
        )
    )


def _answered(figures: CallFigures, localizer: Localizer) -> Chart:
    days = list(figures.days)
    shares = [figures.days[day].answered_share for day in days]
    return line_chart(
        ChartSpec(
            "answered",
            localizer.translate("Share of incoming calls answered"),
            localizer.translate("Day"),
            [localizer.format_day(day) for day in days],
            [ChartSeries(localizer.translate("answered"), "answered", shares)],
            localizer.format_percent,
            column_labels=[localizer.format_short_day(day) for day in days],
        )
    )


def _waits(figures: CallFigures, localizer: Localizer) -> Chart:
    columns = [
        localizer.translate("longer")
        if limit is None
        else localizer.translate("up to %(seconds)s s", seconds=limit)
        for limit in WAIT_CLASSES
    ]
    return stacked_bars(
        ChartSpec(
            "waits",
            localizer.translate("How long callers waited for an answer"),
            localizer.translate("Wait"),
            columns,
            [ChartSeries(localizer.translate("calls"), "answered", list(figures.waits))],
            localizer.format_number,
            min_top=4,
            is_count=True,
        )
    )


def _latency(hours: Sequence[LatencyHour], now: datetime, localizer: Localizer) -> Chart:
    stretch = _last_hours(now)
    known = {hour.started_at: hour for hour in hours}
    found = [known.get(begun) for begun in stretch]
    names = [localizer.format_hour(begun) for begun in stretch]
    return line_chart(
        ChartSpec(
            "latency",
            localizer.translate("How long the PBX waited for the routing answer"),
            localizer.translate("Hour"),
            names,
            [
                ChartSeries(
                    localizer.translate("usual"),
                    "median",
                    [None if hour is None else hour.p50 for hour in found],
                ),
                ChartSeries(
                    localizer.translate("95th percentile"),
                    "tail",
                    [None if hour is None else hour.p95 for hour in found],
                ),
            ],
            localizer.format_milliseconds,
            min_top=0.004,
        )
    )


def _freshness(runs: Sequence[SyncRun], now: datetime, localizer: Localizer) -> Chart:
    stretch = _last_hours(now)
    ages = max_data_ages(runs, stretch, now)
    return line_chart(
        ChartSpec(
            "freshness",
            localizer.translate("How old the data were at most"),
            localizer.translate("Hour"),
            [localizer.format_hour(begun) for begun in stretch],
            [
                ChartSeries(
                    localizer.translate("age"),
                    "age",
                    [None if age is None else age.total_seconds() for age in ages],
                )
            ],
            lambda seconds: localizer.format_duration(timedelta(seconds=seconds)),
            min_top=120,
            tick_steps=_TIMES,
        )
    )


def max_data_ages(
    runs: Sequence[SyncRun], hours: Sequence[datetime], now: datetime
) -> list[timedelta | None]:
    """Return for each hour how old the data became in it; None without an earlier proof."""
    # At the end of a run the data are as old as its proof; until then, as the proof before it.
    proofs = sorted(
        (run.started_at + timedelta(seconds=run.seconds), run.report.proven_at)
        for run in runs
        if run.report is not None and run.report.proven_at is not None
    )
    ages: list[timedelta | None] = []
    for begun in hours:
        end = min(begun + timedelta(hours=1), now)
        before = [proven for ended, proven in proofs if ended <= begun]
        within = [(ended, proven) for ended, proven in proofs if begun < ended <= end]
        held = before[-1] if before else None
        worst: timedelta | None = None
        for moment, proven in [*within, (end, None)]:
            if held is not None:
                worst = max(worst or timedelta(0), moment - held)
            held = proven if proven is not None else held
        ages.append(worst)
    return ages


def _last_hours(now: datetime) -> list[datetime]:
    last = now.replace(minute=0, second=0, microsecond=0)
    return [last - timedelta(hours=n) for n in range(_HOURS - 1, -1, -1)]
