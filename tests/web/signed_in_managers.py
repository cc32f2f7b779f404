"""Managers at their browsers: signed in, from an address that is nobody else's."""

from typing import Any

import httpx

from bridge.domain.directory.entities import Manager
from bridge.web.access import AdminAccess
from bridge.web.access.access_control import DESK_COOKIE
from bridge.web.access.signed_tokens import ManagerClaim, SignedTokens
from tests.support.builders import manager
from tests.web.web_fixture import ADMIN, WebFixture, web_with_known_caller

ANNA, BORIS = manager(), manager("Борис Орлов", "207")
SECRET = b"composed secret of the house" * 2


def web_with_managers(*, masked: bool = False, **changes: Any) -> WebFixture:
    """Return the application with Anna at 205 and Boris at 207."""
    access = AdminAccess(ADMIN, SECRET, mask_phones=masked)
    made = web_with_known_caller(**{"admin_access": access, **changes})
    made.directory.staff[BORIS.ref] = BORIS
    return made


def session_of(who: Manager) -> str:
    """Return the cookie's value of a session that *who* has begun."""
    return SignedTokens(SECRET, ADMIN).create_manager_session(ManagerClaim(who.ref, 0))


def as_manager(at: WebFixture, who: Manager, **headers: str) -> httpx.AsyncClient:
    """Return the browser of *who*, signed in."""
    signed = f"{DESK_COOKIE}={session_of(who)}"
    return at.client(peer="203.0.113.9", headers={"Cookie": signed, **headers})
