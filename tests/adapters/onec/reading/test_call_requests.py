"""Calls that managers order by writing a document in UT."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from bridge.adapters.onec.reading.call_requests import ODataCallRequests
from bridge.domain.delivery.document_drafts import CallRequest, ContactRef
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Ref
from bridge.errors import OneCNotPublished, OneCUnavailable
from bridge.lab.onec.simulator import OneCLab
from tests.support.onec_lab import NOW, make_client, make_draft, make_journal, make_lab

pytestmark = pytest.mark.anyio

CALLS = "Document_ТелефонныйЗвонок"
ZERO = "00000000-0000-0000-0000-000000000000"
USER = Ref("33333333-0000-4000-8000-000000000003")
PERSON = Ref("22222222-0000-4000-8000-000000000002")
_refs: Iterator[int] = count(1)


def order(lab: OneCLab, **fields: Any) -> Ref:
    """Write a document as a manager does."""
    ref = Ref(f"44444444-0000-4000-8000-{next(_refs):012x}")
    row = {
        "Ref_Key": ref,
        "Date": "2026-11-23T12:30:00",
        "Входящий": False,
        "Тема": "Позвонить насчёт договора",
        "Описание": "спросить Петра",
        "АбонентКакСвязаться": " 8 903 555-01-23 ",
        "Ответственный_Key": USER,
        **fields,
    }
    lab.infobase.tables[CALLS].put(row)
    return ref


async def ordered(
    lab: OneCLab, since: datetime = NOW - timedelta(minutes=5), mark: str = "позвонить"
) -> list[CallRequest]:
    requests = ODataCallRequests(make_client(lab), lab.zone)
    found = list(await requests.find_call_requests(since, mark))
    await requests.aclose()
    return found


async def test_an_outgoing_document_with_the_mark_orders_a_call() -> None:
    lab = make_lab(5)
    document = order(
        lab,
        АбонентКонтакт=PERSON,
        АбонентКонтакт_Type="StandardODATA.Catalog_КонтактныеЛицаПартнеров",
    )

    assert await ordered(lab) == [
        CallRequest(
            document=document,
            at=NOW,
            subject="Позвонить насчёт договора",
            description="спросить Петра",
            user=USER,
            how_to_reach="8 903 555-01-23",
            contact=ContactRef(CandidateKind.CONTACT, PERSON),
        )
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"Входящий": True},
        {"DeletionMark": True},
        {"Тема": "Созвон"},
        {"Комментарий": "уже было [bridge:k7]"},
        {"Date": "2026-11-23T12:20:00"},
    ],
)
async def test_other_documents_order_nothing(fields: dict[str, Any]) -> None:
    lab = make_lab(5)
    order(lab, **fields)

    assert await ordered(lab) == []


@pytest.mark.parametrize("subject", ["ПОЗВОНИТЬ!", "надо бы позвонить завтра", "Позвонить"])
async def test_the_mark_is_found_in_any_case_and_anywhere(subject: str) -> None:
    lab = make_lab(5)
    order(lab, Тема=subject)

    assert len(await ordered(lab, mark=" Позвонить ")) == 1
    assert await ordered(lab, mark="  ") == []


async def test_what_the_bridge_wrote_orders_nothing() -> None:
    lab = make_lab(5)
    document = await make_journal(lab).create_phone_call(make_draft(lab))
    lab.edit(CALLS, document, Входящий=False, Тема="позвонить")

    assert await ordered(lab) == []


async def test_the_author_orders_where_nobody_is_responsible() -> None:
    lab = make_lab(5)
    order(lab, Ответственный_Key=ZERO, Автор_Key=USER)
    order(lab, Ответственный_Key=ZERO, Автор_Key=ZERO)

    assert {request.user for request in await ordered(lab)} == {USER, None}


@pytest.mark.parametrize(
    ("kind", "contact"),
    [
        ("Catalog_Партнеры", ContactRef(CandidateKind.PARTNER, PERSON)),
        ("Catalog_СтроковыеКонтактыВзаимодействий", None),
        ("Undefined", None),
    ],
)
async def test_a_contact_is_a_partner_or_a_contact_person(
    kind: str, contact: ContactRef | None
) -> None:
    lab = make_lab(5)
    value = "" if kind == "Undefined" else PERSON
    order(lab, АбонентКонтакт=value, АбонентКонтакт_Type=f"StandardODATA.{kind}")

    [request] = await ordered(lab)
    assert request.contact == contact


async def test_the_oldest_comes_first_and_times_are_instants() -> None:
    lab = make_lab(5)
    late, early = order(lab, Date="2026-11-23T12:31:00"), order(lab, Date="2026-11-23T12:29:00")
    found = await ordered(lab)

    assert [request.document for request in found] == [early, late]
    assert found[0].at == NOW - timedelta(minutes=1)


async def test_a_document_of_the_hour_that_autumn_repeats_is_not_missed() -> None:
    lab = make_lab(5)
    lab.zone = type(lab.zone)("Europe/Berlin")
    since = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)  # 02:50, the first time
    document = order(lab, Date="2026-10-25T02:10:00")  # written 20 minutes after it

    [found] = await ordered(lab, since)
    assert (found.document, found.at) == (document, since + timedelta(minutes=20))


async def test_the_look_is_one_narrow_question() -> None:
    lab = make_lab(5)
    order(lab)
    await ordered(lab)

    [asked] = lab.request_log
    assert (asked.method, asked.set, asked.status) == ("GET", CALLS, 200)
    assert "$select=" in asked.query
    assert len(asked.query) < 2048


async def test_trouble_is_reported_as_reads_report_it() -> None:
    lab = make_lab(5)
    lab.switches.unpublished = {CALLS}
    with pytest.raises(OneCNotPublished, match=CALLS):
        await ordered(lab)
    lab.faults.add("down")
    with pytest.raises(OneCUnavailable):
        await ordered(lab)
