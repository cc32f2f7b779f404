"""What the benchmarks found: floor and subject side by side, with the goal, printed at the end."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Score:
    """One comparison: medians of *floor* and *subject*, and whether the goal was reached."""

    name: str
    floor: str
    subject: str
    ratio: str
    goal: str
    reached: bool | None


@dataclass(slots=True)
class Scoreboard:
    """Collects scores and remarks of one run; nothing here fails because of a number."""

    scores: list[Score] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def score(
        self,
        name: str,
        *,
        floor: str,
        subject: str,
        ratio: float,
        goal: str = "",
        reached: bool | None = None,
    ) -> None:
        """Keep one line of the table."""
        self.scores.append(Score(name, floor, subject, f"{ratio:.2f}", goal, reached))

    def note(self, text: str) -> None:
        """Keep one line below the table."""
        self.notes.append(text)

    def show(self) -> str:
        """Draw everything."""
        table = Table(title="Benchmarks: floor and subject in one run, interleaved, medians")
        for column in ("what", "floor", "subject", "ratio", "goal", "reached"):
            table.add_column(column, overflow="fold")
        for s in self.scores:
            reached = "" if s.reached is None else "yes" if s.reached else "NO"
            table.add_row(s.name, s.floor, s.subject, s.ratio, s.goal, reached)
        console = Console(width=150, force_terminal=False, color_system=None)
        with console.capture() as drawn:
            console.print(table)
            for text in self.notes:
                console.print(f"- {text}", markup=False, highlight=False)
        return drawn.get()


def percentile(values: list[float], share: float) -> float:
    """Return the value that *share* of *values* do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(values: list[float], pattern: str = "{:.3g}") -> str:
    """Write the median with the least and the greatest repeat."""
    low, mid, high = min(values), median(values), max(values)
    return " ".join(
        (pattern.format(mid), f"({pattern.format(low)}–{pattern.format(high)})"),
    )


def rounds(repeats: int) -> Iterator[int]:
    """Count the repeats; each measures every side once."""
    yield from range(repeats)
