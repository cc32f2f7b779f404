"""Scenarios: what a cabinet does during one call, line by line, and what must come of it.

A scenario is a file of JSON lines, `fixtures/stories/<name>.jsonl`. The first line is its header:

    {"story": NAME, "about": ONE SENTENCE, "cast": {ROLE: VALUE}, "expect": {"calls": […], …}}

Every further line is a step, in the order it happens:

    {"at": 0, "do": "route", "params": {"fromnum": "{client}", …}}       the node asks the bridge
    {"at": 1, "do": "event", "params": {"event": "1", …}, "by": "POST"}  the cabinet pushes
    {"at": 1, "do": "event", "params": {…}, "form": "json"}              … with another body
    {"at": 9, "do": "history", "params": {"call": "{call}", …}}          the statistics know it
    {"at": 0, "do": "order", "params": {"sipnumber": …, "phone": …, "id": "{order}"}}
    {"at": 1, "do": "reply"}                                             the order is answered

`at` counts seconds from the scenario's start; a step with `"together": true` happens at the same
moment as the one before, while that is still under way. An event without params is the call that
saving the cabinet's settings page causes. Texts of params and expectations hold placeholders:

    {client}   the value of that role, which whoever plays the scenario may replace
    {client:10}  its last ten characters
    {+12}      Unix seconds, 12 after the start ({-1}: before it)
    {#1}       a counter that no other call has; `{+0}.{#1}` is a call id
    {@1}       32 hex digits that no other order has, the id of an order
    {link call}  the address of the recording whose id is the value of role `call`
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from bridge.lab.sipuni.switches import BodyForm

Disposition = Literal["answered", "missed", "busy", "failed", "unknown"]
#: How many counters a scenario may name.
SERIALS: Final = 9
PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_TIME: Final = re.compile(r"[+-]\d+")
_TAIL: Final = re.compile(r":\d+\Z")
_SERIAL: Final = re.compile(rf"[#@][1-{SERIALS}]")
_Decoded = TypeVar("_Decoded")
#: Roles that every scenario has: the cabinet it is played in.
_GIVEN_ROLES: Final = frozenset({"cabinet"})


class ScenarioError(ValueError):
    """A scenario cannot be read or played; the message names file and line."""


class ExpectedCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call as a test must find it once everything is known.

    Attributes:
        call: the call id.
        direction: seen from the company.
        disposition: what became of it, the statistics included.
        by_events: the disposition by events alone, where that is another.
        caller: digits of the outside party, whichever way the call went; empty when hidden or
            when there is none.
        did: digits of the company's number that was called; empty unless inbound.
        answered_by: the extension that answered first.
        talked: every extension that talked, in order.
        talk_s: seconds of all talks.
        recording: whether a recording exists, which a link does not prove.
    """

    call: str
    direction: Literal["inbound", "outbound", "internal"]
    disposition: Disposition
    by_events: Disposition | None = None
    caller: str = ""
    did: str = ""
    answered_by: str = ""
    talked: tuple[str, ...] = ()
    talk_s: int = 0
    recording: bool = False


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must come of a scenario.

    Attributes:
        calls: every call, in the order they began; a call asked about and one pushed are one.
        to_call_back: numbers of clients who still must be called back at the end (JSON key `owed`).
        same_client: numbers that belong to one client, so that a talk with one calls back another.
    """

    calls: tuple[ExpectedCall, ...]
    to_call_back: tuple[str, ...] = msgspec.field(default=(), name="owed")
    same_client: tuple[tuple[str, ...], ...] = ()


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    story: str
    about: str
    expect: Expectation
    roles: dict[str, str] = msgspec.field(default_factory=dict, name="cast")


class _Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    at: float
    together: bool = False


class RouteStep(_Step, frozen=True, tag="route"):
    """The scheme node asks; *params* are its query in order."""

    params: dict[str, str]


class EventStep(_Step, frozen=True, tag="event"):
    """The cabinet pushes *params*; *by* a method other than the cabinet's own.

    Attributes:
        form: what the body is; all but a form are posted.
    """

    params: dict[str, str] = {}
    by: Literal["GET", "POST", ""] = ""
    form: BodyForm = BodyForm.FORM


class PastCallRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of the statistics; see `HistoryRow`."""

    call: str
    kind: Literal["Входящий", "Исходящий", "Внутренний"]
    started: str
    source: str
    destination: str
    tree: str = ""
    talks: tuple[tuple[str, int], ...] = ()
    rung: tuple[str, ...] = ()
    duration: int = 0
    record: str = ""
    recorded: bool = False


class HistoryStep(_Step, frozen=True, tag="history"):
    """A row appears in the statistics."""

    params: PastCallRow


class ScenarioOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The order a click-to-call scenario begins with, and the id the cabinet gives it."""

    id: str
    phone: str
    sipnumber: str = ""


class OrderStep(_Step, frozen=True, tag="order"):
    """The call is ordered: by the bridge where the scenario waits for it, else in the cabinet."""

    params: ScenarioOrder


class ReplyStep(_Step, frozen=True, tag="reply"):
    """The order's HTTP request is answered; steps before this one overtake the answer."""


ScenarioStep = RouteStep | EventStep | HistoryStep | OrderStep | ReplyStep


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that was read and checked."""

    name: str
    about: str
    roles: Mapping[str, str]
    expect: Expectation
    steps: tuple[ScenarioStep, ...]

    @property
    def order(self) -> ScenarioOrder | None:
        """Return the order the scenario begins with, if it does."""
        return next((one.params for one in self.steps if isinstance(one, OrderStep)), None)


def read_scenario(path: Path) -> Scenario:
    """Read a scenario from its file.

    Raises:
        ScenarioError: it is no scenario; the message names file and line.
        OSError: the file cannot be read.
    """
    return parse_scenario(path.read_text("utf-8"), path.name)


def parse_scenario(text: str, source: str = "scenario") -> Scenario:
    """Read a scenario from *text*; *source* names it in errors, `missed.jsonl:3: …`.

    Raises:
        ScenarioError: it is no scenario.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise ScenarioError(f"{source}:1: the scenario has no header")
    header = _decode(lines[0], source, msgspec.json.Decoder(_Header))
    roles = header.roles.keys() | _GIVEN_ROLES
    for value in _texts([header.roles, msgspec.to_builtins(header.expect)]):
        _check_placeholders(value, roles, f"{source}:{lines[0][0]}")
    steps: list[ScenarioStep] = []
    decoder: msgspec.json.Decoder[ScenarioStep] = msgspec.json.Decoder(ScenarioStep)
    for line in lines[1:]:
        step = _decode(line, source, decoder)
        where = f"{source}:{line[0]}"
        if steps and step.at < steps[-1].at:
            raise ScenarioError(f"{where}: at {step.at:g} comes after at {steps[-1].at:g}")
        if step.together and not steps:
            raise ScenarioError(f"{where}: the first step has none before it to be together with")
        for value in _texts(msgspec.to_builtins(step)):
            _check_placeholders(value, roles, where)
        steps.append(step)
    if not steps:
        raise ScenarioError(f"{source}:{lines[0][0]}: nothing happens after the header")
    return Scenario(header.story, header.about, header.roles, header.expect, tuple(steps))


def read_scenarios(folder: Path) -> dict[str, Scenario]:
    """Read every `*.jsonl` of *folder*, by name.

    Raises:
        ScenarioError: one is no scenario, or is not named as its file.
    """
    scenarios = {path: read_scenario(path) for path in sorted(folder.glob("*.jsonl"))}
    for path, scenario in scenarios.items():
        if scenario.name != path.stem:
            raise ScenarioError(f"{path.name}:1: the scenario calls itself {scenario.name}")
    return {scenario.name: scenario for scenario in scenarios.values()}


def is_time_placeholder(name: str) -> bool:
    """Return whether a placeholder means a moment."""
    return _TIME.fullmatch(name) is not None


def _decode(
    line: tuple[int, str], source: str, decoder: msgspec.json.Decoder[_Decoded]
) -> _Decoded:
    try:
        return decoder.decode(line[1])
    except msgspec.MsgspecError as error:
        raise ScenarioError(f"{source}:{line[0]}: {error}") from error


def _texts(built: object) -> Iterator[str]:
    if isinstance(built, str):
        yield built
    elif isinstance(built, dict):
        for value in built.values():
            yield from _texts(value)
    elif isinstance(built, list | tuple):
        for value in built:
            yield from _texts(value)


def _check_placeholders(text: str, roles: Set[str], where: str) -> None:
    for name in PLACEHOLDER.findall(text):
        role = _TAIL.sub("", name.removeprefix("link "))
        if not (is_time_placeholder(name) or _SERIAL.fullmatch(name) or role in roles):
            raise ScenarioError(f"{where}: no role or value of this name: {{{name}}}")
