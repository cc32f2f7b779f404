"""One caller is found in 1C by the digits of the number, in two or three narrow requests."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.adapters.onec.protocol.query import encode_query, listing_query
from bridge.adapters.onec.reading.line_filters import digit_spellings, wide_filter
from bridge.adapters.onec.reading.lookup import ODataLookup
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.directory.caller_card import build_caller_card
from bridge.domain.directory.entities import (
    ContactPerson,
    Partner,
    Ref,
)
from bridge.domain.phone.phone import PhoneNumber, PhoneRules
from bridge.errors import (
    StoreError,
)
from bridge.lab.onec.company.phone_cases import PHONE_CASES
from bridge.lab.onec.infobase.infobase import CONTACT_PERSONS, COUNTERPARTIES, PARTNERS
from bridge.lab.onec.infobase.tables import CONTACTS
from bridge.lab.onec.simulator import OneCLab
from bridge.ports.onec import FoundOwners
from bridge.services.sync.pull import DirectoryPull, PullRules
from tests.stories.in_process import SilentProgress
from tests.support.onec_lab import NOW, make_client, make_lab, make_source

pytestmark = pytest.mark.anyio


NUMBER = PhoneNumber(79035550123)


RULES = PhoneRules(area_code="495")


LINES = {name: f"{name}_{CONTACTS}" for name in (CONTACT_PERSONS, PARTNERS, COUNTERPARTIES)}


def nobody(_: Ref) -> Partner | None:
    return None


def make_lookup(
    lab: OneCLab, find_partner: Callable[[Ref], Partner | None] = nobody, **options: Any
) -> ODataLookup:
    # A busy test machine must not look like a 1C that is slow at the wide question.
    options.setdefault("clock", lambda: 0.0)
    return ODataLookup(make_client(lab), rules=RULES, find_partner=find_partner, **options)


def a_customer(lab: OneCLab, phone: str = "+7 (903) 555-01-23") -> tuple[str, str, str]:
    """Create a manager, a partner of the manager and a contact person with *phone*."""
    manager = lab.add_user("Смирнова", "205")
    partner = lab.add_partner("Ромашка", manager=manager)
    return manager, partner, lab.add_contact(partner, "Иванов Пётр", phone=phone)


def asked(lab: OneCLab) -> list[str]:
    return [entry.set for entry in lab.request_log]


async def directory_of(lab: OneCLab, folder: Path) -> SqliteDirectory:
    """Pull all of *lab* into a directory, as a sync does."""
    source = make_source(lab, cache=folder / "metadata.json")
    writer = SqliteDirectoryStore(folder / "directory.db")
    try:
        await DirectoryPull(
            source=source,
            store=writer,
            clock=lambda: NOW,
            rules=PullRules(),
            progress=SilentProgress(),
        ).run(None)
    finally:
        writer.close()
        await source.aclose()
    return SqliteDirectory(folder / "directory.db", stale_after=timedelta(days=1))


# ---------------------------------------------------------------- who is found
async def test_a_contact_person_is_found_with_the_partner_above() -> None:
    lab = make_lab(20)
    manager, partner, contact = a_customer(lab)

    found = await make_lookup(lab).find_owners(NUMBER)

    [owner], [above] = found.owners, found.parent_partners
    assert isinstance(owner, ContactPerson)
    assert (owner.ref, owner.partner, owner.name) == (contact, partner, "Иванов Пётр")
    assert (above.ref, above.manager, above.customer) == (partner, manager, True)


async def test_owners_of_all_kinds_are_found() -> None:
    lab = make_lab(20)
    _, partner, contact = a_customer(lab)
    lab.change_phone(PARTNERS, partner, "8 (903) 555-01-23")
    firm = lab.add_counterparty(partner, "ООО Ромашка", phone="903 555-01-23")

    found = await make_lookup(lab).find_owners(NUMBER)

    assert {owner.ref for owner in found.owners} == {contact, partner, firm}


@pytest.mark.parametrize(
    "typed",
    [
        "+7 (903) 555-01-23",
        "+7 903 555-01-23 доб. 14",
        "8 903 555-01-23",
        "+79035550123",
        "89035550123",
        "903 555-01-23",
        "9035550123",
    ],
)
async def test_a_number_is_found_however_it_was_typed(typed: str) -> None:
    lab = make_lab(20)
    _, _, contact = a_customer(lab, typed)

    found = await make_lookup(lab).find_owners(NUMBER)

    assert [owner.ref for owner in found.owners] == [contact]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (79035550123, ("79035550123", "89035550123", "9035550123")),
        (74951234567, ("74951234567", "84951234567", "4951234567", "1234567")),
        (4930123456, ("4930123456",)),
        (77012345678, ("77012345678", "87012345678", "7012345678")),
        (7123456789, ("7123456789",)),
    ],
)
def test_digits_are_looked_for_as_they_may_be_written(
    number: int, written: tuple[str, ...]
) -> None:
    assert digit_spellings(PhoneNumber(number), RULES) == written


def test_without_an_area_code_nobody_is_looked_for_by_a_local_number() -> None:
    assert "1234567" not in digit_spellings(PhoneNumber(74951234567), PhoneRules())


async def test_a_stranger_has_no_owner() -> None:
    lab = make_lab(20)

    assert await make_lookup(lab).find_owners(NUMBER) == FoundOwners()
    assert sorted(asked(lab)) == sorted([*LINES.values(), *LINES.values()])


async def test_the_text_that_people_see_goes_before_the_column_of_digits() -> None:
    lab = make_lab(20)
    _, _, contact = a_customer(lab, "+7 903 555-01-24")
    row = lab.infobase.tables[CONTACT_PERSONS].rows[contact]
    stale = {"Тип": "Телефон", "Представление": "+7 903 555-01-24", "НомерТелефона": str(NUMBER)}
    lab.edit(CONTACT_PERSONS, contact, **{CONTACTS: [*row[CONTACTS], stale]})

    assert (await make_lookup(lab).find_owners(NUMBER)).owners == ()


async def test_a_line_without_text_is_read_from_its_storages() -> None:
    lab = make_lab(20, release="11.4.2")
    _, _, contact = a_customer(lab)
    lab.change_phone(CONTACT_PERSONS, contact, "903 555-01-23", writer="no_text")

    found = await make_lookup(lab).find_owners(NUMBER)

    assert [owner.ref for owner in found.owners] == [contact]


async def test_the_lookup_finds_owners_as_the_pull_indexes_them(tmp_path: Path) -> None:
    lab = make_lab(120)
    directory = await directory_of(lab, tmp_path)
    numbers = sorted({PhoneNumber(int(truth.e164)) for truth in lab.infobase.intended_phones})
    lookup = make_lookup(lab, directory.partner, metadata_cache=tmp_path / "metadata.json")
    missed = set()
    for number in numbers:
        indexed = directory.look_up(number)
        found = await lookup.find_owners(number)
        card = build_caller_card(number, found.owners, found.parent_partners)
        if card is not None:
            assert indexed is not None
            assert set(card.candidates) <= set(indexed.candidates)
        elif indexed is not None:
            missed.add(number)
    directory.close()

    # Digits of full width, as East Asian keyboards type them, are for the sync to find.
    odd = {
        PhoneNumber(int(truth.e164))
        for truth in lab.infobase.intended_phones
        if truth.manner == "fullwidth"
    }
    assert missed <= odd


# ---------------------------------------------------------------- lines of other programs
FIXTURE = json.loads(
    (Path(__file__).parents[4] / "fixtures" / "onec" / "phone_lines.json").read_text()
)["lines"]


COLUMNS = {
    "presentation": "Представление",
    "number": "НомерТелефона",
    "json_storage": "Значение",
    "text_storage": "ЗначенияПолей",
}


@pytest.mark.parametrize("line", FIXTURE, ids=lambda line: line["case"])
async def test_a_line_of_another_program_is_found_by_sync_and_lookup_alike(
    line: dict[str, Any], tmp_path: Path
) -> None:
    lab = make_lab(5)
    _, _, contact = a_customer(lab)
    written = {column: line["line"].get(name, "") for name, column in COLUMNS.items()}
    lab.edit(CONTACT_PERSONS, contact, **{CONTACTS: [{"Тип": "Телефон", **written}]})
    number = PhoneNumber(line["number"])
    directory = await directory_of(lab, tmp_path)
    indexed = directory.look_up(number)
    directory.close()

    found = await make_lookup(lab).find_owners(number)

    assert indexed is not None
    assert [candidate.ref for candidate in indexed.candidates] == [contact]
    assert [owner.ref for owner in found.owners] == [contact]


async def test_every_phone_case_of_the_lab_is_read_as_it_was_meant(tmp_path: Path) -> None:
    lab = make_lab(5)
    partner = lab.add_partner("Ромашка")
    made = lab.add_phone_cases(partner)
    directory = await directory_of(lab, tmp_path)
    lookup = make_lookup(lab)

    for case in PHONE_CASES:
        for e164 in case.intended:
            number = PhoneNumber(int(e164))
            indexed, found = directory.look_up(number), await lookup.find_owners(number)
            assert indexed is not None, case.name
            assert [candidate.ref for candidate in indexed.candidates] == [made[case.name]]
            assert [owner.ref for owner in found.owners] == [made[case.name]]
    for stranger in (74951212345, 74951234567, 74955512345, 74955123456):
        assert directory.look_up(PhoneNumber(stranger)) is None
    directory.close()


async def test_the_second_number_of_a_field_is_found() -> None:
    lab = make_lab(5)
    _, _, contact = a_customer(lab, "+7 495 123-45-67, 765-43-21")

    found = await make_lookup(lab).find_owners(PhoneNumber(74957654321))

    assert [owner.ref for owner in found.owners] == [contact]


async def test_a_release_without_the_newer_storage_is_asked_without_it_from_then_on() -> None:
    lab = make_lab(5, release="11.4.2")
    lookup = make_lookup(lab)
    _, _, contact = a_customer(lab)
    line = {"Тип": "Телефон", "Представление": "", "ЗначенияПолей": '{"Phone": "+79035550123"}'}
    lab.edit(CONTACT_PERSONS, contact, **{CONTACTS: [line]})

    first = await lookup.find_owners(NUMBER)
    lab.request_log.clear()
    await lookup.find_owners(PhoneNumber(79035550999))

    assert [owner.ref for owner in first.owners] == [contact]
    assert len(lab.request_log) == 6
    assert {entry.status for entry in lab.request_log} == {200}


async def test_a_1c_that_is_slow_at_it_is_spared_the_wide_search(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lab = make_lab(5)
    seconds = iter(range(1_000))
    lookup = make_lookup(lab, clock=lambda: float(next(seconds)))

    await lookup.find_owners(NUMBER)
    lab.request_log.clear()
    await lookup.find_owners(NUMBER)

    assert sorted(asked(lab)) == sorted(LINES.values())
    assert [record.message for record in caplog.records] == ["live_lookup_narrow_only"]


async def test_a_1c_that_refuses_the_wide_search_is_not_asked_it_again() -> None:
    lab = make_lab(5)
    lab.faults.add("business_refusal", method="GET", nth=4, times=100)
    lookup = make_lookup(lab)

    assert await lookup.find_owners(NUMBER) == FoundOwners()
    lab.faults.clear()
    lab.request_log.clear()
    await lookup.find_owners(NUMBER)

    assert sorted(asked(lab)) == sorted(LINES.values())


def test_the_wide_search_fits_into_an_address() -> None:
    condition = wide_filter(PhoneNumber(999_999_999_999_999), RULES, with_json=True)

    assert len(encode_query(listing_query("Ref_Key", filter=condition, top="100"))) < 1_500


# ---------------------------------------------------------------- the partners above
async def test_holdings_are_climbed_to_the_top() -> None:
    lab = make_lab(20)
    boss = lab.add_user("Кузнецов", "300")
    top = lab.add_partner("Верх", manager=boss)
    middle = lab.add_partner("Середина", parent=top)
    partner = lab.add_partner("Низ", parent=middle)
    lab.add_contact(partner, "Иванов", phone="+7 903 555-01-23")

    found = await make_lookup(lab).find_owners(NUMBER)

    card = build_caller_card(NUMBER, found.owners, found.parent_partners)
    assert card is not None
    [candidate] = card.candidates
    assert [(s.partner, s.manager) for s in candidate.chain] == [
        (partner, None),
        (middle, None),
        (top, boss),
    ]


async def test_holdings_that_stand_in_a_circle_end_somewhere() -> None:
    lab = make_lab(20)
    one = lab.add_partner("Первый", phone="+7 903 555-01-23")
    other = lab.add_partner("Второй", parent=one)
    lab.edit(PARTNERS, one, Parent_Key=other)

    found = await make_lookup(lab).find_owners(NUMBER)

    assert {partner.ref for partner in found.parent_partners} == {one, other}


async def test_a_partner_that_1c_has_lost_ends_the_chain() -> None:
    lab = make_lab(20)
    _, partner, contact = a_customer(lab)
    lab.delete(PARTNERS, partner)

    found = await make_lookup(lab).find_owners(NUMBER)

    assert [owner.ref for owner in found.owners] == [contact]
    assert found.parent_partners == ()


async def test_partners_in_the_directory_are_not_asked_for(tmp_path: Path) -> None:
    lab = make_lab(20)
    manager = lab.add_user("Смирнова", "205")
    holding = lab.add_partner("Холдинг", manager=manager)
    old = lab.add_partner("Ромашка", parent=holding)
    directory = await directory_of(lab, tmp_path)
    new = lab.add_partner("Лютик", parent=holding)
    lab.add_contact(old, "Иванов", phone="+7 903 555-01-23")
    lab.add_contact(new, "Петров", phone="+7 903 555-01-24")
    lookup = make_lookup(lab, directory.partner, metadata_cache=tmp_path / "metadata.json")

    for number, partner, questions in ((NUMBER, old, 0), (NUMBER + 1, new, 1)):
        lab.request_log.clear()
        found = await lookup.find_owners(PhoneNumber(number))
        assert {p.ref for p in found.parent_partners} == {partner, holding}
        assert asked(lab).count(PARTNERS) == questions
    directory.close()


async def test_a_broken_directory_leaves_partners_to_be_asked_for() -> None:
    lab = make_lab(20)
    _, partner, _ = a_customer(lab)

    def broken(_: Ref) -> Partner | None:
        raise StoreError("directory.db", "disk I/O error")

    found = await make_lookup(lab, broken).find_owners(NUMBER)

    assert [p.ref for p in found.parent_partners] == [partner]


async def test_a_partner_that_is_not_there_is_not_in_the_directory(tmp_path: Path) -> None:
    reader = SqliteDirectory(tmp_path / "directory.db", stale_after=timedelta(days=1))
    assert reader.partner(Ref("1c17580d-32dd-c56a-87f5-838d3ba4740e")) is None

    (tmp_path / "directory.db").write_bytes(b"not a database at all" * 100)
    reader.refresh()

    with pytest.raises(StoreError):
        reader.partner(Ref("1c17580d-32dd-c56a-87f5-838d3ba4740e"))
