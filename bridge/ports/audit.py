"""The audit list: who did what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol


class AuditAct(StrEnum):
    """What somebody did that others may ask about."""

    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGN_IN_REFUSED = "refused"  # a wrong password, or a link that is no longer valid
    LINK_MADE = "link_made"
    LINK_REVOKED = "link_revoked"
    NUMBER_REVEALED = "revealed"  # a masked number was shown in full
    CALLS_EXPORTED = "exported"  # calls left as a file
    ENTRY_RETRIED = "retried"
    ENTRY_DROPPED = "dropped"
    SHRINK_ACCEPTED = "shrink_accepted"
    OWNER_CHOSEN = "chosen"  # whose number it is
    NOTE_WRITTEN = "noted"  # a note on a call
    CALL_ORDERED = "ordered"  # an outgoing call
    OLD_CALLS_DELETED = "forgotten"  # calls and records that were too old
    ORDER_DENIED = "order_denied"  # a call from a telephone that is not his


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One thing somebody did. *subject* is what it was done to: a key, a reference, an extension.

    *who* is a name for people, *role* theirs, *address* where they came from. *words* say what
    the subject does not; numbers stand masked in them.
    """

    at: datetime
    act: AuditAct
    role: str
    who: str = ""
    address: str = ""
    subject: str = ""
    words: str = ""


class Audit(Protocol):
    """The audit list: written once, read by the administrator, forgotten after a set time."""

    async def append(self, record: AuditRecord) -> None:
        """Keep *record*; done means durable. Raises StoreError when it is not."""
        ...

    async def records(
        self, *, limit: int = 100, before: int | None = None, act: AuditAct | None = None
    ) -> Sequence[tuple[int, AuditRecord]]:
        """List records with their numbers, newest first, from behind the number *before* on."""
        ...

    async def delete_old(self, days: Sequence[date]) -> int:
        """Delete what is older than the days to be kept, of *days* seen; give the number."""
        ...
