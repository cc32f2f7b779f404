"""A manager's desk in a real browser: hidden numbers, the telephone, what stands in doubt."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from bridge.domain.directory.entities import Manager
from bridge.domain.reporting.desk import RINGING_TIMEOUT
from bridge.ports.audit import AuditAct
from bridge.web.access import AdminAccess
from bridge.web.access.access_control import DESK_COOKIE
from tests.e2e.axe import serious_faults
from tests.e2e.desk_fixture import ANNA, BORIS, DeskFixture, DeskServer, open_window, serve_desk
from tests.support.builders import NUMBER
from tests.web.signed_in_managers import SECRET, session_of
from tests.web.web_fixture import ADMIN

pytestmark = pytest.mark.anyio

STRANGER = "+79161112233"
WHOLE, HIDDEN = "+7 (916) 111-22-33", "+7916*****33"


def masked_web(**changes: Any) -> DeskFixture:
    access = AdminAccess(ADMIN, SECRET, mask_phones=True)
    return DeskFixture(admin_access=access, **changes)


def without_extension(web: DeskFixture, who: Manager) -> None:
    give_extension(web, who, None)


def give_extension(web: DeskFixture, who: Manager, extension: str | None) -> None:
    manager = web.directory.staff[who.ref]
    web.directory.staff[who.ref] = replace(manager, extension=extension)


@asynccontextmanager
async def signed_in(
    browser: Browser, server: DeskServer, who: Manager = ANNA, **options: Any
) -> AsyncIterator[BrowserContext]:
    async with open_window(browser, known=False, **options) as context:
        cookie = {"name": DESK_COOKIE, "value": session_of(who), "url": server.url}
        await context.add_cookies([cookie])  # type: ignore[list-item]  # a dict as playwright takes it
        yield context


async def at_desk(context: BrowserContext, server: DeskServer) -> Page:
    page = await context.new_page()
    await page.goto(f"{server.url}/desk")
    await expect(page.locator("#line.live")).to_be_visible()
    return page


async def test_a_hidden_number_is_shown_by_keyboard_and_stays(browser: Browser) -> None:
    web = masked_web()
    async with serve_desk(web) as server, signed_in(browser, server) as context:
        page = await at_desk(context, server)
        call = web.ring(STRANGER)
        card = page.locator(f"#call-{call.key}")
        await expect(card.get_by_role("heading")).to_have_text(HIDDEN)
        assert "111-22-33" not in await page.content()

        await card.get_by_role("button", name=f"Show the number: {HIDDEN}").focus()
        await page.keyboard.press("Enter")

        await expect(card.get_by_role("heading")).to_have_text(WHOLE)
        await expect(page.locator("#toast")).to_contain_text(WHOLE)
        await expect(page.locator("#toast")).to_contain_text("audit list")
        await expect(card).to_be_focused()
        await expect(card.get_by_role("button", name="Show the number")).to_have_count(0)
        web.give_up(web.pick_up(call))
        await expect(page.locator("#over").locator(card)).to_contain_text(WHOLE)
    assert [(r.act, r.who, r.subject) for r in web.audit.appended] == [
        (AuditAct.NUMBER_REVEALED, ANNA.name, call.key)
    ]


async def test_it_is_shown_at_all_his_desks_and_at_no_other(browser: Browser) -> None:
    web = masked_web()
    async with (
        serve_desk(web) as server,
        signed_in(browser, server) as hers,
        signed_in(browser, server, BORIS) as his,
    ):
        one, two = await at_desk(hers, server), await at_desk(hers, server)
        other = await at_desk(his, server)
        web.ring_group(caller=STRANGER)
        await expect(other.locator(".card h3")).to_have_text(HIDDEN)

        await one.get_by_role("button", name="Show the number").click()

        await expect(two.locator(".card h3")).to_have_text(WHOLE)
        await other.reload()
        await expect(other.locator(".card h3")).to_have_text(HIDDEN)


async def test_hidden_numbers_of_the_missed_and_the_found_are_shown_in_their_place(
    browser: Browser,
) -> None:
    web = masked_web()
    async with serve_desk(web) as server, signed_in(browser, server) as context:
        page = await at_desk(context, server)
        web.miss_call(web.give_up(web.ring(STRANGER)))
        missed = page.locator("#missed li")
        await expect(missed).to_contain_text(HIDDEN)

        await missed.get_by_role("button", name="Show the number").click()
        await expect(missed).to_contain_text(WHOLE)
        await expect(missed.get_by_role("button", name="Call back")).to_be_focused()

        await page.get_by_label("Name, company or number").fill("лютик")
        found = page.locator("#found li")
        await found.get_by_role("button", name="Show the number").click()
        await expect(found).to_contain_text("+7 (903) 555-01-23")
        await found.get_by_role("button", name="Call ИП Лютик").click()
        await expect(page.locator("#toast")).to_contain_text("Pick up 205")
    assert [order.number for order in web.orders.orders] == [NUMBER]
    assert [r.act for r in web.audit.appended] == [
        AuditAct.NUMBER_REVEALED,
        AuditAct.NUMBER_REVEALED,
        AuditAct.CALL_ORDERED,
    ]


async def test_without_scripts_the_number_is_shown_too(browser: Browser) -> None:
    web = masked_web()
    web.ring(STRANGER)
    async with (
        serve_desk(web) as server,
        signed_in(browser, server, java_script_enabled=False) as context,
    ):
        page = await context.new_page()
        await page.goto(f"{server.url}/desk")
        await page.get_by_role("button", name="Show the number").click()

        await expect(page.locator(".card h3")).to_have_text(WHOLE)


async def test_a_call_link_rings_his_own_telephone(browser: Browser) -> None:
    web = masked_web()
    async with serve_desk(web) as server, signed_in(browser, server) as context:
        page = await context.new_page()
        await page.goto(f"{server.url}/call/{STRANGER}?extension=207")

        await expect(page.get_by_role("main")).to_contain_text("Your telephone 205 rings first")
        await expect(page.get_by_role("main")).to_contain_text("The link names telephone 207")
        await expect(page.get_by_role("textbox")).to_have_count(0)
        await page.keyboard.press("Enter")  # the button has the focus

        await expect(page).to_have_url(re.compile("placed="))
    assert [(o.extension, o.ordered_by) for o in web.orders.orders] == [("205", ANNA.name)]


async def test_a_manager_whose_extension_is_missing_or_shared_reads_what_to_do(
    browser: Browser,
) -> None:
    web = masked_web()
    give_extension(web, BORIS, "205")
    async with serve_desk(web) as server, signed_in(browser, server) as context:
        page = await at_desk(context, server)
        note = page.get_by_role("note")
        await expect(note).to_contain_text("extension 205: Анна Петрова, Борис Орлов")
        await expect(note).to_contain_text("Ask the administrator")
        web.ring()
        await expect(page.locator(".card.ringing")).to_be_visible()

        without_extension(web, ANNA)
        await page.goto(f"{server.url}/desk")
        await expect(page.get_by_role("main")).to_contain_text("Ask the administrator to enter it")
        give_extension(web, ANNA, "205")
        await page.get_by_role("link", name="Look again").click()
        await expect(page.locator("#line.live")).to_be_visible()


async def test_a_missed_call_s_card_says_that_it_was_called_back(browser: Browser) -> None:
    web = masked_web()
    async with serve_desk(web) as server, signed_in(browser, server) as context:
        page = await at_desk(context, server)
        call = web.give_up(web.ring())
        card = page.locator(f"#call-{call.key}")
        missed_call = web.miss_call(call)
        await expect(card).to_contain_text("Waits since")

        web.close_missed_call(missed_call)

        await expect(card).to_contain_text("the reminder was dismissed in 1C")
        await expect(card).not_to_contain_text("Waits since")


async def test_while_the_bridge_is_away_nothing_seems_to_go_on(browser: Browser) -> None:
    web = masked_web(heartbeat_s=0.5)
    async with serve_desk(web) as server, signed_in(browser, server) as context:
        page = await at_desk(context, server)
        # It rang for nearly as long as telephones ring.
        call = web.ring()
        early = call.received_at - RINGING_TIMEOUT + timedelta(seconds=2)
        web.show(replace(call, received_at=early))
        over = web.hang_up(web.pick_up(web.ring(STRANGER)))
        await expect(page).to_have_title("☎ Иванов Пётр")

        await server.close()

        await expect(page.locator("#lost")).to_contain_text("the cards stand as they were")
        await expect(page.locator("#lost")).to_contain_text(re.compile(r"since \d\d:\d\d:\d\d\."))
        await expect(page.locator(".ticks")).to_be_hidden()
        await expect(page).to_have_title("Desk 205")  # it does not ring for ever
        await page.locator(f"#call-{over.key}").get_by_role("button", name="Call back").click()
        await expect(page.locator("#toast.bad")).to_contain_text("not known whether this was done")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_axe_finds_nothing_serious(browser: Browser, scheme: str, width: int) -> None:
    web = masked_web(lang="ru")
    give_extension(web, BORIS, "205")
    web.close_missed_call(web.miss_call(web.give_up(web.ring())))
    web.miss_call(web.give_up(web.ring(STRANGER)))
    web.ring("+79261112233")
    size = {"width": width, "height": 900}
    async with (
        serve_desk(web) as server,
        signed_in(browser, server, viewport=size, color_scheme=scheme) as context,
    ):
        page = await at_desk(context, server)
        await page.get_by_label("Имя, компания или номер").fill("лютик")
        await page.locator("#found").get_by_role("button", name="Показать номер").click()
        await expect(page.locator("#toast")).to_be_visible()
        for address in ("", f"/call/{STRANGER}?extension=207", "/desk"):
            if address == "/desk":
                without_extension(web, ANNA)
            if address:
                await page.goto(f"{server.url}{address}")
            assert await serious_faults(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
