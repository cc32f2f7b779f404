"""`/api/v1`: typed answers, and one clear sentence for whatever cannot be done."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bridge.domain.delivery.entry import EntryState
from bridge.domain.directory.entities import EntityKind
from bridge.domain.routing.decision import EvidenceStep, Finding
from bridge.errors import (
    BridgeError,
    OneCSessionsBlocked,
    OneCUnauthorized,
    StoreError,
    SyncAlreadyRunning,
)
from bridge.ports.events import OneCAvailability
from bridge.ports.stores.directory import EntitySync, SyncReport
from tests.support.builders import (
    NOON,
    NUMBER,
    call,
    card,
    contact,
    manager,
    partner,
    question,
    ref,
)
from tests.web.web_fixture import AS_ADMIN, BASE, WebFixture, partial_report, web_with_known_caller

pytestmark = pytest.mark.anyio

CHECKS = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]


def web_with_calls(count: int = 3) -> WebFixture:
    web = web_with_known_caller()
    for n in range(count):
        at = NOON + timedelta(minutes=n)
        one = call(question(asked_time=str(n), arrived_at=at, received_at=at))
        web.ledger.stored[one.key] = one
    return web


# ---------------------------------------------------------------- calls


async def test_calls_are_listed_newest_first_and_paged() -> None:
    async with web_with_calls(3).admin() as admin:
        first = (await admin.get("/api/v1/calls", params={"limit": 2})).json()
        rest = (
            await admin.get("/api/v1/calls", params={"limit": 2, "before": first["next_before"]})
        ).json()

    assert [c["arrived_at"][14:16] for c in first["calls"] + rest["calls"]] == ["02", "01", "00"]
    assert rest["next_before"] is None


async def test_calls_of_one_number_are_found_however_it_is_typed() -> None:
    web = web_with_calls(1)
    other = call(question("+79990000000"))
    web.ledger.stored[other.key] = other
    async with web.admin() as admin:
        found = (await admin.get("/api/v1/calls", params={"number": "8 903 555-01-23"})).json()

    assert [c["number"] for c in found["calls"]] == ["+79035550123"]


async def test_a_call_has_who_to_whom_and_why() -> None:
    made = call()
    steps = (EvidenceStep(Finding.CALLER_READ, "+79035550123", "79035550123"),)
    made = replace(made, decision=replace(made.decision, evidence=steps, proven_at=NOON))
    web = WebFixture()
    web.ledger.stored[made.key] = made
    async with web.admin() as admin:
        english = (await admin.get(f"/api/v1/calls/{made.key}")).json()
        russian = (await admin.get(f"/api/v1/calls/{made.key}", params={"lang": "ru"})).json()

    assert english["caller"] == "Иванов Пётр (ООО Ромашка)"
    assert english["number"] == "+79035550123"
    assert (english["extension"], english["manager"]) == ("205", "Анна Петрова")
    assert english["rule"] == "contact_manager"
    assert english["decision"]["evidence"] == [
        {"finding": "caller_read", "words": "caller “+79035550123” read as +79035550123"}
    ]
    assert english["decision"]["candidates"][0]["partner_name"] == "ООО Ромашка"
    assert "прочитан" in russian["decision"]["evidence"][0]["words"]


# ---------------------------------------------------------------- callers


async def test_a_caller_s_card_previews_where_his_call_would_go() -> None:
    async with web_with_known_caller().admin() as admin:
        shown = (await admin.get(f"/api/v1/callers/{quote('8 (903) 555-01-23')}")).json()

    assert shown["known"]
    assert shown["number"] == "+79035550123"
    assert [c["name"] for c in shown["candidates"]] == ["Иванов Пётр"]
    assert shown["decision"]["extension"] == "205"


async def test_an_unknown_number_has_an_empty_card() -> None:
    async with web_with_known_caller().admin() as admin:
        shown = (await admin.get("/api/v1/callers/+79990000000")).json()

    assert (shown["known"], shown["candidates"]) == (False, [])
    assert shown["decision"]["rule"] == "nobody"


async def test_an_operator_s_choice_decides_between_owners() -> None:
    web = web_with_known_caller()
    other = contact("Сидоров Олег", partner="ООО Лютик")
    boris = manager("Борис", "206")
    web.directory.staff[boris.ref] = boris
    web.directory.cards[NUMBER] = card(
        contact(),
        other,
        partners=[partner(), partner("ООО Лютик", manager="Борис", code="00-00000009")],
    )
    async with web.admin() as admin:
        before = (await admin.get("/api/v1/callers/+79035550123")).json()
        after = await admin.put(
            "/api/v1/callers/+79035550123/choice", json={"owner": other.ref.upper()}
        )

    assert before["decision"]["extension"] == "205"
    assert after.status_code == 200
    assert after.json()["choice"] == other.ref
    assert after.json()["decision"]["extension"] == "206"


@pytest.mark.parametrize(
    ("number", "owner", "status"),
    [
        ("+79035550123", ref("nobody's"), 409),
        ("+79990000000", ref("Иванов Пётр"), 404),
        ("+79035550123", "nonsense", 422),
        ("nonsense", ref("Иванов Пётр"), 422),
    ],
)
async def test_a_choice_that_makes_no_sense_is_not_kept(
    number: str, owner: str, status: int
) -> None:
    web = web_with_known_caller()
    async with web.admin() as admin:
        answer = await admin.put(f"/api/v1/callers/{number}/choice", json={"owner": owner})

    assert answer.status_code == status
    assert not web.ledger.choices


async def test_explaining_records_nothing() -> None:
    web = web_with_known_caller()
    async with web.admin() as admin:
        shown_call = (
            await admin.get("/api/v1/explain", params={"number": "89035550123", "did": "200"})
        ).json()

    assert shown_call["question"]["number"] == "+79035550123"
    assert shown_call["question"]["did"] == "200"
    assert shown_call["decision"]["targets"][0]["extension"] == "205"
    assert shown_call["decision"]["evidence"]
    assert not web.ledger.stored


# ---------------------------------------------------------------- the outbox


async def test_the_outbox_shows_what_is_not_in_1c_yet() -> None:
    web = WebFixture()
    web.add_entry(call(), state=EntryState.DEAD, last_error="Нет прав")
    web.add_entry(call(question(asked_time="2")), state=EntryState.DELIVERED)
    async with web.admin() as admin:
        shown = (await admin.get("/api/v1/outbox")).json()
        delivered = (await admin.get("/api/v1/outbox", params={"state": "settled"})).json()

    assert [e["last_error"] for e in shown["entries"]] == ["Нет прав"]
    assert shown["entries"][0]["call"]["caller"] == "Иванов Пётр (ООО Ромашка)"
    assert (shown["counts"]["dead"], shown["counts"]["settled"]) == (1, 1)
    assert [e["state"] for e in delivered["entries"]] == ["settled"]


async def test_an_entry_is_found_by_the_beginning_of_its_key() -> None:
    web = WebFixture()
    entry = web.add_entry(call())
    async with web.admin() as admin:
        shown = (await admin.get(f"/api/v1/outbox/{entry.key[:8]}")).json()

    assert shown["key"] == entry.key


async def test_a_retried_entry_is_due_at_once_and_wakes_the_delivery() -> None:
    web = WebFixture()
    entry = web.add_entry(call(), state=EntryState.DEAD, attempts=4, last_error="Нет прав")
    async with web.admin() as admin:
        answer = await admin.post(f"/api/v1/outbox/{entry.key}/retry")

    assert answer.json()["state"] == "due"
    assert web.ledger.outbox[entry.key].due_at == web.now
    assert web.delivery_wakeups == 1
    assert web.event_feed.latest == "life1-1"


async def test_an_entry_the_delivery_may_be_taking_up_is_left_alone() -> None:
    web = WebFixture()
    entry = web.add_entry(call(), attempts=3, due_at=NOON + timedelta(seconds=1))
    async with web.admin() as admin:
        answer = await admin.post(f"/api/v1/outbox/{entry.key}/retry")

    assert answer.status_code == 200
    assert web.ledger.outbox[entry.key] == entry
    assert web.delivery_wakeups == 1


@pytest.mark.parametrize("state", [EntryState.SENDING, EntryState.DELIVERED])
async def test_what_is_in_1c_or_on_its_way_is_not_retried(state: EntryState) -> None:
    web = WebFixture()
    entry = web.add_entry(call(), state=state)
    async with web.admin() as admin:
        answer = await admin.post(f"/api/v1/outbox/{entry.key}/retry")

    assert answer.status_code == 409
    assert web.ledger.outbox[entry.key] == entry
    assert web.delivery_wakeups == 0


async def test_a_dropped_entry_leaves_the_call_in_the_journal() -> None:
    web = WebFixture()
    entry = web.add_entry(call(), state=EntryState.DEAD)
    async with web.admin() as admin:
        answer = await admin.delete(f"/api/v1/outbox/{entry.key}")
        again = await admin.delete(f"/api/v1/outbox/{entry.key}")

    assert (answer.status_code, again.status_code) == (204, 404)
    assert not web.ledger.outbox
    assert entry.key in web.ledger.stored


# ---------------------------------------------------------------- sync and freshness


async def test_the_last_sync_is_shown_and_null_before_the_first() -> None:
    web = WebFixture()
    async with web.admin() as admin:
        before = await admin.get("/api/v1/sync")
        web.directory.last_report = SyncReport(
            NOON,
            1.5,
            full=False,
            changed=True,
            numbers=7,
            entities=(EntitySync(EntityKind.PARTNER, listed=3, proven_at=NOON),),
            shared_extensions={"205": ("Анна", "Борис")},
        )
        after = (await admin.get("/api/v1/sync")).json()

    assert before.json() is None
    assert after["numbers"] == 7
    assert after["proven_at"] == "2026-03-04T12:00:00Z"
    assert after["shared_extensions"] == {"205": ["Анна", "Борис"]}
    assert after["entities"][0]["kind"] == "partner"


async def test_freshness_and_completeness_are_shown_for_every_entity_set() -> None:
    web = WebFixture()
    web.directory.last_report = partial_report()
    async with web.admin() as admin:
        fresh = (await admin.get("/api/v1/freshness")).json()
        sync = (await admin.get("/api/v1/sync")).json()

    partners, contacts = fresh["entities"]
    assert fresh["entities"] == sync["entities"]
    assert (partners["listed"], partners["held"], partners["unread_phones"]) == (7, 7, 2)
    assert (partners["requests"], partners["bytes"], partners["seconds"]) == (3, 4096, 1.5)
    assert (contacts["proven_at"], contacts["held"]) == ("2026-03-03T12:00:00Z", 5)
    assert "publish it in 1C" in contacts["error"]
    assert sync["proven_at"] == contacts["proven_at"]


async def test_freshness_is_shown_with_1c_s_own_names() -> None:
    web = WebFixture(onec_availability=OneCAvailability(False, "Сеансы заблокированы"))
    async with web.admin() as admin:
        shown = (await admin.get("/api/v1/freshness")).json()

    assert shown["age_seconds"] == 60
    assert (shown["onec_up"], shown["onec_words"]) == (False, "Сеансы заблокированы")


# ---------------------------------------------------------------- what cannot be done


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/api/v1/calls?limit=0", "limit"),
        ("/api/v1/calls?limit=501", "limit"),
        ("/api/v1/calls?limit=x", "limit"),
        ("/api/v1/calls?before=yesterday", "before"),
        ("/api/v1/calls?before=2026-03-04T12:00:00", "before"),
        ("/api/v1/calls?before=0001-01-01T00:00:00%2B14:00", "before"),
        ("/api/v1/calls?number=nonsense", "number"),
        ("/api/v1/calls?number=" + "7" * 101, "number"),
        ("/api/v1/calls?lang=fr", "lang"),
        ("/api/v1/callers/anonymous", "number"),
        ("/api/v1/explain", "number"),
        ("/api/v1/outbox?state=lost", "state"),
        ("/api/v1/stream?kind=weather", "kind"),
    ],
)
async def test_bad_input_is_refused_in_one_sentence(path: str, where: str) -> None:
    async with WebFixture().admin() as admin:
        answer = await admin.get(path)

    assert answer.status_code == 422
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"].startswith(where)
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize("path", ["/api/v1/calls/none", "/api/v1/outbox/none", "/api/v1/none"])
async def test_what_is_not_there_is_not_found(path: str) -> None:
    async with WebFixture().admin() as admin:
        answer = await admin.get(path)

    assert answer.status_code == 404
    assert answer.json().keys() == {"error"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StoreError("ledger.db", "disk full"), 503),
        (OneCSessionsBlocked("Catalog", "Идёт обновление"), 503),
        (OneCUnauthorized("Catalog", "no"), 502),
        (SyncAlreadyRunning("directory.db"), 409),
        (BridgeError("anything"), 500),
    ],
)
async def test_every_error_of_ours_has_its_status_and_sentence(
    error: BridgeError, status: int
) -> None:
    web = WebFixture()
    app = web.app()

    async def breaks() -> None:
        raise error

    app.add_api_route("/breaks", breaks)
    async with web.client(app=app) as somebody:
        answer = await somebody.get("/breaks")

    assert (answer.status_code, answer.json()) == (status, {"error": str(error)})


async def test_a_mistake_of_ours_shows_nothing_of_itself() -> None:
    web = WebFixture()
    app = web.app()

    async def breaks() -> None:
        raise RuntimeError("secret inside")

    app.add_api_route("/breaks", breaks)
    async with web.client(app=app) as somebody:
        answer = await somebody.get("/breaks")

    assert answer.status_code == 500
    assert "secret" not in answer.text


async def test_a_full_disk_is_named_as_the_reason() -> None:
    web = WebFixture()
    web.ledger.full_disk = True
    async with web.admin() as admin:
        answer = await admin.get("/api/v1/calls")

    assert (answer.status_code, answer.json()) == (503, {"error": "ledger.db: disk full"})


# ---------------------------------------------------------------- the description


async def test_the_description_and_its_page_are_open() -> None:
    async with WebFixture().client(peer="203.0.113.7") as somebody:
        description = await somebody.get("/openapi.json")
        page = await somebody.get("/docs")

    assert "/api/v1/calls" in description.json()["paths"]
    assert not [path for path in description.json()["paths"] if "sipuni" in path]
    assert "PUT /api/v1/callers/{number}/choice" in page.text
    assert "://" not in page.text.replace("http://127.0.0.1", "")


def operations() -> list[APIOperation[Any, Any, Any, Any]]:
    description = WebFixture().app().openapi()
    found = schemathesis.openapi.from_dict(description).get_all_operations()
    return [result.ok() for result in found]  # type: ignore[union-attr]  # a bad description raises


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
def test_the_api_keeps_to_its_description(operation: APIOperation[Any, Any, Any, Any]) -> None:
    web = web_with_calls(3)
    web.add_entry(call(), state=EntryState.DEAD, last_error="Нет прав")
    web.event_feed.close()  # streams end at once
    app = web.app()

    async def ask(sent: dict[str, Any]) -> httpx.Response:
        sent.pop("cookies")  # we read none, and httpx wants them elsewhere
        async with web.client(app=app, auth=AS_ADMIN) as admin:
            return await admin.request(**sent)

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def keeps(case: schemathesis.Case[Any]) -> None:
        answer = anyio.run(ask, case.as_transport_kwargs(base_url=BASE))
        case.validate_response(answer, checks=CHECKS)

    keeps()
