"""Whatever stands where 1C should: every request ends in a value or in an error of ours."""

import json
from collections.abc import Awaitable, Callable
from zoneinfo import ZoneInfo

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.reading.call_requests import ODataCallRequests
from bridge.adapters.onec.reading.lookup import ODataLookup
from bridge.adapters.onec.reading.source import ODataSource
from bridge.adapters.onec.sign_in import ODataSignIn
from bridge.adapters.onec.writing.journal import ODataJournal
from bridge.domain.delivery.document_drafts import (
    ContactRef,
    PhoneCallChange,
    PhoneCallDraft,
    ReminderDraft,
)
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import EntityKind
from bridge.domain.phone.phone import PhoneRules
from bridge.errors import BridgeError
from tests.support.builders import NOON, NUMBER, ref

MSK = ZoneInfo("Europe/Moscow")
DRAFT = PhoneCallDraft(
    key="k1",
    proposed_ref=ref("k1"),
    at=NOON,
    incoming=True,
    subject="Входящий звонок",
    description="Звонит",
    presentation="Ромашка",
    how_to_reach="+7 (903) 555-01-23",
    comment="[bridge:k1]",
    contact=ContactRef(CandidateKind.PARTNER, ref("partner")),
    responsible=ref("user"),
)
REMINDER = ReminderDraft(user=ref("user"), at=NOON, document=ref("document"), text="Звонок")

#: Columns that the bridge reads, with whatever a broken publication may put into them.
COLUMNS = (
    "Ref_Key DataVersion Description Code Parent_Key Owner_Key Партнер_Key DeletionMark Date "
    "Number Недействителен Служебный Представление НомерТелефона Значение ЗначенияПолей "
    "Комментарий value КонтактнаяИнформация ДополнительныеРеквизиты odata.error code message "
    "LineNumber Тип Тема"
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ("", ref("x"), "0001-01-01T00:00:00", "2026-13-45T99:00:00", "AAAAAQAAAAA=", "Телефон")
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(COLUMNS.split()), inner, max_size=6)
    ),
    max_leaves=20,
)
documents = st.one_of(values, st.lists(values, max_size=4).map(lambda rows: {"value": rows}))
bodies = st.one_of(
    documents.map(lambda document: json.dumps(document).encode()),
    documents.map(lambda document: json.dumps(document).encode()[:-3]),
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode("cp1251", "replace")),
    st.sampled_from(
        (
            b"",
            b"null",
            b"12",
            b"\xef\xbb\xbf{}",
            b"<html><head><title>1C</title></head><body>" + "Нет прав".encode() + b"</body></html>",
            b"<?xml version='1.0'?><error><code>8</code><message>no</message></error>",
            b"[" * 5000,
            b'{"value":' * 2000,
        )
    ),
)
answers = st.tuples(
    st.sampled_from(
        (200, 200, 200, 201, 204, 206, 301, 302, 400, 401, 403, 404, 409, 412, 413, 418)
    )
    | st.integers(500, 599),
    st.sampled_from(
        (
            "application/json;odata=minimalmetadata;charset=utf-8",
            "application/json",
            "text/html; charset=windows-1251",
            "text/plain; charset=utf-99",
            "application/xml",
            "",
        )
    ),
    bodies,
)

#: What a person can still read in a log line.
_LONGEST_SENTENCE = 2_000

Request = Callable[[ODataClient], Awaitable[object]]


def source(client: ODataClient) -> ODataSource:
    return ODataSource(
        client, rules=PhoneRules(), extension_attribute="Внутренний номер", metadata_cache=None
    )


def journal(client: ODataClient) -> ODataJournal:
    return ODataJournal(client, MSK)


async def fetch_partners(client: ODataClient) -> None:
    async for _ in source(client).fetch(EntityKind.PARTNER, [ref("x")], 1):
        pass


REQUESTS: dict[str, Request] = {
    "list partners": lambda c: source(c).listing(EntityKind.PARTNER),
    "list managers": lambda c: source(c).listing(EntityKind.MANAGER),
    "fetch partners": fetch_partners,
    "extensions": lambda c: source(c).extension_sources(),
    "find calls": lambda c: journal(c).find_phone_calls(DRAFT),
    "create a call": lambda c: journal(c).create_phone_call(DRAFT),
    "mark a call": lambda c: journal(c).set_deletion_mark(ref("document")),
    "read a call": lambda c: journal(c).read_phone_call(ref("document")),
    "change a call": lambda c: journal(c).change_phone_call(
        ref("document"), PhoneCallChange(subject="x")
    ),
    "create a subject": lambda c: journal(c).create_subject(ref("document")),
    "has a subject": lambda c: journal(c).has_subject(ref("document")),
    "consider": lambda c: journal(c).set_considered(ref("document"), considered=True),
    "create a reminder": lambda c: journal(c).create_reminder(REMINDER),
    "has a reminder": lambda c: journal(c).has_reminder(REMINDER),
    "read a reminder": lambda c: journal(c).read_reminder(REMINDER),
    "change a reminder": lambda c: journal(c).change_reminder(REMINDER),
    "withdraw a reminder": lambda c: journal(c).delete_reminder(REMINDER),
    "look a caller up": lambda c: ODataLookup(
        c, rules=PhoneRules(), find_partner=lambda _: None
    ).find_owners(NUMBER),
    "calls ordered in 1C": lambda c: ODataCallRequests(c, MSK).find_call_requests(
        NOON, "позвонить"
    ),
}
SIGN_IN = "sign in"


@pytest.mark.parametrize("name", [*REQUESTS, SIGN_IN])
def test_no_answer_breaks_a_request(name: str) -> None:
    async def ask(answers_given: list[tuple[int, str, bytes]]) -> None:
        turn = iter(range(10_000))

        def answer(_: httpx.Request) -> httpx.Response:
            status, kind, body = answers_given[next(turn) % len(answers_given)]
            return httpx.Response(status, headers={"content-type": kind}, content=body)

        def connect(*_: str) -> ODataClient:
            config = ODataConfig(url="http://1c/ut11", user="x", password="x")
            return ODataClient(config, transport=httpx.MockTransport(answer))

        client = connect()
        found: BridgeError | None = None
        try:
            if name == SIGN_IN:
                await ODataSignIn(connect, lambda: NOON).check_credentials("Анна", "x")
            else:
                await REQUESTS[name](client)
        except BridgeError as error:
            found = error
        finally:
            await client.aclose()
        assert found is None or 0 < len(str(found)) < _LONGEST_SENTENCE

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(answers_given=st.lists(answers, min_size=1, max_size=4))
    def run_any_answers(answers_given: list[tuple[int, str, bytes]]) -> None:
        anyio.run(ask, answers_given)

    run_any_answers()
