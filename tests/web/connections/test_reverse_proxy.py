"""The manual's proxy recipes, run for real: what passes, what does not, what is logged."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from bridge.lab.servers import LoopbackServer, ServerWithoutSignals
from bridge.web.access import AdminAccess, HookAccess
from bridge.web.access.signed_tokens import ManagerClaim, SignedTokens
from tests.stories.processes import free_port
from tests.support.proxies import HOW_TO_GET, Proxy, Recipe, found, recipes, run_proxy
from tests.web.signed_in_managers import ANNA, SECRET
from tests.web.web_fixture import (
    ADMIN,
    BASIC,
    PASSWORD,
    TOKEN,
    USER,
    WebFixture,
    web_with_known_caller,
)

pytestmark = pytest.mark.anyio

LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)
NUMBER = "79035550123"
QUESTION = f"?fromnum={NUMBER}&tonum=74950000001"
RECIPES = [
    pytest.param(
        recipe,
        id=f"{recipe.program}-{'pages' if recipe.with_pages else 'hooks'}",
        marks=pytest.mark.skipif(found(recipe.program) is None, reason=HOW_TO_GET),
    )
    for recipe in recipes("en")
]
WITH_PAGES = [one for one in RECIPES if one.values[0].with_pages]  # type: ignore[union-attr]


@dataclass
class Site:
    """A bridge behind a proxy."""

    web: WebFixture
    served: LoopbackServer
    proxy: Proxy


@asynccontextmanager
async def behind(recipe: Recipe, folder: Path) -> AsyncIterator[Site]:
    web = web_with_known_caller(
        admin_access=AdminAccess(ADMIN, SECRET, LOOPBACK),
        hook_access=HookAccess(USER, PASSWORD, TOKEN, LOOPBACK, LOOPBACK),
        heartbeat_s=0.05,
    )
    config = uvicorn.Config(
        web.app(), log_config=None, lifespan="off", access_log=False, proxy_headers=False
    )
    served = LoopbackServer(lambda: _Server(config))
    await served.start()
    try:
        async with run_proxy(recipe, folder, port=free_port(), upstream=served.port) as proxy:
            yield Site(web, served, proxy)
    finally:
        web.event_feed.close()
        await served.stop()


class _Server(ServerWithoutSignals, uvicorn.Server):
    """The bridge as a part of the tests."""


def test_the_manual_says_the_same_in_both_languages() -> None:
    english, russian = recipes("en"), recipes("ru")

    assert english == russian
    assert [(one.program, one.with_pages) for one in english] == [
        ("nginx", False),
        ("caddy", False),
        ("nginx", True),
        ("caddy", True),
    ]


@pytest.mark.parametrize("recipe", RECIPES)
async def test_the_pbx_comes_through_and_nobody_believes_what_it_says_of_its_address(
    recipe: Recipe, tmp_path: Path
) -> None:
    async with behind(recipe, tmp_path) as site, site.proxy.client() as pbx:
        liar = {"X-Forwarded-For": "203.0.113.9"}
        answers = [
            await pbx.get(f"/sipuni/route{QUESTION}", auth=BASIC),
            await pbx.get(f"/hook/{TOKEN}/sipuni/route{QUESTION}", headers=liar),
            await pbx.get(f"/ut/hs/sipuni/get{QUESTION}", auth=BASIC),
            await pbx.post(f"/hook/{TOKEN}/sipuni/events", data={"event": "1"}),
        ]
        others = [
            (await pbx.get(path)).status_code
            for path in ("/login", "/desk", "/console/calls", "/api/v1/calls", "/metrics", "/docs")
        ]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert answers[0].json()["extension"] == "205"
    expected = [200, 401, 401, 401, 401, 200] if recipe.with_pages else [404] * 6
    assert others == expected


@pytest.mark.parametrize("recipe", RECIPES)
async def test_no_secret_and_no_number_stands_in_a_log_also_when_the_bridge_is_away(
    recipe: Recipe, tmp_path: Path
) -> None:
    link = SignedTokens(SECRET, "").create_personal_link(ManagerClaim(ANNA.ref, 0))
    once = SignedTokens(SECRET, "").create_console_link()
    paths = [
        f"/hook/{TOKEN}/sipuni/route{QUESTION}",
        f"/hook/{TOKEN}/sipuni/events?user_phone={NUMBER}",
        f"/sipuni/route{QUESTION}",
        f"/enter/{link}",
        f"/login/link/{once}",
    ]
    async with behind(recipe, tmp_path) as site, site.proxy.client() as pbx:
        for path in paths:
            await pbx.get(path, auth=BASIC)
        await site.served.stop()
        away = [(await pbx.get(path, auth=BASIC)).status_code for path in paths]
        written = site.proxy.written()
    written += site.proxy.written()

    assert away[:3] == [502] * 3
    for secret in (TOKEN, PASSWORD, link, once, NUMBER):
        assert secret not in written, secret


@pytest.mark.parametrize("recipe", WITH_PAGES)
async def test_buttons_work_in_browsers_old_and_new_and_not_from_other_sites(
    recipe: Recipe, tmp_path: Path
) -> None:
    async with behind(recipe, tmp_path) as site, site.proxy.client() as browser:
        ours = f"https://localhost:{site.proxy.port}"
        form = {"password": ADMIN}
        foreign = [
            await browser.post("/login/admin", data=form, headers={"Origin": origin})
            for origin in ("https://evil.example", "https://localhost")
        ]
        old = await browser.post("/login/admin", data=form, headers={"Origin": ours})
        new = {"Origin": ours, "Sec-Fetch-Site": "same-origin"}
        button = await browser.post("/language", data={"lang": "en"}, headers=new)
        page = await browser.get("/console/people")

    assert [answer.status_code for answer in foreign] == [403, 403]
    assert old.status_code == 303
    assert old.headers["location"] == "/"
    assert "secure" in old.headers["set-cookie"].lower()
    assert button.status_code == 303
    assert page.status_code == 200


@pytest.mark.parametrize("recipe", WITH_PAGES)
async def test_events_reach_a_page_as_they_happen(recipe: Recipe, tmp_path: Path) -> None:
    async with behind(recipe, tmp_path) as site, site.proxy.client() as script:
        stream = script.stream("GET", "/api/v1/stream", auth=("admin", ADMIN))
        async with asyncio.timeout(60), stream as answer:
            first = await anext(answer.aiter_text())

    assert first.startswith("retry:")


@pytest.mark.parametrize("recipe", WITH_PAGES)
async def test_without_a_password_a_proxy_on_this_machine_opens_nothing(
    recipe: Recipe, tmp_path: Path
) -> None:
    async with behind(recipe, tmp_path) as site:
        bare = WebFixture(admin_access=AdminAccess(None, SECRET))
        transport = httpx.ASGITransport(bare.app(), client=("127.0.0.1", 1))
        async with site.proxy.client() as stranger:
            through = await stranger.get("/api/v1/calls")
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as direct:
            same = await direct.get("/api/v1/calls")

    assert (through.status_code, same.status_code) == (401, 403)
