"""The desk in a real browser: no ring is lost, every button does what it says."""

import gzip
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

import bridge.web
from bridge.domain.calls.orders import OrderState
from bridge.domain.phone.phone import PhoneNumber
from tests.e2e.axe import serious_faults
from tests.e2e.desk_fixture import ANNA, BORIS, LUTIK, DeskFixture, open_window, serve_desk
from tests.support.builders import NUMBER

pytestmark = pytest.mark.anyio

#: Records in the document which tones and notifications the page lets out; the page may be hidden.
_EARS = """
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (at) {
  document.documentElement.dataset.heard = "yes";
  return start.call(this, at);
};
const Real = window.Notification;
window.Notification = class extends Real {
  constructor(title, options) {
    super(title, options);
    document.documentElement.dataset.told = `${title}: ${options.body}`;
  }
};
Object.defineProperty(document, "hidden", { get: () => window.away === true });
"""


async def at_desk(page: Page, address: str) -> Page:
    await page.goto(address)
    await expect(page.locator("#line.live")).to_be_visible()
    return page


async def test_a_ring_pops_the_card_with_all_that_is_known(browser: Browser) -> None:
    web = DeskFixture()
    web.hang_up(web.pick_up(web.ring()))
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await at_desk(await context.new_page(), server.desk())
        await expect(page.locator("#idle")).to_be_visible()

        web.ring()

        card = page.locator("#running .card")
        await expect(card.get_by_text("Ringing", exact=True)).to_be_visible()
        await expect(card.get_by_role("heading")).to_have_text("Иванов Пётр")
        for known in ("ООО Ромашка", "+7 (903) 555-01-23", "Анна Петрова, 205", "Talked"):
            await expect(card.get_by_text(known).first).to_be_visible()
        await expect(card.get_by_role("button", name="This is ИП Лютик")).to_be_visible()
        opens = card.get_by_role("link", name="Open in 1C", exact=True)
        await expect(opens).to_have_attribute(
            "href", re.compile("^https://1c.example.ru/ut11/#e1cib")
        )
        await expect(page.locator("#aloud")).to_have_text(re.compile("Ringing, Иванов Пётр"))
        await expect(page).to_have_title("☎ Иванов Пётр")
        await expect(page.locator("#idle")).to_be_hidden()


async def test_who_opens_the_desk_while_it_rings_sees_it_at_once(browser: Browser) -> None:
    web = DeskFixture()
    web.ring()
    async with (
        serve_desk(web) as server,
        open_window(browser, java_script_enabled=False) as context,
    ):
        page = await context.new_page()
        await page.goto(server.desk())

        await expect(page.locator("#running .card.ringing")).to_be_visible()


async def test_the_card_follows_the_call(browser: Browser) -> None:
    web = DeskFixture()
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await at_desk(await context.new_page(), server.desk())
        answered, missed = web.ring(), web.ring("+79161112233")
        card = page.locator(f"#call-{answered.key}")
        lost = page.locator(f"#call-{missed.key}")
        await expect(card).to_have_class("card ringing")

        talked = web.pick_up(answered)
        await expect(card.locator(".badge")).to_have_text("Talking")
        await expect(card.locator(".ticks")).to_have_text(re.compile(r"0:0\d"))
        web.hang_up(talked, talk_s=95)
        await expect(page.locator("#over").locator(card)).to_contain_text("Talked")
        await expect(card.locator(".state")).to_contain_text("1:35")
        web.give_up(missed)
        await expect(page.locator("#over").locator(lost).locator(".badge")).to_have_text("Missed")

        await expect(page.locator("#idle")).to_be_visible()
        await expect(page).to_have_title("Desk 205")


async def test_two_desks_one_ring(browser: Browser) -> None:
    web = DeskFixture()
    async with serve_desk(web) as server, open_window(browser) as context:
        anna = await at_desk(await context.new_page(), server.desk("205"))
        boris = await at_desk(await context.new_page(), server.desk("207"))

        alone = web.ring(at=ANNA)
        await expect(anna.locator(f"#call-{alone.key}.ringing")).to_be_visible()
        his = web.ring("+79161112233", at=BORIS)
        await expect(boris.locator(f"#call-{his.key}.ringing")).to_be_visible()
        await expect(boris.locator(".card")).to_have_count(1)
        await expect(anna.locator(".card")).to_have_count(1)

        both = web.ring_group(caller="+79262223344")
        for desk in (anna, boris):
            await expect(desk.locator(f"#call-{both.key}.ringing")).to_be_visible()
        web.pick_up(both, "207")
        await expect(boris.locator(f"#call-{both.key}.talking")).to_be_visible()
        taken = anna.locator(f"#call-{both.key}.taken .state")
        await expect(taken).to_contain_text("A colleague answered")
        await expect(taken).to_contain_text("Борис Орлов, 207")


async def test_a_restart_loses_no_ring(browser: Browser) -> None:
    web = DeskFixture(heartbeat_s=0.5)
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await at_desk(await context.new_page(), server.desk())
        before = web.ring()
        await expect(page.locator(f"#call-{before.key}.ringing")).to_be_visible()
        await page.get_by_text("Note on this call").click()
        await page.get_by_role("textbox", name="Goes into").fill("half a thou")

        await server.close()
        await expect(page.locator("#lost")).to_contain_text("Connection lost since")
        web.give_up(before)
        meanwhile = web.ring("+79161112233")
        web.restart()
        await server.open()

        await expect(page.locator("#lost")).to_be_hidden()
        await expect(page.locator(f"#running #call-{meanwhile.key}.ringing")).to_be_visible()
        await expect(page.locator(f"#over #call-{before.key}.missed")).to_be_visible()
        await expect(page.get_by_role("textbox", name="Goes into").first).to_be_attached()
        typed = page.locator(f"#text-{before.key}")
        await expect(typed).to_have_value("half a thou")


async def test_a_broken_line_brings_what_was_missed_and_nothing_twice(browser: Browser) -> None:
    web = DeskFixture(heartbeat_s=0.5)
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await at_desk(await context.new_page(), server.desk())
        web.ring()
        await expect(page.locator("#running .ringing")).to_have_count(1)

        await context.set_offline(True)
        await expect(page.locator("#lost")).to_be_visible()
        web.ring("+79161112233")
        await context.set_offline(False)

        await expect(page.locator("#running .ringing")).to_have_count(2)
        await expect(page.locator("#lost")).to_be_hidden()


async def test_search_and_call(browser: Browser) -> None:
    web = DeskFixture()
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await at_desk(await context.new_page(), server.desk())
        look_for = page.get_by_label("Name, company or number")

        await look_for.fill("лютик")
        found = page.locator("#found li")
        await expect(found).to_contain_text("ИП Лютик")
        await expect(found).to_contain_text("Борис Орлов")
        await found.get_by_role("button", name="Call ИП Лютик").click()
        await expect(page.locator("#toast")).to_contain_text("Pick up 205")

        await look_for.fill("8 (903) 555-01-23")
        await expect(found).to_have_count(2)
        await look_for.fill("+7 916 111-22-33")
        await expect(page.locator("#found")).to_contain_text("1C does not know the number")
        await page.locator("#found button").click()
        await expect(page.locator("#toast")).to_be_visible()
        await look_for.fill("такого нет")
        await expect(page.locator("#found")).to_contain_text("Nothing found in 1C")

    assert [(o.extension, o.number) for o in web.orders.orders] == [
        ("205", NUMBER),
        ("205", PhoneNumber(79161112233)),
    ]


async def test_a_refused_order_says_why(browser: Browser) -> None:
    web = DeskFixture()
    web.orders.state, web.orders.message = OrderState.REFUSED, "no money"
    call = web.give_up(web.ring())
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await at_desk(await context.new_page(), server.desk())

        await page.locator(f"#call-{call.key}").get_by_role("button", name="Call back").click()

        await expect(page.locator("#toast")).to_contain_text("The PBX refused: no money")


async def test_a_note_is_kept_and_shown(browser: Browser) -> None:
    web = DeskFixture()
    call = web.ring()
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await at_desk(await context.new_page(), server.desk())
        await page.get_by_text("Note on this call").click()
        text = page.get_by_role("textbox", name="Goes into the call's document in 1C")

        await text.fill("ждёт счёт <b>сегодня</b>")
        await page.get_by_role("button", name="Save").click()

        await expect(page.locator(".written")).to_have_text("ждёт счёт <b>сегодня</b>")
        await expect(text).to_have_value("")
    assert [note.text for note in web.ledger.stored[call.key].notes] == ["ждёт счёт <b>сегодня</b>"]


async def test_this_is_who_it_is(browser: Browser) -> None:
    web = DeskFixture()
    web.ring()
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await at_desk(await context.new_page(), server.desk())

        await page.get_by_role("button", name="This is ИП Лютик").click()

        await expect(page.locator(".card h3")).to_have_text("ИП Лютик")
        chosen = page.get_by_role("button", name="This is ИП Лютик")
        await expect(chosen).to_have_attribute("aria-pressed", "true")
        await expect(chosen).to_be_focused()
    assert web.ledger.choices[NUMBER] == LUTIK.ref


async def test_missed_calls_come_and_go(browser: Browser) -> None:
    web = DeskFixture()
    call = web.give_up(web.ring())
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await at_desk(await context.new_page(), server.desk())
        await expect(page.locator("#missed")).to_contain_text("Nobody waits")

        missed_call = web.miss_call(call)
        await expect(page.locator("#missed li")).to_contain_text("2 missed calls")
        await expect(page.locator(f"#call-{call.key} .debt")).to_contain_text("missed: 2")
        await page.locator("#missed").get_by_role("button", name="Call back").click()
        await expect(page.locator("#toast")).to_contain_text("Pick up 205")
        web.close_missed_call(missed_call)

        await expect(page.locator("#missed")).to_contain_text("Nobody waits")
    assert [order.number for order in web.orders.orders] == [NUMBER]


async def test_a_ring_sounds_and_notifies_where_nobody_looks(browser: Browser) -> None:
    web = DeskFixture()
    async with (
        serve_desk(web) as server,
        open_window(browser, permissions=["notifications"]) as context,
    ):
        await context.add_init_script(_EARS)
        page = await at_desk(await context.new_page(), server.desk())
        await page.get_by_role("button", name="Turn sound on").click()
        await expect(page.get_by_role("button", name="Sound is on")).to_be_visible()
        await page.evaluate("window.away = true; delete document.documentElement.dataset.heard")

        call = web.ring()

        document = page.locator("html")
        await expect(document).to_have_attribute("data-heard", "yes")
        await expect(document).to_have_attribute("data-told", re.compile("Ringing, Иванов Пётр"))
        await expect(page).to_have_title("Desk 205")
        await expect(page).to_have_title("☎ Иванов Пётр")
        web.pick_up(call)
        await expect(page.locator(".talking")).to_be_visible()
        await expect(page).to_have_title("Desk 205")

        await page.get_by_role("button", name="Sound is on").click()
        await expect(page.get_by_role("button", name="Sound is off")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("button", name="Sound is off")).to_be_visible()


async def test_everything_is_reached_by_keyboard(browser: Browser) -> None:
    web = DeskFixture()
    web.ring()
    async with serve_desk(web) as server, open_window(browser) as context:
        page = await at_desk(await context.new_page(), server.desk())
        await page.get_by_label("Name, company or number").focus()
        await page.keyboard.type("лютик")
        await expect(page.locator("#found li")).to_be_visible()

        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="Call ИП Лютик")).to_be_focused()
        await page.keyboard.press("Enter")

        await expect(page.locator("#toast")).to_contain_text("Pick up 205")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_axe_finds_nothing_serious(browser: Browser, scheme: str, width: int) -> None:
    web = DeskFixture(lang="ru")
    web.hang_up(web.pick_up(web.ring()))
    web.miss_call(web.give_up(web.ring("+79161112233")))
    web.pick_up(web.ring_group(caller="+79262223344"), "207")
    web.ring()
    size = {"width": width, "height": 900}
    async with (
        serve_desk(web) as server,
        open_window(
            browser, viewport=size, color_scheme=scheme, reduced_motion="reduce"
        ) as context,
    ):
        page = await at_desk(await context.new_page(), server.desk())
        await page.get_by_label("Имя, компания или номер").fill("лютик")
        await expect(page.locator("#found li")).to_be_visible()
        assert await serious_faults(page) == []
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        await page.goto(f"{server.url}/desk")
        assert await serious_faults(page) == []


def test_scripts_and_styles_are_light() -> None:
    static = Path(bridge.web.__file__).parent / "static"
    sizes = [
        len(gzip.compress(path.read_bytes()))
        for path in static.rglob("*")
        if path.suffix in (".js", ".css")
    ]
    assert sum(sizes) <= 100 * 1024
