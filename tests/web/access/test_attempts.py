"""Guesses at a secret: counted by secret and network, paced, bounded; the right one passes."""

import asyncio
import base64
import ipaddress
import itertools
import re
import threading

import httpx
import pytest

from bridge.ports.access import SignInAnswer
from bridge.ports.alarms import Alarm
from bridge.ports.audit import AuditAct
from bridge.web.access.attempts import AttemptLimiter, GuessKey, TooManyAttempts
from bridge.web.access.network import network_of
from bridge.web.access.passwords import AdminPassword, TooManyChecks
from tests.support.builders import manager
from tests.web.web_fixture import (
    ADMIN,
    AS_ADMIN,
    BASIC,
    TOKEN,
    USER,
    WebFixture,
    web_with_known_caller,
)

pytestmark = pytest.mark.anyio

ANNA = manager()


class Time:
    """Seconds that pass when somebody waits for them."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def guess(browser: httpx.AsyncClient, password: str) -> int:
    return (await browser.post("/login/admin", data={"password": password})).status_code


async def sign_in_to_1c(browser: httpx.AsyncClient, name: str, password: str) -> int:
    answered = await browser.post("/login/manager", data={"name": name, "password": password})
    return answered.status_code


# ---------------------------------------------------------------- the counter


async def test_some_guesses_are_free_and_the_others_come_one_after_another() -> None:
    time = Time()
    attempts = AttemptLimiter(time, time.sleep)

    for _ in range(200):
        await attempts.begin(GuessKey("s", "n"))

    assert time.now > 500  # 141 a second were possible before
    start = time.now
    await attempts.begin(GuessKey("s", "elsewhere"))
    await attempts.begin(GuessKey("another", "n"))
    assert time.now == start


async def test_more_at_once_than_can_wait_are_turned_away_unchecked() -> None:
    waiting = asyncio.Event()

    async def sleep(_: float) -> None:
        await waiting.wait()

    attempts = AttemptLimiter(lambda: 0.0, sleep)
    turns = [asyncio.create_task(attempts.begin(GuessKey("s", "n"))) for _ in range(300)]
    await asyncio.sleep(0)
    waiting.set()
    done = await asyncio.gather(*turns, return_exceptions=True)

    refused = [turn for turn in done if isinstance(turn, TooManyAttempts)]
    assert len(refused) >= 285
    assert all(error.seconds > 0 for error in refused)


async def test_a_right_one_takes_back_its_own_count_and_no_other() -> None:
    time = Time()
    attempts = AttemptLimiter(time, time.sleep)
    for _ in range(50):
        await attempts.begin(GuessKey("s", "n"))
        turn = await attempts.begin(GuessKey("s", "n"))
        turn.mark_right()

    start = time.now
    await attempts.begin(GuessKey("s", "n"))
    assert time.now > start


async def test_counters_are_bounded_and_reset_by_a_clock_that_nobody_sets() -> None:
    time = Time()
    attempts = AttemptLimiter(time, time.sleep)
    for n in range(30_000):
        attempts.count_failure(GuessKey("s", str(n)))
    assert len(attempts) == 10_000
    for _ in range(10):
        await attempts.begin(GuessKey("s", "n"))
    time.now += 3600
    start = time.now
    for _ in range(5):
        await attempts.begin(GuessKey("s", "n"))
    assert time.now == start


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("203.0.113.7", "203.0.113.8", False),
    ],
)
def test_a_customer_s_ipv6_is_one_network(one: str, other: str, same: bool) -> None:
    networks = [network_of(ipaddress.ip_address(text)) for text in (one, other)]

    assert (networks[0] == networks[1]) == same


# ---------------------------------------------------------------- the administrator's password


async def test_a_manager_s_sign_in_forgives_no_guess_at_the_administrator_s_password() -> None:
    home = web_with_known_caller()
    home.onec_sign_in.passwords[ANNA.name] = "1c"
    app = home.app()
    seen = []
    for n in range(100):
        # A browser each time: the manager's session would show nothing else.
        async with home.client(peer="203.0.113.7", app=app) as browser:
            seen.append(await guess(browser, f"guess {n}"))
            assert await sign_in_to_1c(browser, ANNA.name, "1c") == 303

    assert seen == [401] * 5 + [429] * 95
    assert home.passed > 200  # counted, though each one of them had a manager's sign-in behind it


async def test_a_flood_of_guesses_is_refused_and_one_from_elsewhere_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = web_with_known_caller()
    released = asyncio.Event()

    async def sleep(_: float) -> None:
        await released.wait()

    monkeypatch.setattr(home, "sleep", sleep)
    app = home.app()
    async with (
        home.client(peer="2001:db8::7", app=app) as browser,
        home.client(peer="198.51.100.9", app=app) as elsewhere,
    ):
        flood = [asyncio.create_task(guess(browser, f"guess {n}")) for n in range(300)]
        right = await guess(elsewhere, ADMIN)
        script = await elsewhere.get("/api/v1/calls", auth=AS_ADMIN)
        released.set()
        answers = await asyncio.gather(*flood)

    assert answers.count(429) > 280
    assert (right, script.status_code) == (303, 200)


@pytest.mark.parametrize("wrong", [5, 6, 50])
async def test_the_right_password_passes_whoever_guessed_beside_it(wrong: int) -> None:
    home = web_with_known_caller()
    async with home.client(peer="203.0.113.7") as browser:
        for n in range(wrong):
            assert await guess(browser, f"guess {n}") == (401 if n < 5 else 429)
        right = await guess(browser, ADMIN)

    assert right == 303


async def test_the_audit_list_does_not_drown_in_refusals() -> None:
    home = web_with_known_caller()
    async with home.client(peer="203.0.113.7") as browser:
        for n in range(100):
            await browser.get(f"/enter/{n}")

    assert len([r for r in home.audit.appended if r.act is AuditAct.SIGN_IN_REFUSED]) < 20


def blocked_check() -> tuple[AdminPassword, threading.Event, list[bytes]]:
    """Return a hashed password whose check of a wrong one lasts until the event is set."""
    released, checked = threading.Event(), list[bytes]()

    def check(offered: bytes) -> bool:
        checked.append(offered)
        return offered == b"right" or not released.wait(60)

    return AdminPassword("scrypt:composed", check), released, checked


async def test_a_known_password_is_not_hashed_again_and_waits_behind_no_guess() -> None:
    password, released, checked = blocked_check()
    assert await password.matches(b"right", no_failures=True)
    offered = [b"wrong %d" % n for n in range(40)]
    guesses = [asyncio.create_task(password.matches(one, no_failures=False)) for one in offered]
    await asyncio.sleep(0)
    known = await password.matches(b"right", no_failures=False)
    released.set()
    answers = await asyncio.gather(*guesses, return_exceptions=True)

    assert known
    assert len([a for a in answers if isinstance(a, TooManyChecks)]) == 20
    assert [a for a in answers if not isinstance(a, TooManyChecks)] == [False] * 20
    assert len(checked) == 21


async def test_who_made_no_mistake_is_not_hashed_behind_those_who_did() -> None:
    password, released, _ = blocked_check()
    guesses = [asyncio.create_task(password.matches(b"wrong", no_failures=False)) for _ in range(5)]
    await asyncio.sleep(0)
    right = await password.matches(b"right", no_failures=True)
    before = [task.done() for task in guesses]
    released.set()
    await asyncio.gather(*guesses)

    assert right
    assert not any(before)


# ---------------------------------------------------------------- 1C's passwords


async def test_a_name_is_not_for_guessing_from_everywhere_nor_all_names_from_one_office() -> None:
    home = web_with_known_caller()
    app = home.app()
    for n in range(40):
        async with home.client(peer=f"203.0.113.{n}", app=app) as browser:
            seen = await sign_in_to_1c(browser, ANNA.name, f"guess {n}")
            assert seen == (401 if n < 10 else 429)
    one_name = home.passed
    async with home.client(peer="198.51.100.9", app=app) as browser:
        for n in range(40):
            seen = await sign_in_to_1c(browser, f"Имя {n}", "1")
            assert seen == (401 if n < 20 else 429)
    home.onec_sign_in.answer_instead = SignInAnswer.ACCEPTED
    async with home.client(peer="203.0.113.200", app=app) as browser:
        right = await sign_in_to_1c(browser, ANNA.name, "1c")

    assert one_name > 20
    assert home.passed - one_name > 20
    assert right == 303


# ---------------------------------------------------------------- the hooks


def basic(password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{USER}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


async def alarms_of(home: WebFixture) -> list[Alarm]:
    async with home.event_feed.subscribe([Alarm], "life1-0") as listener:
        home.event_feed.close()
        return [event async for _, event in listener if isinstance(event, Alarm)]


@pytest.mark.parametrize("way", ["Basic", "token"])
async def test_wrong_hook_secrets_are_limited_logged_and_alarmed_and_the_right_one_passes(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    home = web_with_known_caller()
    async with home.client(peer="203.0.113.7") as pbx:
        seen = []
        for n in range(100):
            path = "/sipuni/route" if way == "Basic" else f"/hook/wrong{n}/sipuni/events"
            headers = basic(f"wrong {n}") if way == "Basic" else {}
            seen.append((await pbx.get(path, headers=headers)).status_code)
        right = [
            await pbx.get("/sipuni/route", auth=BASIC),
            await pbx.get(f"/hook/{TOKEN}/sipuni/route"),
        ]
        home.passed += 3600
        await pbx.get("/sipuni/route", auth=BASIC)
    logged = [r for r in caplog.records if r.message == "hook_refused"]
    alarms = await alarms_of(home)

    assert seen == [401 if way == "Basic" else 404] * 10 + [429] * 90
    assert [a.status_code for a in right] == [200, 200]
    assert 5 < len(logged) < 12
    assert not re.search(r"wrong ?[0-9]", str([vars(r) for r in logged]))
    assert {a.name for a in alarms} == {"hooks_guessed"}
    assert [a.clear for a in alarms][-1]
    assert not any(a.clear for a in itertools.islice(alarms, len(alarms) - 1))
    assert "203.0.113.7" in alarms[0].message


async def test_a_request_without_a_secret_is_no_guess() -> None:
    home = web_with_known_caller()
    async with home.client(peer="203.0.113.7") as pbx:
        seen = {(await pbx.get("/sipuni/route")).status_code for _ in range(50)}

    assert seen == {401}
