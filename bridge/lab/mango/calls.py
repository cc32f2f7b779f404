"""A planned call, its legs as the cabinet remembers them, and the report of it."""

import asyncio
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from bridge.lab.mango.cabinet import MangoLine
from bridge.lab.mango.switches import MangoOutcome, MangoSwitches


class MangoKind(StrEnum):
    """Who began a call."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    INTERNAL = "internal"
    CALLBACK = "callback"  # the exchange did, and rings both

    @property
    def direction(self) -> int:
        """Return `call_direction` of the summary: 0 internal, 1 in, 2 out."""
        if self is MangoKind.INTERNAL:
            return 0
        return 1 if self is MangoKind.INCOMING else 2


class LegState(StrEnum):
    """`call_state` of an event."""

    APPEARED = "Appeared"
    CONNECTED = "Connected"
    ON_HOLD = "OnHold"
    DISCONNECTED = "Disconnected"


class LegPlace(StrEnum):
    """`location` of an event."""

    MENU = "ivr"
    QUEUE = "queue"
    EMPLOYEE = "abonent"


class MangoCode(IntEnum):
    """Codes of results and of `disconnect_reason`: docs/facts/mango.md, 'Result codes'."""

    DONE = 1000
    NORMAL = 1100
    CALLER = 1110
    TIME_OUT = 1111
    CALLEE = 1120
    BUSY = 1121
    NOT_DISTURBED = 1124
    AWAY = 1131
    NO_SUCH_NUMBER = 1133
    QUEUE_TIME_OUT = 1163
    GROUP_AWAY = 1164
    SCHEME = 1170
    COMMAND = 1181
    INTERCEPTED = 1182
    OFF_SCHEDULE = 1191
    NOT_POST = 3101
    WRONG_SIGN = 3102
    MISSING = 3103
    WRONG_FORMAT = 3104
    UNKNOWN_KEY = 3105
    NO_RECORDING = 3320
    NOT_JSON = 3400
    UNSUPPORTED = 4001
    NOT_NOW = 4100
    OVER = 4101
    TOO_MANY = 4290
    NO_SERVICE = 5008
    NO_TABLE = 5225


@dataclass(frozen=True, slots=True)
class MangoPlan:
    """A planned call.

    Attributes:
        caller: digits of the caller from outside; empty where they are hidden.
        did: the line that is called, or by which a call goes out.
        extension: the employee who calls, or is called back.
        number: whom an employee calls: digits, or a colleague's extension.
        initiator: `callback_initiator` of a callback.
        dtmf: what the caller keys in the menu.
        ended_by: who hangs up after the talk, `caller` or `callee`.
        transfer_to: whom a transfer goes to; empty for some colleague.
        switches: replace the lab's for this call alone.
    """

    kind: MangoKind = MangoKind.INCOMING
    caller: str = ""
    did: str = "74950000001"
    extension: str = ""
    number: str = ""
    outcome: MangoOutcome = MangoOutcome.ANSWERED
    initiator: str = "API"
    dtmf: str = ""
    ring_s: float = 12
    talk_s: float = 60
    ended_by: str = "callee"
    transfer_to: str = ""
    switches: MangoSwitches | None = None


@dataclass(frozen=True, slots=True)
class MangoParty:
    """One side of a leg; empty texts where it is not known."""

    extension: str = ""
    number: str = ""


@dataclass(slots=True, eq=False)
class MangoLeg:
    """One party's part of a call; a route or a transfer makes a new one.

    *is_silent* is a leg of which nothing is pushed, *is_routed* one that a command moves already.
    """

    call_id: str
    place: LegPlace
    caller: MangoParty
    callee: MangoParty
    appeared_at: int
    taken_from: str = ""
    group: str = ""
    command_id: str = ""
    transfer: str = ""
    recording_id: str = ""
    is_silent: bool = False
    is_routed: bool = False
    state: LegState = LegState.APPEARED
    seq: int = 0
    connected_at: int = 0
    ended_at: int = 0
    reason: int = 0

    @property
    def is_over(self) -> bool:
        """Return whether its last state is reached."""
        return self.state is LegState.DISCONNECTED


@dataclass(frozen=True, slots=True)
class LegRouted:
    """A command moves a leg that is not answered yet."""

    leg: MangoLeg
    to_number: str
    command_id: str


@dataclass(frozen=True, slots=True)
class LegCut:
    """A party or a command ends a leg."""

    leg: MangoLeg | None
    reason: int


@dataclass(frozen=True, slots=True)
class LegPickedUp:
    """A telephone that rings is picked up; any of them where no extension is named."""

    extension: str = ""


Intervention = LegRouted | LegCut | LegPickedUp


@dataclass(slots=True, eq=False)
class MangoPush:
    """One push as it went; *problem* is empty when it was answered with 200."""

    path: str
    json_text: str
    status: int | None = None
    problem: str = ""
    attempts: int = 0


@dataclass(slots=True, eq=False)
class MangoCall:
    """A call the cabinet remembers.

    *ahead_s* are the seconds that took no time: a lab that hurries counts them all the same. So
    *ended_at* may lie in the future, *finished_at* is when it really was.
    """

    entry_id: str
    serial: int
    plan: MangoPlan
    line: MangoLine
    began_at: int
    command_id: str = ""
    ahead_s: float = 0.0
    ended_at: int = 0
    finished_at: float = 0.0
    silence_s: float = 0.0
    answered_leg: MangoLeg | None = None
    went_to_default: bool = False
    is_over: bool = False
    legs: list[MangoLeg] = field(default_factory=list)
    pushes: list[MangoPush] = field(default_factory=list)
    interventions: asyncio.Queue[Intervention] = field(default_factory=asyncio.Queue)

    @property
    def rung(self) -> tuple[str, ...]:
        """Return whose telephones rang, in order; of a callback also the client's number."""
        unrung = {MangoCode.OFF_SCHEDULE, MangoCode.AWAY, MangoCode.NOT_DISTURBED}
        rung = (
            leg.callee.extension or leg.callee.number
            for leg in self.legs
            if leg.place is LegPlace.EMPLOYEE and leg.reason not in unrung
        )
        return tuple(dict.fromkeys(rung))


@dataclass(frozen=True, slots=True)
class MangoCallReport:
    """What the caller met.

    Attributes:
        rang_first: whose telephone rang first; None when none did.
        answered_by: who talked to the caller; None when none did.
        routed_by: the commands of the bridge that made legs.
        went_to_default: the caller was not routed in time.
        silence_ms: how long the caller waited in the menu.
        problems: what went wrong with pushes, in order.
    """

    entry_id: str
    kind: MangoKind
    caller: str
    did: str
    outcome: MangoOutcome
    is_over: bool
    rang_first: str | None
    rung: tuple[str, ...]
    answered_by: str | None
    routed_by: tuple[str, ...]
    went_to_default: bool
    silence_ms: float
    legs: tuple[str, ...]
    pushes: tuple[MangoPush, ...]
    problems: tuple[str, ...]


def report_call(call: MangoCall) -> MangoCallReport:
    """Return what became of *call* so far."""
    answered, commands = call.answered_leg, (leg.command_id for leg in call.legs)
    return MangoCallReport(
        entry_id=call.entry_id,
        kind=call.plan.kind,
        caller=call.plan.caller,
        did=call.line.number,
        outcome=call.plan.outcome,
        is_over=call.is_over,
        rang_first=next(iter(call.rung), None),
        rung=call.rung,
        answered_by=(answered.callee.extension or answered.callee.number) if answered else None,
        routed_by=tuple(dict.fromkeys(filter(None, commands))),
        went_to_default=call.went_to_default,
        silence_ms=round(call.silence_s * 1000, 3),
        legs=tuple(leg.call_id for leg in call.legs),
        pushes=tuple(call.pushes),
        problems=tuple(f"{one.path}: {one.problem}" for one in call.pushes if one.problem),
    )
