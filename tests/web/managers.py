"""Managers at their browsers: signed in, from an address that is nobody else's."""

import httpx

from bridge.domain.directory import Manager
from bridge.web.access import AdminAccess
from bridge.web.access.gate import DESK_COOKIE
from bridge.web.access.seals import ManagerPass, Seals
from tests.support.builders import manager
from tests.web.support import ADMIN, House, known_house

ANNA, BORIS = manager(), manager("Борис Орлов", "207")
SECRET = b"composed secret of the house" * 2


def staffed_house(*, masked: bool = False, **changes: object) -> House:
    """Give the known house with Anna at 205 and Boris at 207."""
    access = AdminAccess(ADMIN, SECRET, mask_phones=masked)
    made = known_house(**{"admin_access": access, **changes})
    made.directory.staff[2] = BORIS
    return made


def session_of(who: Manager) -> str:
    """Give the cookie's value of a session that *who* has begun."""
    return Seals(SECRET, ADMIN).manager_session(ManagerPass(who.ref, 0))


def as_manager(at: House, who: Manager, **headers: str) -> httpx.AsyncClient:
    """Give the browser of *who*, signed in."""
    signed = f"{DESK_COOKIE}={session_of(who)}"
    return at.caller(peer="203.0.113.9", headers={"Cookie": signed, **headers})
