"""Charts as geometry: what a template draws as SVG, and reads out as a table.

A chart is 480 units wide, about as many pixels as it gets; colours are the style sheet's, by class.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

WIDTH: Final = 480
HEIGHT: Final = 220
_LEFT: Final = 62
_RIGHT: Final = 8
_TOP: Final = 10
_BOTTOM: Final = 26
_TICKS: Final = 4

#: More marks than this under a chart would run into each other.
_MOST_MARKS: Final = 8


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """One row of values, None where there is none; *style* is a class of the style sheet."""

    name: str
    style: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class ChartBox:
    """A bar, with the text that a pointer shows."""

    x: float
    y: float
    width: float
    height: float
    style: str
    tooltip: str


@dataclass(frozen=True, slots=True)
class AxisLabel:
    """A label on an axis, at *position* pixels from the left or the top."""

    position: float
    text: str


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A line through points; *points* as SVG writes them, one text for each unbroken stretch."""

    style: str
    points: Sequence[str]
    dots: Sequence[ChartBox]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart ready to be drawn, and its table: a header and rows of texts."""

    key: str
    title: str
    legend: Sequence[ChartSeries]
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    x_labels: Sequence[AxisLabel]
    y_labels: Sequence[AxisLabel]
    boxes: Sequence[ChartBox] = ()
    lines: Sequence[ChartLine] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    baseline: int = HEIGHT - _BOTTOM
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """What a chart is made of; *min_top* is the least height of the scale."""

    key: str
    title: str
    #: What the columns are: "Hour", "Day".
    column_title: str
    columns: Sequence[str]
    series: Sequence[ChartSeries]
    format_value: Callable[[float], str]
    min_top: float = 1.0
    #: Whether values are counts: the scale then has no fractions.
    is_count: bool = False
    #: Widths of a step of the scale, where a tenth of a thousand is no round number: times.
    tick_steps: Sequence[float] = ()
    column_labels: Sequence[str] = field(default_factory=tuple)


def stacked_bars(plan: ChartSpec) -> Chart:
    """Draw a bar for each column, its series on top of each other."""
    sums = [sum(values) for values in zip(*(_filled(s) for s in plan.series), strict=True)]
    scale = _Scale(max([*sums, plan.min_top]), plan)
    step = (WIDTH - _LEFT - _RIGHT) / max(len(plan.columns), 1)
    boxes: list[ChartBox] = []
    for place, column in enumerate(plan.columns):
        reached = 0.0
        for series in plan.series:
            value = series.values[place]
            if value:
                upper, lower = scale.y(reached + value), scale.y(reached)
                tooltip = f"{column}: {series.name} {plan.format_value(value)}"
                x = _LEFT + place * step + step * 0.12
                boxes.append(
                    ChartBox(
                        _at(x), upper, _at(step * 0.76), _at(lower - upper), series.style, tooltip
                    )
                )
                reached += value
    return _chart(plan, scale, step, boxes=boxes)


def line_chart(plan: ChartSpec) -> Chart:
    """Draw a line for each series; it breaks where there is no value."""
    values = [value for series in plan.series for value in _filled(series)]
    scale = _Scale(max([*values, plan.min_top]), plan)
    step = (WIDTH - _LEFT - _RIGHT) / max(len(plan.columns), 1)
    drawn: list[ChartLine] = []
    for series in plan.series:
        stretches: list[list[str]] = [[]]
        dots: list[ChartBox] = []
        for place, value in enumerate(series.values):
            if value is None:
                stretches.append([])
                continue
            x, y = _at(_LEFT + (place + 0.5) * step), scale.y(value)
            stretches[-1].append(f"{x},{y}")
            tooltip = f"{plan.columns[place]}: {series.name} {plan.format_value(value)}"
            dots.append(ChartBox(x, y, 0, 0, series.style, tooltip))
        points = [" ".join(stretch) for stretch in stretches if stretch]
        drawn.append(ChartLine(series.style, points, dots))
    return _chart(plan, scale, step, lines=drawn)


class _Scale:
    """Turns values into heights; ends at a round number."""

    def __init__(self, highest: float, plan: ChartSpec) -> None:
        least = highest / _TICKS
        round_up = _round_up(least, _WHOLE if plan.is_count else _PARTS)
        step = next((step for step in plan.tick_steps if step >= least), round_up)
        self.ticks = [step * n for n in range(_TICKS + 1)]
        self._top = self.ticks[-1]

    def y(self, value: float) -> float:
        """Return the height of *value*, counted from above."""
        plot_height = HEIGHT - _TOP - _BOTTOM
        return _at(_TOP + plot_height * (1 - value / self._top))


def _chart(
    plan: ChartSpec,
    scale: _Scale,
    step: float,
    *,
    boxes: Sequence[ChartBox] = (),
    lines: Sequence[ChartLine] = (),
) -> Chart:
    texts = plan.column_labels or plan.columns
    every = -(-len(texts) // _MOST_MARKS)
    below = [
        AxisLabel(_at(_LEFT + (place + 0.5) * step), text)
        for place, text in enumerate(texts)
        if place % every == 0
    ]
    rows = [
        [column, *(_cell(series.values[place], plan) for series in plan.series)]
        for place, column in enumerate(plan.columns)
        if any(series.values[place] is not None for series in plan.series)
    ]
    return Chart(
        plan.key,
        plan.title,
        plan.series,
        [plan.column_title, *(series.name for series in plan.series)],
        rows,
        below,
        [AxisLabel(scale.y(tick), plan.format_value(tick)) for tick in scale.ticks],
        boxes,
        lines,
        is_empty=not any(value for series in plan.series for value in series.values),
    )


def _cell(value: float | None, plan: ChartSpec) -> str:
    return "" if value is None else plan.format_value(value)


def _filled(series: ChartSeries) -> list[float]:
    return [value or 0.0 for value in series.values]


_PARTS = (0.1, 0.2, 0.25, 0.5, 1.0)
_WHOLE = (0.1, 0.2, 0.5, 1.0)


def _round_up(value: float, parts: Sequence[float]) -> float:
    """Return the least of *parts* of a power of ten that is no less than *value*."""
    size = 1.0
    while size < value:
        size *= 10
    while size >= value * 10 and size > 1e-6:  # noqa: PLR2004 - a power of ten
        size /= 10
    return next((size * part for part in parts if size * part >= value), size)


def _at(value: float) -> float:
    return round(value, 1)
