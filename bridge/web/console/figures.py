"""The figures: calls by hour and outcome, answered share, time to answer, latency, freshness."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.decision import Rule
from bridge.domain.figures import WAIT_CLASSES, CallFigures, LatencyHour, count_calls
from bridge.domain.life import Disposition
from bridge.domain.texts import say_rule
from bridge.ports import AuditAct, SyncRun
from bridge.web.actions import note
from bridge.web.console.charts import Chart, Plan, Series, lines, stacked_bars
from bridge.web.console.room import Room, get, number_in
from bridge.web.console.sheets import sheet
from bridge.web.console.words import DISPOSITIONS
from bridge.web.language import Speech

_DAYS = (1, 7, 30, 90)
_RUNS = 2_000
_HOURS = 24

#: Steps of a scale of time whose marks are told apart in their largest unit, in seconds.
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


class FiguresRoom(Room):
    """The page of charts."""

    def routes(self) -> list[BaseRoute]:
        """Give the routes."""
        return [get("/console/figures", self.page), get("/console/figures.csv", self.download)]

    async def page(self, request: Request) -> Response:
        """Show the charts of the last days."""
        viewer = await self.gate.admin(request.scope)
        days = number_in(request.query_params.get("days"), _DAYS, 7)
        figures, charts = await self._draw(request, days)
        lang = self.pages.language(request.scope)
        rules = sorted(figures.rules.items(), key=lambda pair: -pair[1])
        return self.show(
            request,
            viewer,
            "figures.html",
            days=days,
            choices=_DAYS,
            figures=figures,
            share=_share(figures),
            rules=[(say_rule(lang, rule), count) for rule, count in rules],
            asked=sum(figures.rules.values()),
            owners=sum(count for rule, count in rules if rule in _OWNERS),
            charts=charts,
        )

    async def download(self, request: Request) -> Response:
        """Give the tables of all charts as one file."""
        viewer = await self.gate.admin(request.scope)
        days = number_in(request.query_params.get("days"), _DAYS, 7)
        _, charts = await self._draw(request, days)
        await note(self.services, viewer, AuditAct.EXPORTED, "figures")
        rows: list[Sequence[str]] = []
        for chart in charts:
            rows += [[chart.title], chart.header, *chart.rows, []]
        return sheet(self.pages.language(request.scope), "figures", [], rows)

    async def _draw(self, request: Request, days: int) -> tuple[CallFigures, list[Chart]]:
        services, speech = self.services, self.pages.speech(request.scope)
        now = services.clock()
        local = now.astimezone(services.zone)
        first = local.date() - timedelta(days=days - 1)
        since = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
        # A day more: midnights of winter and summer are not 24 hours apart.
        facts = await services.history.facts(since - timedelta(days=1), now + timedelta(minutes=1))
        figures = count_calls(facts, first, local.date(), services.zone)
        runs = await services.runs.runs(_RUNS, now - timedelta(hours=_HOURS + 1))
        return figures, [
            _by_hour(figures, speech),
            _answered(figures, speech),
            _waits(figures, speech),
            _latency(services.latency.hours(), now, speech),
            _freshness(runs, now, speech),
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


def _by_hour(figures: CallFigures, speech: Speech) -> Chart:
    series = [
        Series(
            speech.say(DISPOSITIONS[one]), one.value, [hour.get(one, 0) for hour in figures.hours]
        )
        for one in _STACK
        if any(hour.get(one) for hour in figures.hours)
    ]
    return stacked_bars(
        Plan(
            "hours",
            speech.say("Calls by hour of day and outcome"),
            speech.say("Hour"),
            [f"{hour}:00" for hour in range(_HOURS)],
            series,
            speech.number,
            top=4,
            whole=True,
        )
    )


def _answered(figures: CallFigures, speech: Speech) -> Chart:
    days = list(figures.days)
    shares = [figures.days[day].share for day in days]
    return lines(
        Plan(
            "answered",
            speech.say("Share of incoming calls answered"),
            speech.say("Day"),
            [speech.day(day) for day in days],
            [Series(speech.say("answered"), "answered", shares)],
            speech.percent,
            marks=[speech.short_day(day) for day in days],
        )
    )


def _waits(figures: CallFigures, speech: Speech) -> Chart:
    columns = [
        speech.say("longer") if limit is None else speech.say("up to %(seconds)s s", seconds=limit)
        for limit in WAIT_CLASSES
    ]
    return stacked_bars(
        Plan(
            "waits",
            speech.say("How long callers waited for an answer"),
            speech.say("Wait"),
            columns,
            [Series(speech.say("calls"), "answered", list(figures.waits))],
            speech.number,
            top=4,
            whole=True,
        )
    )


def _latency(hours: Sequence[LatencyHour], now: datetime, speech: Speech) -> Chart:
    stretch = _last_hours(now)
    known = {hour.begun: hour for hour in hours}
    found = [known.get(begun) for begun in stretch]
    names = [speech.hour(begun) for begun in stretch]
    return lines(
        Plan(
            "latency",
            speech.say("How long the PBX waited for the routing answer"),
            speech.say("Hour"),
            names,
            [
                Series(
                    speech.say("half of the answers within"),
                    "median",
                    [None if hour is None else hour.p50 for hour in found],
                ),
                Series(
                    speech.say("95 of 100 within"),
                    "tail",
                    [None if hour is None else hour.p95 for hour in found],
                ),
            ],
            speech.milliseconds,
            top=0.004,
        )
    )


def _freshness(runs: Sequence[SyncRun], now: datetime, speech: Speech) -> Chart:
    stretch = _last_hours(now)
    ages = oldest_ages(runs, stretch, now)
    return lines(
        Plan(
            "freshness",
            speech.say("How old the data were at most"),
            speech.say("Hour"),
            [speech.hour(begun) for begun in stretch],
            [
                Series(
                    speech.say("age"),
                    "age",
                    [None if age is None else age.total_seconds() for age in ages],
                )
            ],
            lambda seconds: speech.span(timedelta(seconds=seconds)),
            top=120,
            steps=_TIMES,
        )
    )


def oldest_ages(
    runs: Sequence[SyncRun], hours: Sequence[datetime], now: datetime
) -> list[timedelta | None]:
    """Tell for each hour how old the data became in it; None where no proof is known before."""
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
