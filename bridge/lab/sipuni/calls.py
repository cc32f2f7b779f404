"""A call somebody is going to make, the call as the cabinet remembers it, and what came of it."""

from dataclasses import dataclass, field

from bridge.lab.sipuni.events import Line, Params, ScriptedEvent
from bridge.lab.sipuni.history import HistoryRow
from bridge.lab.sipuni.switches import Outcome, Switches


@dataclass(frozen=True, slots=True)
class CallPlan:
    """A call that somebody is going to make; *switches* replace the lab's for this call alone."""

    caller: str
    did: str
    outcome: Outcome = Outcome.ANSWERED
    dtmf: str = ""
    ring_s: int = 12
    talk_s: int = 60
    switches: Switches | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One routing question as it went, and what the node made of the answer."""

    label: str
    query: str
    status: int | None
    latency_ms: float
    answer: str
    extension: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class Push:
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
    outcome: Outcome
    rang_first: str | None
    default_queue: bool
    silence_ms: float
    questions: tuple[Question, ...]
    pushes: tuple[Push, ...]
    problems: tuple[str, ...]


@dataclass(slots=True)
class LabCall:
    """A call the cabinet remembers, for its statistics and for the orders about it.

    *over* tells that its script has run out; *closed* that nobody can end it any more, which a
    call that lost its final event is not.
    """

    line: Line
    record_id: str
    kind: str
    extension: str
    rest: list[ScriptedEvent]
    switches: Switches
    talks: tuple[tuple[str, int], ...] = ()
    rung: tuple[str, ...] = ()
    ends: int = 0
    over: bool = False
    closed: bool = False
    report: CallReport | None = None
    pushes: list[Push] = field(default_factory=list)

    @property
    def history(self) -> HistoryRow:
        """Give the call's row of the statistics, which knows what events may have lost."""
        return HistoryRow(
            call_id=self.line.call_id,
            kind=self.kind,
            started=self.line.started,
            source=self.line.source,
            destination=self.line.destination,
            tree_name=self.switches.renamed_scheme or self.line.tree_name,
            talks=self.talks,
            rung=self.rung,
            duration_s=self.ends - self.line.started,
            record_id=self.record_id,
            recorded=bool(self.talks) and self.switches.recordings_ready,
        )
