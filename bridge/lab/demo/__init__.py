"""The demonstration: a simulated 1C, a simulated Sipuni, and the real bridge between them.

The bridge runs as its users run it: the same command, as processes of its own, told everything
by its settings. What it did is read on the 1C side only.
"""

from bridge.lab.demo.callers import DemoCaller, DemoCallers, choose_callers
from bridge.lab.demo.environment import DemoEnvironment, DemoError, DemoSettings, start_environment
from bridge.lab.demo.run import DemoOutput, run_demo
from bridge.lab.demo.steps import DemoStep, run_steps

__all__ = [
    "DemoCaller",
    "DemoCallers",
    "DemoEnvironment",
    "DemoError",
    "DemoOutput",
    "DemoSettings",
    "DemoStep",
    "choose_callers",
    "run_demo",
    "run_steps",
    "start_environment",
]
