"""Rows of 1C as objects: nulls, groups, empty dates, values of the extension attribute."""

from datetime import date

import msgspec
import pytest

from bridge.adapters.onec.reading.objects import (
    is_group,
    read_attribute_value,
    read_contact_persons,
    read_counterparties,
    read_managers,
    read_partners,
)
from bridge.adapters.onec.schema import (
    ContactPersonRow,
    CounterpartyRow,
    ManagerRow,
    PartnerRow,
    PhoneLineRow,
    PropertyValueRow,
)
from bridge.domain.directory.entities import AttributeValue, Manager, Partner, Ref, Version
from bridge.domain.phone.phone import PhoneRules

RULES = PhoneRules()
ZERO = "00000000-0000-0000-0000-000000000000"
UPPER = "0F9E375D-6E83-11E5-96ED-0025907C0298"
LOWER = Ref(UPPER.lower())


def test_a_partner_of_nulls_is_an_empty_partner() -> None:
    row = msgspec.json.decode(
        b'{"Ref_Key":"a","DataVersion":null,"Description":null,"Code":null,"Parent_Key":null}',
        type=PartnerRow,
    )

    ((partner, unread),) = read_partners([row], RULES)

    assert (partner, unread) == (Partner(Ref("a"), Version(""), ""), False)


def test_references_are_lower_case_and_the_zero_guid_is_none() -> None:
    row = PartnerRow(UPPER, parent=UPPER, manager=ZERO, code="00-00000012 ")
    ((partner, _),) = read_partners([row], RULES)

    assert isinstance(partner, Partner)
    assert (partner.ref, partner.parent, partner.manager) == (LOWER, LOWER, None)
    assert partner.code == "00-00000012"


def test_a_predefined_partner_is_flagged() -> None:
    rows = [PartnerRow("a", predefined="НашеПредприятие"), PartnerRow("b", predefined="")]

    assert [read.entity.predefined for read in read_partners(rows, RULES)] == [True, False]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-01T00:00:00", date(2026, 11, 1)),
        ("0001-01-01T00:00:00", None),
        ("", None),
        (None, None),
        ("вчера", None),
    ],
)
def test_year_one_means_that_the_relation_goes_on(text: str | None, day: date | None) -> None:
    row = ContactPersonRow("a", ended=text, partner=UPPER)
    ((person, _),) = read_contact_persons([row], RULES)

    assert (person.ended, person.partner) == (day, LOWER)


def test_only_telephone_lines_are_phones() -> None:
    lines = [
        PhoneLineRow("Адрес", "150000, Ярославль, 79035550123"),
        PhoneLineRow("Факс", "+7 (4852) 55-01-02"),
        PhoneLineRow("Телефон", "+7 (903) 555-01-23"),
    ]
    row = CounterpartyRow("a", contact_lines=lines, tax_id="7604000000")
    ((entity, unread),) = read_counterparties([row], RULES)

    assert [f.text for f in entity.phone_fields] == ["+7 (903) 555-01-23"]
    assert not unread


def test_every_row_of_a_page_keeps_its_own_phones() -> None:
    phone, unread = PhoneLineRow("Телефон", "+7 (903) 555-01-23"), PhoneLineRow("Телефон", "Иван")
    address = PhoneLineRow("Адрес", "150000, Ярославль")
    pages = [[phone, address], None, [address], [unread, phone], [phone, phone], []]
    rows = [PartnerRow(str(at), contact_lines=lines) for at, lines in enumerate(pages)]

    found = list(read_partners(rows, RULES))

    assert [[f.text for f in read.entity.phone_fields] for read in found] == [
        ["+7 (903) 555-01-23"],
        [],
        [],
        ["Иван", "+7 (903) 555-01-23"],
        ["+7 (903) 555-01-23", "+7 (903) 555-01-23"],
        [],
    ]
    assert [read.has_unread_phones for read in found] == [False, False, False, True, False, False]


def test_an_unread_phone_asks_for_a_second_look_until_it_was_looked_at() -> None:
    first = CounterpartyRow("a", contact_lines=[PhoneLineRow("Телефон", "добавить")])
    second = CounterpartyRow(
        "a", contact_lines=[PhoneLineRow("Телефон", "добавить", json_storage="", text_storage="")]
    )

    assert [read.has_unread_phones for read in read_counterparties([first, second], RULES)] == [
        True,
        False,
    ]


def test_groups_are_known_by_their_flag_or_by_what_they_cannot_have() -> None:
    assert is_group(PartnerRow("a", is_folder=True))
    assert not is_group(PartnerRow("a", is_folder=False))
    assert is_group(PartnerRow("a", name="Группа"))
    assert not is_group(PartnerRow("a", manager=ZERO, contact_lines=[]))
    assert is_group(ContactPersonRow("a"))
    assert not is_group(CounterpartyRow("a", partner=ZERO, contact_lines=[]))
    assert not is_group(ManagerRow("a"))


@pytest.mark.parametrize(
    ("row", "value"),
    [
        (PropertyValueRow(value=" 205 ", type="Edm.String"), AttributeValue("205")),
        (PropertyValueRow(value=205.0, type="Edm.Double"), AttributeValue("205")),
        (PropertyValueRow(value=205, type="Edm.Int32"), AttributeValue("205")),
        (
            PropertyValueRow(value="начало", type="Edm.String", long_text="205"),
            AttributeValue("205"),
        ),
        (
            PropertyValueRow(value=UPPER, type="StandardODATA.Catalog_ЗначенияСвойствОбъектов"),
            AttributeValue(value_ref=LOWER),
        ),
        (
            PropertyValueRow(value=UPPER, type="UnavailableEntities.UnavailableEntity_x"),
            AttributeValue(value_ref=LOWER),
        ),
        (PropertyValueRow(value=UPPER, type="StandardODATA.Catalog_Валюты"), AttributeValue()),
        (PropertyValueRow(value="", type="StandardODATA.Undefined"), AttributeValue()),
        (PropertyValueRow(value=True, type="Edm.Boolean"), AttributeValue()),
        (PropertyValueRow(), AttributeValue()),
    ],
)
def test_a_value_is_read_by_its_type(row: PropertyValueRow, value: AttributeValue) -> None:
    assert read_attribute_value(row) == value


def test_a_manager_has_the_value_of_the_property_that_was_found() -> None:
    row = ManagerRow(
        "a",
        invalid=True,
        property_values=[
            PropertyValueRow(property="b" * 36, value="999", type="Edm.String"),
            PropertyValueRow(property=UPPER, value="205", type="Edm.String"),
        ],
    )
    manager, without = (read.entity for read in read_managers([row, ManagerRow("a")], LOWER))
    (unread,) = (read.entity for read in read_managers([row], None))

    assert isinstance(manager, Manager)
    assert isinstance(without, Manager)
    assert isinstance(unread, Manager)
    assert (manager.attribute, manager.invalid) == (AttributeValue("205"), True)
    assert without.attribute is None
    assert unread.attribute is None
