"""What operators and calls have taught the bridge about a number."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import NumberMemory


@dataclass(frozen=True, slots=True)
class Talk:
    """The extension that talked to a number last."""

    number: PhoneNumber
    extension: str
    at: datetime


class NumberMemoryStore(Protocol):
    """Operators' choices and who talked last, by number. Writes may raise StoreError."""

    def number_memory(self, number: PhoneNumber) -> NumberMemory:
        """Return what is remembered of a number; never touches the disk."""
        ...

    async def save_choice(self, number: PhoneNumber, owner: Ref) -> None:
        """Save an operator's choice of the owner of a number."""
        ...
