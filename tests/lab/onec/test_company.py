"""The composed company: the same for a seed, true to its release, and honest about its phones."""

import gc
from collections import Counter
from random import Random
from typing import cast, get_args

import phonenumbers
import pytest

from bridge.lab.onec.company import typed_phones
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.company.quirks import DataQuirks
from bridge.lab.onec.infobase import phone_columns
from bridge.lab.onec.infobase.infobase import (
    CONTACT_KINDS,
    CONTACT_PERSONS,
    COUNTERPARTIES,
    EXTRA_VALUES,
    PARTNERS,
    PHONE_CALLS,
    PROPERTIES,
    PROPERTY_SETS,
    PROPERTY_VALUES,
    USERS,
    ExtensionStorage,
    Infobase,
)
from bridge.lab.onec.infobase.schema import EMPTY_REF, Release, load_release
from bridge.lab.onec.infobase.tables import Row

RELEASES: tuple[Release, ...] = get_args(Release)
CONTACTS = "КонтактнаяИнформация"


@pytest.fixture(scope="module")
def company() -> Infobase:
    return compose_infobase(300, seed=3)


def test_a_seed_is_a_company() -> None:
    one, same, other = (compose_infobase(40, seed=seed) for seed in (5, 5, 6))

    assert all(one.rows(name) == same.rows(name) for name in one.tables)
    assert one.intended_phones == same.intended_phones
    assert one.extensions == same.extensions
    assert one.rows(PARTNERS) != other.rows(PARTNERS)


def test_composing_leaves_the_collector_as_it_was() -> None:
    compose_infobase(1)

    assert gc.isenabled()


# ------------------------------------------------------------------ what a bridge stumbles over


def test_predefined_partners_stand_first(company: Infobase) -> None:
    names = [row["PredefinedDataName"] for row in company.rows(PARTNERS)[:4]]

    assert names == ["НашеПредприятие", "РозничныйПокупатель", "НеизвестныйПартнер", ""]


def test_partners_have_the_troubles_of_a_real_base(company: Infobase) -> None:
    users = company.tables[USERS].rows
    partners = [row for row in company.rows(PARTNERS) if not row["Predefined"]]
    managers = [users.get(row["ОсновнойМенеджер_Key"]) for row in partners]
    found = Counter(
        trouble
        for user in managers
        for trouble in (
            ["no manager"]
            if user is None
            else [
                str(mark)
                for mark in ("Недействителен", "Служебный", "DeletionMark")
                if mark in user
            ]
            or (["no extension"] if user["Ref_Key"] not in company.extensions else ["good"])
        )
    )

    assert len(partners) == 300
    assert set(found) == {
        *("no manager", "no extension", "good"),
        *("Недействителен", "Служебный", "DeletionMark"),
    }
    assert found["good"] > 200
    assert any(row["DeletionMark"] for row in partners)


def test_some_holdings_have_the_good_manager_above(company: Infobase) -> None:
    children = [row for row in company.rows(PARTNERS) if row["Parent_Key"] != EMPTY_REF]
    rescued = [
        row
        for row in children
        if row["ОсновнойМенеджер_Key"] not in company.extensions
        and company.responsible_extension(row["Ref_Key"])
    ]

    assert len(children) > 15
    assert rescued


def test_people_and_legal_entities_belong_to_partners(company: Infobase) -> None:
    partners = company.tables[PARTNERS].rows
    people, entities = company.rows(CONTACT_PERSONS), company.rows(COUNTERPARTIES)
    firms = Counter(row["Партнер_Key"] for row in entities)

    assert 0.9 < len(people) / 300 < 1.5
    assert all(row["Owner_Key"] in partners for row in people)
    assert any(row["ДатаПрекращенияСвязи"] > "0001-01-01T00:00:00" for row in people)
    assert firms[EMPTY_REF] > 0
    assert max(count for ref, count in firms.items() if ref != EMPTY_REF) > 1


def test_kinds_of_contacts_are_folders_items_and_users_own(company: Infobase) -> None:
    rows = company.rows(CONTACT_KINDS)
    own = [row for row in rows if not row["PredefinedDataName"]]

    assert {row["IsFolder"] for row in rows} == {True, False}
    assert {row["Тип"] for row in own} == {"Телефон"}
    assert company.contact_kind("ФаксКонтрагенты").type == "Факс"


# ------------------------------------------------------------------ extensions


def extension_in(infobase: Infobase, user: Row) -> str:
    """Read an extension the long way round, by the paths of the dossier."""
    line = next(
        (
            line
            for line in user["ДополнительныеРеквизиты"]
            if line["Свойство_Key"] == infobase.extension_property
        ),
        None,
    )
    if line is None:
        key = (user["Ref_Key"], infobase.extension_property, f"StandardODATA.{USERS}")
        return str(infobase.tables[EXTRA_VALUES].rows.get(key, {}).get("Значение", ""))
    if line["Значение_Type"] == f"StandardODATA.{PROPERTY_VALUES}":
        return str(infobase.row(PROPERTY_VALUES, line["Значение"])["Description"])
    return str(line["ТекстоваяСтрока"] or line["Значение"])


@pytest.mark.parametrize("storage", get_args(ExtensionStorage))
@pytest.mark.parametrize("release", ["11.4.2", "11.5.20"])
def test_extensions_are_kept_in_every_way(storage: ExtensionStorage, release: Release) -> None:
    infobase = compose_infobase(5, release=release, quirks=DataQuirks(extension_storage=storage))

    read = {row["Ref_Key"]: extension_in(infobase, row) for row in infobase.rows(USERS)}

    assert {ref: text for ref, text in read.items() if text} == infobase.extensions
    assert (len(infobase.tables[EXTRA_VALUES]) > 0) is (storage == "register")


def test_values_of_the_mixed_attribute_are_of_several_types(company: Infobase) -> None:
    kinds = {
        line["Значение_Type"]
        for row in company.rows(USERS)
        for line in row["ДополнительныеРеквизиты"]
        if line["Свойство_Key"] == company.extension_property
    }

    assert kinds == {"Edm.String", "Edm.Double", f"StandardODATA.{PROPERTY_VALUES}"}


def test_twins_share_an_extension_only_on_request() -> None:
    usual, twins = (
        compose_infobase(1, quirks=DataQuirks(twin_extensions=on)) for on in (False, True)
    )

    assert max(Counter(usual.extensions.values()).values()) == 1
    assert max(Counter(twins.extensions.values()).values()) == 2


def test_a_base_may_lack_the_attribute() -> None:
    infobase = compose_infobase(1, quirks=DataQuirks(attribute=False))

    assert infobase.extensions == {}
    assert infobase.extension_property == EMPTY_REF


def test_the_users_set_is_fixed_or_predefined() -> None:
    new, old = compose_infobase(1), compose_infobase(1, release="11.4.2")
    (by_name,) = new.find(PROPERTY_SETS, ИмяПредопределенногоНабора="Справочник_Пользователи")
    (by_predefined,) = old.find(PROPERTY_SETS, PredefinedDataName="Справочник_Пользователи")

    assert by_name == "2bf06771-775a-406a-a5dc-45a10e98914f"
    assert by_predefined != by_name
    assert old.row(PROPERTIES, old.extension_property)["Description"] == (
        "Внутренний номер (Пользователи)"
    )


# ------------------------------------------------------------------ releases


@pytest.mark.parametrize(
    ("set_name", "column", "releases"),
    [
        (PARTNERS, "ЗонаДоставки_Key", ("11.5.8", "11.5.20", "11.5.27")),
        (PARTNERS, "ВидПланированияДоставки", ("11.5.27",)),
        (COUNTERPARTIES, "НаименованиеВТранскрипции", ("11.5.20", "11.5.27")),
        (COUNTERPARTIES, "НДСПоСтавкам4и2", ("11.4.2", "11.5.8", "11.5.20")),
        (USERS, "Фотография_Type", ("11.5.8", "11.5.20", "11.5.27")),
        (USERS, "СвойстваПользователяИБ_Type", ("11.4.2", "11.5.8")),
        (PHONE_CALLS, "УдалитьПредмет", ("11.4.2",)),
        (PROPERTIES, "ИдентификаторДляФормул", ("11.5.8", "11.5.20", "11.5.27")),
        (PROPERTIES, "ВидСвойств", ("11.5.20",)),
        (PROPERTIES, "ВидСвойства", ("11.5.27",)),
        (CONTACT_KINDS, "ТелефонCДобавочнымНомером", ("11.4.2", "11.5.8")),
        (CONTACT_KINDS, "ТелефонСДобавочнымНомером", ("11.5.20", "11.5.27")),
    ],
)
def test_columns_come_and_go_with_releases(
    set_name: str, column: str, releases: tuple[Release, ...]
) -> None:
    present = [
        release for release in RELEASES if column in load_release(release).sets[set_name].template()
    ]

    assert tuple(present) == releases


@pytest.mark.parametrize("release", RELEASES)
def test_rows_have_exactly_the_columns_of_their_release(release: Release) -> None:
    infobase = compose_infobase(20, release=release)

    for name, table in infobase.tables.items():
        template = table.schema.template()
        assert all(list(row) == list(template) for row in infobase.rows(name)), name
    line = next(row for row in infobase.rows(PARTNERS) if row[CONTACTS])[CONTACTS][0]
    assert ("Значение" in line) is (release != "11.4.2")


def test_an_unknown_release_is_an_error() -> None:
    with pytest.raises(KeyError):
        compose_infobase(1, release=cast("Release", "10.3"))


# ------------------------------------------------------------------ phones


def test_every_meant_number_is_a_possible_one(company: Infobase) -> None:
    assert len(company.intended_phones) > 500
    for phone in company.intended_phones:
        assert phonenumbers.is_valid_number(phonenumbers.parse(phone.e164)), phone


def test_intended_phones_are_typed_in_their_rows(company: Infobase) -> None:
    for phone in company.intended_phones:
        lines = company.row(phone.owner_set, phone.ref)[CONTACTS]
        texts = [line["Представление"] for line in lines]
        storages = [line["ЗначенияПолей"] + line["Значение"] for line in lines]
        assert phone.typed in texts or any(phone.typed in text for text in storages), phone


def test_people_type_in_every_manner() -> None:
    rng = Random(1)  # noqa: S311 - composed numbers
    manners = {typed_phones.draw_phone(rng).manner for _ in range(3000)}

    assert manners == {
        "plain", "extension", "two", "prefix", "kazakhstan", "foreign", "needs_area", "fullwidth",
        "plus_eight", "nonsense",
    }  # fmt: skip


def test_nonsense_means_no_number() -> None:
    rng = Random(2)  # noqa: S311 - composed numbers
    drawn = [typed_phones.draw_phone(rng) for _ in range(3000)]

    assert all((phone.intended == ()) is (phone.manner == "nonsense") for phone in drawn)
    assert any(phone.text == "anonymous" for phone in drawn)


@pytest.mark.parametrize(
    ("text", "full", "short"),
    [
        ("+7 (4852) 55-01-02 доб. 314", "74852550102", "550102"),
        ("8 903 555-01-23", "89035550123", "5550123"),
        ("+79035550123", "79035550123", ""),
        ("89035550123", "89035550123", "89035550123"),
        ("903 555-01-23", "9035550123", "0123"),
        ("anonymous", "", ""),
    ],
)
def test_1c_splits_a_text_by_groups_of_digits(text: str, full: str, short: str) -> None:
    found = phone_columns.columns_of(text, "form", has_json=True)

    assert (found["НомерТелефона"], found["НомерТелефонаБезКодов"]) == (full, short)


def test_the_extension_goes_into_the_storages_only() -> None:
    found = phone_columns.columns_of("+7 (4852) 55-01-02, доб. 314", "form", has_json=True)

    assert '"extNumber": "314"' in found["Значение"]
    assert 'Добавочный="314"' in found["ЗначенияПолей"]


@pytest.mark.parametrize(
    ("writer", "filled"),
    [
        ("form", {"Представление", "ЗначенияПолей", "Значение", "НомерТелефона"}),
        ("foreign", {"Представление"}),
        ("exchange", {"Представление", "НомерТелефона"}),
        ("key_value", {"Представление", "ЗначенияПолей"}),
        ("storage", {"Представление", "ЗначенияПолей", "Значение"}),
        ("no_text", {"ЗначенияПолей", "Значение"}),
        ("damaged", {"Представление", "ЗначенияПолей", "Значение"}),
    ],
)
def test_writers_leave_different_columns(writer: str, filled: set[str]) -> None:
    found = phone_columns.columns_of("+7 903 555-01-23", writer, has_json=True)

    assert {name for name in found if not name.endswith("БезКодов")} == filled


def test_a_damaged_storage_is_cut_short() -> None:
    found = phone_columns.columns_of("+7 903 555-01-23", "damaged", has_json=True)

    assert not found["Значение"].endswith("}")
    assert not found["ЗначенияПолей"].endswith(">")
