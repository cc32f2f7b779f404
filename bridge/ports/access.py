"""Who may sign in: personal links, ended sessions, 1C's answer to a password."""

from enum import StrEnum
from typing import Protocol

from bridge.domain.directory.entities import Ref


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
