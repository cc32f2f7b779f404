"""One object or record under servers that answer oddly."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from msgspec import Struct, field

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.writing.record_keys import phone_call_key, reminder_key, subject_key
from bridge.adapters.onec.writing.records import ODataRecords
from bridge.adapters.onec.writing.reminders import ODataReminders
from bridge.domain.delivery.document_drafts import ReminderDraft
from bridge.domain.directory.entities import Ref
from bridge.errors import (
    OneCFilteredByWebServer,
    OneCNotPublished,
    OneCObjectMissing,
    OneCOutcomeUnknown,
    OneCUnavailable,
    OneCVersionConflict,
)

pytestmark = pytest.mark.anyio

CALL = Ref("11111111-0000-5000-8000-00000000000a")
USER = Ref("33333333-0000-4000-8000-000000000003")
ROW = {"Ref_Key": CALL.upper(), "DataVersion": "AAAAAAAAAAE=", "Тема": "старая", "Число": 1.50}
PLACE = phone_call_key(CALL)
PAGE_404 = httpx.Response(404, html="<title>404 - File or directory not found.</title>")


class Body(Struct):
    subject: str = field(name="Тема", default="новая")


class Scripted(httpx.AsyncBaseTransport):
    """Answers each method with its own script and keeps what was asked."""

    def __init__(self, **answers: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answers = answers
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.asked.append(request)
        return self.answers[request.method](request)

    def bodies(self, method: str) -> list[dict[str, Any]]:
        return [json.loads(r.content) for r in self.asked if r.method == method]


def records(server: Scripted) -> ODataRecords:
    return ODataRecords(ODataClient(ODataConfig("http://h/ut", "u", "p"), transport=server))


def page(*rows: dict[str, Any]) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(200, json={"value": list(rows)})


def answers(status: int, body: Any = None) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, json=body)


def refused(status: int, code: str, text: str) -> Callable[[httpx.Request], httpx.Response]:
    error = {"odata.error": {"code": code, "message": {"lang": "ru", "value": text}}}
    return answers(status, error)


def patches_never(_: httpx.Request) -> httpx.Response:
    """Refuse as the standalone server does: no length, and a body that never comes."""

    async def silence() -> AsyncIterator[bytes]:
        pytest.fail("the body was waited for")
        yield b""  # type: ignore[unreachable]  # makes it a generator

    return httpx.Response(405, content=silence())


def test_keys_are_spelt_as_1c_reads_them() -> None:
    assert PLACE.path == f"Document_ТелефонныйЗвонок(guid'{CALL}')"
    assert subject_key(CALL).path == (
        f"InformationRegister_ПредметыПапкиВзаимодействий(Взаимодействие='{CALL}',"
        "Взаимодействие_Type='StandardODATA.Document_ТелефонныйЗвонок')"
    )
    reminder = reminder_key(USER, "2026-11-23T12:30:00", CALL)

    assert reminder.path == (
        f"InformationRegister_НапоминанияПользователя(Пользователь_Key=guid'{USER}',"
        f"ВремяСобытия=datetime'2026-11-23T12:30:00',Источник='{CALL}',"
        "Источник_Type='StandardODATA.Document_ТелефонныйЗвонок')"
    )
    assert reminder.condition == (
        f"Пользователь_Key eq guid'{USER}' and ВремяСобытия eq datetime'2026-11-23T12:30:00'"
        f" and Источник eq cast(guid'{CALL}','Document_ТелефонныйЗвонок')"
    )


def test_the_address_of_a_reminder_fits_into_a_piece_of_a_path() -> None:
    assert len(reminder_key(USER, "2026-11-23T12:30:00", CALL).path) <= 260


async def test_a_field_that_1c_forgets_silently_is_reported() -> None:
    server = Scripted(PATCH=answers(200, {"Ref_Key": CALL, "DataVersion": "AAAAAAAAAAI="}))

    with pytest.raises(OneCNotPublished, match="Тема"):
        await records(server).update(PLACE, Body())


@pytest.mark.parametrize("answer", [httpx.Response(200), httpx.Response(204)])
async def test_an_answer_without_a_body_is_taken_as_done(answer: httpx.Response) -> None:
    server = Scripted(PATCH=lambda _: answer, DELETE=lambda _: answer)

    await records(server).update(PLACE, Body())
    await records(server).delete(PLACE)
    assert server.bodies("PATCH") == [{"Тема": "новая"}]
    assert server.asked[-1].content == b""


async def test_an_answer_with_control_characters_is_read() -> None:
    body = '{"Тема": "но\x01вая"}'.encode()
    server = Scripted(PATCH=lambda _: httpx.Response(200, content=body))

    await records(server).update(PLACE, Body())
    assert len(server.asked) == 1


async def test_put_sends_all_that_stands_there_with_the_change_in_it() -> None:
    row = {
        **ROW,
        "odata.metadata": "x",
        "Тип@navigationLinkUrl": "x",
        "Строки": [{"LineNumber": "1"}],
    }
    server = Scripted(PATCH=patches_never, GET=page(row), PUT=answers(200, {"Тема": "новая"}))
    writer = records(server)
    await writer.update(PLACE, Body())
    await writer.update(PLACE, Body())

    assert [r.method for r in server.asked] == ["PATCH", "GET", "PUT", "GET", "PUT"]
    kept = {**ROW, "Тема": "новая", "Строки": [{"LineNumber": "1"}]}
    assert server.bodies("PUT") == [kept, kept]
    assert b"1.5" in server.asked[-1].content


async def test_numbers_keep_the_digits_they_came_with() -> None:
    body = f'{{"value": [{{"Ref_Key": "{CALL}", "Число": 1.50000000000000000000001}}]}}'
    server = Scripted(
        PATCH=patches_never,
        GET=lambda _: httpx.Response(200, content=body.encode()),
        PUT=answers(204),
    )
    await records(server).update(PLACE, Body())

    assert b"1.50000000000000000000001" in server.asked[-1].content


async def test_a_server_that_takes_neither_is_asked_to_patch_again_next_time() -> None:
    server = Scripted(PATCH=patches_never, GET=page(ROW), PUT=patches_never)
    writer = records(server)
    for _ in range(2):
        with pytest.raises(OneCFilteredByWebServer, match=r"PUT.*405"):
            await writer.update(PLACE, Body())

    assert [r.method for r in server.asked] == ["PATCH", "GET", "PUT"] * 2


@pytest.mark.parametrize("rows", [(ROW, ROW), ({**ROW, "Ref_Key": USER},), ({"Тема": "чужая"},)])
async def test_nothing_is_put_over_what_is_not_proven_to_be_ours(
    rows: tuple[dict[str, Any], ...],
) -> None:
    server = Scripted(PATCH=patches_never, GET=page(*rows), PUT=answers(200))

    with pytest.raises(OneCUnavailable, match="another question"):
        await records(server).update(PLACE, Body())
    assert server.bodies("PUT") == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_verb_that_the_web_server_hides_is_not_taken_for_a_gone_record(method: str) -> None:
    server = Scripted(GET=page(ROW), PATCH=lambda _: PAGE_404, DELETE=lambda _: PAGE_404)
    writer = records(server)

    with pytest.raises(OneCFilteredByWebServer, match=f"does not let {method} through"):
        await (writer.update(PLACE, Body()) if method == "PATCH" else writer.delete(PLACE))


async def test_behind_a_page_only_an_empty_set_means_gone() -> None:
    server = Scripted(GET=page(), DELETE=lambda _: PAGE_404)
    with pytest.raises(OneCObjectMissing):
        await records(server).delete(PLACE)
    for look in (answers(503), answers(200, {"nothing": []})):
        server.answers["GET"] = look
        with pytest.raises(OneCUnavailable):
            await records(server).delete(PLACE)


async def test_a_server_without_delete_says_so() -> None:
    with pytest.raises(OneCFilteredByWebServer, match="does not let DELETE through"):
        await records(Scripted(DELETE=patches_never)).delete(PLACE)


async def test_a_reminder_that_a_change_created_anew_is_deleted_again() -> None:
    at = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    row = {"Пользователь_Key": USER, "ВремяСобытия": "2026-11-23T12:30:00", "Источник": CALL}
    server = Scripted(
        GET=page(row),  # dismissed right after the look
        PATCH=answers(200, {"Описание": "новое", "СрокНапоминания": "0001-01-01T00:00:00"}),
        DELETE=answers(204),
    )
    client = ODataClient(ODataConfig("http://h/ut", "u", "p"), transport=server)
    register = ODataReminders(client, ZoneInfo("Europe/Moscow"))

    assert not await register.change_reminder(ReminderDraft(USER, at, CALL, "новое"))
    assert [r.method for r in server.asked] == ["GET", "PATCH", "DELETE"]


async def test_1cs_own_error_needs_no_second_request() -> None:
    server = Scripted(DELETE=refused(404, "9", "Экземпляр сущности не найден"))

    with pytest.raises(OneCObjectMissing):
        await records(server).delete(PLACE)
    assert len(server.asked) == 1


async def test_the_version_seen_is_sent_along() -> None:
    server = Scripted(PATCH=answers(200, ROW))
    await records(server).update(PLACE, Body(), version="AAAAAAAAAAE=")
    await records(server).update(PLACE, Body())

    assert [r.headers.get("If-Match") for r in server.asked] == ["AAAAAAAAAAE=", None]


async def test_a_server_that_spells_versions_otherwise_is_no_conflict() -> None:
    differs = refused(412, "-1", "Версия не совпадает")

    def patch(request: httpx.Request) -> httpx.Response:
        return differs(request) if "If-Match" in request.headers else answers(200, ROW)(request)

    server = Scripted(PATCH=patch, GET=page(ROW))
    await records(server).update(PLACE, Body(), version="AAAAAAAAAAE=")
    assert server.bodies("PATCH")[-1] == {"Тема": "новая"}

    with pytest.raises(OneCVersionConflict):
        # The same letters in another case are another version.
        await records(server).update(PLACE, Body(), version="aAAAAAAAAAE=")


async def test_a_page_with_status_200_says_nothing_about_the_change() -> None:
    server = Scripted(
        PATCH=lambda _: httpx.Response(200, html="<title>Технические работы</title>"),
        DELETE=lambda _: httpx.Response(200, html="<title>Технические работы</title>"),
    )

    with pytest.raises(OneCOutcomeUnknown):
        await records(server).update(PLACE, Body())
    with pytest.raises(OneCOutcomeUnknown):
        await records(server).delete(PLACE)
