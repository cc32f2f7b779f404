"""Hidden numbers that managers asked to see: each stays visible to its manager for a working day.

Only for that manager, at every desk, and until a restart. The audit list has it once.
"""

from datetime import datetime, timedelta
from typing import Final

from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.clock import Clock

#: How long a number stays visible: a card changes during the talk, and the manager may call back
#: in the afternoon.
REVEALED_FOR: Final = timedelta(hours=12)

#: Numbers remembered for one manager; above it the one asked for first is hidden again.
_MOST: Final = 500


class RevealedNumbers:
    """Remembers which numbers each manager asked to see."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: dict[Ref, dict[PhoneNumber, datetime]] = {}

    def add(self, manager: Ref, number: PhoneNumber) -> None:
        """Show *number* to *manager* from now on."""
        asked = self._asked.setdefault(manager, {})
        asked.pop(number, None)
        asked[number] = self._clock()
        while len(asked) > _MOST:
            del asked[next(iter(asked))]

    def of_manager(self, manager: Ref | None) -> frozenset[PhoneNumber]:
        """Return the numbers that *manager* has asked to see."""
        asked = self._asked.get(manager) if manager is not None else None
        if not asked:
            return frozenset()
        since = self._clock() - REVEALED_FOR
        return frozenset(number for number, at in asked.items() if at > since)
