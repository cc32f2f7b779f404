"""What we sign: session cookies and managers' personal links. The signature is itsdangerous'."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from itsdangerous import BadSignature, URLSafeSerializer, URLSafeTimedSerializer

from bridge.domain.directory import Ref

#: How long a sign-in lasts: the administrator's for a day's work, a manager's for a month, as it
#: ends by itself when he leaves 1C or his link is revoked.
ADMIN_SESSION: Final = timedelta(hours=12)
MANAGER_SESSION: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ManagerPass:
    """What opens the desk: which 1C user, and the generation of his links it belongs to."""

    manager: Ref
    generation: int


class Seals:
    """Signs and reads back. *secret* is the house's own, *password* the administrator's setting.

    Another password makes every session of the administrator worthless.
    """

    def __init__(self, secret: bytes, password: str) -> None:
        self._admin = URLSafeTimedSerializer(secret, salt=f"admin session\x1f{password}")
        self._manager = URLSafeTimedSerializer(secret, salt="manager session")
        self._link = URLSafeSerializer(secret, salt="desk link")
        self._ended: set[str] = set()

    def admin_session(self) -> str:
        """Begin a session of the administrator."""
        return str(self._admin.dumps(secrets.token_hex(8)))

    def is_admin_session(self, sealed: str) -> bool:
        """Tell whether *sealed* is a session of the administrator that goes on."""
        try:
            session = self._admin.loads(sealed, max_age=int(ADMIN_SESSION.total_seconds()))
        except BadSignature:
            return False
        return session not in self._ended

    def end_admin_session(self, sealed: str) -> None:
        """Make a session worthless wherever else its cookie may be; until a restart."""
        if self.is_admin_session(sealed):
            self._ended.add(str(self._admin.loads(sealed)))

    def manager_session(self, who: ManagerPass) -> str:
        """Begin a manager's session."""
        return str(self._manager.dumps([who.manager, who.generation]))

    def read_manager_session(self, sealed: str) -> ManagerPass | None:
        """Read a session back; None when it is over or not ours."""
        try:
            said = self._manager.loads(sealed, max_age=int(MANAGER_SESSION.total_seconds()))
        except BadSignature:
            return None
        return _pass_of(said)

    def link(self, who: ManagerPass) -> str:
        """Make the secret part of a personal link."""
        return str(self._link.dumps([who.manager, who.generation]))

    def read_link(self, sealed: str) -> ManagerPass | None:
        """Read a link back; None when it is not ours."""
        try:
            said = self._link.loads(sealed)
        except BadSignature:
            return None
        return _pass_of(said)


def _pass_of(said: object) -> ManagerPass | None:
    match said:
        case [str(manager), int(generation)]:
            return ManagerPass(Ref(manager), generation)
    return None
