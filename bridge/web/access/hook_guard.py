"""Which PBX may call the hooks: by a secret, and from a network."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Scope

from bridge.ports.alarms import Alarm
from bridge.ports.events import EventPublisher
from bridge.web.access.attempts import AttemptLimiter, GuessKey
from bridge.web.access.network import (
    Network,
    client_address,
    is_in_networks,
    network_of,
)
from bridge.web.access.secrets import Secret, basic_credentials
from bridge.web.shared.request_headers import read_header

_log = logging.getLogger(__name__)

#: So many wrong secrets of one network are a mistake in a cabinet; more are guesses.
_MISTAKES: Final = 10

#: The alarm is over when there was no guess for so long.
_QUIET_S: Final = 1800.0

_RETRY_AFTER: Final = {"Retry-After": "60"}
_REFUSED: Final = "bridge.hook_refused"

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="1C-bridge"'}


@dataclass(frozen=True, slots=True)
class HookAccess:
    """Which PBX may ask: Basic credentials, or a token in the path, or both on their own paths.

    An empty *allow* lets every network in. `X-Forwarded-For` is believed from *trusted_proxies*.
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    allow: tuple[Network, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()


class HookGuessCounter:
    """Counts wrong secrets by network; many are logged, ever more rarely, and raise an alarm."""

    def __init__(
        self, events: EventPublisher, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._events = events
        self._now = monotonic
        self._attempts = AttemptLimiter(monotonic)
        self._last_at: float | None = None  # the last guess while the alarm stands

    def count_failure(self, network: str, way: str) -> bool:
        """Count a wrong secret; return whether there were too many."""
        mistakes, worth_noting = self._attempts.count_failure(GuessKey("hook", network))
        if worth_noting:
            _log.warning("hook_refused", extra={"client": network, "way": way, "tries": mistakes})
        if mistakes <= _MISTAKES:
            return False
        if self._last_at is None or worth_noting:
            message = f"{mistakes} wrong hook secrets ({way}) from {network}"
            self._events.publish(Alarm("hooks_guessed", message))
        self._last_at = self._now()
        return True

    def log_foreign_network(self, network: str) -> None:
        """Log a request from a network where no PBX of ours is."""
        mistakes, worth_noting = self._attempts.count_failure(GuessKey("hook network", network))
        if worth_noting:
            _log.warning("hook_not_allowed", extra={"client": network, "tries": mistakes})

    def clear_when_quiet(self) -> None:
        """End the alarm when there was no guess for a while."""
        if self._last_at is not None and self._now() - self._last_at >= _QUIET_S:
            self._last_at = None
            self._events.publish(Alarm("hooks_guessed", "", clear=True))


class HookGuard:
    """Admits a PBX's request, or raises the refusal it gets.

    A right secret passes, even while others guess from the same network: these secrets are made
    for machines and compared in a microsecond. What guesses are is limited, logged and alarmed.
    """

    def __init__(self, access: HookAccess, guesses: HookGuessCounter) -> None:
        basic = access.user is not None and access.password is not None
        self._basic = Secret(f"{access.user}:{access.password}") if basic else None
        self._token = None if access.token is None else Secret(access.token)
        self._allow = access.allow
        self._proxies = access.trusted_proxies
        self._guesses = guesses

    def require_pbx(self, scope: Scope, token: str | None) -> None:
        """Check *scope*; *token* is that of the path, None on the paths without one.

        Raises:
            HTTPException: 401 or 403 on plain paths; 404 on paths with a token, and wherever the
                way in is not set up, as if there were no such path; 429 after many wrong ones.
        """
        earlier = scope.get(_REFUSED)
        if earlier is not None:  # a refusal is checked a second time on its usual way
            raise earlier
        try:
            self._check(scope, token)
        except HTTPException as refusal:
            scope[_REFUSED] = refusal
            raise

    def _check(self, scope: Scope, token: str | None) -> None:
        self._guesses.clear_when_quiet()
        secret = self._basic if token is None else self._token
        if secret is None:
            raise HTTPException(404)
        if self._allow and not is_in_networks(client_address(scope, self._proxies), self._allow):
            self._guesses.log_foreign_network(self._network(scope))
            raise HTTPException(403 if token is None else 404)
        if token is not None:
            if not secret.matches(token.encode("utf-8", "replace")):
                self._count(scope, "path token")
                raise HTTPException(404)
            return
        credentials = read_header(scope, b"authorization")
        offered = basic_credentials(credentials)
        if offered is None or not secret.matches(offered):
            if credentials:  # nothing offered is no guess: some clients wait for the challenge
                self._count(scope, "Basic")
            raise HTTPException(401, headers=_CHALLENGE)

    def _count(self, scope: Scope, way: str) -> None:
        if self._guesses.count_failure(self._network(scope), way):
            raise HTTPException(429, "Too many wrong secrets.", _RETRY_AFTER)

    def _network(self, scope: Scope) -> str:
        return network_of(client_address(scope, self._proxies))
