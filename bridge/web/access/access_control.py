"""Access to pages and API: the `Viewer` of a request, or the refusal it gets.

The administrator comes by session cookie (by the password, or by a one-time link), by Basic or
Bearer with the password (scripts), or by the proof of a command that may read the data folder. A
manager comes by session cookie alone. An address alone admits no viewer.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_bytes
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.types import Scope

from bridge.domain.directory.entities import Manager, Ref
from bridge.ports.access import EndedSessions, PersonalLinks
from bridge.web.access.attempts import Attempt, AttemptLimiter, GuessKey, TooManyAttempts
from bridge.web.access.network import (
    Network,
    client_address,
    is_encrypted,
    is_same_origin,
    network_of,
)
from bridge.web.access.passwords import AdminPassword, TooManyChecks
from bridge.web.access.secrets import Secret, bearer_token, offered_password
from bridge.web.access.signed_tokens import ManagerClaim, SignedTokens
from bridge.web.access.stream_guard import GuardedStreams
from bridge.web.access.viewer import Role, Viewer
from bridge.web.shared.language import translatable
from bridge.web.shared.request_headers import read_cookie, read_header

_log = logging.getLogger(__name__)

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="1C-bridge", charset="UTF-8"'}
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: One cookie for each role: the administrator may try a manager's link and remain one.
ADMIN_COOKIE = "bridge_admin"
DESK_COOKIE = "bridge_desk"

SIGN_IN_PATH = "/login"
CONSOLE_LINK_PATH = "/login/link"
DESK_PATH = "/desk"

_NO_PASSWORD = translatable(
    "BRIDGE_ADMIN_PASSWORD is not set, so this opens by a one-time link alone: serve printed one "
    "at its start, and onec-bridge console-link prints another."
)
_ADMIN_ONLY = translatable("This is for the administrator alone.")
FOREIGN_PAGE = translatable("This request came from another site's page; nothing was done.")
_TOO_MANY = translatable("Too many wrong passwords: wait a while before the next one.")
_BUSY = translatable("Too many passwords are being checked at this moment: try again.")


@dataclass(frozen=True, slots=True)
class AdminAccess:
    """What opens the pages and the API; without a password only one-time links and commands do.

    *password* is plain or a hash (`access.secrets.PasswordHash`). *secret* signs sessions and
    links. *metrics_token* opens `/metrics` and nothing else. *mask_phones* hides from a manager
    the numbers of people who are not that manager's clients.
    """

    password: str | None = field(default=None, repr=False)
    secret: bytes = field(default_factory=lambda: token_bytes(32), repr=False)
    trusted_proxies: tuple[Network, ...] = ()
    mask_phones: bool = False
    metrics_token: str | None = field(default=None, repr=False)


class AccessControl:
    """Finds the viewer of a request. *managers* returns 1C's users as they are now."""

    def __init__(
        self,
        access: AdminAccess,
        *,
        managers: Callable[[], Mapping[Ref, Manager]],
        keys: PersonalLinks,
        ended: EndedSessions | None = None,
        attempts: AttemptLimiter | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.attempts = AttemptLimiter(monotonic) if attempts is None else attempts
        self.streams = GuardedStreams(monotonic)
        self.tokens = SignedTokens(access.secret, access.password or "", ended)
        self._access = access
        self._managers = managers
        self._keys = keys
        self._password = AdminPassword(access.password) if access.password else None
        self._metrics_token = Secret(access.metrics_token) if access.metrics_token else None

    @property
    def has_password(self) -> bool:
        """Return whether the administrator has a password."""
        return self._password is not None

    async def require_admin(self, scope: Scope) -> Viewer:
        """Admit the administrator; no foreign page makes the browser change anything.

        Raises:
            HTTPException: 303 to the sign-in for a person at a browser; 401 without or with a
                wrong password, 403 for a stranger or a foreign page, 429 after many wrong ones.
        """
        viewer = await self._admin(scope)
        if viewer is None:
            raise self._refusal(scope)
        return self._checked(scope, viewer)

    async def require_viewer(self, scope: Scope) -> Viewer:
        """Admit a manager, or else the administrator; raises as `require_admin` does."""
        viewer = self.signed_in_manager(scope) or await self._admin(scope)
        if viewer is None:
            raise self._refusal(scope)
        return self._checked(scope, viewer)

    async def require_order_placer(self, scope: Scope) -> Viewer:
        """Admit a viewer who may order calls: the administrator, or a manager.

        A viewer with both sessions keeps the administrator's choice of telephone. Raises as
        `require_admin`.
        """
        viewer = await self._admin(scope) or self.signed_in_manager(scope)
        if viewer is None:
            raise self._refusal(scope)
        return self._checked(scope, viewer)

    async def require_metrics_reader(self, scope: Scope) -> None:
        """Admit a reader of metrics by the token for them, or the administrator."""
        token = bearer_token(read_header(scope, b"authorization"))
        if self._metrics_token is None or token is None or not self._metrics_token.matches(token):
            await self.require_admin(scope)

    def access_check(self, scope: Scope, viewer: Viewer) -> Callable[[], bool]:
        """Return a check whether *viewer* is still admitted with *scope*, as the same viewer."""
        if not viewer.is_admin:
            return lambda: self.signed_in_manager(scope) == viewer
        sealed = read_cookie(scope, ADMIN_COOKIE)
        if not self.tokens.is_valid_admin_session(sealed):
            return lambda: True  # a right password, or a command's proof: only a session ends
        return lambda: self.tokens.is_valid_admin_session(sealed)

    async def sign_out(self, scope: Scope) -> Viewer | None:
        """End the sessions of *scope* for good; return their viewer, None without a session."""
        sealed, desk = read_cookie(scope, ADMIN_COOKIE), read_cookie(scope, DESK_COOKIE)
        manager = self.signed_in_manager(scope)
        is_admin = bool(sealed) and self.tokens.is_valid_admin_session(sealed)
        if is_admin:
            await self.tokens.end_admin_session(sealed)
        if manager is not None:
            await self.tokens.end_manager_session(desk)
        self.streams.recheck()
        return Viewer(Role.ADMIN, address=self.address(scope)) if is_admin else manager

    async def revoke(self, manager: Ref) -> None:
        """Revoke a manager's links and sessions, and end the manager's streams."""
        await self._keys.revoke(manager)
        self.streams.recheck()

    def signed_in_manager(self, scope: Scope) -> Viewer | None:
        """Return the signed-in manager of *scope*; None without a session, or when it is over."""
        sealed = read_cookie(scope, DESK_COOKIE)
        session = self.tokens.read_manager_session(sealed) if sealed else None
        manager = None if session is None else self.manager_of_claim(session)
        if manager is None:
            return None
        return Viewer(
            Role.MANAGER,
            manager=manager.ref,
            extension=manager.extension,
            name=manager.name,
            masks_numbers=self._access.mask_phones,
            address=self.address(scope),
        )

    def manager_of_claim(self, claim: ManagerClaim) -> Manager | None:
        """Return the manager of a link or session; None when revoked, or no longer active in 1C."""
        manager = self.active_manager(claim.manager)
        if manager is None or claim.generation != self._keys.generation(claim.manager):
            return None
        return manager

    def active_manager(self, ref: Ref) -> Manager | None:
        """Return the active 1C user *ref*; None for others."""
        manager = self._managers().get(ref)
        return manager if manager is not None and is_active(manager) else None

    def claim_of(self, manager: Manager) -> ManagerClaim:
        """Return what opens the desk for *manager* now."""
        return ManagerClaim(manager.ref, self._keys.generation(manager.ref))

    async def is_admin_password(self, scope: Scope, offered: bytes) -> bool:
        """Return whether *offered* is the administrator's password; wrong ones are counted.

        Raises:
            HTTPException: 429 for one of too many wrong ones from this network, 503 when too many
                are being checked.
        """
        if self._password is None:
            return False
        attempt = await self.begin_attempt(GuessKey("admin", self.network(scope)))
        try:
            right = await self._password.matches(offered, no_failures=attempt.no_failures)
        except TooManyChecks:
            attempt.mark_right()  # it is not known to be wrong
            raise HTTPException(503, _BUSY, {"Retry-After": "2"}) from None
        if right:
            attempt.mark_right()
        elif attempt.should_log:
            _log.warning("admin_refused", extra={"client": self.address(scope)})
        if not right and attempt.retry_after_s:
            raise too_many_attempts(attempt.retry_after_s)
        return right

    async def begin_attempt(self, *guesses: GuessKey) -> Attempt:
        """Wait until *guesses* may be checked; raises HTTPException 429 where too many wait."""
        try:
            return await self.attempts.begin(*guesses)
        except TooManyAttempts as error:
            raise too_many_attempts(error.seconds) from None

    def network(self, scope: Scope) -> str:
        """Return the network that a request is counted under."""
        return network_of(client_address(scope, self._access.trusted_proxies))

    def address(self, scope: Scope) -> str:
        """Return the client's address; empty when it is not known."""
        address = client_address(scope, self._access.trusted_proxies)
        return "" if address is None else str(address)

    def is_encrypted(self, scope: Scope) -> bool:
        """Return whether the client's line is TLS, as far as we can know."""
        return is_encrypted(scope, self._access.trusted_proxies)

    async def _admin(self, scope: Scope) -> Viewer | None:
        """Return the administrator; None for a stranger.

        Raises:
            HTTPException: 401 for a wrong password, 429 after many.
        """
        viewer = Viewer(Role.ADMIN, address=self.address(scope))
        sealed = read_cookie(scope, ADMIN_COOKIE)
        if sealed and self.tokens.is_valid_admin_session(sealed):
            return viewer
        credentials = read_header(scope, b"authorization")
        if not credentials:
            return None
        proof = bearer_token(credentials)
        if proof is not None and self.tokens.is_command_proof(proof.decode("latin-1")):
            return viewer
        if self._password is None:
            return None
        offered = offered_password(credentials)
        if offered is None or not await self.is_admin_password(scope, offered):
            raise HTTPException(401, headers=_CHALLENGE)
        return viewer

    def _refusal(self, scope: Scope) -> HTTPException:
        if self.signed_in_manager(scope) is not None:
            if is_navigation(scope) and scope["path"] == "/":
                return HTTPException(303, headers={"Location": DESK_PATH})
            return HTTPException(403, _ADMIN_ONLY)
        if is_navigation(scope):
            query = scope["query_string"].decode("latin-1")
            target = scope["path"] + (f"?{query}" if query else "")
            return HTTPException(303, headers={"Location": f"{SIGN_IN_PATH}?next={quote(target)}"})
        if self._password is None:
            return HTTPException(403, _NO_PASSWORD)
        # A page's own script gets no challenge: the browser would ask over the page.
        ours = read_header(scope, b"sec-fetch-mode") in {b"cors", b"same-origin", b"no-cors"}
        return HTTPException(401, headers=None if ours else _CHALLENGE)

    @staticmethod
    def _checked(scope: Scope, viewer: Viewer) -> Viewer:
        if scope["method"] not in _SAFE_METHODS and not is_same_origin(scope):
            raise HTTPException(403, FOREIGN_PAGE)
        return viewer


def too_many_attempts(seconds: int) -> HTTPException:
    """Return the refusal of one more guess."""
    return HTTPException(429, _TOO_MANY, {"Retry-After": str(seconds)})


def is_active(manager: Manager) -> bool:
    """Return whether a 1C user may sign in: valid, no service user, not marked for deletion."""
    return not (manager.invalid or manager.service or manager.deletion_mark)


def is_navigation(scope: Scope) -> bool:
    """Return whether a person at a browser wants to see a page."""
    return scope["method"] == "GET" and b"text/html" in read_header(scope, b"accept")
