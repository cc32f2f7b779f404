"""Who may look and who did what: the audit list, personal links, 1C's word on a password."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from bridge.domain.directory.entities import Ref


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


class PersonalLinks(Protocol):
    """Which generation of a manager's personal link is valid; a revoked one makes the next."""

    def generation(self, manager: Ref) -> int:
        """Give the generation that is valid now."""
        ...

    async def revoke(self, manager: Ref) -> int:
        """Make every link and session of before worthless; give the generation that counts now."""
        ...


class EndedSessions(Protocol):
    """Which sessions were signed out and which one-time links were used; kept over restarts.

    A session carries the *generation* in which it began and counts in that one alone: where what
    was ended is lost, a new generation begins and everybody signs in again.
    """

    @property
    def generation(self) -> str:
        """Return the generation that counts now."""
        ...

    def is_ended(self, session: str) -> bool:
        """Return whether *session* was ended."""
        ...

    async def end(self, session: str) -> None:
        """End *session*: at once in memory, and durably when done; never raises."""
        ...


class SignInAnswer(StrEnum):
    """What 1C says to a name and a password."""

    ACCEPTED = "accepted"
    #: 1C knows him and refuses him the data only: the password was right.
    NO_RIGHTS = "no_rights"
    #: Wrong, or without the right to OData: a plain 401 does not tell which.
    REFUSED = "refused"
    #: The publication lets everybody in: its word proves nothing.
    PROVES_NOTHING = "worthless"


class OneCSignIn(Protocol):
    """1C as it is asked whether a name and a password belong together; keeps neither."""

    async def check_credentials(self, name: str, password: str) -> SignInAnswer:
        """Ask 1C. May raise OneCUnavailable (also OneCBlocked), OneCNotPublished, OneCNonsense."""
        ...
