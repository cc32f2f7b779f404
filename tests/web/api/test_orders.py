"""Calls ordered over the API and behind a link: never by a GET, never by a foreign page."""

from collections.abc import Sequence
from urllib.parse import quote

import pytest

from bridge.domain.calls.orders import OrderReply, OrderState
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Ref
from bridge.ports.orders import OwnedPhone
from tests.support.builders import NUMBER, ref
from tests.support.fakes.orders import FakePbx
from tests.web.orders_fixture import OrdersFixture
from tests.web.web_fixture import web_with_known_caller

pytestmark = pytest.mark.anyio

ORDER = {"extension": "205", "number": "8 903 555-01-23"}
PARTNER = ref("ООО Ромашка")
OWNER = OwnedPhone(NUMBER, PARTNER, CandidateKind.PARTNER, "ООО Ромашка", "8 903 555-01-23", "14")


# ---------------------------------------------------------------- the API


async def test_a_script_has_a_call_placed() -> None:
    desk = OrdersFixture()

    answer = await desk.place_order(ORDER)

    assert answer.status_code == 201
    placed = answer.json()
    assert (placed["state"], placed["number"]) == ("accepted", "+79035550123")
    assert desk.pbx.originated() == [("205", "79035550123")]
    assert placed["key"] in desk.web.ledger.stored


async def test_an_order_in_doubt_is_no_failure_to_be_repeated() -> None:
    desk = OrdersFixture(FakePbx(OrderReply(OrderState.UNKNOWN, reason="no answer")))

    answer = await desk.place_order(ORDER)

    assert (answer.status_code, answer.json()["state"]) == (202, "unknown")
    assert answer.json()["words"] == "no answer"


async def test_a_refusal_shows_the_pbx_s_message() -> None:
    desk = OrdersFixture(FakePbx(OrderReply(OrderState.REFUSED, reason="no money")))

    answer = await desk.place_order(ORDER)

    assert (answer.status_code, answer.json()) == (409, {"error": "no money"})


async def test_a_double_order_rings_once() -> None:
    desk = OrdersFixture()
    await desk.place_order(ORDER)

    again = await desk.place_order(ORDER)

    assert again.status_code == 409
    assert "already" in again.json()["error"]
    assert len(desk.pbx.orders) == 1


@pytest.mark.parametrize(
    "order",
    [
        {"extension": "205", "number": "nowhere"},
        {"extension": "205", "number": "205"},
        {"extension": "Анна", "number": "+79035550123"},
        {"extension": "205"},
        ORDER | {"partner": PARTNER},
        ORDER | {"more": "1"},
    ],
)
async def test_an_order_without_sense_rings_nobody(order: dict[str, str]) -> None:
    desk = OrdersFixture()

    answer = await desk.place_order(order)

    assert answer.status_code == 422
    assert answer.json()["error"]
    assert "Value error" not in answer.json()["error"]
    assert desk.pbx.orders == []


async def test_a_partner_is_called_at_his_first_number() -> None:
    desk = OrdersFixture(phones={PARTNER: [OWNER]})

    answer = await desk.place_order({"extension": "205", "partner": PARTNER.upper()})

    assert answer.status_code == 201
    assert desk.pbx.originated() == [("205", "79035550123")]


@pytest.mark.parametrize("phones", [{}, {PARTNER: []}])
async def test_a_partner_without_numbers_cannot_be_called(
    phones: dict[Ref, Sequence[OwnedPhone]],
) -> None:
    desk = OrdersFixture(phones=phones)

    answer = await desk.place_order({"extension": "205", "partner": PARTNER})

    assert answer.status_code == 404


async def test_without_the_cabinet_s_key_the_answer_names_what_to_set() -> None:
    async with web_with_known_caller().admin() as admin:
        answer = await admin.post("/api/v1/calls", json=ORDER)

    assert answer.status_code == 409
    assert "BRIDGE_SIPUNI_KEY" in answer.json()["error"]


async def test_strangers_order_nothing() -> None:
    desk = OrdersFixture()
    async with desk.web.client(peer="203.0.113.9") as stranger:
        answers = [
            await stranger.post("/api/v1/calls", json=ORDER),
            await stranger.post("/call/+79035550123", data={"extension": "205"}),
            await stranger.get("/call/+79035550123"),
            await stranger.get(f"/api/v1/partners/{PARTNER}/phones"),
        ]

    assert {answer.status_code for answer in answers} == {401}
    assert desk.pbx.orders == []


async def test_the_numbers_of_a_partner_are_listed() -> None:
    desk = OrdersFixture(phones={PARTNER: [OWNER]})
    async with desk.web.admin() as admin:
        listed = await admin.get(f"/api/v1/partners/{PARTNER}/phones")
        stranger = await admin.get(f"/api/v1/partners/{ref('nobody')}/phones")

    assert listed.json()["phones"] == [
        {
            "number": "+79035550123",
            "formatted": "+7 (903) 555-01-23",
            "typed": "8 903 555-01-23",
            "extension": "14",
            "owner": PARTNER,
            "kind": 2,
            "name": "ООО Ромашка",
            "ended": False,
        }
    ]
    assert stranger.status_code == 404


# ---------------------------------------------------------------- the page behind a link

LINKS = ["+79035550123", quote("tel:+79035550123", safe=""), quote("callto://89035550123", safe="")]


@pytest.mark.parametrize("link", LINKS)
async def test_a_link_shows_who_would_be_called_and_rings_nobody(link: str) -> None:
    desk = OrdersFixture()
    async with desk.web.admin() as admin:
        page = await admin.get(f"/call/{link}", params={"extension": "205"})

    assert page.status_code == 200
    assert "Иванов Пётр (ООО Ромашка)" in page.text
    assert "+7 (903) 555-01-23" in page.text
    assert 'value="205"' in page.text
    assert page.headers["X-Frame-Options"] == "DENY"
    assert desk.pbx.orders == []


async def test_its_button_rings_once_however_often_the_result_is_reloaded() -> None:
    desk = OrdersFixture()
    async with desk.web.admin() as admin:
        placed = await admin.post("/call/tel:+79035550123", data={"extension": "205"})
        shown = [await admin.get(placed.headers["Location"]) for _ in range(2)]

    assert placed.status_code == 303
    assert all("Telephone 205 rings" in page.text for page in shown)
    assert desk.pbx.originated() == [("205", "79035550123")]


async def test_a_refusal_of_the_pbx_is_shown_with_its_message() -> None:
    desk = OrdersFixture(FakePbx(OrderReply(OrderState.REFUSED, reason="<no money>")))
    async with desk.web.admin() as admin:
        placed = await admin.post("/call/+79035550123", data={"extension": "205"})
        page = await admin.get(placed.headers["Location"])

    assert "The PBX refused to call" in page.text
    assert "&lt;no money&gt;" in page.text


@pytest.mark.parametrize(
    ("form", "status", "message"),
    [({}, 422, "is not an extension"), ({"extension": "nobody"}, 422, "is not an extension")],
)
async def test_the_page_says_what_is_wrong_with_an_order(
    form: dict[str, str], status: int, message: str
) -> None:
    desk = OrdersFixture()
    async with desk.web.admin() as admin:
        page = await admin.post("/call/+79035550123", data=form)

    assert page.status_code == status
    assert message in page.text
    assert desk.pbx.orders == []


async def test_a_foreign_page_s_form_rings_nobody() -> None:
    desk = OrdersFixture()
    async with desk.web.admin() as admin:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            answer = await admin.post(
                "/call/+79035550123", data={"extension": "205"}, headers=headers
            )
            assert answer.status_code == 403

    assert desk.pbx.orders == []


@pytest.mark.parametrize("link", ["nowhere", "205", "%3Cscript%3Ealert(1)%3C%2Fscript%3E"])
async def test_a_link_to_no_number_offers_no_button(link: str) -> None:
    async with OrdersFixture().web.admin() as admin:
        page = await admin.get(f"/call/{link}")

    assert "not a telephone number" in page.text
    assert "Place the call" not in page.text
    assert "<script>" not in page.text


async def test_without_the_cabinet_s_key_the_page_says_so() -> None:
    async with web_with_known_caller().admin() as admin:
        page = await admin.get("/call/+79035550123")

    assert "BRIDGE_SIPUNI_KEY" in page.text
    assert "Place the call" not in page.text
