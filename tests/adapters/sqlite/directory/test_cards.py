"""Caller cards of the phone index: whom a number leads to, after every change."""

from dataclasses import replace
from datetime import date

import pytest

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.directory.caller_card import (
    Candidate,
    CandidateKind,
    OwnerStep,
)
from bridge.domain.directory.entities import EntityKind, Version
from tests.adapters.sqlite.directory.objects import (
    N1,
    N2,
    contact,
    counterparty,
    guid,
    manager,
    manager_rows,
    names_at,
    only,
    partner,
    put,
    typed,
)


def test_a_contacts_card_shows_partner_holding_and_managers(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(
        writer,
        manager(1),
        manager(2),
        partner(10, manager=guid(2), name="Холдинг"),
        partner(11, manager=guid(1), parent=guid(10), code="00-11", customer=True),
        contact(20, N1, partner=guid(11), ended=date(2026, 1, 1)),
    )

    candidate = only(reader, N1)

    assert candidate == Candidate(
        CandidateKind.CONTACT,
        guid(20),
        "Иванов Пётр 20",
        (
            OwnerStep(guid(11), "ООО «Ромашка 11»", guid(1)),
            OwnerStep(guid(10), "Холдинг", guid(2)),
        ),
        "00-11",
        customer=True,
        ended=True,
    )
    assert type(candidate.kind) is CandidateKind


def test_several_owners_of_a_number_stand_in_stable_order(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(
        writer,
        partner(11, N1, code="2"),
        partner(12, N1, code="1"),
        contact(21, N1, partner=guid(11)),
        counterparty(31, N1, partner=guid(12)),
    )

    assert names_at(reader, N1) == [
        "Иванов Пётр 21",
        "ООО «Ромашка 12»",
        "ООО «Ромашка 11»",
        "ИП Ёлкин 31",
    ]


def test_a_number_typed_twice_is_one_candidate_with_its_first_extension(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    fields = (typed(N1, N2, extension="314"), typed(N1))

    put(writer, replace(partner(11), phone_fields=fields))

    assert only(reader, N1).extension == "314"
    assert only(reader, N2).extension == "314"


@pytest.mark.parametrize("silenced", [{"deletion_mark": True}, {"predefined": True}])
def test_a_marked_or_predefined_partner_is_no_caller(
    writer: SqliteDirectoryStore, reader: SqliteDirectory, silenced: dict[str, bool]
) -> None:
    put(writer, partner(11, N1))
    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]

    put(writer, partner(11, N1, version=Version("2"), **silenced))

    assert names_at(reader, N1) == []
    assert reader.count_numbers() == 0


def test_a_contact_of_a_marked_partner_still_leads_to_his_manager(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, manager(1), partner(11, manager=guid(1), deletion_mark=True))
    put(writer, contact(20, N1, partner=guid(11)))

    assert only(reader, N1).chain[0].manager in reader.managers()


def test_a_contact_of_a_predefined_partner_is_a_caller_without_partner(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, manager(1), partner(11, manager=guid(1), predefined=True, code="x", customer=True))
    put(writer, contact(20, N1, partner=guid(11)))

    candidate = only(reader, N1)

    assert (candidate.chain, candidate.code, candidate.customer) == ((), "", False)


def test_a_partner_renamed_is_renamed_on_the_cards_of_the_whole_holding(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(
        writer,
        partner(10),
        partner(11, parent=guid(10)),
        partner(12, parent=guid(11)),
        contact(20, N1, partner=guid(12)),
    )

    put(writer, partner(10, name="Новое имя"))

    assert [step.name for step in only(reader, N1).chain][-1] == "Новое имя"


def test_a_manager_who_appears_and_goes_is_seen_in_the_chains_of_his_partners(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, partner(11, N1, manager=guid(1)))
    assert only(reader, N1).chain[0].manager == guid(1)
    assert guid(1) not in reader.managers()

    put(writer, manager(1))
    assert only(reader, N1).chain[0].manager == guid(1)
    assert reader.managers()[guid(1)].name == "Менеджер 1"

    put(writer, manager(1, extension="777"))
    assert only(reader, N1).chain[0].manager == guid(1)
    assert reader.managers()[guid(1)].extension == "777"

    with writer.transaction() as run:
        run.remove(EntityKind.MANAGER, [guid(1)])
    assert only(reader, N1).chain[0].manager == guid(1)
    assert guid(1) not in reader.managers()


def test_a_managers_row_is_never_given_to_another(writer: SqliteDirectoryStore) -> None:
    put(writer, manager(1))
    (old,) = manager_rows(writer)

    with writer.transaction() as run:
        run.clear()
        run.put(EntityKind.MANAGER, [manager(2)])

    (new,) = manager_rows(writer)
    assert new > old


def test_holdings_that_run_in_a_circle_end_where_they_began(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, partner(10, N1, parent=guid(11)), partner(11, parent=guid(10)))
    put(writer, partner(11, parent=guid(10), name="Второй"))

    assert [step.partner for step in only(reader, N1).chain] == [guid(10), guid(11)]
