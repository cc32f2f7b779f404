"""The clocks of the core: passed in, never read from the system."""

from collections.abc import Callable
from datetime import datetime

#: Returns the wall time, aware UTC. It is set by hand and by NTP, so it may step either way.
Clock = Callable[[], datetime]

#: Returns seconds since some moment; they only grow. Durations are measured by it.
Monotonic = Callable[[], float]
