"""What people taught the bridge about a number."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import NumberMemory


@dataclass(frozen=True, slots=True)
class Talk:
    """Who of the company talked to a number last."""

    number: PhoneNumber
    extension: str
    at: datetime


class NumberMemoryStore(Protocol):
    """Operators' choices and who talked last, by number. Writes may raise StoreError."""

    def number_memory(self, number: PhoneNumber) -> NumberMemory:
        """Tell what people taught about a number; never touches the disk."""
        ...

    async def save_choice(self, number: PhoneNumber, owner: Ref) -> None:
        """Keep an operator's word on whose number this is."""
        ...
