"""The console in a real browser: sign-in, language, a call's page, a shrink that is accepted."""

from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page, expect

from bridge.domain.routing.decision import Target
from bridge.ports.audit import AuditAct
from bridge.ports.stores.sync_runs import Shrink, SyncRun
from tests.e2e.axe import serious_faults
from tests.e2e.desk_fixture import ANNA, DeskFixture, open_window, serve_desk
from tests.web.web_fixture import ADMIN

pytestmark = pytest.mark.anyio

PAGES = (
    "/",
    "/console/calls",
    "/console/figures",
    "/console/outbox",
    "/console/sync",
    "/console/doctor",
    "/console/people",
    "/console/audit",
)


async def test_the_administrator_signs_in_and_out(browser: Browser) -> None:
    web = DeskFixture()
    async with serve_desk(web) as server, open_window(browser, known=False) as context:
        page = await context.new_page()
        await page.goto(f"{server.url}/console/calls")
        form = page.get_by_role("region", name="Administrator")

        await form.get_by_label("Password").fill("not this one")
        await form.get_by_role("button", name="Open the console").click()
        await expect(form.get_by_role("alert")).to_have_text("This is not the password.")
        await form.get_by_label("Password").fill(ADMIN)
        await form.get_by_role("button", name="Open the console").click()

        await expect(page).to_have_url(f"{server.url}/console/calls")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await page.goto(f"{server.url}/console/calls")
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_manager_signs_in_by_his_name_in_1c_and_sits_at_his_desk(browser: Browser) -> None:
    web = DeskFixture()
    web.onec_sign_in.passwords = {ANNA.name: "her password"}
    async with serve_desk(web) as server, open_window(browser, known=False) as context:
        page = await context.new_page()
        await page.goto(f"{server.url}/desk")
        await page.get_by_label("Name in 1C").fill(ANNA.name)
        await page.get_by_label("Password in 1C").fill("wrong")
        await page.get_by_role("button", name="Open the desk").click()
        await expect(page.get_by_role("alert")).to_contain_text("1C did not accept")

        await page.get_by_label("Password in 1C").fill("her password")
        await page.get_by_role("button", name="Open the desk").click()

        await expect(page.locator("#line.live")).to_be_visible()
        await expect(page.locator(".seat")).to_have_text("Анна Петрова, extension 205")
        await expect(page.get_by_role("link", name="Console")).to_have_count(0)
        web.ring()
        await expect(page.locator("#running .ringing")).to_have_count(1)


async def test_a_desk_whose_session_is_over_leads_to_the_sign_in(browser: Browser) -> None:
    web = DeskFixture(heartbeat_s=0.5)
    web.onec_sign_in.passwords = {ANNA.name: "her password"}
    async with serve_desk(web) as server, open_window(browser, known=False) as context:
        page = await context.new_page()
        await page.goto(f"{server.url}/desk")
        await page.get_by_label("Name in 1C").fill(ANNA.name)
        await page.get_by_label("Password in 1C").fill("her password")
        await page.get_by_role("button", name="Open the desk").click()
        await expect(page.locator("#line.live")).to_be_visible()

        await web.audit.revoke(ANNA.ref)
        await server.close()
        web.restart()
        await server.open()

        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_the_language_is_switched_where_one_stands(browser: Browser) -> None:
    web = DeskFixture()
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await context.new_page()
        await page.goto(server.desk())
        web.ring()
        await expect(page.locator(".badge")).to_have_text("Ringing")

        await page.get_by_role("button", name="Русский").click()

        await expect(page.get_by_role("heading", level=1)).to_have_text("Рабочее место")
        await expect(page.locator(".badge")).to_have_text("Звонит")
        await expect(page).to_have_url(server.desk())
        await page.goto(f"{server.url}/console/calls")
        await expect(page.locator("html")).to_have_attribute("lang", "ru")
        await page.get_by_role("button", name="English").click()
        await expect(page.locator("html")).to_have_attribute("lang", "en")


async def test_a_call_is_replayed_on_todays_data(browser: Browser) -> None:
    web = DeskFixture()
    call = web.ring()
    elsewhere = replace(call.decision, targets=(Target("299", None, "Кто-то прежний"),))
    web.show(replace(call, decision=elsewhere))
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await context.new_page()
        await page.goto(f"{server.url}/console/calls/{call.key}")

        await page.get_by_role("button", name="Check against current data").click()

        verdict = page.locator("#replay .verdict")
        await expect(verdict).to_contain_text("It would go elsewhere: then 299")
        await expect(verdict).to_contain_text("now 205")


async def test_a_shrink_is_accepted(browser: Browser) -> None:
    web = DeskFixture()
    refused = Shrink("Catalog_Партнеры", 1000, 400)
    web.sync_runs.append(SyncRun(web.clock(), 1.5, error="refused", refused=refused))
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await context.new_page()
        await page.goto(f"{server.url}/console/sync")
        await expect(page.get_by_text("600 rows will be forgotten")).to_be_hidden()

        await page.get_by_text("1C is right, the rows are gone…").click()
        await page.get_by_role("button", name="Yes, accept the shorter list").click()

        await expect(page.get_by_role("status")).to_contain_text("A run was started")
    assert web.syncs == [True]
    assert AuditAct.SHRINK_ACCEPTED in [record.act for record in web.audit.appended]


@pytest.mark.parametrize("width", [1280, 390])
async def test_axe_finds_nothing_serious(browser: Browser, width: int) -> None:
    web = DeskFixture(lang="ru")
    shown = web.hang_up(web.pick_up(web.ring()))
    web.give_up(web.ring("+79161112233"))
    refused = Shrink("Catalog_Партнеры", 1000, 400)
    web.sync_runs.append(SyncRun(web.clock(), 1.5, error="отказано", refused=refused))
    size = {"width": width, "height": 900}
    async with (
        serve_desk(web) as server,
        open_window(browser, viewport=size, reduced_motion="reduce") as context,
    ):
        page = await context.new_page()
        found = {}
        for path in (*PAGES, f"/console/calls/{shown.key}?replay=1", "/login"):
            await page.goto(server.url + path)
            await expect(page.get_by_role("heading", level=1)).to_have_count(1)
            if faults := await serious_faults(page):
                found[path] = faults
            if await is_wider(page, width):
                found[f"{path} is too wide"] = []
        assert found == {}


async def is_wider(page: Page, width: int) -> bool:
    """Return whether the page has to be pushed sideways to be read."""
    wide = await page.evaluate("document.documentElement.scrollWidth")
    return bool(wide > width)
