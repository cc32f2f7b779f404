"""Who may do what: every address of the application × every caller; a new one needs a rule.

A rule says who is let in. Whoever is not gets a refusal without details, and nothing happens.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI

from bridge.domain.routing.decision import Target
from bridge.ports.events import CallRecorded
from bridge.web.access import AdminAccess
from bridge.web.access.access_control import ADMIN_COOKIE, DESK_COOKIE
from bridge.web.access.signed_tokens import ManagerClaim, SignedTokens
from tests.support.builders import call, decision
from tests.web.signed_in_managers import ANNA, BORIS, SECRET, web_with_managers
from tests.web.web_fixture import ADMIN, BASIC, TOKEN, WebFixture

pytestmark = pytest.mark.anyio

FIGURES_TOKEN = "f1gures"

#: Who comes; on a path with a token the PBX puts its own in, everybody else a wrong one.
NOBODY = "nobody"
LOCAL = "a process of this machine without the secret"
WRONG = "somebody with a wrong secret"
PBX_TOKEN = "the PBX with its path token"
PBX_BASIC = "the PBX with Basic"
MANAGER = "a manager"
OTHER = "another manager"
REVOKED = "a revoked manager"
LEFT_DESK = "a manager who signed out"
ADMINISTRATOR = "the administrator"
SCRIPT = "a script with the administrator's password"
COMMAND = "a command that may read the data folder"
SIGNED_OUT = "the administrator, signed out"
FOREIGN = "another site's page in the administrator's browser"
METRICS = "Prometheus with the token for figures"
CALLERS = (
    *(NOBODY, LOCAL, WRONG, PBX_TOKEN, PBX_BASIC, MANAGER, OTHER, REVOKED, LEFT_DESK),
    *(ADMINISTRATOR, SCRIPT, COMMAND, SIGNED_OUT, FOREIGN, METRICS),
)

_ADMINS = {ADMINISTRATOR, SCRIPT, COMMAND}


@dataclass(frozen=True)
class Rule:
    """Who is let in; *looks*: also a foreign page's request, which can change and read nothing."""

    admitted: frozenset[str]
    changes: bool = False

    def admits(self, caller: str) -> bool:
        if caller == FOREIGN:
            return ADMINISTRATOR in self.admitted and not self.changes
        return caller in self.admitted


def rule(*admitted: str, changes: bool = False) -> Rule:
    return Rule(frozenset(admitted), changes)


HOOK, HOOK_TOKEN = rule(PBX_BASIC), rule(PBX_TOKEN)
ADMIN_SEES, ADMIN_DOES = rule(*_ADMINS), rule(*_ADMINS, changes=True)
DESK_SEES = rule(*_ADMINS, MANAGER, OTHER)
DESK_DOES = rule(*_ADMINS, MANAGER, OTHER, changes=True)
#: What concerns one call: only who took part in it, and the administrator.
OWN_SEES, OWN_DOES = rule(*_ADMINS, MANAGER), rule(*_ADMINS, MANAGER, changes=True)
FIGURES = rule(*_ADMINS, METRICS)
OPEN = rule(*CALLERS)
#: Everybody may try, no other site may make a browser try.
TRIES = rule(*CALLERS, changes=True)

RULES: Mapping[str, Rule] = {
    **{
        f"{method} {path}{slash}": HOOK
        for method, path in (
            ("GET", "/sipuni/route"),
            ("GET", "/hs/sipuni/get"),
            ("GET", "/{publication}/hs/sipuni/get"),
            ("GET", "/sipuni/events"),
            ("POST", "/sipuni/events"),
        )
        for slash in ("", "/")
    },
    **{
        f"{method} /hook/{{token}}{path}{slash}": HOOK_TOKEN
        for method, path in (
            ("GET", "/sipuni/route"),
            ("GET", "/hs/sipuni/get"),
            ("GET", "/{publication}/hs/sipuni/get"),
            ("GET", "/sipuni/events"),
            ("POST", "/sipuni/events"),
        )
        for slash in ("", "/")
    },
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": FIGURES,
    "GET /docs": OPEN,
    "GET /openapi.json": OPEN,
    "GET /static": OPEN,
    "GET /manual": OPEN,
    "GET /manual/": OPEN,
    "GET /manual/{name}": OPEN,
    "GET /manual/images/{file}": OPEN,
    "GET /manual/{lang}/": OPEN,
    "GET /manual/{lang}/{name}": OPEN,
    "GET /login": OPEN,
    "POST /login/admin": TRIES,
    "POST /login/manager": TRIES,
    "GET /login/link/{sealed}": OPEN,
    "GET /enter/{sealed}": OPEN,
    "POST /logout": TRIES,
    "POST /language": TRIES,
    "GET /": ADMIN_SEES,
    "GET /console/state": ADMIN_SEES,
    "GET /console/rows/{key}": ADMIN_SEES,
    "GET /console/calls": ADMIN_SEES,
    "GET /console/calls.csv": ADMIN_SEES,
    "GET /console/calls/{key}": ADMIN_SEES,
    "GET /console/figures": ADMIN_SEES,
    "GET /console/figures.csv": ADMIN_SEES,
    "GET /console/outbox": ADMIN_SEES,
    "GET /console/outbox.csv": ADMIN_SEES,
    "POST /console/outbox/{key}/retry": ADMIN_DOES,
    "POST /console/outbox/{key}/drop": ADMIN_DOES,
    "GET /console/sync": ADMIN_SEES,
    "GET /console/sync.csv": ADMIN_SEES,
    "POST /console/sync/run": ADMIN_DOES,
    "POST /console/sync/accept": ADMIN_DOES,
    "GET /console/doctor": ADMIN_SEES,
    "GET /console/doctor.csv": ADMIN_SEES,
    "GET /console/people": ADMIN_SEES,
    "POST /console/people/{ref}/link": ADMIN_DOES,
    "POST /console/people/{ref}/revoke": ADMIN_DOES,
    "GET /console/audit": ADMIN_SEES,
    "GET /console/audit.csv": ADMIN_SEES,
    "GET /desk": DESK_SEES,
    "GET /desk/stream": DESK_SEES,
    "GET /desk/search": DESK_SEES,
    "GET /desk/calls/{key}": OWN_SEES,
    "POST /desk/calls/{key}/callback": OWN_DOES,
    "POST /desk/calls/{key}/note": OWN_DOES,
    "POST /desk/calls/{key}/owner": OWN_DOES,
    "POST /desk/calls/{key}/number": OWN_DOES,
    "POST /desk/order": DESK_DOES,
    "POST /desk/number": DESK_DOES,
    "GET /call/{number:path}": DESK_SEES,
    "POST /call/{number:path}": DESK_DOES,
    "GET /api/v1/calls": ADMIN_SEES,
    "POST /api/v1/calls": DESK_DOES,
    "GET /api/v1/calls/{key}": ADMIN_SEES,
    "GET /api/v1/calls/{key}/story": ADMIN_SEES,
    "POST /api/v1/calls/{key}/notes": ADMIN_DOES,
    "GET /api/v1/debts": ADMIN_SEES,
    "GET /api/v1/callers/{number}": ADMIN_SEES,
    "PUT /api/v1/callers/{number}/choice": ADMIN_DOES,
    "GET /api/v1/explain": ADMIN_SEES,
    "GET /api/v1/outbox": ADMIN_SEES,
    "GET /api/v1/outbox/{key}": ADMIN_SEES,
    "POST /api/v1/outbox/{key}/retry": ADMIN_DOES,
    "DELETE /api/v1/outbox/{key}": ADMIN_DOES,
    "GET /api/v1/events/unread": ADMIN_SEES,
    "POST /api/v1/events/unread/dismiss": ADMIN_DOES,
    "GET /api/v1/sync": ADMIN_SEES,
    "GET /api/v1/freshness": ADMIN_SEES,
    "GET /api/v1/alarms": ADMIN_SEES,
    "GET /api/v1/stream": ADMIN_SEES,
    "GET /api/v1/partners/{ref}/phones": ADMIN_SEES,
}

#: Where a refusal is the answer to what was tried, and not to who tried it.
TRIED = {
    "POST /login/admin",
    "POST /login/manager",
    "GET /enter/{sealed}",
    "GET /login/link/{sealed}",
}

#: Answers that let nobody in.
_REFUSALS = frozenset({401, 403})


def addresses(app: FastAPI) -> Iterator[str]:
    """Return every method and address of the application's own list of routes."""
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        for one in [route] if inner is None else inner.routes:
            methods = set(getattr(one, "methods", None) or {"GET"}) - {"HEAD"}
            for method in sorted(methods):
                yield f"{method} {getattr(one, 'path', '')}"


async def home_of(caller: str) -> WebFixture:
    """Return an application with a call of Anna's, where *caller* has come and perhaps gone."""
    access = AdminAccess(ADMIN, SECRET, metrics_token=FIGURES_TOKEN)
    home = web_with_managers(admin_access=access)
    mine = call(decided=decision(target=Target(ANNA.extension or "", ANNA.ref, ANNA.name)))
    home.add_entry(mine)
    home.desk_state.publish(CallRecorded(mine))
    home.event_feed.close()  # streams send what there is, and end
    home.desk_state.calls.close()
    if caller == REVOKED:
        await home.audit.revoke(ANNA.ref)
    return home


def the_call(home: WebFixture) -> str:
    return next(iter(home.ledger.stored))


@asynccontextmanager
async def come(caller: str, home: WebFixture, app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    seals = SignedTokens(SECRET, ADMIN, home.ended)
    cookies = {
        ADMINISTRATOR: (ADMIN_COOKIE, seals.create_admin_session()),
        FOREIGN: (ADMIN_COOKIE, seals.create_admin_session()),
        SIGNED_OUT: (ADMIN_COOKIE, seals.create_admin_session()),
        MANAGER: (DESK_COOKIE, seals.create_manager_session(ManagerClaim(ANNA.ref, 0))),
        REVOKED: (DESK_COOKIE, seals.create_manager_session(ManagerClaim(ANNA.ref, 0))),
        LEFT_DESK: (DESK_COOKIE, seals.create_manager_session(ManagerClaim(ANNA.ref, 0))),
        OTHER: (DESK_COOKIE, seals.create_manager_session(ManagerClaim(BORIS.ref, 0))),
    }
    bearers = {
        PBX_TOKEN: TOKEN,
        COMMAND: seals.create_command_proof(),
        METRICS: FIGURES_TOKEN,
        LOCAL: SignedTokens(b"another data folder" * 2, "").create_command_proof(),
    }
    basics = {PBX_BASIC: BASIC, SCRIPT: ("admin", ADMIN), WRONG: ("admin", "wrong")}
    headers = {}
    if caller in cookies:
        name, value = cookies[caller]
        headers["Cookie"] = f"{name}={value}"
    if caller in bearers:
        headers["Authorization"] = f"Bearer {bearers[caller]}"
    if caller == FOREIGN:
        headers |= {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    peer = "127.0.0.1" if caller == LOCAL else "203.0.113.7"
    async with home.client(peer=peer, headers=headers, auth=basics.get(caller), app=app) as client:
        if caller in {SIGNED_OUT, LEFT_DESK}:
            await client.post("/logout")
        yield client


def path_of(address: str, caller: str, home: WebFixture) -> str:
    path = address.partition(" ")[2]
    filled = {
        "token": TOKEN if caller == PBX_TOKEN else "wr0ng",
        "publication": "ut",
        "key": the_call(home),
        "ref": ANNA.ref,
        "number": "+79035550123",
        "sealed": "nobody-made-this",
        "lang": "en",
        "name": "promises",
        "file": "nothing.png",
    }
    path = re.sub(r"\{(\w+)(?::path)?\}", lambda found: filled[found[1]], path)
    return f"{path}/console.css" if path == "/static" else path


def is_admitted(answer: httpx.Response, address: str) -> bool:
    assert answer.status_code < 500, (address, answer.status_code, answer.text)
    if "/hook/{token}" in address:
        return answer.status_code not in {404, 429}
    if "/desk/calls" in address and "shows no such call" in answer.text:
        return False
    if address in TRIED:
        return "another site" not in answer.text.casefold()  # it was tried, and was wrong
    return answer.status_code not in {*_REFUSALS, 429}


def last_what_ends_a_session(address: str) -> tuple[bool, bool]:
    return address == "POST /logout", "/revoke" in address


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_address_admits_whom_its_rule_names_and_nobody_else(caller: str) -> None:
    home = await home_of(caller)
    app = home.app()
    wrong = []
    async with come(caller, home, app) as client:
        for address in sorted(addresses(app), key=last_what_ends_a_session):
            method = address.partition(" ")[0]
            query = {"extension": ANNA.extension or ""} if "/desk" in address else {}
            answer = await client.request(method, path_of(address, caller, home), params=query)
            admitted = is_admitted(answer, address)
            if admitted != RULES[address].admits(caller):
                wrong.append((address, answer.status_code, "admitted" if admitted else "refused"))

    assert wrong == []


def test_every_address_has_a_rule_and_every_rule_an_address() -> None:
    listed = set(addresses(WebFixture().app()))

    assert listed - RULES.keys() == set(), "say in RULES who may ask these"
    assert RULES.keys() - listed == set()


@pytest.mark.parametrize("caller", [c for c in CALLERS if not ADMIN_DOES.admits(c)])
async def test_what_was_refused_did_not_happen(caller: str) -> None:
    home = await home_of(caller)
    app = home.app()
    before = (
        dict(home.ledger.stored),
        dict(home.ledger.outbox),
        list(home.syncs),
        home.delivery_wakeups,
    )
    async with come(caller, home, app) as client:
        for address, its_rule in RULES.items():
            if its_rule.changes and not its_rule.admits(caller):
                await client.request(
                    address.partition(" ")[0],
                    path_of(address, caller, home),
                    json={"owner": ANNA.ref, "text": "x", "extension": "205", "number": "1"},
                )

    after = (
        dict(home.ledger.stored),
        dict(home.ledger.outbox),
        list(home.syncs),
        home.delivery_wakeups,
    )
    assert after == before
    assert not home.ledger.choices
    assert not home.answering.questions
