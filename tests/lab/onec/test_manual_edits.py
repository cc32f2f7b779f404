"""Manual edits in the simulated 1C, as methods and through the control address."""

from typing import Any

import httpx
import pytest

from bridge.lab.onec.infobase.infobase import (
    CONTACT_PERSONS,
    COUNTERPARTIES,
    PARTNERS,
    PHONE_CALLS,
    PROPERTIES,
    REMINDERS,
    USERS,
)
from bridge.lab.onec.infobase.schema import EMPTY_REF
from tests.lab.onec.onec_client import OneCClient, open_lab

pytestmark = pytest.mark.anyio


@pytest.fixture
def onec() -> OneCClient:
    return open_lab()


async def versions(onec: OneCClient, set_name: str) -> dict[str, str]:
    rows = await onec.rows(f"/{set_name}", "$select=Ref_Key,DataVersion")
    return {row["Ref_Key"]: row["DataVersion"] for row in rows}


async def test_a_change_moves_one_version(onec: OneCClient) -> None:
    ref, before = onec.a_partner(), await versions(onec, PARTNERS)

    onec.lab.move_manager(ref, onec.a_user())

    after = await versions(onec, PARTNERS)
    assert {key for key in after if after[key] != before[key]} == {ref}
    assert onec.lab.infobase.row(PARTNERS, ref)["ОсновнойМенеджер_Key"] == onec.a_user()


async def test_marks_names_and_partings(onec: OneCClient) -> None:
    lab, ref, user = onec.lab, onec.a_partner(), onec.a_user()
    person = str(next(iter(lab.infobase.tables[CONTACT_PERSONS].rows)))

    lab.mark(PARTNERS, ref)
    lab.rename(PARTNERS, ref, "Новое имя")
    lab.invalidate_user(user)
    lab.end_contact(person)

    assert lab.infobase.row(PARTNERS, ref)["DeletionMark"] is True
    assert lab.infobase.row(PARTNERS, ref)["Description"] == "Новое имя"
    assert not lab.infobase.may_take_calls(user)
    assert lab.infobase.row(CONTACT_PERSONS, person)["ДатаПрекращенияСвязи"].startswith("2026-11")
    lab.mark(PARTNERS, ref, marked=False)
    assert lab.infobase.row(PARTNERS, ref)["DeletionMark"] is False


async def test_a_changed_phone_changes_the_intended_phones(onec: OneCClient) -> None:
    ref = onec.lab.add_partner("Ромашка", phone="+7 903 555-01-23", e164="+79035550123")

    onec.lab.change_phone(PARTNERS, ref, "8 (495) 555-01-02", e164="+74955550102")

    (line,) = onec.lab.infobase.row(PARTNERS, ref)["КонтактнаяИнформация"]
    assert line["НомерТелефона"] == "84955550102"
    assert [t.e164 for t in onec.lab.infobase.intended_phones if t.ref == ref] == ["+74955550102"]


async def test_a_second_phone_is_added_by_a_foreign_writer(onec: OneCClient) -> None:
    ref = onec.lab.add_partner("Ромашка", phone="+7 903 555-01-23", e164="+79035550123")

    onec.lab.change_phone(PARTNERS, ref, "89035550124", line=2, writer="foreign")

    first, second = onec.lab.infobase.row(PARTNERS, ref)["КонтактнаяИнформация"]
    assert (first["НомерТелефона"], second["НомерТелефона"]) == ("79035550123", "")
    assert second["Представление"] == "89035550124"


async def test_new_people_are_found_by_the_interface(onec: OneCClient) -> None:
    lab = onec.lab
    user = lab.add_user("Новый Менеджер", "777")
    partner = lab.add_partner("Ромашка", manager=user)
    person = lab.add_contact(partner, "Иванов Пётр", phone="8 903 555-01-23", e164="+79035550123")
    entity = lab.add_counterparty(partner, "Ромашка ООО")

    (found,) = await onec.rows(f"/{CONTACT_PERSONS}", f"$filter=Owner_Key eq guid'{partner}'")
    firms = await onec.rows(f"/{COUNTERPARTIES}", f"$filter=Партнер_Key eq guid'{partner}'")

    assert found["Ref_Key"] == person
    assert [firm["Ref_Key"] for firm in firms] == [entity]
    assert lab.infobase.responsible_extension(partner) == "777"


async def test_a_deleted_partner_leaves_dangling_references(onec: OneCClient) -> None:
    partner = onec.lab.add_partner("Ромашка", phone="8 903 555-01-23", e164="+79035550123")
    onec.lab.add_contact(partner, "Иванов Пётр")

    onec.lab.delete(PARTNERS, partner)

    left = await onec.rows(f"/{CONTACT_PERSONS}", f"$filter=Owner_Key eq guid'{partner}'")
    assert (await onec.get(f"/{PARTNERS}(guid'{partner}')")).status_code == 404
    assert len(left) == 1
    assert not [t for t in onec.lab.infobase.intended_phones if t.ref == partner]


async def test_an_extension_is_changed_and_taken_away(onec: OneCClient) -> None:
    user = onec.a_user()

    onec.lab.set_extension(user, "888", "number")
    changed = onec.lab.infobase.extensions[user]
    onec.lab.set_extension(user, "")

    assert changed == "888"
    assert user not in onec.lab.infobase.extensions


async def test_reminders_are_dismissed_and_postponed(onec: OneCClient) -> None:
    call = await onec.a_call()
    await onec.remind(call)

    moved = onec.lab.postpone_reminder(call, minutes=30)
    (reminder,) = onec.lab.reminders()
    gone = onec.lab.dismiss_reminder(call)

    assert (moved, gone) == (1, 1)
    assert reminder["СрокНапоминания"] == "2026-11-23T09:30:00"
    assert reminder["ВремяСобытия"] == "2026-11-23T09:00:00"
    assert onec.lab.reminders() == []


def test_a_partner_in_a_ring_of_holdings_has_no_responsible_extension(onec: OneCClient) -> None:
    first = onec.lab.add_partner("Первый")
    second = onec.lab.add_partner("Второй", parent=first)
    onec.lab.edit(PARTNERS, first, Parent_Key=second)

    assert onec.lab.infobase.responsible_extension(first) is None


# ------------------------------------------------------------------ the control address


async def control(onec: OneCClient, method: str, path: str, body: Any = None) -> httpx.Response:
    del onec.http.headers["authorization"]
    return await onec.http.request(method, f"http://1c.test/_lab/{path}", json=body)


async def test_the_state_needs_no_credentials(onec: OneCClient) -> None:
    await onec.a_call()

    state = (await control(onec, "GET", "state")).json()

    assert state["phone_calls"] == 1
    assert state["rows"][PARTNERS] == 63
    assert state["requests"] == {f"POST {PHONE_CALLS}": 1}


async def test_faults_and_switches_are_set_from_outside(onec: OneCClient) -> None:
    faults = (await control(onec, "POST", "weather", [{"kind": "down", "times": 2}])).json()
    switches = (await onec.http.post("http://1c.test/_lab/switches", json={"lang": "en"})).json()
    cleared = (await onec.http.delete("http://1c.test/_lab/weather?name=down")).json()

    assert faults[0]["kind"] == "down"
    assert switches["lang"] == onec.lab.switches.lang == "en"
    assert cleared == []


async def test_changes_are_made_from_outside(onec: OneCClient) -> None:
    partner, user = onec.a_partner(), onec.a_user()

    moved = await control(
        onec, "POST", "world/move-manager", {"partner_ref": partner, "user_ref": user}
    )
    added = await onec.http.post(
        "http://1c.test/_lab/world/add_partner", json={"name": "Ромашка", "phone": "101"}
    )
    rows = await onec.http.get(f"http://1c.test/_lab/rows/{PARTNERS}?top=500")

    assert moved.status_code == 200
    assert onec.lab.infobase.row(PARTNERS, partner)["ОсновнойМенеджер_Key"] == user
    assert added.json()["result"] in {row["Ref_Key"] for row in rows.json()}


async def test_late_writes_are_committed_from_outside(onec: OneCClient) -> None:
    onec.lab.faults.add("late_commit", times=1)
    await onec.post(PHONE_CALLS, {})

    executed = (await control(onec, "POST", "commit-late")).json()

    assert executed == {"executed": 1}
    assert len(onec.lab.phone_calls()) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("GET", "rows/Catalog_Нет", None, 404),
        ("POST", "weather", {"kind": "rain"}, 400),
        ("POST", "switches", {"colour": 1}, 404),
        ("POST", "world/authorization", {}, 404),
        ("POST", "world/mark", {"wrong": 1}, 400),
        ("POST", "world/delete", {"set_name": USERS, "ref": EMPTY_REF}, 404),
    ],
)
async def test_wrong_commands_are_answered_not_raised(
    onec: OneCClient, method: str, path: str, body: object, status: int
) -> None:
    response = await control(onec, method, path, body)

    assert response.status_code == status
    assert response.json()["error"]


async def test_request_log_and_intended_phones_are_read_from_outside(onec: OneCClient) -> None:
    await onec.get(f"/{REMINDERS}")

    journal = (await control(onec, "GET", "journal")).json()
    truth = (await onec.http.get("http://1c.test/_lab/truth?top=3")).json()

    assert journal[0]["set"] == REMINDERS
    assert set(truth[0]) == {"owner_set", "ref", "e164", "typed", "manner"}


async def test_a_whole_column_loses_its_worth_and_no_row_goes(onec: OneCClient) -> None:
    lab = onec.lab
    rows = {name: len(table) for name, table in lab.infobase.tables.items()}

    control = await onec.http.post(
        "http://1c.test/_lab/world/rename-attribute", json={"title": "Добавочный"}
    )
    emptied = await onec.http.post("http://1c.test/_lab/world/empty_attribute", json={"count": 2})
    managers = await onec.http.post(
        "http://1c.test/_lab/world/empty_owners", json={"set_name": PARTNERS}
    )
    retyped = lab.retype_attribute("Boolean")
    phones = lab.garble_phones(CONTACT_PERSONS)

    title = lab.infobase.row(PROPERTIES, lab.infobase.extension_property)["Заголовок"]
    assert control.status_code == 200
    assert title == "Добавочный"
    assert emptied.json() == {"result": 2}
    assert managers.json()["result"] > 0
    assert all(row["ОсновнойМенеджер_Key"] == EMPTY_REF for row in lab.infobase.rows(PARTNERS))
    assert retyped > 0
    assert lab.infobase.extensions == {}
    assert phones > 0
    assert not [
        phone for phone in lab.infobase.intended_phones if phone.owner_set == CONTACT_PERSONS
    ]
    assert {name: len(table) for name, table in lab.infobase.tables.items()} == rows
