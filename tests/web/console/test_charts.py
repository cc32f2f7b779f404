"""The console's charts and the ages that they draw."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.ports.stores.directory import SyncReport
from bridge.ports.stores.sync_runs import SyncRun
from bridge.web.console.charts import ChartSeries, ChartSpec, line_chart, stacked_bars
from bridge.web.console.figures import max_data_ages
from bridge.web.console.sync import group_runs
from tests.support.builders import (
    NOON,
)
from tests.web.web_fixture import partial_report

pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------- charts
def plan(*values: float | None) -> ChartSpec:
    columns = [str(n) for n in range(len(values))]
    return ChartSpec(
        "k", "A chart", "Hour", columns, [ChartSeries("calls", "answered", values)], str
    )


def test_bars_stand_on_the_floor_and_reach_their_value() -> None:
    chart = stacked_bars(plan(2, 0, 4))

    assert [round(box.y + box.height) for box in chart.boxes] == [chart.baseline] * 2
    assert chart.boxes[1].height == pytest.approx(2 * chart.boxes[0].height, abs=0.3)
    assert chart.rows == [["0", "2"], ["1", "0"], ["2", "4"]]


def test_a_line_breaks_where_nothing_is_known() -> None:
    chart = line_chart(plan(1, 2, None, 3))

    (line,) = chart.lines
    assert [len(points.split()) for points in line.points] == [2, 1]
    assert len(chart.rows) == 3


def test_a_chart_of_nothing_says_so() -> None:
    assert stacked_bars(plan(0, 0)).is_empty
    assert line_chart(plan(None, None)).is_empty


def test_a_scale_of_time_is_marked_in_round_times() -> None:
    chart = line_chart(replace(plan(100, 130), tick_steps=(60, 3600)))

    assert [mark.text for mark in chart.y_labels] == ["0", "60", "120", "180", "240"]


def proof(minutes: int) -> SyncRun:
    at = NOON + timedelta(minutes=minutes)
    entity = replace(partial_report().entities[0], proven_at=at)
    return SyncRun(at, 0.0, SyncReport(at, 0.0, False, False, 1, (entity,)))


def test_the_oldest_age_of_an_hour_is_that_before_its_next_proof() -> None:
    hours = [NOON + timedelta(hours=n) for n in range(3)]
    runs = [proof(-10), proof(20), proof(30), proof(125)]

    ages = max_data_ages(runs, hours, NOON + timedelta(minutes=130))

    assert ages == [timedelta(minutes=m) for m in (30, 90, 95)]
    assert max_data_ages([], hours, NOON) == [None] * 3


def test_runs_without_news_stand_in_one_line() -> None:
    proven = proof(0)
    assert proven.report is not None
    quiet = replace(proven, report=replace(proven.report, changed=False))
    down = SyncRun(NOON, 1.0, error="connection refused")
    news = SyncRun(NOON, 1.0, SyncReport(NOON, 1.0, False, True, 3, ()))

    joined = group_runs([down, down, quiet, quiet, quiet, news, news])

    assert [stretch.count for stretch in joined] == [2, 3, 1, 1]
