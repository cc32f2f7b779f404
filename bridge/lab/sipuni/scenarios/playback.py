"""Tells a story to a bridge: its questions are asked, its events pushed, its statistics kept.

    performance = await perform(read_story(path), lab, cast={"client": "79031112233"})
    performance.expect.calls[0].disposition

Told as fast as the bridge answers, unless the lab (or the caller) has a pause to await between the
steps: `asyncio.sleep` tells it in its own time, a virtual clock's sleep in virtual time.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from bridge.lab.sipuni.calls import AskedQuestion, PushedEvent
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
    WaitingScenario,
    is_time_placeholder,
)
from bridge.lab.sipuni.scheme import SchemeNode

Pause = Callable[[float], Awaitable[object]]
_Told = TypeVar("_Told")


class Playback:
    """One telling of a story, begun at *start* (Unix seconds) with *cast* in its roles.

    Attributes:
        expect: what must come of it, every placeholder filled in.
        questions: the routing questions as they went.
        pushes: the events, and how the bridge took them.
        history: the rows that the statistics got.
    """

    def __init__(
        self,
        story: Scenario,
        lab: SipuniLab,
        *,
        start: int | None = None,
        roles: Mapping[str, str] | None = None,
        pause: Pause | None = None,
    ) -> None:
        if unknown := sorted((roles or {}).keys() - story.roles.keys()):
            raise ScenarioError(f"{story.name}: nobody in the cast is {', '.join(unknown)}")
        self.scenario = story
        self.start = lab.unix_time() if start is None else start
        self.roles = {"cabinet": lab.scheme.cabinet, **story.roles, **(roles or {})}
        self.questions: list[AskedQuestion] = []
        self.pushes: list[PushedEvent] = []
        self.history: list[HistoryRow] = []
        self._lab = lab
        self._pause = pause or lab.pause
        self._serials = lab.reserve_serials(SERIALS)
        self._groups = _together(story.steps)
        self._at = 0.0
        self.expect: Expectation = self._filled(story.expect)

    @property
    def problems(self) -> tuple[str, ...]:
        """Tell what went wrong between the cabinet and the bridge, in words and in order."""
        return (
            *(f"node {one.label!r}: {one.problem}" for one in self.questions if one.problem),
            *(f"event {one.event}: {one.problem}" for one in self.pushes if one.problem),
        )

    @property
    def order_id(self) -> str:
        """Give the id of the order the story begins with; empty when it does not."""
        return self.fill_placeholders(self.scenario.order.id) if self.scenario.order else ""

    async def play(self, *, until_reply: bool = False) -> None:
        """Tell what is left of the story, or only what overtakes the order's answer."""
        for group in self._groups:
            if self._pause is not None and group[0].at > self._at:
                await self._pause(group[0].at - self._at)
            self._at = group[0].at
            await asyncio.gather(*(self._tell(step) for step in group))
            if until_reply and any(isinstance(step, ReplyStep) for step in group):
                return

    def fill_placeholders(self, text: str) -> str:
        """Fill the placeholders of *text*; see `stories`."""
        return PLACEHOLDER.sub(lambda found: self._place(found[1]), text)

    def _place(self, place: str) -> str:
        if is_time_placeholder(place):
            return str(self.start + int(place))
        if place.startswith("#"):
            return str(self._serials + int(place[1:]))
        if place.startswith("@"):
            named = f"{self.scenario.name} {self.start} {self._serials + int(place[1:])}"
            return hashlib.md5(named.encode(), usedforsecurity=False).hexdigest()
        if place.startswith("link "):
            return self._lab.recording_link(
                self.fill_placeholders(self.roles[place.removeprefix("link ")])
            )
        role, _, tail = place.partition(":")
        return self.fill_placeholders(self.roles[role])[-int(tail or 0) :]

    def _filled(self, told: _Told) -> _Told:
        return msgspec.convert(self._walk(msgspec.to_builtins(told)), type(told))

    def _walk(self, built: object) -> object:
        if isinstance(built, str):
            return self.fill_placeholders(built)
        if isinstance(built, dict):
            return {name: self._walk(value) for name, value in built.items()}
        if isinstance(built, list | tuple):
            return [self._walk(value) for value in built]
        return built

    async def _tell(self, step: ScenarioStep) -> None:
        match step:
            case RouteStep():
                await self._ask(self._filled(step).params)
            case EventStep():
                params = tuple(self._filled(step).params.items())
                post = step.by == "POST"
                self.pushes += await self._lab.push(
                    dict(params).get("event", ""), params, post=post, form=step.form
                )
            case HistoryStep():
                self.history.append(_row(self._filled(step).params))
                self._lab.extra_history.append(self.history[-1])
            case _:
                return  # an order and its answer are the API's business

    async def _ask(self, params: Mapping[str, str]) -> None:
        label = params.get("label", "")
        chain = self._lab.scheme.nodes_of(params.get("tonum", ""))
        fitting = (node for node in chain if node.label == label)
        node = next(fitting, SchemeNode(label=label, mode=chain[0].mode))
        self.questions.append(await self._lab.bridge_client.ask(node, urlencode(params)))


async def play_scenario(
    story: Scenario,
    lab: SipuniLab,
    *,
    start: int | None = None,
    roles: Mapping[str, str] | None = None,
    pause: Pause | None = None,
) -> Playback:
    """Tell *story* from beginning to end; an order in it was made in the cabinet's own pages.

    *start* is the cabinet's now by default; *cast* replaces values of the story's roles.

    Raises:
        StoryError: *cast* names a role the story does not have.
    """
    performance = Playback(story, lab, start=start, roles=roles, pause=pause)
    await performance.play()
    return performance


def queue_scenario(
    story: Scenario,
    lab: SipuniLab,
    *,
    roles: Mapping[str, str] | None = None,
    pause: Pause | None = None,
) -> None:
    """Let *story* wait for its order: the next API request for that phone begins it.

    Raises:
        StoryError: it does not begin with an order, or *cast* names an unknown role.
    """
    if story.order is None:
        raise ScenarioError(f"{story.name}: the story has no order to wait for")
    Playback(story, lab, roles=roles)  # a wrong cast is told now, not when the order comes
    lab.waiting_scenarios.append(WaitingScenario(story, roles or {}, pause))


def take_waiting_scenario(lab: SipuniLab, phone: str, extension: str = "") -> Playback | None:
    """Begin the first staged story whose order names *phone* and *extension*, if there is one."""
    for staged in lab.waiting_scenarios:
        performance = Playback(staged.scenario, lab, roles=staged.roles, pause=staged.pause)
        order = staged.scenario.order
        if order is not None and (
            performance.fill_placeholders(order.phone),
            performance.fill_placeholders(order.sipnumber),
        ) == (phone, extension):
            lab.waiting_scenarios.remove(staged)
            return performance
    return None


def _together(steps: tuple[ScenarioStep, ...]) -> Iterator[list[ScenarioStep]]:
    """Give the steps in groups that happen at one moment."""
    group: list[ScenarioStep] = []
    for step in steps:
        if group and not step.together:
            yield group
            group = []
        group.append(step)
    yield group


def _row(past: PastCallRow) -> HistoryRow:
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
