"""The weather of the laboratory: what goes wrong between a client and 1C, and when.

A `Fault` strikes requests that match its method and set: from the n-th matching one (`nth`, from 1)
for `times` of them (None: until cleared). A mood is a fault that never runs out; a script is a
list of faults. `--faults FILE` is JSON:

    {"switches": {"lang": "en", "cold_start_seconds": 12},
     "faults": [
       {"kind": "slow", "seconds": 3, "set": "Catalog_Партнеры"},
       {"kind": "lost_reply", "method": "POST", "nth": 2, "times": 1},
       {"kind": "shrunken", "set": "Catalog_Партнеры", "share": 0.5, "times": null}]}

Kinds, by when they strike:

* instead of 1C (nothing is executed): `down`, `maintenance_200`, `maintenance_503`,
  `sessions_blocked`, `pool_exhausted`, `unauthorised`, `rights`, `data_lock`, `no_licence_500`,
  `no_licence_503`, `out_of_memory`, `platform_error`, `business_refusal` (`text`), `flaky`
  (strikes 8 of every 11 reads), `timeout` (waits `seconds`, then the connection is lost);
* the same as a page with status 200, its title a program's name, `text` its sentence: `rights_200`,
  `blocked_200`, `no_licence_200`, `page_200` (any `text`); `sign_in_200` is a portal's page to sign
  in at, `plain_200` a text in windows-1251 without markup;
* after 1C executed it: `lost_reply`, `hung_reply` (waits `seconds`, then the connection is lost),
  `bad_gateway` (502 after the commit), `truncated` (half of the body), `cut` (half of the body,
  then the connection is lost);
* besides: `slow` (`seconds`), `shrunken` (`share` of the rows is missing; 1 is an empty set),
  `late_commit` (a write is answered with 502, or lost where `text` is "lost", and executed only
  after `after` further requests or when the lab is told).

In-process (httpx.ASGITransport) a lost connection is the exception `LabConnectionLost`; its
`phase` says what a socket would have felt: `connect`, `read` or `timeout`. Over uvicorn the
connection is closed without a word.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from bridge.lab.onec.switches import PublicationSwitches

LossPhase = Literal["connect", "read", "timeout"]
#: Of every eleven reads eight fail: the development base of onec-odata §5.3.
_FLAKY_GOOD: Final = frozenset({2, 6, 9})
_FLAKY_CYCLE: Final = 11
REPLACING: Final = frozenset(
    {
        "down",
        "timeout",
        "maintenance_200",
        "maintenance_503",
        "sessions_blocked",
        "pool_exhausted",
        "unauthorised",
        "rights",
        "data_lock",
        "no_licence_500",
        "no_licence_503",
        "out_of_memory",
        "platform_error",
        "rights_200",
        "blocked_200",
        "no_licence_200",
        "page_200",
        "sign_in_200",
        "plain_200",
        "business_refusal",
        "flaky",
        "late_commit",
    }
)
AFTER_EXECUTION: Final = frozenset({"lost_reply", "hung_reply", "bad_gateway", "truncated", "cut"})
ADDITIONAL: Final = frozenset({"slow", "shrunken"})
KINDS: Final = REPLACING | AFTER_EXECUTION | ADDITIONAL


class LabConnectionLost(ConnectionError):
    """The connection broke, as a client in the same process sees it.

    `phase` is `connect` (nothing was sent), `read` (the reply is lost) or `timeout`.
    """

    def __init__(self, phase: LossPhase) -> None:
        super().__init__(f"the lab lost the connection ({phase})")
        self.phase: LossPhase = phase


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong; see the module for kinds and fields.

    `method` and `set` narrow the requests (`GET`, `Catalog_Партнеры`); None matches all.
    `name` lets a mood be cleared; it is the kind unless given.
    """

    kind: str
    name: str = ""
    method: str | None = None
    set: str | None = None
    nth: int = 1
    times: int | None = None
    seconds: float = 0.0
    share: float = 1.0
    after: int = 3
    text: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            known = ", ".join(sorted(KINDS))
            raise ValueError(f"unknown fault {self.kind!r}; known are {known}")
        self.name = self.name or self.kind

    def matches(self, method: str, set_name: str) -> bool:
        """Tell whether a request of this kind is meant."""
        return self.method in {None, method} and self.set in {None, set_name}


class FaultsFile(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a faults file."""

    faults: list[Fault] = []
    switches: dict[str, Any] = {}


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0

    def strikes(self) -> bool:
        """Count one matching request and tell whether it is hit."""
        self.seen += 1
        fault = self.fault
        if self.seen < fault.nth:
            return False
        if fault.times is not None and self.seen >= fault.nth + fault.times:
            return False
        if fault.kind == "flaky":
            return (self.seen - fault.nth) % _FLAKY_CYCLE not in _FLAKY_GOOD
        return True


@dataclass(frozen=True, slots=True)
class RequestFaults:
    """What hits one request: delays, losses of rows, and at most one fault of each stage."""

    delay_s: float = 0.0
    replacing: Fault | None = None
    after_execution: Fault | None = None
    row_losses: tuple[Fault, ...] = ()

    def is_row_lost(self, ref: str) -> bool:
        """Tell whether a row is missing from this answer; the same rows in every request."""
        ticket = zlib.crc32(ref.encode()) % 10_000
        return any(ticket < fault.share * 10_000 for fault in self.row_losses)


@dataclass(slots=True)
class FaultPlan:
    """The faults in force, in the order they came."""

    active: list[_Armed] = field(default_factory=list)

    def add(self, kind: str, **fields: Any) -> Fault:
        """Let a fault of *kind* strike from now on; see `Fault` for the fields.

        Raises:
            ValueError: the kind is unknown.
        """
        fault = Fault(kind=kind, **fields)
        self.active.append(_Armed(fault))
        return fault

    def extend(self, faults: list[Fault]) -> None:
        """Let a list of faults strike, each by its own count."""
        self.active += [_Armed(fault) for fault in faults]

    def clear(self, name: str | None = None) -> None:
        """End the faults of this name or kind, or all of them."""
        self.active = [
            armed
            for armed in self.active
            if name is not None and name not in {armed.fault.name, armed.fault.kind}
        ]

    def match_request(self, method: str, set_name: str) -> RequestFaults:
        """Say what hits this request; every matching fault counts it."""
        seconds, instead, afterwards = 0.0, None, None
        shrunken: list[Fault] = []
        for armed in self.active:
            fault = armed.fault
            if not fault.matches(method, set_name):
                continue
            if fault.kind == "flaky" and method != "GET":
                continue
            if fault.kind == "late_commit" and method == "GET":
                continue
            if not armed.strikes():
                continue
            if fault.kind == "slow":
                seconds += fault.seconds
            elif fault.kind == "shrunken":
                shrunken.append(fault)
            elif fault.kind in AFTER_EXECUTION:
                afterwards = afterwards or fault
            else:
                instead = instead or fault
        return RequestFaults(seconds, instead, afterwards, tuple(shrunken))


def read_faults_file(raw: bytes) -> FaultsFile:
    """Read a faults file.

    Raises:
        msgspec.DecodeError: it is no JSON of the documented shape.
        ValueError: a switch is unknown.
    """
    forecast = msgspec.json.decode(raw, type=FaultsFile)
    if unknown := sorted(forecast.switches.keys() - PublicationSwitches().as_json().keys()):
        raise ValueError(f"no such switch: {', '.join(unknown)}")
    return forecast
