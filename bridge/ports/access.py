"""Who may sign in: personal links, ended sessions, 1C's answer to a password."""

from enum import StrEnum
from typing import Protocol

from bridge.domain.directory.entities import Ref


class PersonalLinks(Protocol):
    """Which generation of a manager's personal links is valid; revoking begins the next one."""

    def generation(self, manager: Ref) -> int:
        """Return the generation that is valid now."""
        ...

    async def revoke(self, manager: Ref) -> int:
        """Invalidate all links and sessions so far; return the generation that is valid now."""
        ...


class EndedSessions(Protocol):
    """Which sessions were signed out and which one-time links were used; kept over restarts.

    A session carries the *generation* in which it began and is valid in that one alone: where the
    list is lost, a new generation begins and all users sign in again.
    """

    @property
    def generation(self) -> str:
        """Return the generation that is valid now."""
        ...

    def is_ended(self, session: str) -> bool:
        """Return whether *session* was ended."""
        ...

    async def end(self, session: str) -> None:
        """End *session*: at once in memory, and durably when done; never raises."""
        ...


class SignInAnswer(StrEnum):
    """What 1C answers to a name and a password."""

    ACCEPTED = "accepted"
    #: 1C knows the user and refuses only the data: the password was right.
    NO_RIGHTS = "no_rights"
    #: Wrong, or without the right to OData: a plain 401 does not show which.
    REFUSED = "refused"
    #: The publication accepts any password: its answer proves nothing.
    PROVES_NOTHING = "worthless"


class OneCSignIn(Protocol):
    """Asks 1C whether a name and a password belong together; keeps neither."""

    async def check_credentials(self, name: str, password: str) -> SignInAnswer:
        """Ask 1C. May raise OneCUnavailable, OneCNotPublished, OneCInvalidResponse."""
        ...
