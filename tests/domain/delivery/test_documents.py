"""What 1C shall have of a call: every field filled, in its length, the same after a crash."""

import uuid
from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.caller_names import (
    MAX_HOW_TO_REACH,
    MAX_REMINDER,
    candidate_name,
    how_to_reach,
)
from bridge.domain.delivery.document_drafts import ContactRef
from bridge.domain.delivery.documents import (
    MAX_PRESENTATION,
    MAX_SUBJECT,
    build_phone_call_draft,
    build_reminder_draft,
    build_ringing_reminders,
    document_marker,
    proposed_ref,
)
from bridge.domain.delivery.texts import Language
from bridge.domain.directory.caller_card import (
    Candidate,
    CandidateKind,
    OwnerStep,
)
from bridge.domain.phone.callers import CallerKind
from bridge.domain.routing.decision import RouteDecision, Rule, Target
from tests.support import builders as b

ANNA = b.manager()
TO_ANNA = Target("205", ANNA.ref, ANNA.name)
DOCUMENT = b.ref("document")
IVAN = b.candidate(b.contact(), [b.partner()])
UNKNOWN = b.decision(target=TO_ANNA, rule=Rule.DEFAULT)


def test_a_known_contact_becomes_a_document_of_his_manager() -> None:
    call = b.call()

    draft = build_phone_call_draft(call, "ru", UTC)

    assert draft.incoming
    assert draft.at == b.NOON
    assert draft.subject == "Входящий звонок: Иванов Пётр (ООО Ромашка)"
    assert draft.presentation == "Иванов Пётр (ООО Ромашка)"
    assert draft.how_to_reach == "+7 (903) 555-01-23"
    assert draft.description.splitlines() == [
        "Звонит: +7 (903) 555-01-23",
        "Линия: 74852550102",
        "Направлен: 205 Анна Петрова, менеджер партнёра контактного лица",
    ]
    assert draft.comment == f"[bridge:{call.key}]" == document_marker(draft.key)
    assert draft.contact == ContactRef(CandidateKind.CONTACT, b.ref("Иванов Пётр"))
    assert draft.responsible == ANNA.ref


def test_the_same_call_is_drafted_in_english() -> None:
    draft = build_phone_call_draft(b.call(), "en", UTC)

    assert draft.subject == "Incoming call: Иванов Пётр (ООО Ромашка)"
    assert "Line: 74852550102" in draft.description


@pytest.mark.parametrize(
    ("candidate", "pointed_at"),
    [
        (None, None),
        (IVAN, ContactRef(CandidateKind.CONTACT, IVAN.ref)),
        (b.candidate(b.partner()), ContactRef(CandidateKind.PARTNER, b.ref("ООО Ромашка"))),
        (
            b.candidate(b.counterparty(), [b.partner()]),
            ContactRef(CandidateKind.PARTNER, b.ref("ООО Ромашка")),
        ),
        (b.candidate(b.counterparty(partner=None)), None),
    ],
)
def test_a_document_points_at_a_contact_or_a_partner_never_at_a_counterparty(
    candidate: Candidate | None, pointed_at: ContactRef | None
) -> None:
    known = () if candidate is None else (candidate,)

    draft = build_phone_call_draft(b.call(None, b.decision(*known)), "ru", UTC)

    assert draft.contact == pointed_at
    assert draft.presentation


@pytest.mark.parametrize(
    ("name", "partner", "shown"),
    [
        ("Иванов Пётр", "ООО Ромашка", "Иванов Пётр (ООО Ромашка)"),
        ("ООО Ромашка", "ООО Ромашка", "ООО Ромашка"),
        ("Иванов Пётр", None, "Иванов Пётр"),
        ("  ", "ООО Ромашка", "ООО Ромашка"),
        ("Иванов Пётр", " ", "Иванов Пётр"),
        ("", None, ""),
    ],
)
def test_how_an_owner_is_named(name: str, partner: str | None, shown: str) -> None:
    chain = () if partner is None else (OwnerStep(b.ref("p"), partner, None),)

    assert candidate_name(Candidate(CandidateKind.CONTACT, b.ref("c"), name, chain)) == shown


def test_a_partner_is_not_named_twice() -> None:
    partner = b.candidate(b.partner())

    assert candidate_name(partner._replace(name="Ромашка")) == "Ромашка"


@pytest.mark.parametrize(
    ("caller", "name", "number"),
    [
        ("+79035550123", "Неизвестный абонент, +7 (903) 555-01-23", "+7 (903) 555-01-23"),
        (None, "Неизвестный абонент, номер скрыт", "номер скрыт"),
        ("anonymous", "Неизвестный абонент, номер скрыт", "номер скрыт"),
        ("привет", "Неизвестный абонент, привет", "привет"),
        ("203", "внутренний номер 203", "203"),
    ],
)
def test_how_a_stranger_is_named(caller: str | None, name: str, number: str) -> None:
    draft = build_phone_call_draft(b.call(b.question(caller), UNKNOWN), "ru", UTC)

    assert (draft.presentation, draft.how_to_reach) == (name, number)
    assert draft.contact is None


def test_a_nonsense_caller_of_blanks_is_a_withheld_one() -> None:
    call = replace(b.call(), caller=b.unreadable_caller(CallerKind.NONSENSE, " \t"))

    assert how_to_reach(call, "en") == "number withheld"


def test_an_owner_without_any_name_is_a_stranger_who_can_be_opened() -> None:
    nameless = b.candidate(b.contact("", partner=None))

    draft = build_phone_call_draft(b.call(None, b.decision(nameless, target=TO_ANNA)), "ru", UTC)

    assert draft.presentation == "Неизвестный абонент, +7 (903) 555-01-23"
    assert draft.contact == ContactRef(CandidateKind.CONTACT, nameless.ref)


def test_all_owners_of_a_shared_number_are_named() -> None:
    other = b.candidate(b.counterparty(partner=None))

    draft = build_phone_call_draft(b.call(None, b.decision(IVAN, other, target=TO_ANNA)), "ru", UTC)

    assert draft.description.splitlines()[-1] == (
        "Номер записан у нескольких: Иванов Пётр (ООО Ромашка); Ромашка-Сервис ООО"
    )


@pytest.mark.parametrize(
    ("decided", "line", "responsible"),
    [
        (b.decision(), "Ответственного нет: решает схема АТС", None),
        (
            b.decision(target=Target("100"), rule=Rule.DID),
            "Направлен: 100, по набранному номеру",
            None,
        ),
        (UNKNOWN, "Направлен: 205 Анна Петрова, по умолчанию", ANNA.ref),
    ],
)
def test_the_document_has_where_a_call_was_sent(
    decided: RouteDecision, line: str, responsible: str | None
) -> None:
    call = b.call(b.question(did=""), decided)

    draft = build_phone_call_draft(call, "ru", UTC)

    assert draft.description.splitlines() == ["Звонит: +7 (903) 555-01-23", line]
    assert draft.responsible == responsible
    assert (build_ringing_reminders(call, "ru") == ()) == (responsible is None)


@pytest.mark.parametrize(
    ("caller", "decided", "lang", "text"),
    [
        ("+79035550123", None, "ru", "Звонит Иванов Пётр (ООО Ромашка), +7 (903) 555-01-23"),
        ("+79035550123", UNKNOWN, "ru", "Звонит неизвестный абонент, +7 (903) 555-01-23"),
        (None, UNKNOWN, "ru", "Звонит неизвестный абонент, номер скрыт"),
        (None, UNKNOWN, "en", "Call from an unknown caller, number withheld"),
    ],
)
def test_what_pops_up(
    caller: str | None, decided: RouteDecision | None, lang: Language, text: str
) -> None:
    call = b.call(b.question(caller), decided)

    (desired,) = build_ringing_reminders(call, lang)
    reminder = build_reminder_draft(call, desired.user, desired.text, DOCUMENT)

    assert reminder.text == text
    assert (reminder.user, reminder.at, reminder.document) == (ANNA.ref, b.NOON, DOCUMENT)


NAMES = st.one_of(
    st.text(max_size=20), st.text(max_size=3).map(lambda t: t * 500), st.just("{name}{")
)
OWNERS = st.builds(
    Candidate,
    kind=st.sampled_from(CandidateKind),
    ref=st.just(b.ref("owner")),
    name=NAMES,
    chain=st.lists(
        st.builds(OwnerStep, partner=st.just(b.ref("p")), name=NAMES, manager=st.none()), max_size=1
    ).map(tuple),
)
CALLS = st.builds(
    b.call,
    st.builds(
        b.question,
        st.one_of(st.none(), st.text(max_size=150), st.sampled_from(["+79035550123", "203", " "])),
        st.sampled_from(["", "74852550102"]),
    ),
    st.builds(
        lambda owners, target, rule: b.decision(*owners, target=target, rule=rule),
        st.lists(OWNERS, max_size=3),
        st.one_of(st.none(), st.builds(Target, st.just("205"), st.just(ANNA.ref), NAMES)),
        st.sampled_from(Rule),
    ),
)
LANGUAGES = st.sampled_from(["ru", "en"])


@given(CALLS, LANGUAGES)
def test_drafts_fit_1c_and_leave_no_required_field_empty(call: PhoneCall, lang: Language) -> None:
    draft = build_phone_call_draft(call, lang, UTC)

    assert draft == build_phone_call_draft(call, lang, UTC)
    assert 0 < len(draft.subject.strip()) <= len(draft.subject) <= MAX_SUBJECT
    assert 0 < len(draft.presentation.strip()) <= len(draft.presentation) <= MAX_PRESENTATION
    assert 0 < len(draft.how_to_reach.strip()) <= len(draft.how_to_reach) <= MAX_HOW_TO_REACH
    assert draft.description.strip()
    for reminder in build_ringing_reminders(call, lang):
        assert 0 < len(reminder.text.strip()) <= len(reminder.text) <= MAX_REMINDER
        assert reminder.text.endswith(draft.how_to_reach)


@given(st.text(alphabet="0123456789abcdef", min_size=20, max_size=20))
def test_the_proposed_reference_is_a_guid_of_its_key(key: str) -> None:
    proposed = proposed_ref(key)

    guid = uuid.UUID(proposed)
    assert str(guid) == proposed == proposed_ref(key)
    assert (guid.version, guid.variant) == (5, uuid.RFC_4122)
