"""Runs the demonstration: once, as a scripted day, or on and on until somebody has seen enough."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from bridge.lab.demo.environment import DemoEnvironment, DemoSettings, start_environment
from bridge.lab.demo.steps import DemoStep, run_steps
from bridge.lab.sipuni import CallPlan, PlannedOutcome

_DID = "74950000001"
_PAUSE_S = (3.0, 8.0)
#: A service manager's word, and that of a terminal that is closed; Ctrl-C is asyncio's own affair.
_STOPS = ("SIGTERM", "SIGHUP")
_OUTCOMES = (
    PlannedOutcome.ANSWERED,
    PlannedOutcome.ANSWERED,
    PlannedOutcome.ANSWERED,
    PlannedOutcome.NO_ANSWER,
)


class DemoOutput(Protocol):
    """Where a person watches."""

    def say(self, words: str) -> None:
        """Say a sentence."""
        ...

    def table(self, steps: Sequence[DemoStep]) -> None:
        """Show the scripted day."""
        ...


async def run_demo(settings: DemoSettings, screen: DemoOutput, *, once: bool) -> bool:
    """Set the stage and play; with *once* tell whether every step was seen on the 1C side.

    Raises:
        StageError: the bridge did not start.
        LookupError: the company is too small.
        CancelledError: it was told to stop, and everything it had started is gone.
    """
    async with _obeying(), start_environment(settings) as stage:
        if once:
            steps = [step async for step in run_steps(stage)]
            screen.table(steps)
            passed = all(step.passed for step in steps)
            if not passed:
                screen.say(f"the bridge's log ends: {stage.log_tail()}")
            return passed
        await _play_on(stage, screen)
        return True


async def _play_on(stage: DemoEnvironment, screen: DemoOutput) -> None:
    """Place call after call; ends by cancellation only."""
    screen.say("composing a company, starting 1C, Sipuni and the bridge …")
    await stage.start_service()
    screen.say(f"open first, once: {await stage.console_link()}")
    screen.say(f"the console:      {stage.url}/")
    screen.say(f"the desks:        {stage.url}/desk")
    screen.say(f"the API:          {stage.url}/docs")
    screen.say(f"the simulated 1C: {stage.onec_url}/odata/standard.odata (control: /_lab/)")
    screen.say("calls come in; Ctrl-C stops all")
    rng = random.Random(stage.onec_lab.infobase.seed)  # noqa: S311 - composed calls
    actors = stage.callers.in_call_order()
    truths = [
        truth for truth in stage.onec_lab.infobase.intended_phones if truth.manner != "needs_area"
    ]
    for number in range(1_000_000):
        if number < len(actors):
            caller = actors[number].sent_number
        else:
            caller = rng.choice(truths).e164.removeprefix("+")
        report = await stage.sipuni_lab.place_call(CallPlan(caller, _DID, rng.choice(_OUTCOMES)))
        rang = f"rings {report.rang_first}" if report.rang_first else "left to the scheme"
        written = len(stage.onec_lab.phone_calls())
        screen.say(
            f"+{caller} {rang} after {report.silence_ms:.0f} ms; 1C holds {written} documents"
        )
        await asyncio.sleep(rng.uniform(*_PAUSE_S))


@asynccontextmanager
async def _obeying() -> AsyncIterator[None]:
    """End the demonstration from within when it is told to stop, so that nothing outlives it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    known = [getattr(signal, name) for name in _STOPS if hasattr(signal, name)]
    with suppress(NotImplementedError):  # Windows has no such signals
        for number in known:
            loop.add_signal_handler(number, lambda: task and task.cancel())
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            for number in known:
                loop.remove_signal_handler(number)
