"""Who may come in, and what strangers learn: nothing."""

import base64
import ipaddress

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from bridge.web.access import AdminAccess, HookAccess
from bridge.web.access.network import client_address
from bridge.web.access.signed_tokens import SignedTokens
from tests.support.builders import NOON
from tests.web.web_fixture import (
    ADMIN,
    AS_ADMIN,
    PASSWORD,
    TOKEN,
    USER,
    WebFixture,
    web_with_known_caller,
)

pytestmark = pytest.mark.anyio


def networks(*texts: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


def basic(user: str, password: str) -> dict[str, str]:
    value = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {value}"}


# ---------------------------------------------------------------- Basic

WRONG = {
    "nothing": {},
    "a wrong password": basic(USER, "wrong"),
    "a wrong user": basic("wrong", PASSWORD),
    "an empty pair": basic("", ""),
    "only the user": {"Authorization": "Basic " + base64.b64encode(USER.encode()).decode()},
    "no base64": {"Authorization": "Basic ***"},
    "no value": {"Authorization": "Basic"},
    "another scheme": {"Authorization": f"Bearer {PASSWORD}"},
    "longer than the secret": basic(USER, PASSWORD + "x"),
    "100 kB": basic(USER, "x" * 100_000),
    "no UTF-8": {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_secret_is_answered_only_that_one_is_needed(headers: dict[str, str]) -> None:
    web = web_with_known_caller()
    async with web.client(headers=headers) as stranger:
        answers = [
            await stranger.get(path, params={"fromnum": "79035550123"})
            for path in ("/sipuni/route", "/ut/hs/sipuni/get", "/sipuni/events")
        ]

    assert [a.status_code for a in answers] == [401] * 3
    assert {a.headers["www-authenticate"] for a in answers} == {'Basic realm="1C-bridge"'}
    assert [a.json() for a in answers] == [{"error": "Unauthorized"}] * 3
    assert not web.answering.questions
    assert not web.ledger.kept_events


async def test_credentials_may_be_cyrillic() -> None:
    web = web_with_known_caller(hook_access=HookAccess("атс", "пароль: со знаком"))
    async with web.client(headers=basic("атс", "пароль: со знаком")) as pbx:
        answer = await pbx.get("/sipuni/route")

    assert answer.status_code == 200


async def test_the_scheme_s_name_may_be_written_in_any_case() -> None:
    headers = {"authorization": basic(USER, PASSWORD)["Authorization"].replace("Basic", "bAsIc")}
    async with web_with_known_caller().client(headers=headers) as pbx:
        assert (await pbx.get("/sipuni/route")).status_code == 200


# ---------------------------------------------------------------- the token


@pytest.mark.parametrize("token", ["wrong", TOKEN + "x", TOKEN[:-1], "%00", "%D1%8F", "x" * 50_000])
async def test_a_wrong_token_looks_like_a_path_that_does_not_exist(token: str) -> None:
    async with web_with_known_caller().client() as stranger:
        wrong = await stranger.get(f"/hook/{token}/sipuni/route")
        unknown = await stranger.get("/no/such/path/here")

    assert wrong.status_code == 404
    assert (wrong.content, wrong.headers) == (unknown.content, unknown.headers)


async def test_what_is_not_set_up_is_not_there() -> None:
    only_token = web_with_known_caller(hook_access=HookAccess(token=TOKEN))
    only_basic = web_with_known_caller(hook_access=HookAccess(USER, PASSWORD))
    nothing = web_with_known_caller(hook_access=HookAccess())
    async with only_token.pbx() as one, only_basic.pbx() as two, nothing.pbx() as three:
        answers = [
            await one.get("/sipuni/route"),
            await two.get(f"/hook/{TOKEN}/sipuni/route"),
            await three.get("/sipuni/route"),
            await three.get("/hook/None/sipuni/route"),
        ]

    assert [a.status_code for a in answers] == [404] * 4


# ---------------------------------------------------------------- networks and proxies


def scope(peer: str | None, *headers: tuple[str, str], host: str = "localhost") -> Scope:
    raw = [(k.encode(), v.encode("latin-1")) for k, v in (("host", host), *headers)]
    return {
        "type": "http",
        "method": "GET",
        "client": None if peer is None else (peer, 1),
        "headers": raw,
    }


def forwarded(*values: str) -> list[tuple[str, str]]:
    return [("x-forwarded-for", value) for value in values]


PROXIES = networks("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "claimed", "address"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # a stranger's claim
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        (
            "10.0.0.1",
            ["198.51.100.1, 203.0.113.7"],
            "203.0.113.7",
        ),  # the left is the client's claim
        ("10.0.0.1", ["203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),  # two header lines
        ("10.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("10.0.0.1", ['"[2001:db8::7]:4711"'], "2001:db8::7"),
        ("10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", [" , 203.0.113.7 , "], "203.0.113.7"),
        ("10.0.0.1", ["203.0.113.7, garbage"], None),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("fd00::1", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("testclient", [], None),
        (None, [], None),
    ],
)
def test_the_address_is_the_last_one_our_proxies_do_not_own(
    peer: str | None, claimed: list[str], address: str | None
) -> None:
    found = client_address(scope(peer, *forwarded(*claimed)), PROXIES)

    assert (None if found is None else str(found)) == address


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_garbage_in_the_header_never_raises(claimed: str) -> None:
    client_address(scope("10.0.0.1", *forwarded(claimed)), PROXIES)


@pytest.mark.parametrize(
    ("peer", "claimed", "status"),
    [
        ("203.0.113.7", [], 200),
        ("198.51.100.1", [], 403),
        ("198.51.100.1", ["203.0.113.7"], 403),
        ("10.0.0.1", ["203.0.113.7"], 200),
        ("10.0.0.1", ["198.51.100.1"], 403),
        ("10.0.0.1", ["x" * 8000], 403),
    ],
)
async def test_only_the_networks_that_were_named_may_call(
    peer: str, claimed: list[str], status: int
) -> None:
    access = HookAccess(USER, PASSWORD, TOKEN, networks("203.0.113.0/24"), PROXIES)
    headers = {"X-Forwarded-For": ",".join(claimed)} if claimed else {}
    async with web_with_known_caller(hook_access=access).client(peer=peer, headers=headers) as pbx:
        plain = await pbx.get("/sipuni/route", headers=basic(USER, PASSWORD))
        token = await pbx.get(f"/hook/{TOKEN}/sipuni/route")

    assert plain.status_code == status
    assert token.status_code == (200 if status == 200 else 404)


# ---------------------------------------------------------------- the administrator

PAGES = ["/", "/api/v1/calls", "/api/v1/stream", "/console/state"]


@pytest.mark.parametrize("path", PAGES)
async def test_without_the_password_nothing_is_shown(path: str) -> None:
    async with WebFixture().client() as stranger:
        answers = [
            await stranger.get(path),
            await stranger.get(path, auth=("admin", "wrong")),
            await stranger.get(path, headers={"Authorization": "Bearer wrong"}),
            await stranger.get(path, auth=(ADMIN, "")),
        ]

    assert [a.status_code for a in answers] == [401] * 4
    assert all(a.headers["www-authenticate"].startswith("Basic") for a in answers)


async def test_any_user_with_the_password_is_the_administrator() -> None:
    async with WebFixture().client(peer="203.0.113.7") as admin:
        answers = [
            await admin.get("/api/v1/calls", auth=("кто угодно", ADMIN)),
            await admin.get("/api/v1/calls", headers={"Authorization": f"Bearer {ADMIN}"}),
            await admin.get("/", auth=AS_ADMIN),
        ]

    assert [a.status_code for a in answers] == [200] * 3


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "192.168.0.5"])
@pytest.mark.parametrize(
    "claimed", [{}, {"Authorization": "Basic Og=="}, {"Authorization": "Bearer"}]
)
async def test_without_a_password_no_machine_is_a_proof_of_a_person(
    peer: str, claimed: dict[str, str]
) -> None:
    web = WebFixture(admin_access=AdminAccess())
    async with web.client(peer=peer, headers=claimed) as somebody:
        answers = [
            await somebody.get(path)
            for path in ("/", "/api/v1/calls", "/metrics", "/desk", "/call/84955550102")
        ]

    assert [a.status_code for a in answers] == [403] * 5
    assert all("console-link" in a.json()["error"] for a in answers)


async def test_a_command_that_may_read_the_data_folder_is_the_administrator_for_a_moment() -> None:
    secret = b"of the data folder, of 32 bytes."
    web = WebFixture(admin_access=AdminAccess(secret=secret))
    proof, foreign = (
        SignedTokens(secret, "").create_command_proof(),
        SignedTokens(b"another" * 5, "").create_command_proof(),
    )
    with time_machine.travel(NOON, tick=False) as clock:
        old = SignedTokens(secret, "").create_command_proof()
        clock.shift(120)
        async with web.client(peer="203.0.113.7") as command:
            late = await command.get("/api/v1/calls", headers={"Authorization": f"Bearer {old}"})
    async with web.client(peer="203.0.113.7") as command:
        answers = [
            await command.get("/api/v1/calls", headers={"Authorization": f"Bearer {one}"})
            for one in (proof, foreign, SignedTokens(secret, "").create_console_link())
        ]

    assert [a.status_code for a in answers] == [200, 403, 403]
    assert late.status_code == 403


async def test_figures_are_for_their_token_and_for_the_administrator() -> None:
    web = WebFixture(admin_access=AdminAccess(ADMIN, metrics_token="f1gures"))
    token = {"Authorization": "Bearer f1gures"}
    async with web.client() as here:
        answers = [
            await here.get("/metrics"),
            await here.get("/metrics", auth=AS_ADMIN),
            await here.get("/metrics", headers=token),
            await here.get("/api/v1/calls", headers=token),
            await here.get("/metrics", headers={"Authorization": "Bearer f1gure"}),
        ]

    assert [a.status_code for a in answers] == [401, 200, 200, 401, 401]


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),  # a script
        ({"Origin": "http://127.0.0.1"}, True),
        ({"Origin": "http://127.0.0.1:80"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://named.by.the.proxy"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:8000"}, False),
        ({"Origin": "http://[broken"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1"}, False),
    ],
)
async def test_no_foreign_page_makes_the_administrator_s_browser_act(
    headers: dict[str, str], allowed: bool
) -> None:
    async with WebFixture().admin() as admin:
        answers = [
            await admin.post(path, headers=headers)
            for path in ("/console/outbox/none/retry", "/api/v1/outbox/none/retry")
        ]

    assert [a.status_code for a in answers] == [404 if allowed else 403] * 2


def test_secrets_show_in_no_repr() -> None:
    shown = repr((HookAccess(USER, PASSWORD, TOKEN), AdminAccess(ADMIN)))

    assert not any(secret in shown for secret in (PASSWORD, TOKEN, ADMIN))
