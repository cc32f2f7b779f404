"""Writing to the simulated 1C: what it forgives, what it refuses, what its handlers do."""

import httpx
import pytest

from bridge.lab.onec.infobase.infobase import (
    CALL_CONTACTS,
    CONTACT_PERSONS,
    COUNTERPARTIES,
    ORDERS,
    PARTNERS,
    PHONE_CALLS,
    PROPERTIES,
    PROPERTY_SETS,
    REMINDERS,
    STRING_CONTACTS,
    SUBJECTS,
    USERS,
)
from bridge.lab.onec.infobase.schema import EMPTY_REF
from tests.lab.onec.onec_client import NOWHERE, OneCClient, error_of, open_lab

pytestmark = pytest.mark.anyio

LOAD = {"1C_OData-DataLoadMode": "true"}


@pytest.fixture
def onec() -> OneCClient:
    return open_lab()


# ------------------------------------------------------------------ documents


async def test_a_bare_call_gets_nothing_but_number_and_date(onec: OneCClient) -> None:
    body = (await onec.post(PHONE_CALLS, {})).json()

    assert (body["Number"], body["Date"]) == ("00-00000001", "2026-11-22T10:00:00")
    assert body["Автор_Key"] == body["Ответственный_Key"] == EMPTY_REF
    assert body["Важность"] == ""
    assert body["Posted"] is False


async def test_numbers_start_anew_every_year(onec: OneCClient) -> None:
    dates = ["2025-12-31T23:59:59", "2026-01-01T00:00:00", "2026-01-02T00:00:00"]
    numbers = [(await onec.post(PHONE_CALLS, {"Date": d})).json()["Number"] for d in dates]

    assert numbers == ["00-00000001", "00-00000001", "00-00000002"]


async def test_the_created_object_is_what_a_get_returns(onec: OneCClient) -> None:
    created = (await onec.post(PHONE_CALLS, {"Тема": "Звонок"})).json()

    got = (await onec.get(f"/{PHONE_CALLS}(guid'{created['Ref_Key']}')")).json()

    assert got == created


async def test_the_clients_reference_is_not_taken_by_default(onec: OneCClient) -> None:
    body = {"Ref_Key": NOWHERE}

    refs = [(await onec.post(PHONE_CALLS, body)).json()["Ref_Key"] for _ in range(2)]

    assert NOWHERE not in refs
    assert len(set(refs)) == 2


async def test_a_long_text_is_cut_in_silence(onec: OneCClient) -> None:
    ref = await onec.a_call(АбонентКакСвязаться="9" * 238)

    assert len(onec.lab.infobase.row(PHONE_CALLS, ref)["АбонентКакСвязаться"]) == 100


async def test_a_dangling_reference_is_stored(onec: OneCClient) -> None:
    ref = await onec.a_call(Автор_Key=NOWHERE)

    assert onec.lab.infobase.row(PHONE_CALLS, ref)["Автор_Key"] == NOWHERE


async def test_null_is_an_empty_text(onec: OneCClient) -> None:
    ref = await onec.a_call(Описание=None)

    assert onec.lab.infobase.row(PHONE_CALLS, ref)["Описание"] == ""


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"Автор_Key": "менеджер"}, 400, "1"),
        ({"Входящий": "true"}, 400, "1"),
        ({"Date": "вчера"}, 400, "1"),
        ({"Date": "2026-11-22T10:00:00Z"}, 400, "1"),
        ({"Важность": "Срочная"}, 400, "1"),
        ({"Тема": ["a"]}, 500, "-1"),
        ({"АбонентКонтакт": NOWHERE, "АбонентКонтакт_Type": PARTNERS}, 400, "4"),
        (
            {"АбонентКонтакт": NOWHERE, "АбонентКонтакт_Type": f"StandardODATA.{COUNTERPARTIES}"},
            400,
            "4",
        ),
        ({"ДополнительныеРеквизиты": [{"LineNumber": "2", "Свойство_Key": EMPTY_REF}]}, 400, "4"),
        ({"ДополнительныеРеквизиты": [{"Свойство_Key": EMPTY_REF}]}, 500, "-1"),
        ({"Posted": True}, 500, "-1"),
    ],
)
async def test_what_a_call_cannot_take_creates_nothing(
    onec: OneCClient, fields: dict[str, object], status: int, code: str
) -> None:
    response = await onec.post(PHONE_CALLS, fields)

    assert error_of(response)[:2] == (status, code)
    assert onec.lab.phone_calls() == []


async def test_broken_json_and_forms_are_500(onec: OneCClient) -> None:
    address = f"/{PHONE_CALLS}?$format=json"

    broken = await onec.http.post(address, content=b'{"a": ', headers=_JSON_TYPE)
    form = await onec.http.post(address, data={"Тема": "Звонок"})

    assert error_of(broken) == (500, "-1", "Непредвиденный символ при чтении JSON")
    assert error_of(form)[:2] == (500, "-1")


_JSON_TYPE = {"content-type": "application/json"}


async def test_marks_go_both_ways(onec: OneCClient) -> None:
    ref = await onec.a_call()

    marked = (await onec.patch(PHONE_CALLS, ref, {"DeletionMark": True})).json()
    back = (await onec.patch(PHONE_CALLS, ref, {"DeletionMark": False})).json()

    assert (marked["DeletionMark"], back["DeletionMark"]) == (True, False)


async def test_a_reference_in_a_patch_is_ignored(onec: OneCClient) -> None:
    ref = await onec.a_call()

    body = (await onec.patch(PHONE_CALLS, ref, {"Ref_Key": NOWHERE})).json()

    assert body["Ref_Key"] == ref


async def test_a_section_is_replaced_whole(onec: OneCClient) -> None:
    ref = await onec.a_call()
    three = [{"LineNumber": str(n), "ТекстоваяСтрока": str(n)} for n in (1, 2, 3)]

    await onec.patch(PHONE_CALLS, ref, {"ДополнительныеРеквизиты": three})
    body = (
        await onec.patch(PHONE_CALLS, ref, {"ДополнительныеРеквизиты": [{"LineNumber": 1}]})
    ).json()

    assert [line["LineNumber"] for line in body["ДополнительныеРеквизиты"]] == ["1"]


async def test_rows_of_a_section_have_no_address_to_write_to(onec: OneCClient) -> None:
    response = await onec.post(f"{PARTNERS}_КонтактнаяИнформация", {"LineNumber": 1})

    assert error_of(response)[:2] == (400, "13")


async def test_put_empties_what_is_not_given(onec: OneCClient) -> None:
    ref = onec.a_partner()
    code = onec.lab.infobase.row(PARTNERS, ref)["Code"]

    body = (
        await onec.http.put(
            f"/{PARTNERS}(guid'{ref}')?$format=json",
            json={
                "Description": "Одно имя",
                "ОсновнойМенеджер@odata.bind": f"{USERS}(guid'{NOWHERE}')",
            },
        )
    ).json()

    assert body["Description"] == "Одно имя"
    assert body["ОсновнойМенеджер_Key"] == NOWHERE
    assert body["НаименованиеПолное"] == ""
    assert body["КонтактнаяИнформация"] == []
    assert body["Code"] != code


async def test_delete_is_physical(onec: OneCClient) -> None:
    ref = await onec.a_call()
    address = f"/{PHONE_CALLS}(guid'{ref}')?$format=json"

    gone = await onec.http.delete(address)
    again = await onec.http.delete(address)

    assert (gone.status_code, gone.content) == (204, b"")
    assert error_of(again)[:2] == (404, "9")
    assert onec.lab.phone_calls() == []


async def test_a_whole_set_is_not_deleted(onec: OneCClient) -> None:
    assert error_of(await onec.http.delete(f"/{PARTNERS}?$format=json"))[:2] == (405, "19")


async def test_a_predefined_partner_is_not_deleted(onec: OneCClient) -> None:
    (ref,) = onec.lab.infobase.find(PARTNERS, PredefinedDataName="НеизвестныйПартнер")

    assert (await onec.http.delete(f"/{PARTNERS}(guid'{ref}')")).status_code == 500


async def test_posting_and_marking_exclude_each_other(onec: OneCClient) -> None:
    onec.lab.switches.published_extras = {ORDERS}
    ref = (await onec.post(ORDERS, {"Posted": True})).json()["Ref_Key"]

    marked_posted = await onec.patch(ORDERS, ref, {"DeletionMark": True})
    await onec.http.post(f"/{ORDERS}(guid'{ref}')/Unpost")
    marked = await onec.patch(ORDERS, ref, {"DeletionMark": True})
    posted_marked = await onec.http.post(f"/{ORDERS}(guid'{ref}')/Post?$format=json")

    assert marked_posted.status_code == 500
    assert (marked.status_code, marked.json()["Posted"]) == (200, False)
    assert posted_marked.status_code == 500


# ------------------------------------------------------------------ what the call's handler does


async def test_a_call_has_its_contact_but_not_as_a_subject(onec: OneCClient) -> None:
    partner = onec.a_partner()
    kind = f"StandardODATA.{PARTNERS}"

    call = await onec.a_call(
        АбонентКонтакт=partner, АбонентКонтакт_Type=kind, Date="2026-11-22T09:30:00"
    )

    (record,) = onec.lab.infobase.rows(CALL_CONTACTS)
    (state,) = onec.lab.contact_states()
    assert (record["Взаимодействие"], record["Контакт"]) == (call, partner)
    assert state["ДатаПоследнегоВзаимодействия"] == "2026-11-22T09:30:00"
    assert state["КоличествоНеРассмотрено"] == 1
    assert onec.lab.subjects() == []
    assert onec.lab.visible_calls(partner) == []


async def test_a_call_with_its_subject_is_seen_at_the_partner(onec: OneCClient) -> None:
    partner = onec.a_partner()
    call = await onec.a_call(
        АбонентКонтакт=partner, АбонентКонтакт_Type=f"StandardODATA.{PARTNERS}"
    )

    response = await onec.post(SUBJECTS, _subject(call, reviewed=True))
    await onec.patch(PHONE_CALLS, call, {})

    (state,) = onec.lab.contact_states()
    assert response.status_code == 200
    assert [row["Ref_Key"] for row in onec.lab.visible_calls(partner)] == [call]
    assert state["КоличествоНеРассмотрено"] == 0


def _subject(call: str, *, reviewed: bool) -> dict[str, object]:
    kind = f"StandardODATA.{PHONE_CALLS}"
    return {
        "Взаимодействие": call,
        "Взаимодействие_Type": kind,
        "Предмет": call,
        "Предмет_Type": kind,
        "Рассмотрено": reviewed,
    }


async def test_an_unknown_caller_becomes_one_string_contact(onec: OneCClient) -> None:
    first = await onec.a_call(АбонентПредставление="Неизвестный +7 903 555-01-23")
    await onec.a_call(АбонентПредставление="Неизвестный +7 903 555-01-23")

    (contact,) = onec.lab.string_contacts()
    kinds = {row["Контакт_Type"] for row in onec.lab.infobase.rows(CALL_CONTACTS)}
    assert contact["Description"] == "Неизвестный +7 903 555-01-23"
    assert kinds == {f"StandardODATA.{STRING_CONTACTS}"}
    assert onec.lab.infobase.row(PHONE_CALLS, first)["АбонентКонтакт"] == ""


async def test_another_contact_rewrites_the_register(onec: OneCClient) -> None:
    person = next(iter(onec.lab.infobase.tables[CONTACT_PERSONS].rows))
    call = await onec.a_call(АбонентПредставление="Кто-то")

    await onec.patch(
        PHONE_CALLS,
        call,
        {"АбонентКонтакт": person, "АбонентКонтакт_Type": f"StandardODATA.{CONTACT_PERSONS}"},
    )

    assert [row["Контакт"] for row in onec.lab.infobase.rows(CALL_CONTACTS)] == [person]


async def test_data_load_mode_skips_the_handlers_and_the_number(onec: OneCClient) -> None:
    response = await onec.post(PHONE_CALLS, {"АбонентПредставление": "Кто-то"}, **LOAD)

    assert response.status_code == 201
    assert response.json()["Number"] == ""
    assert onec.lab.string_contacts() == []
    assert onec.lab.infobase.rows(CALL_CONTACTS) == []


# ------------------------------------------------------------------ registers


async def test_a_reminder_has_no_data_version_and_is_echoed(onec: OneCClient) -> None:
    call = await onec.a_call()

    body = (await onec.remind(call)).json()

    assert "DataVersion" not in body
    assert body["ПредставлениеИсточника"].startswith("Телефонный звонок 00-00000001 от 22.11.2026")


async def test_the_handler_rewrites_two_fields_of_a_reminder(onec: OneCClient) -> None:
    call = await onec.a_call()

    texts = {"ПредставлениеИсточника": "моё", "ИмяРеквизитаИсточника": "Дата"}
    body = (await onec.remind(call, **texts)).json()

    assert body["ПредставлениеИсточника"] != "моё"
    assert body["ИмяРеквизитаИсточника"] == ""


async def test_an_old_library_keeps_the_attribute_name() -> None:
    old = open_lab(release="11.5.8")
    call = await old.a_call()

    body = (await old.remind(call, ИмяРеквизитаИсточника="Дата")).json()

    assert body["ИмяРеквизитаИсточника"] == "Дата"


async def test_in_data_load_mode_a_reminder_stays_as_sent(onec: OneCClient) -> None:
    call = await onec.a_call()
    reminder = onec.a_reminder(call, ПредставлениеИсточника="моё")

    body = (await onec.post(REMINDERS, reminder, **LOAD)).json()

    assert body["ПредставлениеИсточника"] == "моё"


async def test_a_repeat_is_no_upsert(onec: OneCClient) -> None:
    call = await onec.a_call()
    await onec.remind(call)

    refused = await onec.remind(call, Описание="другое")

    assert error_of(refused)[:2] == (400, "15")
    assert [row["Описание"] for row in onec.lab.reminders()] == ["Пропущен звонок"]


async def test_a_reminder_is_changed_and_deleted_by_its_full_key(onec: OneCClient) -> None:
    call = await onec.a_call()
    await onec.remind(call)
    address = _reminder_address(onec, call)

    changed = await onec.http.patch(address, json={"СрокНапоминания": "2026-11-23T10:00:00"})
    gone = await onec.http.delete(address)
    absent = await onec.http.delete(address)

    assert (changed.status_code, changed.json()["СрокНапоминания"]) == (200, "2026-11-23T10:00:00")
    assert gone.status_code == 204
    assert error_of(absent)[:2] == (404, "9")


def _reminder_address(
    onec: OneCClient, call: str, kind: str = f"StandardODATA.{PHONE_CALLS}"
) -> str:
    key = (
        f"Пользователь_Key=guid'{onec.a_user()}',ВремяСобытия=datetime'2026-11-23T09:00:00',"
        f"Источник='{call}',Источник_Type='{kind}'"
    )
    return f"/{REMINDERS}({key})?$format=json"


async def test_the_type_half_of_a_key_needs_its_namespace(onec: OneCClient) -> None:
    call = await onec.a_call()
    await onec.remind(call)

    response = await onec.http.get(_reminder_address(onec, call, PHONE_CALLS))

    assert response.status_code == 400
    assert "составного типа" in response.text


async def test_a_dimension_is_not_changed_by_patch(onec: OneCClient) -> None:
    call = await onec.a_call()
    await onec.remind(call)

    await onec.http.patch(
        _reminder_address(onec, call), json={"ВремяСобытия": "2027-01-01T00:00:00"}
    )

    assert [row["ВремяСобытия"] for row in onec.lab.reminders()] == ["2026-11-23T09:00:00"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Пользователь_Key": EMPTY_REF}, 500),
        ({"Источник": "", "Источник_Type": "StandardODATA.Undefined"}, 200),
        ({"Источник_Type": PHONE_CALLS}, 400),
        ({"Источник_Type": "StandardODATA.Catalog_НетТакого"}, 400),
    ],
)
async def test_the_source_and_the_user_of_a_reminder(
    onec: OneCClient, fields: dict[str, object], status: int
) -> None:
    call = await onec.a_call()

    assert (await onec.remind(call, **fields)).status_code == status


async def test_nonsense_in_a_wide_number_leaves_it(onec: OneCClient) -> None:
    call = await onec.a_call()

    body = (await onec.remind(call, ИнтервалВремениНапоминания="скоро")).json()

    assert body["ИнтервалВремениНапоминания"] == "0"


async def test_a_missing_dimension_is_refused(onec: OneCClient) -> None:
    assert (await onec.post(REMINDERS, {"Описание": "ничей"})).status_code == 400


# ------------------------------------------------------------------ additional attributes


async def test_an_attribute_is_created_and_put_into_the_users_set(onec: OneCClient) -> None:
    infobase = onec.lab.infobase
    users_set = infobase.schema.fixed_sets["Справочник_Пользователи"]
    created = await onec.post(
        PROPERTIES,
        {
            "Description": "Добавочный",
            "Заголовок": "Добавочный",
            "Имя": "Добавочный_1",
            "НаборСвойств_Key": users_set,
            "ValueType": {"Types": ["String"]},
        },
    )
    ref = created.json()["Ref_Key"]
    before = infobase.row(PROPERTY_SETS, users_set)
    rows = [
        {"LineNumber": str(n), "Свойство_Key": line["Свойство_Key"]}
        for n, line in enumerate(before["ДополнительныеРеквизиты"], 1)
    ]
    rows.append({"LineNumber": str(len(rows) + 1), "Свойство_Key": ref})

    body = (await onec.patch(PROPERTY_SETS, users_set, {"ДополнительныеРеквизиты": rows})).json()

    assert created.json()["ИдентификаторДляФормул"] == "Добавочный"
    assert body["КоличествоРеквизитов"] == str(len(rows))
    assert body["ДополнительныеРеквизиты"][-1]["ИмяПредопределенногоНабора"] == (
        "Справочник_Пользователи"
    )


async def test_the_name_of_an_attribute_is_unique(onec: OneCClient) -> None:
    body = {"Заголовок": "Повтор", "Имя": "Повтор_1"}
    await onec.post(PROPERTIES, body)

    response: httpx.Response = await onec.post(PROPERTIES, body)

    status, code, text = error_of(response)
    assert (status, code) == (500, "-1")
    assert "ПередЗаписью" in text
