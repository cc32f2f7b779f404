"""One limit on requests in flight at 1C, whoever asks; callers go first."""

import ast
import asyncio
from pathlib import Path

import httpx
import pytest

import bridge.bootstrap
from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.protocol.slots import RequestSlots, Urgency
from bridge.adapters.onec.sign_in import ODataSignIn
from bridge.errors import OneCUnavailable
from bridge.ports.access import SignInAnswer
from tests.support.onec_lab import NOW

pytestmark = pytest.mark.anyio


class Slow(httpx.AsyncBaseTransport):
    """1C that answers when it is let; counts the requests that are in flight."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.asked: list[str] = []
        self.in_flight = self.most = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path.rpartition("/")[2])
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await self.let.wait()
            for _ in range(3):
                await asyncio.sleep(0)
        finally:
            self.in_flight -= 1
        return httpx.Response(401)


async def all_requests_wait() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def client_at(onec: Slow, slots: RequestSlots, urgency: Urgency) -> ODataClient:
    config = ODataConfig("http://1c.test/ut", "user", "pw", concurrency=2)
    return ODataClient(config, transport=onec, slots=slots.for_client(urgency))


async def ask(client: ODataClient, path: str) -> None:
    with pytest.raises(Exception, match="401"):
        await client.read(path, {}, bytes)


async def test_three_hundred_sign_ins_at_once_keep_to_the_limit_and_most_come_again_later() -> None:
    onec, slots = Slow(), RequestSlots(2)
    sign_in = ODataSignIn(lambda _n, _p: client_at(onec, slots, Urgency.INTERACTIVE), lambda: NOW)
    everybody = [asyncio.create_task(sign_in.check_credentials(str(n), "pw")) for n in range(300)]
    await all_requests_wait()
    waiting = onec.in_flight
    onec.let.set()
    answers = await asyncio.gather(*everybody, return_exceptions=True)

    assert (waiting, onec.most) == (2, 2)
    assert [one for one in answers if one is SignInAnswer.REFUSED] == [SignInAnswer.REFUSED] * 20
    assert len([one for one in answers if isinstance(one, OneCUnavailable)]) == 280
    assert slots.in_flight == 0


async def test_a_caller_s_question_goes_before_those_who_wait_and_finds_a_slot_kept() -> None:
    onec, slots = Slow(), RequestSlots(3, reserved=1)
    delivery = client_at(onec, slots, Urgency.DELIVERY)
    caller, person = (client_at(onec, slots, u) for u in (Urgency.CALLER, Urgency.INTERACTIVE))
    tasks = [asyncio.create_task(ask(delivery, f"delivery{n}")) for n in range(5)]
    tasks += [asyncio.create_task(ask(person, "person"))]
    await all_requests_wait()
    before = list(onec.asked)
    tasks += [asyncio.create_task(ask(caller, f"caller{n}")) for n in range(2)]
    await all_requests_wait()
    meanwhile = list(onec.asked)
    onec.let.set()
    await asyncio.gather(*tasks)

    assert before == ["delivery0", "delivery1"]
    assert meanwhile == [*before, "caller0"]
    assert onec.asked[3:5] == ["caller1", "person"]
    assert (onec.most, slots.in_flight) == (3, 0)


async def test_who_gives_up_waiting_takes_no_slot_along() -> None:
    slots = RequestSlots(1)
    await slots.acquire(Urgency.DELIVERY)
    gone = [asyncio.create_task(slots.acquire(Urgency.INTERACTIVE)) for _ in range(3)]
    await all_requests_wait()
    gone[0].cancel()
    await all_requests_wait()
    slots.release()
    gone[1].cancel()  # the slot was given to it this moment
    await asyncio.gather(*gone, return_exceptions=True)

    assert gone[2].exception() is None
    slots.release()
    assert slots.in_flight == 0
    await slots.acquire(Urgency.DELIVERY)


def test_every_client_of_a_service_shares_one_limit() -> None:
    """Nothing but the commands makes a client of 1C without the shared slots."""
    calls = [
        call
        for path in Path(bridge.bootstrap.__file__).parent.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "build_odata_client"
    ]

    assert len(calls) >= 4
    for call in calls:
        assert "slots" in {keyword.arg for keyword in call.keywords}, ast.unparse(call)
