"""The time as the core sees it: asked for, never taken."""

from collections.abc import Callable
from datetime import datetime

#: Tells the time: aware UTC. People and other machines set it, so it may step either way.
Clock = Callable[[], datetime]

#: Tells the seconds since some moment; they only grow. Whatever lasts is measured by it.
Monotonic = Callable[[], float]
