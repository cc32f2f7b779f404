"""Faults of the simulated 1C: what goes wrong between a client and 1C, and when.

A `Fault` hits requests that match its method and set: from the n-th matching one (`nth`, from 1)
for `times` of them (None: until cleared). `--faults FILE` is JSON:

    {"switches": {"lang": "en", "cold_start_seconds": 12},
     "faults": [
       {"kind": "slow", "seconds": 3, "set": "Catalog_Партнеры"},
       {"kind": "lost_reply", "method": "POST", "nth": 2, "times": 1},
       {"kind": "shrunken", "set": "Catalog_Партнеры", "share": 0.5, "times": null}]}

Kinds, by what they do:

* instead of 1C (nothing is executed): `down`, `maintenance_200`, `maintenance_503`,
  `sessions_blocked`, `pool_exhausted`, `unauthorised`, `rights`, `data_lock`, `no_licence_500`,
  `no_licence_503`, `out_of_memory`, `platform_error`, `business_refusal` (`text`), `flaky`
  (hits 8 of every 11 reads), `timeout` (waits `seconds`, then the connection is lost);
* the same as a page with status 200, its title a program's name, `text` its sentence: `rights_200`,
  `blocked_200`, `no_licence_200`, `page_200` (any `text`); `sign_in_200` is a portal's page to sign
  in at, `plain_200` a text in windows-1251 without markup;
* after 1C executed it: `lost_reply`, `hung_reply` (waits `seconds`, then the connection is lost),
  `bad_gateway` (502 after the commit), `truncated` (half of the body), `cut` (half of the body,
  then the connection is lost);
* besides: `slow` (`seconds`), `shrunken` (`share` of the rows is missing; 1 is an empty set),
  `late_commit` (a write is answered with 502, or lost where `text` is "lost", and executed only
  after `after` further requests or when `commit-late` is called).

In-process (httpx.ASGITransport) a lost connection is the exception `LabConnectionLost`; its
`phase` is what a client on a socket would see: `connect`, `read` or `timeout`. Over uvicorn the
connection is closed without a reply.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from bridge.lab.onec.switches import PublicationSwitches

#: Of every eleven reads eight fail: the development base of docs/facts/onec-odata.md, 'What causes
#: which error'.
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


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong; see the module's docstring for kinds and fields.

    `method` and `set` narrow the requests (`GET`, `Catalog_Партнеры`); None matches all.
    `name` serves to clear it; it is the kind unless given.
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
            kinds = ", ".join(sorted(KINDS))
            raise ValueError(f"unknown fault {self.kind!r}; known are {kinds}")
        self.name = self.name or self.kind

    def matches(self, method: str, set_name: str) -> bool:
        """Return whether a request of *method* to *set_name* matches."""
        return self.method in {None, method} and self.set in {None, set_name}


class FaultsFile(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a faults file."""

    faults: list[Fault] = []
    switches: dict[str, Any] = {}


@dataclass(slots=True)
class _ActiveFault:
    fault: Fault
    seen: int = 0

    def hits(self) -> bool:
        """Count one matching request and return whether it is hit."""
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
    """The faults of one request: a delay, lost rows, and one fault before and after execution."""

    delay_s: float = 0.0
    replacing: Fault | None = None
    after_execution: Fault | None = None
    row_losses: tuple[Fault, ...] = ()

    def is_row_lost(self, ref: str) -> bool:
        """Return whether a row is missing from this answer; the same rows in every request."""
        position = zlib.crc32(ref.encode()) % 10_000
        return any(position < fault.share * 10_000 for fault in self.row_losses)


@dataclass(slots=True)
class FaultPlan:
    """The faults in force, in the order they came."""

    active: list[_ActiveFault] = field(default_factory=list)

    def add(self, kind: str, **fields: Any) -> Fault:
        """Add a fault of *kind*; see `Fault` for the fields.

        Raises:
            ValueError: the kind is unknown.
        """
        fault = Fault(kind=kind, **fields)
        self.active.append(_ActiveFault(fault))
        return fault

    def extend(self, faults: list[Fault]) -> None:
        """Add *faults*; each counts its own requests."""
        self.active += [_ActiveFault(fault) for fault in faults]

    def clear(self, name: str | None = None) -> None:
        """End the faults of this name or kind, or all of them."""
        self.active = [
            active
            for active in self.active
            if name is not None and name not in {active.fault.name, active.fault.kind}
        ]

    def match_request(self, method: str, set_name: str) -> RequestFaults:
        """Return the faults of this request; every matching fault counts it."""
        delay_s, replacing, after_execution = 0.0, None, None
        row_losses: list[Fault] = []
        for active in self.active:
            fault = active.fault
            if not fault.matches(method, set_name):
                continue
            if fault.kind == "flaky" and method != "GET":
                continue
            if fault.kind == "late_commit" and method == "GET":
                continue
            if not active.hits():
                continue
            if fault.kind == "slow":
                delay_s += fault.seconds
            elif fault.kind == "shrunken":
                row_losses.append(fault)
            elif fault.kind in AFTER_EXECUTION:
                after_execution = after_execution or fault
            else:
                replacing = replacing or fault
        return RequestFaults(delay_s, replacing, after_execution, tuple(row_losses))


def read_faults_file(raw: bytes) -> FaultsFile:
    """Read a faults file.

    Raises:
        msgspec.DecodeError: it is no JSON of the documented shape.
        ValueError: a switch is unknown.
    """
    file = msgspec.json.decode(raw, type=FaultsFile)
    if unknown := sorted(file.switches.keys() - PublicationSwitches().as_json().keys()):
        raise ValueError(f"no such switch: {', '.join(unknown)}")
    return file
