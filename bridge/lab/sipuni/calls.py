"""A planned call, the call as the cabinet keeps it, and the report of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from bridge.lab.sipuni.protocol.event_sequences import EventSequence, apply_switches
from bridge.lab.sipuni.protocol.events import CallHeader, Params, ScriptedEvent
from bridge.lab.sipuni.protocol.history import HistoryRow
from bridge.lab.sipuni.switches import CabinetSwitches, PlannedOutcome

Pause = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class CallPlan:
    """A call to be made; *switches* replace the lab's for this call alone."""

    caller: str
    did: str
    outcome: PlannedOutcome = PlannedOutcome.ANSWERED
    dtmf: str = ""
    ring_s: int = 12
    talk_s: int = 60
    switches: CabinetSwitches | None = None


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """One routing question and its answer, as the scheme node understood it."""

    label: str
    query: str
    status: int | None
    latency_ms: float
    answer: str
    extension: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class PushedEvent:
    """One pushed event and how the bridge took it; *problem* is empty for a correct answer.

    A websocket acknowledges nothing: the status is None, and the problem is empty if there was a
    listener.
    """

    event: str
    params: Params
    status: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class CallReport:
    """What the caller met.

    Attributes:
        rang_first: the extension that rang first; None when none could.
        default_queue: the call fell out of the scheme's last 0-branch.
        silence_ms: how long there was silence while the nodes waited for answers.
        problems: what went wrong, as sentences in order.
    """

    call_id: str
    caller: str
    did: str
    outcome: PlannedOutcome
    rang_first: str | None
    default_queue: bool
    silence_ms: float
    questions: tuple[AskedQuestion, ...]
    pushes: tuple[PushedEvent, ...]
    problems: tuple[str, ...]


@dataclass(slots=True)
class LabCall:
    """A call the cabinet keeps, for its statistics and for the orders about it.

    *is_over*: all its events have been pushed. *is_closed*: it cannot be ended any more, though a
    call that lost its final event can.
    """

    header: CallHeader
    record_id: str
    kind: str
    extension: str
    pending_events: list[ScriptedEvent]
    switches: CabinetSwitches
    talks: tuple[tuple[str, int], ...] = ()
    rung_extensions: tuple[str, ...] = ()
    ends_at: int = 0
    is_over: bool = False
    is_closed: bool = False
    report: CallReport | None = None
    pushes: list[PushedEvent] = field(default_factory=list)

    @property
    def history_row(self) -> HistoryRow:
        """Return the call's row of the statistics, complete even where events were lost."""
        return HistoryRow(
            call_id=self.header.call_id,
            kind=self.kind,
            started=self.header.started,
            source=self.header.source,
            destination=self.header.destination,
            tree_name=self.switches.renamed_scheme or self.header.tree_name,
            talks=self.talks,
            rung_extensions=self.rung_extensions,
            duration_s=self.ends_at - self.header.started,
            record_id=self.record_id,
            recorded=bool(self.talks) and self.switches.recordings_ready,
        )

    def plan_events(self, sequence: EventSequence, *, skip: int = 0) -> None:
        """Set the events to push, and the real values for the statistics, which events may distort.

        *skip* events at the beginning have been pushed already.
        """
        finals = [event for event in sequence if event.code == "2"]
        answers = [event for event in sequence if event.code == "3"]
        if finals:
            self.ends_at = finals[-1].at
            ends = [*(event.at for event in answers[1:]), self.ends_at][: len(answers)]
            self.talks = tuple(
                (answer.extension or self.extension, end - answer.at)
                for answer, end in zip(answers, ends, strict=True)
            )
        rings = (event.extension for event in sequence if event.code == "1")
        self.rung_extensions = tuple(dict.fromkeys([*self.rung_extensions, *filter(None, rings)]))
        self.pending_events = list(apply_switches(sequence, self.switches))[skip:]


class OrderedPlayback(Protocol):
    """A scenario that begins with an order of the API, being played."""

    @property
    def order_id(self) -> str:
        """Return the id the cabinet gives to the order."""
        ...

    async def play(self, *, until_reply: bool = False) -> None:
        """Play what is left of it, or only what overtakes the order's answer."""
        ...


class WaitsForOrder(Protocol):
    """Something that begins with the order of a certain call."""

    def start_for_order(self, phone: str, extension: str) -> OrderedPlayback | None:
        """Return its playback if it waits for this order."""
        ...
