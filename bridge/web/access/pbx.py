"""Which PBX may call the hooks: by a secret, and from a network."""

from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.types import Scope

from bridge.web.access.network import Network, client_address, header, is_in
from bridge.web.access.secrets import Secret, basic_credentials

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


class HookGuard:
    """Admits a PBX's request, or raises the refusal it gets."""

    def __init__(self, access: HookAccess) -> None:
        basic = access.user is not None and access.password is not None
        self._basic = Secret(f"{access.user}:{access.password}") if basic else None
        self._token = None if access.token is None else Secret(access.token)
        self._allow = access.allow
        self._proxies = access.trusted_proxies

    def admit(self, scope: Scope, token: str | None) -> None:
        """Check *scope*; *token* is the path's, None on the paths without one.

        Raises:
            HTTPException: 401 or 403 on plain paths; 404 on paths with a token, and wherever the
                way in is not set up, as if there were no such path.
        """
        secret = self._basic if token is None else self._token
        if secret is None:
            raise HTTPException(404)
        if self._allow and not is_in(client_address(scope, self._proxies), self._allow):
            raise HTTPException(403 if token is None else 404)
        if token is not None:
            if not secret.matches(token.encode("utf-8", "replace")):
                raise HTTPException(404)
            return
        offered = basic_credentials(header(scope, b"authorization"))
        if offered is None or not secret.matches(offered):
            raise HTTPException(401, headers=_CHALLENGE)
