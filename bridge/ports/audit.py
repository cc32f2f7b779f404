"""The audit list: who did what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol


class AuditAct(StrEnum):
    """What a person or the service did that others may ask about."""

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
    OWNER_CHOSEN = "chosen"  # the owner of a number, by an operator
    NOTE_WRITTEN = "noted"  # a note on a call
    CALL_ORDERED = "ordered"  # an outgoing call
    OLD_CALLS_DELETED = "forgotten"  # calls and audit records that were too old
    ORDER_DENIED = "order_denied"  # an outgoing call from another user's extension


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One act. *subject* is what it was done to: a key, a reference, an extension.

    *who* is a name to show, *role* the role of that person, *address* where the request came from.
    *words* is a message with what the subject does not hold; numbers are masked in it.
    """

    at: datetime
    act: AuditAct
    role: str
    who: str = ""
    address: str = ""
    subject: str = ""
    words: str = ""


class Audit(Protocol):
    """The audit list: append-only, read by the administrator, deleted by age."""

    async def append(self, record: AuditRecord) -> None:
        """Append *record*; return when it is durable. Raises StoreError."""
        ...

    async def records(
        self, *, limit: int = 100, before: int | None = None, act: AuditAct | None = None
    ) -> Sequence[tuple[int, AuditRecord]]:
        """Return records with their numbers, newest first.

        Only those before the number *before*.
        """
        ...

    async def delete_old(self, days: Sequence[date]) -> int:
        """Delete what is older than the days to be kept; *days* are those seen.

        Return the number.
        """
        ...
