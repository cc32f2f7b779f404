"""An order whose outcome nobody knows, as the pages show it in a real browser."""

import os
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Page, expect

from bridge.domain.calls.call import PhoneCall, with_order
from bridge.domain.calls.events import Direction
from bridge.domain.calls.orders import CallOrder, OrderState
from bridge.domain.phone.callers import read_caller
from tests.e2e.axe import serious_faults
from tests.e2e.desk_fixture import DeskFixture, open_window, serve_desk
from tests.support.builders import NUMBER, RULES, decision

pytestmark = pytest.mark.anyio


def ordered_in_doubt(web: DeskFixture) -> PhoneCall:
    at = web.clock() - timedelta(minutes=1)
    order = CallOrder("doubt", "205", NUMBER, at)
    call = PhoneCall(
        key="doubt",
        provider="sipuni",
        direction=Direction.OUTBOUND,
        caller=read_caller(f"+{NUMBER}", RULES),
        did="",
        arrived_at=at,
        received_at=at,
        decision=decision(),
        has_question=False,
        placed_by="205",
        order=order,
    )
    return with_order(call, CallOrder("doubt", "205", NUMBER, at, OrderState.UNKNOWN))


async def looks_right(page: Page, name: str) -> None:
    assert await serious_faults(page) == []
    folder = os.environ.get("TEST_SCREENSHOTS")
    if folder:
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)


async def test_an_unknown_outcome_is_no_ringing_call_at_the_desk_nor_behind_the_link(
    browser: Browser,
) -> None:
    web = DeskFixture(lang="ru")
    web.show(ordered_in_doubt(web))
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await context.new_page()
        await page.goto(server.desk())
        card = page.locator("#call-doubt")
        await expect(card.locator(".badge")).to_have_text("Неизвестно: посмотрите в АТС")
        await expect(card.get_by_role("button", name="Перезвонить")).to_have_count(0)
        await looks_right(page, "desk")

        await page.goto(f"{server.url}/call/+{NUMBER}?placed=doubt")
        await expect(page.get_by_role("status")).to_contain_text("мост звонок не повторит")
        await expect(page.get_by_role("button", name="Позвонить")).to_have_count(0)
        await looks_right(page, "link")
