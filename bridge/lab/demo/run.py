"""Runs the demonstration: its steps once, or call after call until it is stopped."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from bridge.lab.demo.environment import DemoEnvironment, DemoSettings, start_environment
from bridge.lab.demo.steps import DemoStep, run_steps
from bridge.lab.sipuni.calls import CallPlan
from bridge.lab.sipuni.switches import PlannedOutcome

_DID = "74950000001"
_PAUSE_S = (3.0, 8.0)
#: What a service manager and a closed terminal send; asyncio catches Ctrl-C.
_STOP_SIGNALS = ("SIGTERM", "SIGHUP")
_OUTCOMES = (
    PlannedOutcome.ANSWERED,
    PlannedOutcome.ANSWERED,
    PlannedOutcome.ANSWERED,
    PlannedOutcome.NO_ANSWER,
)


class DemoOutput(Protocol):
    """Where the demonstration is shown."""

    def write_line(self, text: str) -> None:
        """Write one sentence."""
        ...

    def show_steps(self, steps: Sequence[DemoStep]) -> None:
        """Show the steps and whether they passed."""
        ...


async def run_demo(settings: DemoSettings, output: DemoOutput, *, once: bool) -> bool:
    """Run the demonstration; with *once* return whether every step was seen on the 1C side.

    Raises:
        DemoError: the bridge did not start.
        LookupError: the company is too small.
        CancelledError: it was stopped, and everything it had started has ended.
    """
    async with _stopping_on_signals(), start_environment(settings) as environment:
        if once:
            steps = [step async for step in run_steps(environment)]
            output.show_steps(steps)
            passed = all(step.passed for step in steps)
            if not passed:
                output.write_line(f"the bridge's log ends: {environment.log_tail()}")
            return passed
        await _call_endlessly(environment, output)
        return True


async def _call_endlessly(environment: DemoEnvironment, output: DemoOutput) -> None:
    """Place call after call; ends by cancellation only."""
    output.write_line("composing a company, starting 1C, Sipuni and the bridge …")
    await environment.start_service()
    output.write_line(f"open first, once: {await environment.console_link()}")
    output.write_line(f"the console:      {environment.url}/")
    output.write_line(f"the desks:        {environment.url}/desk")
    output.write_line(f"the API:          {environment.url}/docs")
    output.write_line(
        f"the simulated 1C: {environment.onec_url}/odata/standard.odata (control: /_lab/)"
    )
    output.write_line("calls come in; Ctrl-C stops all")
    rng = random.Random(environment.onec_lab.infobase.seed)  # noqa: S311 - composed calls
    callers = environment.callers.in_call_order()
    phones = [
        phone
        for phone in environment.onec_lab.infobase.intended_phones
        if phone.manner != "needs_area"
    ]
    for number in range(1_000_000):
        if number < len(callers):
            caller = callers[number].sent_number
        else:
            caller = rng.choice(phones).e164.removeprefix("+")
        report = await environment.sipuni_lab.place_call(
            CallPlan(caller, _DID, rng.choice(_OUTCOMES))
        )
        rang = f"rings {report.rang_first}" if report.rang_first else "left to the scheme"
        written = len(environment.onec_lab.phone_calls())
        output.write_line(
            f"+{caller} {rang} after {report.silence_ms:.0f} ms; 1C holds {written} documents"
        )
        await asyncio.sleep(rng.uniform(*_PAUSE_S))


@asynccontextmanager
async def _stopping_on_signals() -> AsyncIterator[None]:
    """Cancel the demonstration on a stop signal, so that it ends what it has started."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    signals = [getattr(signal, name) for name in _STOP_SIGNALS if hasattr(signal, name)]
    with suppress(NotImplementedError):  # Windows has no such signals
        for number in signals:
            loop.add_signal_handler(number, lambda: task and task.cancel())
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            for number in signals:
                loop.remove_signal_handler(number)
