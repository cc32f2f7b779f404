"""How people come in: the administrator by password, managers by link or by 1C's password."""

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
import time_machine
from fastapi import FastAPI

from bridge.errors import OneCSessionsBlocked
from bridge.ports.access import SignInAnswer
from bridge.ports.audit import AuditAct
from bridge.web.access import AdminAccess
from bridge.web.access.secrets import PasswordHash
from bridge.web.access.signed_tokens import ManagerClaim, SignedTokens
from tests.support.builders import NOON, manager, rows
from tests.web.web_fixture import ADMIN, AS_ADMIN, WebFixture, web_with_known_caller

pytestmark = pytest.mark.anyio

SECRET = b"the secret of a test house, 32 b"
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate"}
ANNA = manager()


def sign_in_web(password: str | None = ADMIN, **changes: Any) -> WebFixture:
    access = AdminAccess(password, SECRET, **changes)
    return web_with_known_caller(admin_access=access)


def visitor(home: WebFixture, app: FastAPI | None = None, **headers: str) -> httpx.AsyncClient:
    """Come as a browser from another machine."""
    return home.client(peer="203.0.113.7", headers=BROWSER | headers, app=app)


def cookies_of(browser: httpx.AsyncClient) -> str:
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


async def sign_in(browser: httpx.AsyncClient, password: str = ADMIN, **more: str) -> httpx.Response:
    return await browser.post("/login/admin", data={"password": password, **more})


def acts(home: WebFixture) -> list[AuditAct]:
    return [record.act for record in home.audit.appended]


# ---------------------------------------------------------------- the administrator


async def test_a_stranger_at_a_browser_is_led_to_the_sign_in_and_back() -> None:
    home = sign_in_web()
    async with visitor(home) as browser:
        away = await browser.get("/console/calls?q=Иванов")
        shown = await browser.get(away.headers["location"])
        target = shown.text.rpartition('name="next" value="')[2].partition('"')[0]
        back = await sign_in(browser, next="/console/calls?q=x")
        page = await browser.get(back.headers["location"])

    assert away.status_code == 303
    assert away.headers["location"].startswith("/login?next=/console/calls")
    assert target.startswith("/console/calls")
    assert (back.status_code, back.headers["location"]) == (303, "/console/calls?q=x")
    assert page.status_code == 200
    assert acts(home) == [AuditAct.SIGNED_IN]


async def test_a_script_gets_a_challenge_and_no_page() -> None:
    async with sign_in_web().client(peer="203.0.113.7") as script:
        answer = await script.get("/console/calls")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")


async def test_a_page_s_own_script_gets_no_challenge_that_would_pop_up() -> None:
    async with sign_in_web().client(headers={"Sec-Fetch-Mode": "cors"}) as script:
        answer = await script.get("/console/state")

    assert answer.status_code == 401
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("password", ["", "wrong", ADMIN + "x", "x" * 60_000])
async def test_a_wrong_password_opens_nothing_and_is_recorded(password: str) -> None:
    home = sign_in_web()
    async with visitor(home) as browser:
        answer = await sign_in(browser, password)
        after = await browser.get("/console/calls")

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "This is not the password" in answer.text
    assert after.status_code == 303
    assert acts(home) == [AuditAct.SIGN_IN_REFUSED]
    assert not password or password not in repr(home.audit.appended)


async def test_a_hash_in_the_setting_opens_to_its_password_alone() -> None:
    home = sign_in_web(str(PasswordHash.create("пароль админа")))
    async with visitor(home) as browser:
        wrong = await sign_in(browser, "пароль")
        right = await sign_in(browser, "пароль админа")
        again = await browser.get("/api/v1/calls", auth=("any", "пароль админа"))

    assert (wrong.status_code, right.status_code, again.status_code) == (401, 303, 200)


def test_a_hash_is_read_back_and_nonsense_is_not() -> None:
    made = PasswordHash.create("secret")

    assert PasswordHash.parse(str(made)) == made
    assert "$" not in str(made)
    for nonsense in ("scrypt:1", "scrypt:16384:8:5:***:x", "scrypt:3:8:5:AAAA:AAAA", "plain"):
        with pytest.raises(ValueError, match="scrypt"):
            PasswordHash.parse(nonsense)


PROXY = (ipaddress.ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("peer", "headers", "secure"),
    [
        ("203.0.113.7", {}, False),
        ("203.0.113.7", {"X-Forwarded-Proto": "https"}, False),  # a stranger's claim
        ("10.0.0.1", {"X-Forwarded-Proto": "https"}, True),
        ("10.0.0.1", {"X-Forwarded-Proto": "http"}, False),
    ],
)
async def test_the_session_is_out_of_reach_of_scripts_and_of_other_sites(
    peer: str, headers: Mapping[str, str], secure: bool
) -> None:
    home = sign_in_web(trusted_proxies=PROXY)
    async with home.client(peer=peer, headers=headers) as browser:
        answer = await sign_in(browser)

    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "max-age=43200" in cookie
    assert ("secure" in cookie) == secure


@pytest.mark.parametrize("restarted", [False, True])
async def test_signing_out_ends_the_session_wherever_its_cookie_went(restarted: bool) -> None:
    home = sign_in_web()
    app = home.app()
    async with visitor(home, app) as browser, visitor(home, app) as desk:
        await sign_in(browser)
        await desk.get(link())
        stolen = [cookies_of(browser), cookies_of(desk)]
        out = [await browser.post("/logout"), await desk.post("/logout")]
        here = await browser.get("/console/calls")
    later = home.app() if restarted else app
    async with (
        visitor(home, later, Cookie=stolen[0]) as thief,
        visitor(home, later, Cookie=stolen[1]) as other,
    ):
        after = [await thief.get("/console/calls"), await other.get("/desk")]

    assert [answer.headers["location"] for answer in out] == ["/login"] * 2
    assert [answer.status_code for answer in (here, *after)] == [303] * 3
    assert acts(home)[-2:] == [AuditAct.SIGNED_OUT] * 2


async def test_without_a_password_the_console_opens_by_a_link_once() -> None:
    home = sign_in_web(None)
    app = home.app()
    link_there = "/login/link/" + SignedTokens(SECRET, "").create_console_link()
    async with visitor(home, app) as browser, visitor(home, app) as second:
        stranger = await browser.get("/console/calls")
        hint = await browser.get("/login")
        looked = await browser.head(link_there)
        opened = await browser.get(link_there)
        page = await browser.get("/console/calls")
        again = await second.get(link_there)
        after = await second.get("/console/calls")

    assert stranger.headers["location"].startswith("/login?")
    assert "onec-bridge console-link" in hint.text
    assert (looked.status_code, "set-cookie" in looked.headers) == (200, False)
    assert (opened.status_code, page.status_code) == (303, 200)
    assert (again.status_code, after.status_code) == (403, 303)
    assert "was used already" in again.text
    assert acts(home) == [AuditAct.SIGNED_IN, AuditAct.SIGN_IN_REFUSED]


async def test_a_link_to_the_console_is_dead_after_an_hour_and_when_another_made_it() -> None:
    home = sign_in_web(None)
    with time_machine.travel(NOON, tick=False) as clock:
        old = SignedTokens(SECRET, "").create_console_link()
        clock.shift(3700)
        async with visitor(home) as browser:
            answers = [
                await browser.get(f"/login/link/{sealed}")
                for sealed in (
                    old,
                    SignedTokens(b"another secret" * 3, "").create_console_link(),
                    "x",
                    "%00",
                )
            ]

    assert [answer.status_code for answer in answers] == [403] * 4


async def test_another_password_ends_every_session() -> None:
    async with visitor(sign_in_web("old")) as browser:
        await sign_in(browser, "old")
        kept = cookies_of(browser)
    async with (
        visitor(sign_in_web("old"), Cookie=kept) as same,
        visitor(sign_in_web("new"), Cookie=kept) as new,
    ):
        answers = [await same.get("/console/calls"), await new.get("/console/calls")]

    assert [answer.status_code for answer in answers] == [200, 303]


@pytest.mark.parametrize("path", ["/login/admin", "/login/manager", "/logout", "/language"])
async def test_no_other_site_signs_anybody_in_or_out(path: str) -> None:
    home = sign_in_web()
    async with visitor(home, Origin="https://evil.example") as browser:
        answer = await browser.post(path, data={"password": ADMIN})

    assert answer.status_code == 403
    assert not home.audit.appended


@pytest.mark.parametrize(
    "there", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_the_sign_in_leads_to_no_other_site(there: str) -> None:
    async with visitor(sign_in_web()) as browser:
        answer = await sign_in(browser, next=there)

    assert answer.headers["location"] == "/"


# ---------------------------------------------------------------- managers


async def as_manager(
    browser: httpx.AsyncClient, name: str = ANNA.name, password: str = "1c"
) -> httpx.Response:
    return await browser.post("/login/manager", data={"name": name, "password": password})


@pytest.mark.parametrize("verdict", [SignInAnswer.ACCEPTED, SignInAnswer.NO_RIGHTS])
async def test_whom_1c_vouches_for_opens_his_desk_and_nothing_else(verdict: SignInAnswer) -> None:
    home = sign_in_web()
    home.onec_sign_in.answer_instead = verdict
    async with visitor(home) as browser:
        answer = await as_manager(browser, f"  {ANNA.name.upper()} ")
        console = await browser.get("/console/calls")
        first = await browser.get("/")
        api = await browser.get("/api/v1/calls", headers={"Accept": "*/*"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
    assert (console.status_code, api.status_code) == (403, 403)
    assert (first.status_code, first.headers["location"]) == (303, "/desk")
    assert [(r.act, r.who) for r in home.audit.appended] == [(AuditAct.SIGNED_IN, ANNA.name)]


@pytest.mark.parametrize(
    ("verdict", "status", "text"),
    [
        (SignInAnswer.REFUSED, 401, "1C did not accept this name and password"),
        (SignInAnswer.PROVES_NOTHING, 503, "accepts any password"),
        (OneCSessionsBlocked("service root", "обновление до 18:00"), 503, "обновление до 18:00"),
    ],
)
async def test_1c_s_answer_is_shown_as_it_is(
    verdict: SignInAnswer | Exception, status: int, text: str
) -> None:
    home = sign_in_web()
    home.onec_sign_in.answer_instead = verdict
    async with visitor(home) as browser:
        answer = await as_manager(browser)

    assert answer.status_code == status
    assert text in answer.text
    assert "set-cookie" not in answer.headers


async def test_a_name_1c_knows_and_the_bridge_does_not_is_answered_so() -> None:
    home = sign_in_web()
    home.onec_sign_in.answer_instead = SignInAnswer.ACCEPTED
    home.directory.staff.update(rows(ANNA, replace(manager("Тёзка"), name=ANNA.name)))
    async with visitor(home) as browser:
        unknown = await as_manager(browser, "IvanovAP")
        twice = await as_manager(browser)

    assert unknown.status_code == twice.status_code == 403
    assert "no user of this name" in unknown.text
    assert "Several 1C users" in twice.text


async def test_a_1c_password_is_in_no_record() -> None:
    home = sign_in_web()
    home.onec_sign_in.passwords[ANNA.name] = "очень-тайный"
    async with visitor(home) as browser:
        answer = await as_manager(browser, password="очень-тайный")

    assert answer.status_code == 303
    assert "очень-тайный" not in repr((home.audit.appended, answer.headers))


def link(generation: int = 0) -> str:
    return "/enter/" + SignedTokens(SECRET, "").create_personal_link(
        ManagerClaim(ANNA.ref, generation)
    )


async def test_a_personal_link_opens_the_desk_until_it_is_revoked() -> None:
    home = sign_in_web()
    async with visitor(home) as browser:
        opened = await browser.get(link())
        inside = await browser.get("/console/calls")
        await home.audit.revoke(ANNA.ref)
        session = await browser.get("/console/calls")
        again = await browser.get(link())
        new = await browser.get(link(1))

    assert (opened.status_code, opened.headers["location"]) == (303, "/desk")
    assert inside.status_code == 403  # a manager, at the administrator's sign-in
    assert session.status_code == 303  # a stranger again
    assert again.status_code == 403
    assert "no longer valid" in again.text
    assert new.status_code == 303


async def test_who_left_1c_is_let_in_no_more() -> None:
    home = sign_in_web()
    async with visitor(home) as browser:
        await browser.get(link())
        home.directory.staff.update(rows(manager(invalid=True)))
        session = await browser.get("/console/calls")
        opened = await browser.get(link())

    assert (session.status_code, opened.status_code) == (303, 403)


@pytest.mark.parametrize("sealed", ["x", "x" * 5000, "%00", "W10.forged"])
async def test_a_link_nobody_made_opens_nothing(sealed: str) -> None:
    async with visitor(sign_in_web()) as browser:
        answer = await browser.get(f"/enter/{sealed}")

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_session_is_no_link_and_a_link_no_session() -> None:
    seals, claim = SignedTokens(SECRET, ""), ManagerClaim(ANNA.ref, 0)

    assert seals.read_personal_link(seals.create_manager_session(claim)) is None
    assert seals.read_manager_session(seals.create_personal_link(claim)) is None
    assert not seals.is_valid_admin_session(seals.create_manager_session(claim))


# ---------------------------------------------------------------- language


async def test_a_person_reads_in_the_language_he_chose() -> None:
    home = sign_in_web()
    async with visitor(home) as browser:
        english = await browser.get("/login")
        chosen = await browser.post("/language", data={"lang": "ru", "next": "/login"})
        russian = await browser.get("/login")
        await browser.post("/language", data={"lang": "xx", "next": "/login"})
        still = await browser.get("/login")

    assert '<html lang="en">' in english.text
    assert chosen.headers["location"] == "/login"
    assert '<html lang="ru">' in russian.text
    assert "Администратор" in russian.text
    assert '<html lang="ru">' in still.text


async def test_a_refusal_is_a_page_to_a_person_and_json_to_a_script() -> None:
    home = sign_in_web()
    async with visitor(home) as browser, home.client(peer="203.0.113.7") as script:
        page = await browser.get("/console/calls/none", auth=AS_ADMIN)
        answer = await script.get("/console/calls/none", auth=AS_ADMIN)

    assert page.status_code == answer.status_code == 404
    assert "<h1>Nothing is here</h1>" in page.text
    assert "There is no such call" in answer.json()["error"]
