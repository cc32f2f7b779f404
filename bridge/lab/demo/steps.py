"""The steps of the demonstration: each acts on the bridge from outside and is checked in 1C."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from bridge.lab.demo.callers import DemoCaller
from bridge.lab.demo.environment import DemoEnvironment
from bridge.lab.onec.infobase.infobase import PHONE_CALLS
from bridge.lab.sipuni.calls import CallPlan, CallReport
from bridge.lab.sipuni.switches import PlannedOutcome

_DID = "74950000001"
_TIMEOUT_S = 12.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One step: what was done, what was expected in 1C, what was seen there."""

    name: str
    expected: str
    seen: str
    passed: bool


async def run_steps(environment: DemoEnvironment) -> AsyncIterator[DemoStep]:
    """Run all steps; the bridge is started by the second and stopped by the last."""
    callers, lab = environment.callers, environment.onec_lab
    code, output = await environment.sync()
    yield _sync_step("first sync, in full", code, output)
    await environment.start_service()
    yield DemoStep("service started", "ready", f"ready at {environment.url}", True)

    for caller in callers.in_call_order():
        yield await _call(environment, caller)
    calls = len(callers.in_call_order())
    yield await _written(environment, "all of them written to 1C", calls)

    lab.faults.add("lost_reply", method="POST", set=PHONE_CALLS, times=1)
    yield await _call(
        environment, callers.partner, "the reply of the next write is lost: {who} calls"
    )
    calls += 1
    yield await _written(environment, "lost reply healed, nothing doubled", calls)

    async for step in _missed_and_called_back(environment):
        yield step
    calls += 2
    reminded = calls - 2

    await environment.onec_server.stop()
    yield await _call(environment, callers.contact, "1C is down: {who} calls")
    calls, reminded = calls + 1, reminded + 1
    not_yet_written = len(lab.phone_calls()) == calls - 1
    await environment.onec_server.start()
    step = await _written(environment, "1C is back: the kept call is delivered", calls, reminded)
    yield DemoStep(step.name, step.expected, step.seen, step.passed and not_yet_written)

    yield await _manager_moves(environment)
    calls, reminded = calls + 1, reminded + 1
    yield await _written(
        environment, "the day's end: documents, subjects, reminders", calls, reminded
    )
    code = await environment.stop_service()
    yield DemoStep("service stopped", "exit code 0", f"exit code {code}", code == 0)


def _sync_step(name: str, code: int, output: str) -> DemoStep:
    expected = "exit code 0"
    if code != 0:
        return DemoStep(name, expected, f"exit code {code}: {output.strip()[-300:]}", False)
    report = json.loads(output)
    listed = sum(entity["listed"] for entity in report["entities"])
    seen = f"{listed} objects listed, {report['numbers']} numbers in the index"
    return DemoStep(name, expected, seen, report["numbers"] > 0)


async def _call(
    environment: DemoEnvironment, caller: DemoCaller, name: str = "{who} calls"
) -> DemoStep:
    report = await environment.sipuni_lab.place_call(CallPlan(caller=caller.sent_number, did=_DID))
    who = caller.role if not caller.name else f"{caller.role} {caller.name}"
    name = name.format(who=who)
    if caller.typed_number != "—":
        name += f", typed “{caller.typed_number}”"
    return DemoStep(name, f"rings {caller.extension}", _outcome(report), _rang(report, caller))


def _outcome(report: CallReport) -> str:
    rang = f"rings {report.rang_first}" if report.rang_first else "nobody rang"
    problems = f"; {'; '.join(report.problems)}" if report.problems else ""
    return f"{rang} after {report.silence_ms:.0f} ms{problems}"


def _rang(report: CallReport, caller: DemoCaller) -> bool:
    return report.rang_first == caller.extension and not report.problems


async def _missed_and_called_back(environment: DemoEnvironment) -> AsyncIterator[DemoStep]:
    """Miss a call: its manager is reminded of it until the client has been called back."""
    caller, lab = environment.callers.contact, environment.onec_lab

    def missed() -> list[str]:
        texts = (str(row["Описание"]) for row in lab.reminders())
        return [text for text in texts if text.startswith("Пропущен")]

    plan = CallPlan(caller=caller.sent_number, did=_DID, outcome=PlannedOutcome.NO_ANSWER)
    report = await environment.sipuni_lab.place_call(plan)
    await _wait_until(lambda: len(missed()) == 1)
    seen = "; ".join(missed()) or "no reminder of it"
    name = f"{caller.role} {caller.name} is missed"
    passed = _rang(report, caller) and len(missed()) == 1
    yield DemoStep(name, "one reminder: «Пропущен звонок…»", seen, passed)

    state = await environment.click_to_call(caller.extension, caller.sent_number)
    await _wait_until(lambda: not missed())
    left = f"order {state}, {len(missed())} such reminders"
    name = "his manager calls back with a click: the reminder disappears"
    yield DemoStep(name, "order accepted, 0 such reminders", left, not missed())


async def _written(
    environment: DemoEnvironment, name: str, calls: int, reminded: int | None = None
) -> DemoStep:
    """Wait until 1C holds *calls* documents, subjects and reminders, and compare the counts.

    *reminded* is the number of reminders where it differs.
    """
    lab = environment.onec_lab

    def counts() -> tuple[int, int, int]:
        return len(lab.phone_calls()), len(lab.subjects()), len(lab.reminders())

    expected_counts = (calls, calls, calls if reminded is None else reminded)
    await _wait_until(lambda: counts() == expected_counts)
    documents, subjects, reminders = counts()
    seen = f"{documents} documents, {subjects} subjects, {reminders} reminders"
    expected = f"{calls} of each" if reminded is None else f"{calls}, {calls}, {reminded}"
    return DemoStep(name, expected, seen, (documents, subjects, reminders) == expected_counts)


async def _manager_moves(environment: DemoEnvironment) -> DemoStep:
    """Change the manager of the contact's partner in 1C; after the next sync the calls follow."""
    caller, lab = environment.callers.contact, environment.onec_lab
    other_ref, other = next(
        (ref, extension)
        for ref, extension in sorted(lab.infobase.extensions.items())
        if extension != caller.extension and lab.infobase.may_take_calls(ref)
    )
    lab.move_manager(caller.partner, other_ref)
    code, output = await environment.sync()
    if code != 0:
        return _sync_step("a manager moved in 1C, next sync", code, output)
    await asyncio.sleep(1.2)  # the service takes up a new directory within a second
    moved = DemoCaller(
        caller.role, caller.name, caller.typed_number, caller.sent_number, other, caller.partner
    )
    return await _call(environment, moved, "his manager was changed in 1C: {who} calls again")


async def _wait_until(seen: Callable[[], bool]) -> None:
    """Wait until *seen* returns true or the time is over; the caller checks what is there then."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _TIMEOUT_S
    while not seen() and loop.time() < deadline:  # noqa: ASYNC110 - 1C sends no event to wait for
        await asyncio.sleep(_POLL_S)
