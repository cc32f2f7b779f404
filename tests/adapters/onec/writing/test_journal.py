"""The delivery's writes against a simulated УТ 11: done, refused, or nobody knows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.adapters.onec.protocol.errors import NoRights
from bridge.domain.delivery.document_drafts import ReminderDraft
from bridge.errors import (
    OneCAlreadyExists,
    OneCError,
    OneCNotPublished,
    OneCOutcomeUnknown,
    OneCRejected,
    OneCSessionsBlocked,
    OneCUnauthorized,
    OneCUnavailable,
)
from tests.support.onec_lab import NOW, make_draft, make_journal, make_lab

pytestmark = pytest.mark.anyio

CALLS = "Document_ТелефонныйЗвонок"
REMINDERS = "InformationRegister_НапоминанияПользователя"


async def test_a_call_is_written_as_people_will_see_it() -> None:
    lab = make_lab(5)
    journal, call = make_journal(lab), make_draft(lab)
    ref = await journal.create_phone_call(call)
    await journal.create_subject(ref)

    [document] = lab.phone_calls()
    assert document["Ref_Key"] == ref
    assert document["Date"] == "2026-11-23T12:30:00"
    assert document["Комментарий"] == "[bridge:k1]"
    assert call.contact is not None
    assert [row["Ref_Key"] for row in lab.visible_calls(call.contact.ref)] == [ref]
    await journal.aclose()


async def test_the_reference_is_1cs_own_unless_it_honours_ours() -> None:
    for honours in (False, True):
        lab = make_lab(5)
        lab.switches.honour_client_ref_key = honours
        call = make_draft(lab)
        ref = await make_journal(lab).create_phone_call(call)
        assert (ref == call.proposed_ref) is honours


async def test_where_1c_honours_our_reference_a_double_is_impossible() -> None:
    lab = make_lab(5)
    lab.switches.honour_client_ref_key = True
    journal, call = make_journal(lab), make_draft(lab)
    await journal.create_phone_call(call)

    with pytest.raises(OneCAlreadyExists):
        await journal.create_phone_call(call)
    assert len(lab.phone_calls()) == 1


async def test_an_unknown_caller_becomes_a_string_contact() -> None:
    lab = make_lab(5)
    call = replace(
        make_draft(lab), contact=None, responsible=None, presentation="Неизвестный абонент"
    )
    await make_journal(lab).create_phone_call(call)

    assert [row["Description"] for row in lab.string_contacts()] == ["Неизвестный абонент"]


async def test_a_call_is_found_by_its_marker_among_others_of_that_number() -> None:
    lab = make_lab(5)
    journal, call = make_journal(lab), make_draft(lab)
    other = replace(call, key="k2", comment="[bridge:k2]")
    await journal.create_phone_call(other)
    first = await journal.create_phone_call(call)
    second = await journal.create_phone_call(call)
    await journal.set_deletion_mark(second)

    found = await journal.find_phone_calls(call)
    assert [(d.ref, d.deletion_mark) for d in found] == [(first, False), (second, True)]
    assert found[0].number < found[1].number
    assert found[0].at == NOW


async def test_a_call_of_another_time_or_number_is_not_looked_through() -> None:
    lab = make_lab(5)
    journal, call = make_journal(lab), make_draft(lab)
    await journal.create_phone_call(call)

    for other in (
        replace(call, at=NOW + timedelta(minutes=10)),
        replace(call, how_to_reach="+7 (903) 555-01-24"),
    ):
        assert await journal.find_phone_calls(other) == []


@pytest.mark.parametrize("hour", [0, 1])
async def test_a_call_in_the_hour_that_autumn_repeats_is_found(hour: int) -> None:
    lab = make_lab(5)
    lab.zone = type(lab.zone)("Europe/Berlin")
    at = datetime(2026, 10, 25, hour, 59, 30, tzinfo=UTC)
    journal, call = make_journal(lab), make_draft(lab, at=at)
    ref = await journal.create_phone_call(call)

    [found] = await journal.find_phone_calls(call)
    assert (found.ref, found.at) == (ref, at)


@pytest.mark.parametrize("reach", ["номер д'Артаньяна", "+7 & Co = 100%", "#" * 100, "ж" * 100])
async def test_any_text_finds_the_call_that_was_written_with_it(reach: str) -> None:
    lab = make_lab(5)
    journal, call = make_journal(lab), replace(make_draft(lab), how_to_reach=reach)
    ref = await journal.create_phone_call(call)

    assert [d.ref for d in await journal.find_phone_calls(call)] == [ref]


async def test_a_reminder_pops_up_the_card_of_the_call() -> None:
    lab = make_lab(5)
    journal, call = make_journal(lab), make_draft(lab)
    ref = await journal.create_phone_call(call)
    assert call.responsible is not None
    reminder = ReminderDraft(call.responsible, NOW, ref, "Звонит Ромашка")
    assert not await journal.has_reminder(reminder)
    await journal.create_reminder(reminder)

    [row] = lab.reminders()
    assert (row["Источник"], row["Пользователь_Key"]) == (ref, call.responsible)
    assert row["СрокНапоминания"] == "2026-11-23T12:30:00"
    assert await journal.has_reminder(reminder)
    assert not await journal.has_reminder(replace(reminder, at=NOW + timedelta(seconds=1)))


async def test_a_repeated_reminder_is_refused_and_postponed_ones_are_still_ours() -> None:
    lab = make_lab(5)
    journal, call = make_journal(lab), make_draft(lab)
    ref = await journal.create_phone_call(call)
    assert call.responsible is not None
    reminder = ReminderDraft(call.responsible, NOW, ref, "Звонит Ромашка")
    await journal.create_reminder(reminder)
    lab.postpone_reminder(ref)

    with pytest.raises(OneCAlreadyExists):
        await journal.create_reminder(reminder)
    assert await journal.has_reminder(reminder)
    lab.dismiss_reminder(ref)
    assert not await journal.has_reminder(reminder)


async def test_a_subject_is_found_and_not_written_twice() -> None:
    lab = make_lab(5)
    journal, call = make_journal(lab), make_draft(lab)
    ref = await journal.create_phone_call(call)
    assert not await journal.has_subject(ref)
    await journal.create_subject(ref)

    assert await journal.has_subject(ref)
    with pytest.raises(OneCAlreadyExists):
        await journal.create_subject(ref)


async def test_a_register_that_is_not_published_stops_with_its_name() -> None:
    lab = make_lab(5)
    lab.switches.unpublished = {REMINDERS}
    call = make_draft(lab)
    assert call.responsible is not None
    reminder = ReminderDraft(call.responsible, NOW, call.proposed_ref, "")

    with pytest.raises(OneCNotPublished, match=REMINDERS):
        await make_journal(lab).create_reminder(reminder)
    with pytest.raises(OneCNotPublished, match=REMINDERS):
        await make_journal(lab).has_reminder(reminder)


@pytest.mark.parametrize(
    ("kind", "error", "written"),
    [
        ("down", OneCUnavailable, 0),
        ("pool_exhausted", OneCUnavailable, 0),
        ("data_lock", OneCUnavailable, 0),
        ("no_licence_500", OneCUnavailable, 0),
        ("no_licence_503", OneCUnavailable, 0),
        ("out_of_memory", OneCUnavailable, 0),
        ("sessions_blocked", OneCSessionsBlocked, 0),
        ("unauthorised", OneCUnauthorized, 0),
        ("rights", NoRights, 0),
        ("business_refusal", OneCRejected, 0),
        ("timeout", OneCOutcomeUnknown, 0),
        ("maintenance_200", OneCOutcomeUnknown, 0),
        ("maintenance_503", OneCOutcomeUnknown, 0),
        ("platform_error", OneCOutcomeUnknown, 0),
        ("late_commit", OneCOutcomeUnknown, 0),
        ("lost_reply", OneCOutcomeUnknown, 1),
        ("bad_gateway", OneCOutcomeUnknown, 1),
        ("truncated", OneCOutcomeUnknown, 1),
        ("cut", OneCOutcomeUnknown, 1),
    ],
)
async def test_a_fault_decides_whether_the_call_may_have_been_written(
    kind: str, error: type[OneCError], written: int
) -> None:
    lab = make_lab(5)
    lab.faults.add(kind, method="POST", text="Запрещено правилом")

    with pytest.raises(OneCError) as caught:
        await make_journal(lab).create_phone_call(make_draft(lab))
    assert type(caught.value) is error
    assert len(lab.phone_calls()) == written
    assert lab.request_counts["POST", CALLS] == 1


async def test_what_was_committed_behind_a_lost_reply_is_found() -> None:
    lab = make_lab(5)
    journal, call = make_journal(lab), make_draft(lab)
    lab.faults.add("lost_reply", method="POST", times=1)
    with pytest.raises(OneCOutcomeUnknown):
        await journal.create_phone_call(call)

    assert len(await journal.find_phone_calls(call)) == 1


@pytest.mark.parametrize("kind", ["maintenance_200", "truncated", "cut", "platform_error"])
async def test_a_look_that_cannot_be_read_says_nothing_about_the_document(kind: str) -> None:
    lab = make_lab(5)
    journal, call = make_journal(lab), make_draft(lab)
    await journal.create_phone_call(call)
    lab.faults.add(kind, method="GET")

    with pytest.raises(OneCUnavailable) as caught:
        await journal.find_phone_calls(call)
    assert not isinstance(caught.value, OneCOutcomeUnknown)
