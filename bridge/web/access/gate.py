"""The gate of pages and API: gives the `Viewer` of a request, or raises the refusal it gets.

The administrator comes by session cookie, by Basic or Bearer with his password (scripts), or,
while no password is set, from this machine. A manager comes by session cookie alone.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from secrets import token_bytes
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.types import Scope

from bridge.domain.directory import Manager, Ref
from bridge.ports import Clock, DeskKeys
from bridge.web.access.attempts import Attempts
from bridge.web.access.network import (
    Network,
    client_address,
    header,
    is_encrypted,
    is_local,
    is_same_origin,
)
from bridge.web.access.seals import ManagerPass, Seals
from bridge.web.access.secrets import PasswordHash, Secret, is_hash, offered_password
from bridge.web.access.viewer import Role, Viewer
from bridge.web.language import mark

_log = logging.getLogger(__name__)

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="1C-bridge", charset="UTF-8"'}
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: One cookie for each role: the administrator may try a manager's link and remain one.
ADMIN_COOKIE = "bridge_admin"
DESK_COOKIE = "bridge_desk"

SIGN_IN = "/login"
DESK = "/desk"

_ONLY_HERE = mark("Only this machine may see this until BRIDGE_ADMIN_PASSWORD is set.")
_ADMIN_ONLY = mark("This is for the administrator alone.")
FOREIGN_PAGE = mark("Another site's page asked for this; it was not done.")
_TOO_MANY = mark("Too many wrong passwords: wait a while before the next one.")


@dataclass(frozen=True, slots=True)
class AdminAccess:
    """What opens the pages and the API; without a password the console answers on loopback only.

    *password* is plain or a hash (`access.secrets.PasswordHash`). *secret* signs sessions and
    links. *mask_phones* hides from a manager the numbers of people who are not his clients.
    """

    password: str | None = field(default=None, repr=False)
    secret: bytes = field(default_factory=lambda: token_bytes(32), repr=False)
    trusted_proxies: tuple[Network, ...] = ()
    mask_phones: bool = False


class Gate:
    """Tells who looks. *managers* gives 1C's users as they are now: who left is let in no more."""

    def __init__(
        self,
        access: AdminAccess,
        *,
        clock: Clock,
        managers: Callable[[], Mapping[int, Manager]],
        keys: DeskKeys,
    ) -> None:
        self.attempts = Attempts(clock)
        self.seals = Seals(access.secret, access.password or "")
        self._access = access
        self._managers = managers
        self._keys = keys
        self._password = _Password(access.password) if access.password else None
        self._guessing = asyncio.Lock()

    @property
    def has_password(self) -> bool:
        """Whether the administrator has a password."""
        return self._password is not None

    async def admin(self, scope: Scope) -> Viewer:
        """Admit the administrator; no foreign page makes his browser change anything.

        Raises:
            HTTPException: 303 to the sign-in for a person at a browser; 401 without or with a
                wrong password, 403 for a stranger or a foreign page, 429 after many wrong ones.
        """
        viewer = await self._admin(scope)
        if viewer is None:
            raise self._stranger(scope)
        return self._checked(scope, viewer)

    async def viewer(self, scope: Scope) -> Viewer:
        """Admit a manager, or else the administrator; raises what `admin` does."""
        viewer = self.manager(scope) or await self._admin(scope)
        if viewer is None:
            raise self._stranger(scope)
        return self._checked(scope, viewer)

    async def caller(self, scope: Scope) -> Viewer:
        """Admit who may have a call placed: the administrator, or a manager; raises as `admin`.

        Who has both sessions keeps the administrator's choice of telephone. Without a password this
        whole machine is the administrator, so there a manager's session tells who is meant.
        """
        manager = self.manager(scope)
        if manager is None or self._password is not None:
            viewer = await self._admin(scope) or manager
        else:
            viewer = manager
        if viewer is None:
            raise self._stranger(scope)
        return self._checked(scope, viewer)

    async def operations(self, scope: Scope) -> None:
        """Admit who wants figures only: this machine, or the administrator."""
        if not is_local(scope):
            await self.admin(scope)

    def manager(self, scope: Scope) -> Viewer | None:
        """Find the manager whose session this is; None when it is nobody's, or over."""
        sealed = cookie(scope, DESK_COOKIE)
        session = self.seals.read_manager_session(sealed) if sealed else None
        manager = None if session is None else self.manager_of(session)
        if manager is None:
            return None
        return Viewer(
            Role.MANAGER,
            manager=manager.ref,
            extension=manager.extension,
            name=manager.name,
            masked=self._access.mask_phones,
            address=self.address(scope),
        )

    def manager_of(self, claim: ManagerPass) -> Manager | None:
        """Find whom a link or session lets in; None when it was revoked, or he left 1C."""
        manager = self.staff(claim.manager)
        if manager is None or claim.generation != self._keys.generation(claim.manager):
            return None
        return manager

    def staff(self, ref: Ref) -> Manager | None:
        """Find a 1C user who works here."""
        for manager in self._managers().values():
            if manager.ref == ref:
                return manager if works_here(manager) else None
        return None

    def pass_of(self, manager: Manager) -> ManagerPass:
        """Give what opens the desk for *manager* now."""
        return ManagerPass(manager.ref, self._keys.generation(manager.ref))

    async def is_password(self, scope: Scope, offered: bytes) -> bool:
        """Tell whether *offered* is the administrator's password; guesses are counted.

        Raises:
            HTTPException: 429 when there were too many wrong ones from this address.
        """
        guesser = f"address {self.address(scope)}"
        self.refuse_guessing(guesser)
        async with self._guessing:  # one after the other, so that many at once are counted too
            self.refuse_guessing(guesser)
            if self._password is not None and await self._password.matches(offered):
                self.attempts.right(guesser)
                return True
            self.attempts.wrong(guesser)
        _log.warning("admin_refused", extra={"client": self.address(scope)})
        return False

    def refuse_guessing(self, *who: str) -> None:
        """Let nobody guess on who has to wait; raises HTTPException 429."""
        wait = self.attempts.wait(*who)
        if wait > timedelta(0):
            seconds = math.ceil(wait.total_seconds())
            raise HTTPException(429, _TOO_MANY, {"Retry-After": str(seconds)})

    def address(self, scope: Scope) -> str:
        """Tell where a request comes from; empty when there is no telling."""
        address = client_address(scope, self._access.trusted_proxies)
        return "" if address is None else str(address)

    def is_encrypted(self, scope: Scope) -> bool:
        """Whether the client's line is TLS, as far as we can know."""
        return is_encrypted(scope, self._access.trusted_proxies)

    async def _admin(self, scope: Scope) -> Viewer | None:
        """Find the administrator; None for a stranger.

        Raises:
            HTTPException: 401 for a wrong password, 429 after many.
        """
        viewer = Viewer(Role.ADMIN, address=self.address(scope))
        if self._password is None:
            return viewer if is_local(scope) else None
        sealed = cookie(scope, ADMIN_COOKIE)
        if sealed and self.seals.is_admin_session(sealed):
            return viewer
        said = header(scope, b"authorization")
        if not said:
            return None
        offered = offered_password(said)
        if offered is None or not await self.is_password(scope, offered):
            raise HTTPException(401, headers=_CHALLENGE)
        return viewer

    def _stranger(self, scope: Scope) -> HTTPException:
        if self.manager(scope) is not None:
            if is_navigation(scope) and scope["path"] == "/":
                return HTTPException(303, headers={"Location": DESK})
            return HTTPException(403, _ADMIN_ONLY)
        if self._password is None:
            return HTTPException(403, _ONLY_HERE)
        if is_navigation(scope):
            query = scope["query_string"].decode("latin-1")
            there = scope["path"] + (f"?{query}" if query else "")
            return HTTPException(303, headers={"Location": f"{SIGN_IN}?next={quote(there)}"})
        # A page's own script gets no challenge: the browser would ask over the page.
        ours = header(scope, b"sec-fetch-mode") in {b"cors", b"same-origin", b"no-cors"}
        return HTTPException(401, headers=None if ours else _CHALLENGE)

    @staticmethod
    def _checked(scope: Scope, viewer: Viewer) -> Viewer:
        if scope["method"] not in _SAFE_METHODS and not is_same_origin(scope):
            raise HTTPException(403, FOREIGN_PAGE)
        return viewer


class _Password:
    """The administrator's password. A hash is computed off the loop, and once for each sign-in."""

    def __init__(self, setting: str) -> None:
        self._plain = None if is_hash(setting) else Secret(setting)
        self._hash = PasswordHash.read(setting) if is_hash(setting) else None
        self._known: Secret | None = None

    async def matches(self, offered: bytes) -> bool:
        if self._plain is not None:
            return self._plain.matches(offered)
        if self._known is not None and self._known.matches(offered):
            return True  # a script asks many times a minute
        if self._hash is None or not await asyncio.to_thread(self._hash.matches, offered):
            return False
        self._known = Secret(offered.decode("utf-8", "replace"))
        return True


def works_here(manager: Manager) -> bool:
    """Whether a 1C user is somebody who may look at his calls."""
    return not (manager.invalid or manager.service or manager.marked)


def is_navigation(scope: Scope) -> bool:
    """Whether a person at a browser wants to see a page."""
    return scope["method"] == "GET" and b"text/html" in header(scope, b"accept")


def cookie(scope: Scope, name: str) -> str:
    """Give a cookie; empty when there is none."""
    return cookie_parser(header(scope, b"cookie").decode("latin-1")).get(name, "")
