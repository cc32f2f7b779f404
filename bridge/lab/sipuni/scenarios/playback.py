"""Plays a scenario to a bridge: its questions are asked, its events pushed, its statistics kept.

    playback = await play_scenario(read_scenario(path), lab, roles={"client": "79031112233"})
    playback.expect.calls[0].disposition

It is played as fast as the bridge answers, unless the lab (or the caller) has a pause to await
between the steps: `asyncio.sleep` plays it in real time, a virtual clock's sleep in virtual time.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from bridge.lab.sipuni.calls import AskedQuestion, Pause, PushedEvent
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.protocol.history import HistoryRow
from bridge.lab.sipuni.scenarios.scenario import (
    PLACEHOLDER,
    SERIALS,
    EventStep,
    Expectation,
    HistoryStep,
    PastCallRow,
    ReplyStep,
    RouteStep,
    Scenario,
    ScenarioError,
    ScenarioStep,
    is_time_placeholder,
)
from bridge.lab.sipuni.scheme import SchemeNode

_Template = TypeVar("_Template")


class Playback:
    """One run of a scenario, begun at *start* (Unix seconds) with *roles* replacing its values.

    Attributes:
        expect: what must come of it, every placeholder filled in.
        questions: the routing questions and their answers.
        pushes: the events, and how the bridge took them.
        history: the rows that the statistics got.

    Raises:
        ScenarioError: *roles* names a role the scenario does not have.
    """

    def __init__(
        self,
        scenario: Scenario,
        lab: SipuniLab,
        *,
        start: int | None = None,
        roles: Mapping[str, str] | None = None,
        pause: Pause | None = None,
    ) -> None:
        if unknown := sorted((roles or {}).keys() - scenario.roles.keys()):
            raise ScenarioError(f"{scenario.name}: no such role: {', '.join(unknown)}")
        self.scenario = scenario
        self.start = lab.unix_time() if start is None else start
        self.roles = {"cabinet": lab.scheme.cabinet, **scenario.roles, **(roles or {})}
        self.questions: list[AskedQuestion] = []
        self.pushes: list[PushedEvent] = []
        self.history: list[HistoryRow] = []
        self._lab = lab
        self._pause = pause or lab.pause
        self._first_serial = lab.reserve_serials(SERIALS)
        self._groups = _group_by_moment(scenario.steps)
        self._at = 0.0
        self.expect: Expectation = self._fill(scenario.expect)

    @property
    def problems(self) -> tuple[str, ...]:
        """Return what went wrong between the cabinet and the bridge, as sentences in order."""
        return (
            *(f"node {one.label!r}: {one.problem}" for one in self.questions if one.problem),
            *(f"event {one.event}: {one.problem}" for one in self.pushes if one.problem),
        )

    @property
    def order_id(self) -> str:
        """Return the id of the order the scenario begins with; empty when it does not."""
        return self.fill_placeholders(self.scenario.order.id) if self.scenario.order else ""

    def has_order_of(self, phone: str, extension: str) -> bool:
        """Return whether the scenario begins with the order of this call."""
        order = self.scenario.order
        if order is None:
            return False
        ordered = (self.fill_placeholders(order.phone), self.fill_placeholders(order.sipnumber))
        return ordered == (phone, extension)

    async def play(self, *, until_reply: bool = False) -> None:
        """Play what is left of the scenario, or only what overtakes the order's answer."""
        for group in self._groups:
            if self._pause is not None and group[0].at > self._at:
                await self._pause(group[0].at - self._at)
            self._at = group[0].at
            await asyncio.gather(*(self._play_step(step) for step in group))
            if until_reply and any(isinstance(step, ReplyStep) for step in group):
                return

    def fill_placeholders(self, text: str) -> str:
        """Return *text* with its placeholders filled; see `scenario`."""
        return PLACEHOLDER.sub(lambda found: self._placeholder_value(found[1]), text)

    def _placeholder_value(self, name: str) -> str:
        if is_time_placeholder(name):
            return str(self.start + int(name))
        if name.startswith("#"):
            return str(self._first_serial + int(name[1:]))
        if name.startswith("@"):
            seed = f"{self.scenario.name} {self.start} {self._first_serial + int(name[1:])}"
            return hashlib.md5(seed.encode(), usedforsecurity=False).hexdigest()
        if name.startswith("link "):
            record_id = self.fill_placeholders(self.roles[name.removeprefix("link ")])
            return self._lab.recording_link(record_id)
        role, _, length = name.partition(":")
        return self.fill_placeholders(self.roles[role])[-int(length or 0) :]

    def _fill(self, template: _Template) -> _Template:
        built = self._fill_builtins(msgspec.to_builtins(template))
        return msgspec.convert(built, type(template))

    def _fill_builtins(self, built: object) -> object:
        if isinstance(built, str):
            return self.fill_placeholders(built)
        if isinstance(built, dict):
            return {name: self._fill_builtins(value) for name, value in built.items()}
        if isinstance(built, list | tuple):
            return [self._fill_builtins(value) for value in built]
        return built

    async def _play_step(self, step: ScenarioStep) -> None:
        match step:
            case RouteStep():
                await self._ask(self._fill(step).params)
            case EventStep():
                params = tuple(self._fill(step).params.items())
                post = step.by == "POST"
                self.pushes += await self._lab.push(
                    dict(params).get("event", ""), params, post=post, form=step.form
                )
            case HistoryStep():
                self.history.append(_history_row(self._fill(step).params))
                self._lab.extra_history.append(self.history[-1])
            case _:
                return  # an order and its answer are the API's business

    async def _ask(self, params: Mapping[str, str]) -> None:
        label = params.get("label", "")
        nodes = self._lab.scheme.nodes_of(params.get("tonum", ""))
        fitting = (node for node in nodes if node.label == label)
        node = next(fitting, SchemeNode(label=label, mode=nodes[0].mode))
        self.questions.append(await self._lab.bridge_client.ask(node, urlencode(params)))


@dataclass(frozen=True, slots=True)
class WaitingScenario:
    """A scenario that waits for the order it begins with."""

    scenario: Scenario
    lab: SipuniLab
    roles: Mapping[str, str]
    pause: Pause | None = None

    def start_for_order(self, phone: str, extension: str) -> Playback | None:
        """Return a playback if the scenario's order names *phone* and *extension*."""
        playback = Playback(self.scenario, self.lab, roles=self.roles, pause=self.pause)
        return playback if playback.has_order_of(phone, extension) else None


async def play_scenario(
    scenario: Scenario,
    lab: SipuniLab,
    *,
    start: int | None = None,
    roles: Mapping[str, str] | None = None,
    pause: Pause | None = None,
) -> Playback:
    """Play *scenario* from beginning to end; an order in it was made in the cabinet's own pages.

    *start* is the cabinet's clock by default; *roles* replaces values of the scenario's roles.

    Raises:
        ScenarioError: *roles* names a role the scenario does not have.
    """
    playback = Playback(scenario, lab, start=start, roles=roles, pause=pause)
    await playback.play()
    return playback


def queue_scenario(
    scenario: Scenario,
    lab: SipuniLab,
    *,
    roles: Mapping[str, str] | None = None,
    pause: Pause | None = None,
) -> None:
    """Let *scenario* wait for its order: the next API request for that phone begins it.

    Raises:
        ScenarioError: it does not begin with an order, or *roles* names an unknown role.
    """
    if scenario.order is None:
        raise ScenarioError(f"{scenario.name}: the scenario has no order to wait for")
    Playback(scenario, lab, roles=roles)  # a wrong role is reported now, not when the order comes
    lab.waiting_scenarios.append(WaitingScenario(scenario, lab, roles or {}, pause))


def _group_by_moment(steps: tuple[ScenarioStep, ...]) -> Iterator[list[ScenarioStep]]:
    group: list[ScenarioStep] = []
    for step in steps:
        if group and not step.together:
            yield group
            group = []
        group.append(step)
    yield group


def _history_row(past: PastCallRow) -> HistoryRow:
    return HistoryRow(
        call_id=past.call,
        kind=past.kind,
        started=int(past.started),
        source=past.source,
        destination=past.destination,
        tree_name=past.tree,
        talks=past.talks,
        rung_extensions=past.rung,
        duration_s=past.duration,
        record_id=past.record or past.call,
        recorded=past.recorded,
    )
