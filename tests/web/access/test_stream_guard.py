"""A stream ends when its reader may read no more: at once here, and after some seconds anyhow."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from bridge.web.access.access_control import DESK_COOKIE
from bridge.web.access.stream_guard import GuardedStreams
from tests.support.builders import rows
from tests.web.signed_in_managers import ANNA, session_of, web_with_managers
from tests.web.web_fixture import ADMIN, AS_ADMIN, WebFixture

pytestmark = pytest.mark.anyio


async def until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not seen():  # noqa: ASYNC110 - what is waited for happens on this very loop
            await asyncio.sleep(0)


def listening(home: WebFixture) -> int:
    return home.event_feed.listener_count + home.desk_state.calls.count_listeners()


async def test_signing_out_ends_the_administrator_s_streams_and_no_other() -> None:
    home = WebFixture(heartbeat_s=3600)
    app = home.app()
    async with (
        home.client(app=app) as browser,
        home.client(app=app) as other,
        home.client(app=app, auth=AS_ADMIN) as script,
    ):
        for one in (browser, other):
            await one.post("/login/admin", data={"password": ADMIN})
        streams = [
            asyncio.create_task(one.get(path))
            for one, path in (
                (browser, "/api/v1/stream"),
                (browser, "/desk/stream?extension=205"),
                (other, "/api/v1/stream"),
                (script, "/api/v1/stream"),
            )
        ]
        await until(lambda: listening(home) == 4)
        await browser.post("/logout")
        await until(lambda: listening(home) == 2)
        await asyncio.gather(*streams[:2])
        assert [stream.done() for stream in streams[2:]] == [False, False]
        home.event_feed.close()
        await asyncio.gather(*streams)


async def test_revoking_a_manager_s_link_ends_his_streams() -> None:
    home = web_with_managers(heartbeat_s=3600)
    app = home.app()
    async with (
        desk_of(home, app) as anna,
        home.client(app=app, auth=AS_ADMIN) as admin,
    ):
        stream = asyncio.create_task(anna.get("/desk/stream"))
        await until(lambda: listening(home) == 1)
        await admin.post(f"/console/people/{ANNA.ref}/revoke")
        answer = await stream

    assert answer.status_code == 200
    assert listening(home) == 0


@pytest.mark.parametrize("change", ["revoked elsewhere", "left 1C", "another telephone"])
async def test_a_stream_ends_at_its_next_beat_when_its_reader_is_another_by_then(
    change: str,
) -> None:
    home = web_with_managers(heartbeat_s=0)
    app = home.app()
    async with desk_of(home, app) as anna:
        stream = asyncio.create_task(anna.get("/desk/stream"))
        await until(lambda: listening(home) == 1)
        if change == "revoked elsewhere":
            home.audit.generations[ANNA.ref] = 7
        elif change == "left 1C":
            home.directory.staff.update(rows(replace(ANNA, invalid=True)))
        else:
            home.directory.staff.update(rows(replace(ANNA, extension="299")))
        await stream

    assert listening(home) == 0


def desk_of(home: WebFixture, app: FastAPI) -> httpx.AsyncClient:
    signed = {"Cookie": f"{DESK_COOKIE}={session_of(ANNA)}"}
    return home.client(peer="203.0.113.9", headers=signed, app=app)


async def endless() -> AsyncGenerator[str, None]:
    while True:
        yield "line"


async def test_access_is_not_asked_for_at_every_line() -> None:
    asked, now = [], [0.0]

    def may_read() -> bool:
        asked.append(now[0])
        return len(asked) < 3

    lines = GuardedStreams(lambda: now[0]).guard(endless(), may_read, 15.0)
    for _ in range(1000):
        await anext(lines)
    assert asked == []
    seen = 0
    async for _ in lines:
        seen += 1
        now[0] += 5.0

    assert asked == [15.0, 30.0, 45.0]
    assert seen == 9
