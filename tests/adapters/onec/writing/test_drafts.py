"""What 1C is sent, field by field, and instants against its wall clock."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from bridge.adapters.onec.protocol.wall_clock import instant, wall_time
from bridge.adapters.onec.writing.drafts import (
    phone_call_body,
    reminder_body,
    subject_body,
)
from bridge.domain.delivery.document_drafts import (
    ContactRef,
    PhoneCallDraft,
    ReminderDraft,
)
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Ref

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
CALL = Ref("11111111-0000-5000-8000-000000000001")
PERSON = Ref("22222222-0000-4000-8000-000000000002")
MANAGER = Ref("33333333-0000-4000-8000-000000000003")
ZERO = "00000000-0000-0000-0000-000000000000"
UNDEFINED = "StandardODATA.Undefined"
AT = datetime(2026, 11, 23, 9, 30, 15, 999_000, tzinfo=UTC)


def draft(**changes: Any) -> PhoneCallDraft:
    fields: dict[str, Any] = {
        "key": "k1",
        "proposed_ref": CALL,
        "at": AT,
        "incoming": True,
        "subject": "Входящий звонок: Иванов",
        "description": "Звонит: +7 (903) 555-01-23\nЛиния: 74951234567",
        "presentation": "Иванов",
        "how_to_reach": "+7 (903) 555-01-23",
        "comment": "[bridge:k1]",
        "contact": ContactRef(CandidateKind.CONTACT, PERSON),
        "responsible": MANAGER,
    }
    return PhoneCallDraft(**{**fields, **changes})


def sent(body: msgspec.Struct) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body))
    return found


def test_a_phone_call_is_sent_with_every_field() -> None:
    assert sent(phone_call_body(draft(), MOSCOW)) == {
        "Ref_Key": CALL,
        "Date": "2026-11-23T12:30:15",
        "Входящий": True,
        "Важность": "Обычная",
        "Тема": "Входящий звонок: Иванов",
        "Описание": "Звонит: +7 (903) 555-01-23\nЛиния: 74951234567",
        "АбонентКонтакт": PERSON,
        "АбонентКонтакт_Type": "StandardODATA.Catalog_КонтактныеЛицаПартнеров",
        "АбонентПредставление": "Иванов",
        "АбонентКакСвязаться": "+7 (903) 555-01-23",
        "Автор_Key": MANAGER,
        "Ответственный_Key": MANAGER,
        "Комментарий": "[bridge:k1]",
        "ВзаимодействиеОснование": "",
        "ВзаимодействиеОснование_Type": UNDEFINED,
    }


def test_a_call_of_nobody_known_to_nobody_has_empty_references() -> None:
    body = sent(phone_call_body(draft(contact=None, responsible=None), MOSCOW))

    assert (body["АбонентКонтакт"], body["АбонентКонтакт_Type"]) == ("", UNDEFINED)
    assert (body["Автор_Key"], body["Ответственный_Key"]) == (ZERO, ZERO)


def test_a_partner_may_be_the_contact_and_a_counterparty_never() -> None:
    partner = phone_call_body(draft(contact=ContactRef(CandidateKind.PARTNER, PERSON)), MOSCOW)
    entity = phone_call_body(draft(contact=ContactRef(CandidateKind.COUNTERPARTY, PERSON)), MOSCOW)

    assert sent(partner)["АбонентКонтакт_Type"] == "StandardODATA.Catalog_Партнеры"
    assert sent(entity)["АбонентКонтакт_Type"] == UNDEFINED


def test_texts_lose_what_would_make_them_unreadable_in_atom() -> None:
    body = sent(phone_call_body(draft(subject="Ив\x00ан\x1b\ud800ов", description="а\nб"), MOSCOW))

    assert body["Тема"] == "Иван?ов"
    assert body["Описание"] == "а\nб"


def test_a_call_is_its_own_subject() -> None:
    kind = "StandardODATA.Document_ТелефонныйЗвонок"
    assert sent(subject_body(CALL)) == {
        "Взаимодействие": CALL,
        "Взаимодействие_Type": kind,
        "Предмет": CALL,
        "Предмет_Type": kind,
        "ПапкаЭлектронногоПисьма_Key": ZERO,
        "Рассмотрено": False,
        "РассмотретьПосле": "0001-01-01T00:00:00",
    }


def test_a_reminder_is_due_at_its_event_and_sends_no_interval() -> None:
    reminder = ReminderDraft(MANAGER, AT, CALL, "Звонит Иванов")
    assert sent(reminder_body(reminder, MOSCOW)) == {
        "Пользователь_Key": MANAGER,
        "ВремяСобытия": "2026-11-23T12:30:15",
        "Источник": CALL,
        "Источник_Type": "StandardODATA.Document_ТелефонныйЗвонок",
        "СрокНапоминания": "2026-11-23T12:30:15",
        "Описание": "Звонит Иванов",
        "СпособУстановкиВремениНапоминания": "ВУказанноеВремя",
        "ИмяРеквизитаИсточника": "",
        "ПредставлениеИсточника": "",
        "Идентификатор": "",
    }


def test_years_have_four_digits() -> None:
    assert wall_time(datetime(7, 1, 2, tzinfo=UTC), ZoneInfo("UTC")) == "0007-01-02T00:00:00"


@pytest.mark.parametrize("hour", [0, 1])
def test_the_hour_that_autumn_repeats_is_read_back_as_it_was_written(hour: int) -> None:
    at = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)  # both are 02:30 in Berlin
    wall = wall_time(at, BERLIN)

    assert wall == "2026-10-25T02:30:00"
    assert instant(wall, BERLIN, near=at + timedelta(seconds=40)) == at


def test_the_hour_that_spring_skips_does_not_break_reading() -> None:
    near = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

    assert abs(instant("2026-03-29T02:30:00", BERLIN, near) - near) <= timedelta(hours=1)
