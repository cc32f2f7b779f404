"""What we sign: session cookies, one-time links, managers' personal links, commands' proofs.

The signature is itsdangerous'.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from itsdangerous import BadSignature, URLSafeSerializer, URLSafeTimedSerializer

from bridge.domain.directory.entities import Ref
from bridge.ports.access import EndedSessions

#: How long a sign-in lasts: the administrator's for a day's work, a manager's for a month, as it
#: ends by itself when the manager leaves 1C or the link is revoked.
ADMIN_SESSION_AGE: Final = timedelta(hours=12)
MANAGER_SESSION_AGE: Final = timedelta(days=30)

#: A one-time link stands in a terminal or a journal for others to find.
CONSOLE_LINK_AGE: Final = timedelta(hours=1)

#: A command uses its proof at once.
_COMMAND: Final = timedelta(minutes=1)

_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class ManagerClaim:
    """What opens the desk: which 1C user, and the generation of links it belongs to."""

    manager: Ref
    generation: int


class EndedSessionsInMemory:
    """`EndedSessions` in memory alone."""

    generation = ""

    def __init__(self) -> None:
        self._ended: set[str] = set()

    def is_ended(self, session: str) -> bool:
        """Return whether *session* was ended."""
        return session in self._ended

    async def end(self, session: str) -> None:
        """End *session*, until a restart."""
        self._ended.add(session)


class SignedTokens:
    """Signs and reads back. *secret* is the data folder's, *password* the administrator's setting.

    Another password makes every session of the administrator worthless; *ended* knows those that
    were signed out.
    """

    def __init__(self, secret: bytes, password: str, ended: EndedSessions | None = None) -> None:
        self._admin = URLSafeTimedSerializer(secret, salt=f"admin session\x1f{password}")
        self._manager = URLSafeTimedSerializer(secret, salt="manager session")
        self._link = URLSafeSerializer(secret, salt="desk link")
        self._console = URLSafeTimedSerializer(secret, salt="console link")
        self._command = URLSafeTimedSerializer(secret, salt="command")
        self._ended: EndedSessions = EndedSessionsInMemory() if ended is None else ended

    def create_admin_session(self) -> str:
        """Begin a session of the administrator."""
        return str(self._admin.dumps([_new_id(), self._ended.generation]))

    def is_valid_admin_session(self, token: str) -> bool:
        """Return whether *token* is a session of the administrator that goes on."""
        return self._is_valid(_read(self._admin, token, ADMIN_SESSION_AGE))

    async def end_admin_session(self, token: str) -> None:
        """End a session for good, wherever else its cookie may be."""
        await self._end(_read(self._admin, token, ADMIN_SESSION_AGE))

    def create_manager_session(self, who: ManagerClaim) -> str:
        """Begin a manager's session."""
        claim = [_new_id(), self._ended.generation, who.manager, who.generation]
        return str(self._manager.dumps(claim))

    def read_manager_session(self, token: str) -> ManagerClaim | None:
        """Read a session back; None when it is over or not ours."""
        payload = _read(self._manager, token, MANAGER_SESSION_AGE)
        return (
            _claim_of(payload[2:])
            if isinstance(payload, list) and self._is_valid(payload)
            else None
        )

    async def end_manager_session(self, token: str) -> None:
        """End a session for good, wherever else its cookie may be."""
        await self._end(_read(self._manager, token, MANAGER_SESSION_AGE))

    def create_console_link(self) -> str:
        """Return the secret part of a link that opens the console once."""
        return str(self._console.dumps(_new_id()))

    async def use_console_link(self, token: str) -> bool:
        """Return whether *token* opens the console; it does not a second time."""
        payload = _read(self._console, token, CONSOLE_LINK_AGE)
        if not isinstance(payload, str) or self._ended.is_ended(payload):
            return False
        await self._ended.end(payload)  # in memory at once: two at a time are one
        return True

    def create_command_proof(self) -> str:
        """Return the proof that a command may read the data folder."""
        return str(self._command.dumps(_new_id()))

    def is_command_proof(self, token: str) -> bool:
        """Return whether *token* was made by a command a moment ago."""
        return _read(self._command, token, _COMMAND) is not None

    def create_personal_link(self, who: ManagerClaim) -> str:
        """Return the secret part of a personal link."""
        return str(self._link.dumps([who.manager, who.generation]))

    def read_personal_link(self, token: str) -> ManagerClaim | None:
        """Read a link back; None when it is not ours."""
        try:
            payload = self._link.loads(token)
        except BadSignature:
            return None
        return _claim_of(payload)

    def _is_valid(self, payload: object) -> bool:
        match payload:
            case [str(session), str(generation), *_]:
                return generation == self._ended.generation and not self._ended.is_ended(session)
        return False

    async def _end(self, payload: object) -> None:
        match payload:
            case [str(session), *_]:
                await self._ended.end(session)


def _new_id() -> str:
    return secrets.token_hex(_ID_BYTES)


def _read(serializer: URLSafeTimedSerializer, token: str, age: timedelta) -> object:
    try:
        return serializer.loads(token, max_age=int(age.total_seconds()))
    except BadSignature:
        return None


def _claim_of(payload: object) -> ManagerClaim | None:
    match payload:
        case [str(manager), int(generation)]:
            return ManagerClaim(Ref(manager), generation)
    return None
