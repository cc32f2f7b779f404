"""The demonstration: a simulated 1C, a simulated Sipuni, and the real bridge between them.

The bridge runs as its users run it: the same command, as processes of its own, told everything
by its settings. What it did is read on the 1C side only.
"""

from bridge.lab.demo.cast import Actor, Cast, choose_cast
from bridge.lab.demo.day import DayStep, play_day
from bridge.lab.demo.show import Screen, demonstrate
from bridge.lab.demo.stage import Stage, StageError, StageSettings, set_stage

__all__ = [
    "Actor",
    "Cast",
    "DayStep",
    "Screen",
    "Stage",
    "StageError",
    "StageSettings",
    "choose_cast",
    "demonstrate",
    "play_day",
    "set_stage",
]
