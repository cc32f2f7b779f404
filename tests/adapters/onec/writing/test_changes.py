"""What stands in a simulated УТ 11 already: read as it is, changed, withdrawn."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.adapters.onec.protocol.errors import NoRights
from bridge.adapters.onec.writing.journal import ODataJournal
from bridge.domain.delivery.document_drafts import (
    PhoneCallChange,
    ReminderDraft,
    WrittenPhoneCall,
    WrittenReminder,
)
from bridge.domain.directory.entities import Ref
from bridge.errors import (
    OneCError,
    OneCFilteredByWebServer,
    OneCNotPublished,
    OneCObjectMissing,
    OneCOutcomeUnknown,
    OneCRejected,
    OneCSessionsBlocked,
    OneCUnauthorized,
    OneCUnavailable,
    OneCVersionConflict,
)
from bridge.lab.onec.simulator import OneCLab
from tests.support.onec_lab import NOW, make_draft, make_journal, make_lab

pytestmark = pytest.mark.anyio

CALLS = "Document_ТелефонныйЗвонок"
SUBJECTS = "InformationRegister_ПредметыПапкиВзаимодействий"
REMINDERS = "InformationRegister_НапоминанияПользователя"


async def written(lab: OneCLab) -> tuple[ODataJournal, Ref, ReminderDraft]:
    """Write a call with its subject and its reminder."""
    journal, call = make_journal(lab), make_draft(lab)
    document = await journal.create_phone_call(call)
    await journal.create_subject(document)
    assert call.responsible is not None
    reminder = ReminderDraft(call.responsible, NOW, document, "Звонит Ромашка")
    await journal.create_reminder(reminder)
    return journal, document, reminder


# ---------------------------------------------------------------- the document
async def test_a_document_is_read_as_people_left_it() -> None:
    lab = make_lab(5)
    journal, document, reminder = await written(lab)
    lab.edit(CALLS, document, Тема="О цене", Описание="Звонит\r\nжуравлей", Ответственный_Key="")
    lab.mark(CALLS, document)

    found = await journal.read_phone_call(document)
    assert found is not None
    assert found == WrittenPhoneCall(
        document=document,
        subject="О цене",
        description="Звонит\r\nжуравлей",
        comment="[bridge:k1]",
        responsible=None,
        deletion_mark=True,
        version=found.version,
    )
    assert found.version
    lab.delete(CALLS, document)
    assert await journal.read_phone_call(document) is None
    assert reminder.document == document


@pytest.mark.parametrize("patch", ["on", "405"])
async def test_a_change_touches_what_it_names_and_nothing_else(patch: str) -> None:
    lab = make_lab(5)
    journal, document, _ = await written(lab)
    [before] = lab.phone_calls()
    lab.switches.set("patch", patch)
    other = Ref(lab.add_user("Кузнецов", "206"))
    change = PhoneCallChange(subject="О цене", responsible=other)
    for _ in range(2):  # repeating it does no harm
        await journal.change_phone_call(document, change)

    [after] = lab.phone_calls()
    moved = {name for name in after if after[name] != before[name]}
    assert moved <= {"Тема", "Ответственный_Key", "DataVersion"}
    assert (after["Тема"], after["Ответственный_Key"]) == ("О цене", other)
    assert after["Описание"] == "Звонит: +7 (903) 555-01-23"


async def test_an_empty_change_asks_1c_for_nothing() -> None:
    lab = make_lab(5)
    journal, document, _ = await written(lab)
    found = await journal.read_phone_call(document)
    assert found is not None
    asked = lab.request_counts.total()

    await journal.change_phone_call(document, PhoneCallChange(seen_version=found.version))
    assert lab.request_counts.total() == asked


async def test_texts_are_sent_with_plain_line_ends_and_no_control_characters() -> None:
    lab = make_lab(5)
    journal, document, _ = await written(lab)
    await journal.change_phone_call(document, PhoneCallChange(description="а\r\nб\rв\x00г\nд"))

    assert lab.phone_calls()[0]["Описание"] == "а\nб\nвг\nд"


async def test_the_standalone_server_is_asked_to_patch_once() -> None:
    lab = make_lab(5)
    lab.switches.patch = "405"
    journal, document, reminder = await written(lab)
    await journal.set_deletion_mark(document)
    await journal.set_considered(document, considered=True)
    await journal.change_reminder(replace(reminder, text="Пропущен"))
    await journal.change_phone_call(document, PhoneCallChange(subject="О цене"))

    asked = [(entry.method, entry.status) for entry in lab.request_log]
    assert asked.count(("PATCH", 405)) == 1
    assert asked.count(("PUT", 200)) == 4
    assert lab.phone_calls()[0]["DeletionMark"] is True


@pytest.mark.parametrize("patch", ["on", "405"])
async def test_a_document_that_is_gone_cannot_be_changed(patch: str) -> None:
    lab = make_lab(5)
    lab.switches.set("patch", patch)
    journal, document, _ = await written(lab)
    lab.delete(CALLS, document)

    with pytest.raises(OneCObjectMissing):
        await journal.change_phone_call(document, PhoneCallChange(subject="О цене"))


@pytest.mark.parametrize("world", [{"if_match": "enforced"}, {"patch": "405"}])
async def test_a_change_decided_upon_an_older_version_is_not_written(world: dict[str, str]) -> None:
    lab = make_lab(5)
    journal, document, _ = await written(lab)
    for name, position in world.items():
        lab.switches.set(name, position)
    found = await journal.read_phone_call(document)
    assert found is not None
    change = PhoneCallChange(subject="О цене", seen_version=found.version)
    await journal.change_phone_call(document, change)  # nobody was here meanwhile
    lab.edit(CALLS, document, Тема="Правка менеджера")

    with pytest.raises(OneCVersionConflict):
        await journal.change_phone_call(document, change)
    assert lab.phone_calls()[0]["Тема"] == "Правка менеджера"


# ---------------------------------------------------------------- the subject record
@pytest.mark.parametrize("patch", ["on", "405"])
async def test_a_call_is_considered_and_its_record_stays_as_it_was(patch: str) -> None:
    lab = make_lab(5)
    lab.switches.set("patch", patch)
    journal, document, _ = await written(lab)
    [before] = lab.subjects()
    for considered in (True, True, False):
        await journal.set_considered(document, considered=considered)
        assert lab.subjects() == [{**before, "Рассмотрено": considered}]


async def test_a_call_without_a_subject_record_cannot_be_considered() -> None:
    lab = make_lab(5)
    journal = make_journal(lab)
    document = await journal.create_phone_call(make_draft(lab))

    with pytest.raises(OneCObjectMissing):
        await journal.set_considered(document, considered=True)


# ---------------------------------------------------------------- the reminder
async def test_a_postponed_reminder_is_read_with_its_new_time() -> None:
    lab = make_lab(5)
    journal, document, reminder = await written(lab)
    assert await journal.read_reminder(reminder) == WrittenReminder(NOW, "Звонит Ромашка")
    lab.postpone_reminder(document, minutes=45)

    found = await journal.read_reminder(reminder)
    assert found == WrittenReminder(NOW + timedelta(minutes=45), "Звонит Ромашка")
    lab.dismiss_reminder(document)
    assert await journal.read_reminder(reminder) is None


@pytest.mark.parametrize("patch", ["on", "405"])
async def test_a_new_text_leaves_a_reminder_where_its_user_put_it(patch: str) -> None:
    lab = make_lab(5)
    lab.switches.set("patch", patch)
    journal, document, reminder = await written(lab)
    lab.postpone_reminder(document)
    [before] = lab.reminders()
    assert await journal.change_reminder(replace(reminder, text="Звонил дважды"))

    assert lab.reminders() == [{**before, "Описание": "Звонил дважды"}]


@pytest.mark.parametrize("patch", ["on", "405"])
@pytest.mark.parametrize("iis", [False, True])
async def test_a_dismissed_reminder_is_not_written_again(patch: str, iis: bool) -> None:
    lab = make_lab(5)
    lab.switches.set("patch", patch)
    lab.switches.iis_html_404 = iis
    journal, document, reminder = await written(lab)
    lab.dismiss_reminder(document)

    assert not await journal.change_reminder(replace(reminder, text="Звонил дважды"))
    assert not await journal.delete_reminder(reminder)
    assert lab.reminders() == []


async def test_a_reminder_is_withdrawn_alone() -> None:
    lab = make_lab(5)
    journal, _, reminder = await written(lab)
    others = (
        replace(reminder, at=NOW + timedelta(seconds=1)),
        replace(reminder, user=Ref(lab.add_user("Кузнецов", "206"))),
    )
    for other in others:
        await journal.create_reminder(other)
    assert await journal.delete_reminder(reminder)

    assert not await journal.has_reminder(reminder)
    for other in others:
        assert await journal.has_reminder(other)
    assert not await journal.delete_reminder(reminder)


async def test_a_reminder_of_the_hour_that_autumn_repeats_is_still_found() -> None:
    lab = make_lab(5)
    lab.zone = type(lab.zone)("Europe/Berlin")
    journal, _, reminder = await written(lab)
    repeated = replace(reminder, at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    await journal.create_reminder(repeated)

    found = await journal.read_reminder(repeated)
    assert found is not None
    assert found.due_at == repeated.at
    assert await journal.delete_reminder(repeated)


async def test_a_server_with_too_little_space_for_the_address_says_what_to_set() -> None:
    lab = make_lab(5)
    journal, _, reminder = await written(lab)
    lab.switches.iis_segment_limit = 250

    for write in (journal.change_reminder, journal.delete_reminder):
        with pytest.raises(OneCFilteredByWebServer, match="UrlSegmentMaxLength"):
            await write(reminder)
    assert await journal.read_reminder(reminder) is not None


# ---------------------------------------------------------------- faults
@pytest.mark.parametrize("iis", [False, True])
async def test_a_set_that_is_not_published_is_not_taken_for_a_gone_record(iis: bool) -> None:
    lab = make_lab(5)
    journal, document, reminder = await written(lab)
    lab.switches.unpublished = {REMINDERS, SUBJECTS, CALLS}
    lab.switches.iis_html_404 = iis

    with pytest.raises(OneCNotPublished, match=REMINDERS):
        await journal.delete_reminder(reminder)
    with pytest.raises(OneCNotPublished, match=REMINDERS):
        await journal.change_reminder(reminder)
    with pytest.raises(OneCNotPublished, match=REMINDERS):
        await journal.read_reminder(reminder)
    with pytest.raises(OneCNotPublished, match=SUBJECTS):
        await journal.set_considered(document, considered=True)
    with pytest.raises(OneCNotPublished, match=CALLS):
        await journal.read_phone_call(document)


@pytest.mark.parametrize(
    ("kind", "error", "done"),
    [
        ("down", OneCUnavailable, False),
        ("pool_exhausted", OneCUnavailable, False),
        ("data_lock", OneCUnavailable, False),
        ("no_licence_503", OneCUnavailable, False),
        ("sessions_blocked", OneCSessionsBlocked, False),
        ("unauthorised", OneCUnauthorized, False),
        ("rights", NoRights, False),
        ("business_refusal", OneCRejected, False),
        ("timeout", OneCOutcomeUnknown, False),
        ("maintenance_200", OneCOutcomeUnknown, False),
        ("late_commit", OneCOutcomeUnknown, False),
        ("lost_reply", OneCOutcomeUnknown, True),
        ("bad_gateway", OneCOutcomeUnknown, True),
    ],
)
async def test_a_fault_decides_whether_a_change_may_have_been_made(
    kind: str, error: type[OneCError], done: bool
) -> None:
    lab = make_lab(5)
    journal, document, reminder = await written(lab)
    lab.faults.add(kind, method="PATCH", text="Запрещено правилом")
    lab.faults.add(kind, method="DELETE", text="Запрещено правилом")
    change = PhoneCallChange(subject="О цене")

    for write in (
        lambda: journal.change_phone_call(document, change),
        lambda: journal.set_considered(document, considered=True),
        lambda: journal.delete_reminder(reminder),
    ):
        with pytest.raises(OneCError) as caught:
            await write()
        assert type(caught.value) is error
    assert (lab.phone_calls()[0]["Тема"] == "О цене") is done
    assert lab.subjects()[0]["Рассмотрено"] is done
    assert (lab.reminders() == []) is done


async def test_a_lost_reply_is_made_good_by_repeating() -> None:
    lab = make_lab(5)
    journal, document, reminder = await written(lab)
    lab.faults.add("lost_reply", method="PATCH", times=1)
    lab.faults.add("lost_reply", method="DELETE", times=1)
    change = PhoneCallChange(subject="О цене")
    with pytest.raises(OneCOutcomeUnknown):
        await journal.change_phone_call(document, change)
    with pytest.raises(OneCOutcomeUnknown):
        await journal.delete_reminder(reminder)

    await journal.change_phone_call(document, change)
    assert not await journal.delete_reminder(reminder)
    assert lab.phone_calls()[0]["Тема"] == "О цене"


@pytest.mark.parametrize("kind", ["maintenance_200", "truncated", "platform_error"])
async def test_a_look_that_cannot_be_read_does_not_mean_gone(kind: str) -> None:
    lab = make_lab(5)
    journal, document, reminder = await written(lab)
    lab.faults.add(kind, method="GET")

    with pytest.raises(OneCUnavailable):
        await journal.read_phone_call(document)
    with pytest.raises(OneCUnavailable):
        await journal.read_reminder(reminder)


# ---------------------------------------------------------------- what nobody has measured
@pytest.mark.parametrize("patch", ["on", "405"])
async def test_a_dismissed_reminder_stays_so_where_a_change_would_make_it_anew(patch: str) -> None:
    lab = make_lab(5)
    lab.switches.register_patch = "upsert"
    lab.switches.set("patch", patch)
    journal, document, reminder = await written(lab)
    lab.dismiss_reminder(document)

    assert not await journal.change_reminder(replace(reminder, text="Звонил дважды"))
    assert lab.reminders() == []


async def test_no_subject_record_is_made_anew_by_considering_it() -> None:
    lab = make_lab(5)
    lab.switches.register_patch = "upsert"
    journal = make_journal(lab)
    document = await journal.create_phone_call(make_draft(lab))

    with pytest.raises(OneCObjectMissing):
        await journal.set_considered(document, considered=True)
    assert lab.subjects() == []


@pytest.mark.parametrize("patch", ["on", "405"])
async def test_a_change_moves_no_record_where_that_is_possible(patch: str) -> None:
    lab = make_lab(5)
    lab.switches.dimension_patch = "moved"
    lab.switches.set("patch", patch)
    journal, document, reminder = await written(lab)
    [before] = lab.reminders()
    await journal.change_reminder(replace(reminder, text="Звонил дважды"))
    await journal.set_considered(document, considered=True)

    assert lab.reminders() == [{**before, "Описание": "Звонил дважды"}]
    assert await journal.has_subject(document)


async def test_where_an_address_counts_encoded_only_documents_can_be_changed() -> None:
    lab = make_lab(5)
    lab.switches.iis_counts_encoded = True
    journal, document, reminder = await written(lab)
    await journal.change_phone_call(document, PhoneCallChange(subject="О цене"))
    assert lab.phone_calls()[0]["Тема"] == "О цене"

    for write in (
        lambda: journal.set_considered(document, considered=True),
        lambda: journal.delete_reminder(reminder),
    ):
        with pytest.raises(OneCFilteredByWebServer, match="UrlSegmentMaxLength"):
            await write()
    assert await journal.read_reminder(reminder) is not None
