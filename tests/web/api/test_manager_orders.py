"""A manager orders calls from the own telephone, and from no other."""

from dataclasses import replace

import pytest

from bridge.domain.delivery.texts import Language
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Manager
from bridge.ports.audit import AuditAct
from bridge.ports.orders import OwnedPhone
from bridge.web.access.access_control import ADMIN_COOKIE, DESK_COOKIE
from bridge.web.access.signed_tokens import SignedTokens
from tests.support.builders import NUMBER, card, partner, ref
from tests.web.orders_fixture import OrdersFixture
from tests.web.signed_in_managers import (
    ANNA,
    BORIS,
    SECRET,
    as_manager,
    session_of,
    web_with_managers,
)
from tests.web.web_fixture import ADMIN, WebFixture

pytestmark = pytest.mark.anyio

LINK = "/call/+79035550123"
NUMBER_ORDER = {"number": "8 903 555-01-23"}
FOUND = {"q": "+79035550123", "of": ref("Иванов Пётр"), "place": "0"}
HIS = partner("ИП Лютик", manager="Борис Орлов", phones=("+7 903 555-01-23",))
PHONE = OwnedPhone(NUMBER, HIS.ref, CandidateKind.PARTNER, "ИП Лютик", "8 903 555-01-23")


def desk(lang: Language = "en", *, masked: bool = False, boris: Manager = BORIS) -> OrdersFixture:
    web = web_with_managers(masked=masked, lang=lang)
    web.directory.staff[boris.ref] = boris
    return OrdersFixture(web=web, phones={HIS.ref: [PHONE]})


def acts(web: WebFixture) -> list[tuple[AuditAct, str, str]]:
    return [(record.act, record.who, record.subject) for record in web.audit.appended]


# ---------------------------------------------------------------- the own telephone


@pytest.mark.parametrize("order", [NUMBER_ORDER, NUMBER_ORDER | {"extension": "205"}])
async def test_over_the_api_his_own_telephone_rings_named_or_not(order: dict[str, str]) -> None:
    at = desk()
    async with as_manager(at.web, ANNA) as anna:
        answer = await anna.post("/api/v1/calls", json=order)

    placed = answer.json()
    assert (answer.status_code, placed["extension"]) == (201, "205")
    assert placed["number"] == "+79035550123"
    assert at.pbx.originated() == [("205", "79035550123")]
    assert at.pbx.orders[0].ordered_by == ANNA.name
    assert acts(at.web) == [(AuditAct.CALL_ORDERED, ANNA.name, placed["key"])]


async def test_behind_a_link_there_is_nothing_to_choose_and_one_button_rings_once() -> None:
    at = desk()
    async with as_manager(at.web, ANNA) as anna:
        page = await anna.get(LINK)
        assert at.pbx.orders == []
        placed = await anna.post(LINK)
        shown = [await anna.get(placed.headers["Location"]) for _ in range(2)]

    assert page.status_code == 200
    assert "Your telephone 205 rings first" in page.text
    assert 'name="extension"' not in page.text
    assert "Place the call" in page.text
    assert placed.status_code == 303
    assert all("Telephone 205 rings" in again.text for again in shown)
    assert at.pbx.originated() == [("205", "79035550123")]
    assert [act for act, *_ in acts(at.web)] == [AuditAct.CALL_ORDERED]


async def test_a_link_that_names_another_telephone_offers_the_manager_s_own_and_says_so() -> None:
    at = desk()
    async with as_manager(at.web, BORIS) as boris:
        page = await boris.get(LINK, params={"extension": "205"})
        placed = await boris.post(f"{LINK}?extension=205")

    assert "The link names telephone 205" in page.text
    assert "Your telephone 207 rings first" in page.text
    assert placed.status_code == 303
    assert at.pbx.originated() == [("207", "79035550123")]


# ---------------------------------------------------------------- another's telephone

DENIED = {
    "en": "your own telephone 207 only, not from 205",
    "ru": "только со своего телефона 207, а не с 205",
}


@pytest.mark.parametrize("lang", ["en", "ru"])
async def test_another_s_telephone_is_refused_with_a_message_and_kept_in_the_audit(
    lang: Language,
) -> None:
    at = desk(lang)
    async with as_manager(at.web, BORIS) as boris:
        api = await boris.post("/api/v1/calls", json=NUMBER_ORDER | {"extension": "205"})
        page = await boris.post(LINK, data={"extension": "205"})

    assert (api.status_code, page.status_code) == (403, 403)
    assert DENIED[lang] in api.json()["error"]
    assert DENIED[lang] in page.text
    assert page.headers["content-type"].startswith("text/html")
    assert at.pbx.orders == []
    assert acts(at.web) == [(AuditAct.ORDER_DENIED, BORIS.name, "205")] * 2


async def test_without_an_extension_the_manager_sees_what_to_do() -> None:
    at = desk(boris=replace(BORIS, extension=None))
    async with as_manager(at.web, BORIS) as boris:
        page = await boris.get(LINK)
        refused = [
            await boris.post("/api/v1/calls", json=NUMBER_ORDER),
            await boris.post(LINK),
            await boris.post("/desk/order", data=FOUND),
        ]

    assert page.status_code == 200
    assert "Place the call" not in page.text
    for text in (page.text, *(answer.text for answer in refused)):
        assert "Ask the administrator to enter it" in text
    assert [answer.status_code for answer in refused] == [403] * 3
    assert at.pbx.orders == []


async def test_a_telephone_that_two_people_have_rings_after_a_warning() -> None:
    at = desk(boris=replace(BORIS, extension="205"))
    async with as_manager(at.web, BORIS) as boris:
        page = await boris.get(LINK)
        await boris.post(LINK)

    assert "several people have extension 205: Анна Петрова, Борис Орлов" in page.text
    assert at.pbx.originated() == [("205", "79035550123")]


async def test_who_left_1c_calls_nobody_any_more() -> None:
    at = desk(boris=replace(BORIS, invalid=True))
    async with as_manager(at.web, BORIS) as boris:
        answers = [await boris.post("/api/v1/calls", json=NUMBER_ORDER), await boris.post(LINK)]

    assert {answer.status_code for answer in answers} == {401}
    assert at.pbx.orders == []


async def test_a_foreign_page_has_his_telephone_ring_nobody() -> None:
    at = desk()
    async with as_manager(at.web, ANNA, **{"Sec-Fetch-Site": "cross-site"}) as anna:
        answers = [
            await anna.post("/api/v1/calls", json=NUMBER_ORDER),
            await anna.post(LINK),
        ]

    assert {answer.status_code for answer in answers} == {403}
    assert at.pbx.orders == []


async def test_the_rest_of_the_api_stays_the_administrator_s() -> None:
    at = desk()
    async with as_manager(at.web, ANNA) as anna:
        answers = [
            await anna.get("/api/v1/calls"),
            await anna.get(f"/api/v1/partners/{HIS.ref}/phones"),
        ]

    assert {answer.status_code for answer in answers} == {403}


async def test_what_became_of_another_s_order_is_not_shown_to_him() -> None:
    at = desk()
    async with at.web.admin() as admin:
        placed = await admin.post("/call/+79160000000", data={"extension": "205"})
    key = placed.headers["Location"].partition("placed=")[2]
    async with as_manager(at.web, BORIS) as boris:
        page = await boris.get(LINK, params={"placed": key})

    assert "Telephone 205 rings" not in page.text
    assert "Place the call" in page.text


# ---------------------------------------------------------------- hidden numbers


async def test_a_partner_s_hidden_number_is_rung_and_not_shown() -> None:
    at = desk(masked=True)
    at.web.directory.cards[NUMBER] = card(HIS)
    async with as_manager(at.web, ANNA) as anna, as_manager(at.web, BORIS) as boris:
        hers = await anna.post("/api/v1/calls", json={"partner": HIS.ref})
        his = await boris.post("/api/v1/calls", json={"partner": HIS.ref})

    assert hers.json()["number"] == "+7903*****23"
    assert his.json()["number"] == "+79035550123"
    assert at.pbx.originated() == [("205", "79035550123"), ("207", "79035550123")]


# ---------------------------------------------------------------- the administrator


async def test_the_administrator_still_chooses_and_must() -> None:
    at = desk()
    async with at.web.admin() as admin:
        page = await admin.get(LINK)
        placed = await admin.post("/api/v1/calls", json=NUMBER_ORDER | {"extension": "207"})
        unsaid = await admin.post("/api/v1/calls", json=NUMBER_ORDER)

    assert 'name="extension"' in page.text
    assert placed.status_code == 201
    assert (unsaid.status_code, unsaid.json()) == (
        422,
        {"error": "extension: say which telephone rings first."},
    )
    assert at.pbx.originated() == [("207", "79035550123")]


async def test_an_administrator_who_tries_a_manager_s_link_remains_one() -> None:
    at = desk()
    both = {
        ADMIN_COOKIE: SignedTokens(SECRET, ADMIN).create_admin_session(),
        DESK_COOKIE: session_of(BORIS),
    }
    cookies = "; ".join(f"{name}={value}" for name, value in both.items())
    async with at.web.client(peer="203.0.113.9", headers={"Cookie": cookies}) as browser:
        page = await browser.get(LINK)
        placed = await browser.post("/api/v1/calls", json=NUMBER_ORDER | {"extension": "205"})

    assert 'name="extension"' in page.text
    assert placed.status_code == 201


async def test_without_a_password_managers_call_from_their_own_telephones_and_others_do_not() -> (
    None
):
    at = desk()
    at.web.admin_access = replace(at.web.admin_access, password=None)
    async with at.web.client(headers={"Cookie": f"{DESK_COOKIE}={session_of(BORIS)}"}) as here:
        refused = await here.post("/api/v1/calls", json=NUMBER_ORDER | {"extension": "205"})
    async with at.web.client() as here:
        placed = await here.post("/api/v1/calls", json=NUMBER_ORDER | {"extension": "205"})

    assert (refused.status_code, placed.status_code) == (403, 403)
    assert "console-link" in placed.json()["error"]


async def test_a_stranger_is_led_to_the_sign_in_and_back_to_the_call() -> None:
    at = desk()
    async with at.web.client(peer="203.0.113.9", headers={"Accept": "text/html"}) as stranger:
        led = await stranger.get(LINK)
        sign_in = await stranger.get(led.headers["Location"])

    assert led.status_code == 303
    assert f'name="next" value="{LINK}"' in sign_in.text
