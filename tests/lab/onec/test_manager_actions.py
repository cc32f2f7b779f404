"""The simulated 1C takes what comes after a call: changes, withdrawals, people at their desks."""

from datetime import datetime, timedelta
from typing import Any, Literal

import httpx
import pytest

from bridge.lab.onec.infobase.infobase import (
    CALL_CONTACTS,
    CONTACT_PERSONS,
    PARTNERS,
    PHONE_CALLS,
    REMINDERS,
    STRING_CONTACTS,
    SUBJECTS,
    USERS,
)
from bridge.lab.onec.infobase.schema import EMPTY_REF
from tests.lab.onec.onec_client import OneCClient, error_of, open_lab

pytestmark = pytest.mark.anyio

CALL_TYPE = f"StandardODATA.{PHONE_CALLS}"
#: 10:00 on the server, whose zone is Moscow's; the clock of the lab stands still.
TODAY = "2026-11-22T10:00:00"


@pytest.fixture
def onec() -> OneCClient:
    return open_lab()


def subject_address(call: str) -> str:
    key = f"Взаимодействие='{call}',Взаимодействие_Type='{CALL_TYPE}'"
    return f"/{SUBJECTS}({key})?$format=json"


def reminder_address(onec: OneCClient, call: str, at: str = TODAY) -> str:
    key = (
        f"Пользователь_Key=guid'{onec.a_user()}',ВремяСобытия=datetime'{at}',"
        f"Источник='{call}',Источник_Type='{CALL_TYPE}'"
    )
    return f"/{REMINDERS}({key})?$format=json"


async def a_journalled_call(onec: OneCClient, contact: str = "") -> str:
    """Write what the bridge writes: the call, its subject, its reminder."""
    contact = contact or onec.a_partner()
    call = await onec.a_call(
        АбонентКонтакт=contact, АбонентКонтакт_Type=f"StandardODATA.{PARTNERS}"
    )
    subject = {
        "Взаимодействие": call,
        "Взаимодействие_Type": CALL_TYPE,
        "Предмет": call,
        "Предмет_Type": CALL_TYPE,
    }
    assert (await onec.post(SUBJECTS, subject)).status_code == 200
    assert (await onec.remind(call, ВремяСобытия=TODAY, СрокНапоминания=TODAY)).status_code == 200
    return call


# ------------------------------------------------------------------ the document is completed


async def test_a_call_is_completed_and_comes_back_whole(onec: OneCClient) -> None:
    call, user = await a_journalled_call(onec), onec.a_user()
    outcome = {
        "Тема": "Пропущенный звонок",
        "Описание": "Ждал 31 с\nНикто не ответил",
        "Комментарий": "[bridge:1]",
        "Ответственный_Key": user,
    }

    response = await onec.patch(PHONE_CALLS, call, outcome)

    (row,) = onec.lab.phone_calls()
    assert response.status_code == 200
    assert response.json()["Ref_Key"] == call
    assert {name: row[name] for name in outcome} == outcome
    assert response.json()["DataVersion"]


async def test_reviewed_is_no_attribute_of_the_document(onec: OneCClient) -> None:
    call = await a_journalled_call(onec)

    response = await onec.patch(PHONE_CALLS, call, {"Рассмотрено": True})

    assert response.status_code == 200
    assert "Рассмотрено" not in response.json()
    assert onec.lab.subjects()[0]["Рассмотрено"] is False


async def test_a_contact_found_later_moves_the_call_into_its_list(onec: OneCClient) -> None:
    person = next(iter(onec.lab.infobase.tables[CONTACT_PERSONS].rows))
    call = await a_journalled_call(onec)

    await onec.patch(
        PHONE_CALLS,
        call,
        {"АбонентКонтакт": person, "АбонентКонтакт_Type": f"StandardODATA.{CONTACT_PERSONS}"},
    )

    (record,) = onec.lab.infobase.rows(CALL_CONTACTS)
    assert record["Контакт"] == person
    assert [row["Ref_Key"] for row in onec.lab.interaction_list(str(person))] == [call]
    assert onec.lab.interaction_list(onec.a_partner()) == []


async def test_a_document_that_is_gone_is_not_found(onec: OneCClient) -> None:
    call = await a_journalled_call(onec)
    onec.lab.delete(PHONE_CALLS, call)

    assert error_of(await onec.patch(PHONE_CALLS, call, {"Описание": "…"}))[:2] == (404, "9")


# ------------------------------------------------------------------ its records are changed


async def test_a_call_becomes_reviewed_by_its_record(onec: OneCClient) -> None:
    partner = onec.a_partner()
    call = await a_journalled_call(onec, partner)

    response = await onec.http.patch(subject_address(call), json={"Рассмотрено": True})

    (subject,) = onec.lab.subjects()
    (listed,) = onec.lab.interaction_list(partner)
    assert response.status_code == 200
    assert "DataVersion" not in response.json()
    assert (subject["Рассмотрено"], subject["Предмет"]) == (True, call)
    assert listed["Рассмотрено"] is True


async def test_the_contacts_counter_waits_for_the_next_write_of_the_document(
    onec: OneCClient,
) -> None:
    call = await a_journalled_call(onec)

    await onec.http.patch(subject_address(call), json={"Рассмотрено": True})
    before = onec.lab.contact_states()[0]["КоличествоНеРассмотрено"]
    await onec.patch(PHONE_CALLS, call, {})
    after = onec.lab.contact_states()[0]["КоличествоНеРассмотрено"]

    assert (before, after) == (1, 0)


@pytest.mark.parametrize("address", [subject_address, None])
async def test_a_record_that_is_gone_is_not_found(onec: OneCClient, address: Any) -> None:
    call = await onec.a_call()
    path = address(call) if address else reminder_address(onec, call)

    changed = await onec.http.patch(path, json={"РассмотретьПосле": TODAY})
    deleted = await onec.http.delete(path)

    assert error_of(changed)[:2] == error_of(deleted)[:2] == (404, "9")


async def test_a_change_may_revive_a_dismissed_reminder(onec: OneCClient) -> None:
    onec.lab.switches.register_patch = "upsert"
    call = await a_journalled_call(onec)
    onec.lab.dismiss_reminder(call)

    response = await onec.http.patch(reminder_address(onec, call), json={"Описание": "снова"})

    assert response.status_code == 200
    assert [row["Описание"] for row in onec.lab.reminders()] == ["снова"]


@pytest.mark.parametrize(
    ("switch", "moments"), [("ignored", [TODAY]), ("moved", ["2026-11-22T10:00:01"])]
)
async def test_a_dimension_in_a_patch_is_ignored_or_moves_the_record(
    onec: OneCClient, switch: Literal["ignored", "moved"], moments: list[str]
) -> None:
    onec.lab.switches.dimension_patch = switch
    call = await a_journalled_call(onec)

    await onec.http.patch(
        reminder_address(onec, call), json={"ВремяСобытия": "2026-11-22T10:00:01"}
    )

    assert [row["ВремяСобытия"] for row in onec.lab.reminders()] == moments


async def test_a_stale_version_matters_to_documents_alone(onec: OneCClient) -> None:
    onec.lab.switches.if_match = "enforced"
    call = await a_journalled_call(onec)
    stale = {"if-match": "AAAAAAAAAAA="}
    await onec.patch(PHONE_CALLS, call, {"Описание": "чужая правка"})

    document = await onec.patch(PHONE_CALLS, call, {"Описание": "наша"}, **stale)
    record = await onec.http.patch(subject_address(call), json={"Рассмотрено": True}, headers=stale)
    reminder = await onec.http.delete(reminder_address(onec, call), headers=stale)

    assert (document.status_code, record.status_code, reminder.status_code) == (412, 200, 204)


async def test_the_standalone_server_changes_no_record_either(onec: OneCClient) -> None:
    call = await a_journalled_call(onec)
    onec.lab.switches.patch = "405"

    changed = await onec.http.patch(subject_address(call), json={"Рассмотрено": True})
    deleted = await onec.http.delete(reminder_address(onec, call))

    assert (changed.status_code, deleted.status_code) == (405, 204)


async def test_a_key_of_a_reminder_does_not_fit_where_encoded_characters_count(
    onec: OneCClient,
) -> None:
    call = await a_journalled_call(onec)
    onec.lab.switches.iis_counts_encoded = True

    refused = await onec.http.delete(reminder_address(onec, call))
    onec.lab.switches.iis_counts_encoded = False
    deleted = await onec.http.delete(reminder_address(onec, call))

    assert (refused.status_code, "Invalid URL" in refused.text) == (400, True)
    assert deleted.status_code == 204


@pytest.mark.parametrize("target", ["document", "subject", "reminder", "withdrawal"])
@pytest.mark.parametrize(
    ("kind", "options", "executed"),
    [
        ("data_lock", {}, False),
        ("down", {}, False),
        ("timeout", {"seconds": 60}, False),
        ("lost_reply", {}, True),
        ("hung_reply", {"seconds": 60}, True),
        ("bad_gateway", {}, True),
        ("late_commit", {"after": 99}, False),
    ],
)
async def test_a_change_is_executed_or_not_whatever_the_reply(
    onec: OneCClient, target: str, kind: str, options: dict[str, Any], executed: bool
) -> None:
    call = await a_journalled_call(onec)
    method, path, body = {
        "document": ("PATCH", f"/{PHONE_CALLS}(guid'{call}')?$format=json", {"Описание": "итог"}),
        "subject": ("PATCH", subject_address(call), {"Рассмотрено": True}),
        "reminder": ("PATCH", reminder_address(onec, call), {"Описание": "итог"}),
        "withdrawal": ("DELETE", reminder_address(onec, call), None),
    }[target]

    def is_done() -> bool:
        done: dict[str, bool] = {
            "document": onec.lab.phone_calls()[0]["Описание"] == "итог",
            "subject": onec.lab.subjects()[0]["Рассмотрено"] is True,
            "reminder": [row["Описание"] for row in onec.lab.reminders()] == ["итог"],
            "withdrawal": onec.lab.reminders() == [],
        }
        return done[target]

    onec.lab.faults.add(kind, method=method, times=1, **options)
    try:
        is_answered = (await onec.http.request(method, path, json=body)).is_success
    except httpx.TransportError:
        is_answered = False

    assert (is_answered, is_done()) == (False, executed)
    onec.lab.commit_late_writes()
    assert is_done() is (executed or kind == "late_commit")


# ------------------------------------------------------------------ orders written inside УТ

QUERY = (
    "$filter=Date ge datetime'2026-11-22T09:55:00' and Входящий eq false"
    " and DeletionMark eq false and substringof('позвонить',Тема)"
)


async def test_an_order_to_call_is_found_by_its_mark(onec: OneCClient) -> None:
    lab, partner, user = onec.lab, onec.a_partner(), onec.a_user()
    written = lab.write_call(
        user,
        "Позвонить: договор",
        phone="+7 903 555-01-23",
        contact_set=PARTNERS,
        contact_ref=partner,
    )
    lab.write_call(user, "Договор", phone="+7 903 555-01-23")
    lab.write_call(user, "позвонить", phone="+7 903 555-01-23", incoming=True)
    lab.mark(PHONE_CALLS, lab.write_call(user, "позвонить", phone="1"))
    onec.clock.now -= timedelta(hours=1)
    lab.write_call(user, "позвонить", phone="+7 903 555-01-23")

    found = await onec.rows(f"/{PHONE_CALLS}", QUERY)

    assert [row["Ref_Key"] for row in found] == [written]
    assert found[0]["АбонентКонтакт"] == partner
    assert found[0]["Ответственный_Key"] == found[0]["Автор_Key"] == user


@pytest.mark.parametrize(("case", "found"), [("insensitive", 2), ("sensitive", 1)])
async def test_a_dbms_may_mind_the_case_of_letters(
    onec: OneCClient, case: Literal["insensitive", "sensitive"], found: int
) -> None:
    for subject in ("Позвонить завтра", "позвонить сегодня"):
        onec.lab.write_call(onec.a_user(), subject, phone="101")
    insensitive = len(await onec.rows(f"/{PHONE_CALLS}", QUERY))
    onec.lab.switches.text_case = case

    assert insensitive == 2
    assert len(await onec.rows(f"/{PHONE_CALLS}", QUERY)) == found
    named = await onec.rows(f"/{PHONE_CALLS}", "$filter=Тема eq 'ПОЗВОНИТЬ СЕГОДНЯ'")
    assert len(named) == (1 if case == "insensitive" else 0)


# ------------------------------------------------------------------ people at their desks


async def test_a_call_written_in_its_form_is_complete_and_visible(onec: OneCClient) -> None:
    partner, user = onec.a_partner(), onec.a_user()

    call = onec.lab.write_call(
        user, "Позвонить", phone="8 903 555-01-23", contact_set=PARTNERS, contact_ref=partner
    )

    (listed,) = onec.lab.interaction_list(partner)
    assert (listed["Ref_Key"], listed["Рассмотрено"]) == (call, False)
    assert (listed["Number"], listed["Date"]) == ("00-00000001", TODAY)
    assert (listed["Входящий"], listed["Важность"]) == (False, "Обычная")
    assert listed["АбонентПредставление"] == onec.lab.infobase.presentation(PARTNERS, partner)
    assert listed["АбонентКакСвязаться"] == "8 903 555-01-23"
    assert [row["Контакт"] for row in onec.lab.infobase.rows(CALL_CONTACTS)] == [partner]


async def test_a_call_to_a_number_alone_gets_a_string_contact(onec: OneCClient) -> None:
    onec.lab.write_call(onec.a_user(), "позвонить", phone="8 903 555-01-23")

    (contact,) = onec.lab.string_contacts()
    (record,) = onec.lab.infobase.rows(CALL_CONTACTS)
    assert contact["Description"] == "8 903 555-01-23"
    assert record["Контакт_Type"] == f"StandardODATA.{STRING_CONTACTS}"


async def test_a_person_edits_reviews_marks_and_deletes_a_call(onec: OneCClient) -> None:
    partner, lab = onec.a_partner(), onec.lab
    call = await a_journalled_call(onec, partner)
    version = lab.infobase.tables[PHONE_CALLS].version(call)

    lab.describe_call(call, "Клиент просил скидку")
    lab.review_call(call)
    lab.mark(PHONE_CALLS, call)

    (listed,) = lab.interaction_list(partner)
    assert (listed["Описание"], listed["Рассмотрено"]) == ("Клиент просил скидку", True)
    assert listed["DeletionMark"] is True
    assert lab.infobase.tables[PHONE_CALLS].version(call) > version
    lab.delete(PHONE_CALLS, call)
    assert lab.interaction_list(partner) == []


async def test_a_call_without_its_record_is_in_no_list_and_has_no_mark(
    onec: OneCClient,
) -> None:
    partner = onec.a_partner()
    call = await onec.a_call(
        АбонентКонтакт=partner, АбонентКонтакт_Type=f"StandardODATA.{PARTNERS}"
    )

    assert onec.lab.interaction_list(partner) == []
    with pytest.raises(KeyError):
        onec.lab.review_call(call)


async def test_a_reminder_pops_up_for_its_user_when_it_is_due(onec: OneCClient) -> None:
    lab, user = onec.lab, onec.a_user()
    first, second = await onec.a_call(), await onec.a_call()
    await onec.remind(second, ВремяСобытия=TODAY, СрокНапоминания=TODAY)
    await onec.remind(
        first, ВремяСобытия="2026-11-22T09:59:00", СрокНапоминания="2026-11-22T09:59:00"
    )
    await onec.remind(
        first, ВремяСобытия="2026-11-22T10:01:00", СрокНапоминания="2026-11-22T10:01:00"
    )

    now = [row["Источник"] for row in lab.due_reminders(user)]
    later = lab.due_reminders(user, datetime.fromisoformat("2026-11-22T10:01:00"))

    assert now == [first, second]
    assert len(later) == 3
    assert lab.due_reminders(EMPTY_REF) == []


async def test_a_user_without_a_login_is_not_reminded(onec: OneCClient) -> None:
    call, user = await a_journalled_call(onec), onec.a_user()

    onec.lab.edit(USERS, user, ИдентификаторПользователяИБ=EMPTY_REF)

    assert len(onec.lab.reminders()) == 1
    assert onec.lab.due_reminders(user) == []
    assert call == onec.lab.reminders()[0]["Источник"]


async def test_a_postponed_reminder_comes_back_and_keeps_its_key(onec: OneCClient) -> None:
    call, user = await a_journalled_call(onec), onec.a_user()
    onec.clock.now += timedelta(minutes=5)

    moved = onec.lab.postpone_reminder(call)

    (row,) = onec.lab.reminders()
    assert moved == 1
    assert (row["ВремяСобытия"], row["СрокНапоминания"]) == (TODAY, "2026-11-22T10:20:00")
    assert onec.lab.due_reminders(user) == []
    onec.clock.now += timedelta(minutes=15)
    assert [row["Источник"] for row in onec.lab.due_reminders(user)] == [call]


async def test_a_reminder_is_dismissed_by_its_user_alone(onec: OneCClient) -> None:
    call, user = await a_journalled_call(onec), onec.a_user()
    other = next(ref for ref in onec.lab.infobase.extensions if ref != user)
    await onec.remind(call, ВремяСобытия=TODAY, СрокНапоминания=TODAY, Пользователь_Key=other)

    assert onec.lab.dismiss_reminder(call, other) == 1
    assert [row["Пользователь_Key"] for row in onec.lab.reminders()] == [user]
    assert onec.lab.dismiss_reminder(call) == 1
    assert onec.lab.dismiss_reminder(call) == 0


async def test_manager_actions_are_reached_from_outside(onec: OneCClient) -> None:
    partner, user = onec.a_partner(), onec.a_user()
    body = {
        "user_ref": user,
        "subject": "позвонить",
        "phone": "101",
        "contact_set": PARTNERS,
        "contact_ref": partner,
    }

    async def control(method: str, path: str, body: object = None) -> Any:
        response = await onec.http.request(method, f"http://1c.test/_lab/{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    call = (await control("POST", "world/write-call", body))["result"]
    await control("POST", "world/describe-call", {"ref": call, "description": "сам"})
    await control("POST", "world/review-call", {"ref": call})
    await onec.remind(call, ВремяСобытия=TODAY, СрокНапоминания=TODAY)
    (listed,) = await control("GET", f"calls/{partner}")
    due = await control("GET", f"due/{user}")

    assert (listed["Ref_Key"], listed["Описание"], listed["Рассмотрено"]) == (call, "сам", True)
    assert [row["Источник"] for row in due] == [call]
