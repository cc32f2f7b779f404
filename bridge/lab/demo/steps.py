"""The scripted day: every step is done to the bridge from outside and seen on the 1C side."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from bridge.lab.demo.callers import DemoCaller
from bridge.lab.demo.environment import DemoEnvironment
from bridge.lab.onec.infobase.infobase import PHONE_CALLS
from bridge.lab.sipuni import CallPlan, CallReport, PlannedOutcome

_DID = "74950000001"
_PATIENCE_S = 12.0
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One step of the day: what was done, what had to be seen, what was seen."""

    name: str
    expected: str
    seen: str
    passed: bool


async def run_steps(stage: DemoEnvironment) -> AsyncIterator[DemoStep]:
    """Play the day; the bridge is started on the way and stopped at the end."""
    cast, lab = stage.callers, stage.onec_lab
    code, said = await stage.sync()
    yield _sync_step("first sync, in full", code, said)
    await stage.start_service()
    yield DemoStep("service started", "ready", f"ready at {stage.url}", True)

    for actor in cast.in_call_order():
        yield await _call(stage, actor)
    calls = len(cast.in_call_order())
    yield await _written(stage, "all of them written to 1C", calls)

    lab.faults.add("lost_reply", method="POST", set=PHONE_CALLS, times=1)
    yield await _call(stage, cast.partner, "the reply of the next write is lost: {who} calls")
    calls += 1
    yield await _written(stage, "lost reply healed, nothing doubled", calls)

    async for step in _missed_and_called_back(stage):
        yield step
    calls += 2
    reminded = calls - 2

    await stage.onec_server.stop()
    yield await _call(stage, cast.contact, "1C is down: {who} calls")
    calls, reminded = calls + 1, reminded + 1
    held = len(lab.phone_calls()) == calls - 1
    await stage.onec_server.start()
    step = await _written(stage, "1C is back: the kept call is delivered", calls, reminded)
    yield DemoStep(step.name, step.expected, step.seen, step.passed and held)

    yield await _manager_moves(stage)
    calls, reminded = calls + 1, reminded + 1
    yield await _written(stage, "the day's end: documents, subjects, reminders", calls, reminded)
    code = await stage.stop_service()
    yield DemoStep("service stopped", "exit code 0", f"exit code {code}", code == 0)


def _sync_step(name: str, code: int, said: str) -> DemoStep:
    expected = "exit code 0"
    if code != 0:
        return DemoStep(name, expected, f"exit code {code}: {said.strip()[-300:]}", False)
    report = json.loads(said)
    listed = sum(entity["listed"] for entity in report["entities"])
    seen = f"{listed} objects listed, {report['numbers']} numbers in the index"
    return DemoStep(name, expected, seen, report["numbers"] > 0)


async def _call(stage: DemoEnvironment, actor: DemoCaller, words: str = "{who} calls") -> DemoStep:
    report = await stage.sipuni_lab.place_call(CallPlan(caller=actor.sent_number, did=_DID))
    who = actor.role if not actor.name else f"{actor.role} {actor.name}"
    name = words.format(who=who)
    if actor.typed_number != "—":
        name += f", typed “{actor.typed_number}”"
    return DemoStep(name, f"rings {actor.extension}", _heard(report), _rang(report, actor))


def _heard(report: CallReport) -> str:
    rang = f"rings {report.rang_first}" if report.rang_first else "nobody rang"
    problems = f"; {'; '.join(report.problems)}" if report.problems else ""
    return f"{rang} after {report.silence_ms:.0f} ms{problems}"


def _rang(report: CallReport, actor: DemoCaller) -> bool:
    return report.rang_first == actor.extension and not report.problems


async def _missed_and_called_back(stage: DemoEnvironment) -> AsyncIterator[DemoStep]:
    """Miss a client: his manager is reminded of it, until he has called back."""
    actor, lab = stage.callers.contact, stage.onec_lab

    def missed() -> list[str]:
        texts = (str(row["Описание"]) for row in lab.reminders())
        return [text for text in texts if text.startswith("Пропущен")]

    plan = CallPlan(caller=actor.sent_number, did=_DID, outcome=PlannedOutcome.NO_ANSWER)
    report = await stage.sipuni_lab.place_call(plan)
    await _until(lambda: len(missed()) == 1)
    seen = "; ".join(missed()) or "no reminder of it"
    name = f"{actor.role} {actor.name} is missed"
    passed = _rang(report, actor) and len(missed()) == 1
    yield DemoStep(name, "one reminder: «Пропущен звонок…»", seen, passed)

    state = await stage.click_to_call(actor.extension, actor.sent_number)
    await _until(lambda: not missed())
    left = f"order {state}, {len(missed())} such reminders"
    name = "his manager calls back with a click: the reminder disappears"
    yield DemoStep(name, "order accepted, 0 such reminders", left, not missed())


async def _written(
    stage: DemoEnvironment, name: str, calls: int, reminded: int | None = None
) -> DemoStep:
    """Wait until 1C holds exactly *calls* of each, and look once more whether it stays so.

    *reminded* are those that still have their reminder, where it is not all of them.
    """
    lab = stage.onec_lab

    def counts() -> tuple[int, int, int]:
        return len(lab.phone_calls()), len(lab.subjects()), len(lab.reminders())

    wanted = (calls, calls, calls if reminded is None else reminded)
    await _until(lambda: counts() == wanted)
    documents, subjects, reminders = counts()
    seen = f"{documents} documents, {subjects} subjects, {reminders} reminders"
    expected = f"{calls} of each" if reminded is None else f"{calls}, {calls}, {reminded}"
    return DemoStep(name, expected, seen, (documents, subjects, reminders) == wanted)


async def _manager_moves(stage: DemoEnvironment) -> DemoStep:
    """Give the contact's partner another manager in 1C; after the next sync his calls follow."""
    actor, lab = stage.callers.contact, stage.onec_lab
    other_ref, other = next(
        (ref, extension)
        for ref, extension in sorted(lab.infobase.extensions.items())
        if extension != actor.extension and lab.infobase.may_take_calls(ref)
    )
    lab.move_manager(actor.partner, other_ref)
    code, said = await stage.sync()
    if code != 0:
        return _sync_step("a manager moved in 1C, next sync", code, said)
    await asyncio.sleep(1.2)  # the service takes up a new directory within a second
    moved = DemoCaller(
        actor.role, actor.name, actor.typed_number, actor.sent_number, other, actor.partner
    )
    return await _call(stage, moved, "his manager was changed in 1C: {who} calls again")


async def _until(seen: Callable[[], bool]) -> None:
    """Wait until it is seen, or patience ends; the caller tells what is there then."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_S
    while not seen() and loop.time() < deadline:  # noqa: ASYNC110 - 1C sends no event to wait for
        await asyncio.sleep(_LOOK_S)
