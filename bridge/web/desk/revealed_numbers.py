"""The hidden numbers that managers asked to see: each stays whole for him for a working day.

Only for him, at all his desks, and until a restart. That he asked stands in the audit list, once.
"""

from datetime import datetime, timedelta
from typing import Final

from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.clock import Clock

#: So long a number stays whole for whoever asked: a card changes while one talks, and he calls
#: back in the afternoon.
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
        """Give the numbers that *manager* sees because he asked."""
        asked = self._asked.get(manager) if manager is not None else None
        if not asked:
            return frozenset()
        since = self._clock() - REVEALED_FOR
        return frozenset(number for number, at in asked.items() if at > since)
