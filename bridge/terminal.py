"""How results look in a terminal: rich tables on stdout, a progress bar on stderr."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.caller_names import candidate_name
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.delivery.texts import Language, format_evidence_step, format_rule
from bridge.domain.directory.entities import EntityKind
from bridge.domain.phone.formatting import format_phone
from bridge.domain.reporting.check_results import CheckResult, CheckVerdict
from bridge.domain.routing.decision import RouteDecision, RouteQuestion
from bridge.errors import RoutingFactsLost, SyncRefused
from bridge.ports.stores.directory import EntitySync, SyncReport

if TYPE_CHECKING:  # importing the lab takes as long as importing everything else here
    from bridge.lab.demo.steps import DemoStep

#: The last two are typed on a keyboard left in Russian.
_YES = frozenset({"y", "yes", "д", "да"})

_MARKS = {
    CheckVerdict.OK: "[green]ok[/]",
    CheckVerdict.WARNING: "[yellow]warning[/]",
    CheckVerdict.FAILURE: "[red]failure[/]",
}

_STATE_STYLES = {
    EntryState.DUE: "yellow",
    EntryState.SENDING: "cyan",
    EntryState.DELIVERED: "green",
    EntryState.DEAD: "red",
}


def console() -> Console:
    """Return the console of human results: stdout."""
    return Console(highlight=False)


def print_console_link(link: str) -> None:
    """Print the link that opens the console once, unbuffered: stdout may be a journal."""
    console().print(f"the console opens once, within an hour: {link}", markup=False, soft_wrap=True)
    sys.stdout.flush()


class ProgressBar:
    """A sync run's progress: a bar on a terminal, nothing anywhere else."""

    def __init__(self, *, shown: bool | None = None) -> None:
        self._screen = screen = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=screen,
            transient=True,
            disable=not (screen.is_terminal if shown is None else shown),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "ProgressBar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _begin(self, description: str, total: int | None) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(description, total=total)

    def listing(self, kind: EntityKind) -> None:
        """Show that *kind* is being listed."""
        self._begin(f"listing {kind.plural}", None)

    def fetching(self, kind: EntityKind, total: int) -> None:
        """Show a bar of *total* bodies."""
        self._begin(f"fetching {kind.plural}", total)

    def fetched(self, kind: EntityKind, count: int) -> None:
        """Move the bar by *count*."""
        del kind
        if self._task is not None:
            self._bar.advance(self._task, count)

    def confirm(self, refused: SyncRefused) -> bool:
        """Ask the person at the terminal whether 1C is right; anything but a yes is a no."""
        self._bar.stop()
        try:
            answer = self._screen.input(f"{format_loss_question(refused)} [y/N] ", markup=False)
        except EOFError:
            answer = ""
        finally:
            self._bar.start()
        return answer.strip().casefold() in _YES

    def indexing(self) -> None:
        """Show that the index is being built."""
        self._begin("indexing phone numbers", None)


def format_loss_question(refused: SyncRefused) -> str:
    """Return what a person is asked about a loss."""
    if not isinstance(refused, RoutingFactsLost):
        what = EntityKind(refused.entity_set).plural
        return (
            f"1C lists {refused.listed:,} {what}, the bridge holds {refused.held:,}. "
            "Are the others really gone?"
        )
    lost = "; ".join(
        f"{loss.words}: {loss.before:,} before, {loss.now:,} now" for loss in refused.losses
    )
    why = f" {refused.reason}" if refused.reason else ""
    return f"1C lost what calls are routed by. {lost}.{why} Is 1C right?"


def build_sync_table(report: SyncReport) -> Table:
    """Return one sync run as a table: what was compared, what changed, what could not be read."""
    title = f"sync {'in full ' if report.full else ''}took {report.seconds:.1f} s"
    table = Table(title=title, title_justify="left")
    for heading in ("", "in 1C", "held", "fetched", "gone", "unread phones", "requests", "MiB"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=not heading)
    for e in report.entities:
        cells = (e.listed, e.held, e.fetched, e.buried, e.unread_phones, e.requests)
        figures = (f"{n:,}" for n in cells)
        table.add_row(e.kind.plural, *figures, f"{e.bytes / 2**20:.1f}")
    return table


def build_sync_notes(report: SyncReport, attribute: str) -> Sequence[str]:
    """Return in sentences what a person should know after a run."""
    notes = [f"{report.numbers:,} phone numbers are in the index."]
    notes += [_lost_set(entity) for entity in report.entities if entity.error]
    if report.extension_property is None:
        notes.append(
            f"1C has no user attribute “{attribute}”: nobody has an extension. Create it in 1C "
            "(НСИ и администрирование → Общие настройки → Дополнительные реквизиты → Пользователи)."
        )
    elif report.nobody_reachable:
        notes.append(
            f"Nobody in 1C has an extension in “{attribute}”: every caller goes to the default. "
            "Is it the right attribute? See BRIDGE_EXTENSION_ATTRIBUTE."
        )
    elif report.managers_without_extension:
        notes.append(f"{report.managers_without_extension} managers have no extension.")
    for extension, names in report.shared_extensions.items():
        notes.append(
            f"Extension {extension} belongs to several users ({', '.join(names)}): "
            "leave it to one of them in 1C; nobody is guessed."
        )
    if report.unread_examples:
        examples = ", ".join(f"“{text}”" for text in report.unread_examples[:5])
        notes.append(f"Phones that could not be read, for example: {examples}.")
    return notes


def _lost_set(entity: EntitySync) -> str:
    if entity.proven_at is None:
        return f"{entity.error}."
    return (
        f"{entity.error}. The {entity.held:,} {entity.kind.plural} held stay as they were at "
        f"{format_time(entity.proven_at)}; to forget them, run: onec-bridge sync --accept-shrink"
    )


def build_route_lines(
    question: RouteQuestion, decision: RouteDecision, lang: Language
) -> Sequence[str]:
    """Return a decision as lines, step by step, the answer last."""
    lines = [
        f"{n}. {format_evidence_step(lang, step)}" for n, step in enumerate(decision.evidence, 1)
    ]
    number = question.caller.number
    caller = question.caller.raw or "—" if number is None else format_phone(number)
    who = decision.candidate
    named = f"{caller}, {candidate_name(who)}" if who else caller
    target = decision.target
    goal = "—" if target is None else f"{target.extension} {target.name}".strip()
    lines.append(f"→ {named} → {goal} ({format_rule(lang, decision.rule)})")
    return lines


def build_outbox_table(entries: Sequence[tuple[OutboxEntry, PhoneCall]]) -> Table:
    """Return what is pending for 1C as a table; its last column has the caller and 1C's answer."""
    table = Table(show_lines=True)
    for heading in ("id", "state", "call", "next"):
        table.add_column(heading, no_wrap=True)
    table.add_column("caller, and what 1C said", overflow="fold")
    for entry, call in entries:
        style = _STATE_STYLES[entry.state]
        table.add_row(
            entry.key[:8],
            f"[{style}]{entry.state.value}[/]",
            format_time(call.arrived_at),
            format_time(entry.due_at) if entry.state is EntryState.DUE else "",
            escape("\n".join(filter(None, (format_caller(call), entry.last_error)))),
        )
    return table


def build_entry_lines(entry: OutboxEntry, call: PhoneCall, lang: Language) -> Sequence[str]:
    """Return everything about one outbox entry, as lines."""
    lines = [
        f"{entry.key}: {entry.state.value}, stage {entry.stage.value}, {entry.attempts} attempts",
        f"call of {format_time(call.arrived_at)}: {format_caller(call)}, line {call.did or '—'}",
    ]
    lines += [f"  {format_evidence_step(lang, step)}" for step in call.decision.evidence]
    if entry.document is not None:
        lines.append(f"document in 1C: {entry.document}")
    if entry.state is EntryState.DUE:
        lines.append(f"next look at {format_time(entry.due_at)}")
    if entry.last_error:
        lines.append(f"1C said: {entry.last_error}")
    return lines


def build_check_table(findings: Sequence[CheckResult]) -> Table:
    """Return the check results as a table, each with what to do."""
    table = Table()
    for heading in ("", "area", "finding", "what to do"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        mark = _MARKS[finding.verdict]
        table.add_row(mark, finding.area, escape(finding.message), escape(finding.advice))
    return table


class DemoScreen:
    """Shows the demonstration on the terminal."""

    def __init__(self) -> None:
        self._console = console()

    def write_line(self, text: str) -> None:
        """Write one sentence."""
        self._console.print(text, markup=False, soft_wrap=True)

    def show_steps(self, steps: Sequence["DemoStep"]) -> None:
        """Show the steps and whether they passed."""
        table = Table(title="one day of 1C-bridge, seen on the 1C side", title_justify="left")
        for heading in ("", "what was done", "had to be seen", "was seen"):
            table.add_column(heading, overflow="fold")
        for step in steps:
            mark = "[green]ok[/]" if step.passed else "[red]NO[/]"
            table.add_row(mark, escape(step.name), escape(step.expected), escape(step.seen))
        self._console.print(table)


def format_caller(call: PhoneCall) -> str:
    """Return the caller of *call* in short."""
    number = call.caller.number
    phone = call.caller.raw or "—" if number is None else format_phone(number)
    who = call.decision.candidate
    return phone if who is None else f"{phone} {candidate_name(who)}"


def format_time(moment: datetime) -> str:
    """Return a moment in the reader's own zone."""
    return moment.astimezone().strftime("%d.%m %H:%M:%S")


def is_interactive() -> bool:
    """Return whether a person can be asked: stdin and stdout are both a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def print_error(sentence: str) -> None:
    """Print what went wrong: one sentence on stderr."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(sentence)


def print_json(text: str) -> None:
    """Print one JSON document on stdout, and nothing else there."""
    sys.stdout.write(text + "\n")
