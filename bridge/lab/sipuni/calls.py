"""A call somebody is going to make, the call as the cabinet remembers it, and what came of it."""

from dataclasses import dataclass, field

from bridge.lab.sipuni.protocol.events import CallHeader, Params, ScriptedEvent
from bridge.lab.sipuni.protocol.history import HistoryRow
from bridge.lab.sipuni.switches import CabinetSwitches, PlannedOutcome


@dataclass(frozen=True, slots=True)
class CallPlan:
    """A call that somebody is going to make; *switches* replace the lab's for this call alone."""

    caller: str
    did: str
    outcome: PlannedOutcome = PlannedOutcome.ANSWERED
    dtmf: str = ""
    ring_s: int = 12
    talk_s: int = 60
    switches: CabinetSwitches | None = None


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """One routing question as it went, and what the node made of the answer."""

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

    A websocket acknowledges nothing: there the status is None, and all is well if anybody listened.
    """

    event: str
    params: Params
    status: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class CallReport:
    """What the caller lived through.

    Attributes:
        rang_first: whose telephone rang first; None when nobody's could.
        default_queue: the call fell out of the scheme's last 0-branch.
        silence_ms: how long the caller heard nothing while the nodes waited for answers.
        problems: what went wrong, in words and in order.
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
    """A call the cabinet remembers, for its statistics and for the orders about it.

    *over* tells that its script has run out; *closed* that nobody can end it any more, which a
    call that lost its final event is not.
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
        """Give the call's row of the statistics, which knows what events may have lost."""
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
