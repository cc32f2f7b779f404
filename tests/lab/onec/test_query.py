"""The query language of the simulated 1C: filters, selections, order, pages, refusals."""

from collections.abc import Callable
from typing import Any

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
from tests.lab.onec.onec_client import NOWHERE, OneCClient, error_of, open_lab

pytestmark = pytest.mark.anyio

Row = dict[str, Any]


@pytest.fixture
def onec() -> OneCClient:
    return open_lab(120)


def rows_of(onec: OneCClient, set_name: str) -> list[Row]:
    return onec.lab.infobase.rows(set_name)


# ------------------------------------------------------------------ filters


FILTERS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "DeletionMark eq true": lambda r: r["DeletionMark"],
    "not DeletionMark": lambda r: not r["DeletionMark"],
    "Клиент eq true and Поставщик eq false": lambda r: r["Клиент"] and not r["Поставщик"],
    "Клиент eq false or DeletionMark eq true": lambda r: not r["Клиент"] or r["DeletionMark"],
    "not (Клиент eq true) and DeletionMark eq false": (
        lambda r: not r["Клиент"] and not r["DeletionMark"]
    ),
    "ДатаРегистрации ge datetime'2020-01-01T00:00:00'": (
        lambda r: r["ДатаРегистрации"] >= "2020-01-01T00:00:00"
    ),
    "year(ДатаРегистрации) eq 2015": lambda r: r["ДатаРегистрации"].startswith("2015"),
    "substringof('ФАБРИКА', Description)": lambda r: "фабрика" in r["Description"].casefold(),
    "substringof('фабрика', Description) eq true": (
        lambda r: "фабрика" in r["Description"].casefold()
    ),
    "startswith(Description, 'Холдинг')": lambda r: r["Description"].startswith("Холдинг"),
    "endswith(Description, 'ООО')": lambda r: r["Description"].endswith("ООО"),
    "like(Code, '00-0000001_')": lambda r: r["Code"].startswith("00-0000001"),
    "concat(Code, '!') eq '00-00000005!'": lambda r: r["Code"] == "00-00000005",
    "Description eq 'ХОЛДИНГ'": lambda r: r["Description"].casefold() == "холдинг",
    f"Parent_Key ne guid'{EMPTY_REF}'": lambda r: r["Parent_Key"] != EMPTY_REF,
    "ОсновнойМенеджер/Недействителен eq true": lambda r: r["bad"],
    "Code gt '00-00000100'": lambda r: r["Code"] > "00-00000100",
    "2 add 2 eq 4": lambda _: True,
    "КонтактнаяИнформация/any(d: d/Тип eq 'Телефон')": (
        lambda r: any(line["Тип"] == "Телефон" for line in r["КонтактнаяИнформация"])
    ),
    "КонтактнаяИнформация/all(d: d/Тип ne 'Адрес')": (
        lambda r: all(line["Тип"] != "Адрес" for line in r["КонтактнаяИнформация"])
    ),
    "КонтактнаяИнформация/any()": lambda r: bool(r["КонтактнаяИнформация"]),
}


@pytest.mark.parametrize("text", FILTERS)
async def test_a_filter_finds_what_it_says(onec: OneCClient, text: str) -> None:
    infobase = onec.lab.infobase
    expected = []
    for row in rows_of(onec, PARTNERS):
        user = infobase.tables[USERS].rows.get(row["ОсновнойМенеджер_Key"], {})
        if FILTERS[text]({**row, "bad": user.get("Недействителен", False)}):
            expected.append(row["Ref_Key"])

    found = await onec.rows(f"/{PARTNERS}", f"$filter={text}", "$select=Ref_Key")

    assert sorted(row["Ref_Key"] for row in found) == sorted(expected)


async def test_a_chain_of_references_finds_each(onec: OneCClient) -> None:
    refs = list(onec.lab.infobase.tables[PARTNERS].rows)[10:25]
    chain = " or ".join(f"Ref_Key eq guid'{ref}'" for ref in refs)

    found = await onec.rows(f"/{PARTNERS}", f"$filter={chain}", "$select=Ref_Key")
    upper = await onec.rows(f"/{PARTNERS}", f"$filter=Ref_Key eq guid'{str(refs[0]).upper()}'")

    assert {row["Ref_Key"] for row in found} == set(refs)
    assert [row["Ref_Key"] for row in upper] == refs[:1]


async def test_a_chain_of_owners_finds_their_people(onec: OneCClient) -> None:
    people = rows_of(onec, CONTACT_PERSONS)
    owners = {row["Owner_Key"] for row in people[:9]}
    chain = " or ".join(f"Owner_Key eq guid'{ref}'" for ref in owners)

    found = await onec.rows(f"/{CONTACT_PERSONS}", f"$filter={chain}")

    assert len(found) == sum(row["Owner_Key"] in owners for row in people)


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("Нет eq 1", 400, "6"),
        ("Партнер/Нет eq 1", 400, "6"),
        ("Code eq", 400, "14"),
        ("Code eq '1' and", 400, "14"),
        ("Code = '1'", 400, "14"),
        ("ДатаРегистрации ge datetime'1-01-01T00:00:00'", 400, "1"),
        ("Ref_Key eq guid'xyz'", 400, "1"),
        (f"Ref_Key gt guid'{NOWHERE}'", 500, "-1"),
        (f"Parent_Key le guid'{NOWHERE}'", 500, "-1"),
        ("Комментарий eq 'x'", 500, "-1"),
        ("Code eq 5", 500, "-1"),
        ("Клиент eq 'да'", 500, "-1"),
        ("year(Description) eq 2015", 500, "-1"),
        ("substringof('a', Ref_Key)", 500, "-1"),
        ("substringof('a', ДатаРегистрации)", 500, "-1"),
        ("DataVersion eq 'AAAAAAAAAAE='", 500, "-1"),
        ("tolower(Description) eq 'a'", 400, "21"),
        ("length(Description) gt 3", 400, "21"),
        ("Code+eq+'1'", 500, "-1"),
        ("КонтактнаяИнформация/Тип eq 'Телефон'", 500, "-1"),
    ],
)
async def test_what_cannot_be_compared_is_refused(
    onec: OneCClient, text: str, status: int, code: str
) -> None:
    response = await onec.get(f"/{PARTNERS}", f"$filter={text}")

    assert error_of(response)[:2] == (status, code)


async def test_a_plus_inside_a_text_is_a_plus(onec: OneCClient) -> None:
    call = await onec.a_call(АбонентКакСвязаться="+7 903 555-01-23")

    (raw,) = await onec.rows(f"/{PHONE_CALLS}", "$filter=АбонентКакСвязаться eq '+7 903 555-01-23'")
    (encoded,) = await onec.rows(
        f"/{PHONE_CALLS}", "$filter=substringof('%2B7 903', АбонентКакСвязаться)"
    )

    assert raw["Ref_Key"] == encoded["Ref_Key"] == call


async def test_an_unlimited_text_is_searched_but_not_compared(onec: OneCClient) -> None:
    call = await onec.a_call(Комментарий="заметка [bridge:k-1] и ещё")

    (found,) = await onec.rows(f"/{PHONE_CALLS}", "$filter=substringof('[bridge:k-1]',Комментарий)")
    refused = await onec.get(f"/{PHONE_CALLS}", "$filter=Комментарий eq 'заметка'")

    assert found["Ref_Key"] == call
    assert error_of(refused)[:2] == (500, "-1")


async def test_a_composite_field_is_found_only_by_cast(onec: OneCClient) -> None:
    partner = onec.a_partner()
    call = await onec.a_call(
        АбонентКонтакт=partner, АбонентКонтакт_Type=f"StandardODATA.{PARTNERS}"
    )
    found = {}
    for name, text in {
        "bare": f"АбонентКонтакт eq guid'{partner}'",
        "text": f"АбонентКонтакт eq '{partner}'",
        "cast": f"АбонентКонтакт eq cast(guid'{partner}','{PARTNERS}')",
        "other": f"АбонентКонтакт eq cast(guid'{partner}','{USERS}')",
        "isof": f"isof(АбонентКонтакт,'{PARTNERS}')",
        "type": f"АбонентКонтакт_Type eq 'StandardODATA.{PARTNERS}'",
    }.items():
        rows = await onec.rows(f"/{PHONE_CALLS}", f"$filter={text}")
        found[name] = [row["Ref_Key"] for row in rows]

    assert found == {
        "bare": [], "text": [], "cast": [call], "other": [], "isof": [call], "type": [call],
    }  # fmt: skip


async def test_a_text_beside_a_reference_finds_nothing(onec: OneCClient) -> None:
    ref = onec.a_partner()

    assert await onec.rows(f"/{PARTNERS}", f"$filter=Ref_Key eq '{ref}'") == []


# ------------------------------------------------------------------ selections


async def test_two_stars_leave_the_sections_out(onec: OneCClient) -> None:
    (bare,) = await onec.rows(f"/{PARTNERS}", "$select=**", "$top=1")
    (beside,) = await onec.rows(f"/{PARTNERS}", "$select=**,КонтактнаяИнформация", "$top=1")
    (whole,) = await onec.rows(f"/{PARTNERS}", "$select=*", "$top=1")

    assert "КонтактнаяИнформация" not in bare
    assert "КонтактнаяИнформация" not in beside
    assert isinstance(whole["КонтактнаяИнформация"], list)


async def test_columns_of_a_section_are_chosen(onec: OneCClient) -> None:
    select = "$select=Ref_Key,КонтактнаяИнформация/Тип,КонтактнаяИнформация/НомерТелефона"

    rows = await onec.rows(f"/{PARTNERS}", select)

    lines = [line for row in rows for line in row["КонтактнаяИнформация"]]
    assert {frozenset(line) for line in lines} == {frozenset({"Тип", "НомерТелефона"})}
    assert all(list(row) == ["Ref_Key", "КонтактнаяИнформация"] for row in rows)


async def test_presentations_are_texts(onec: OneCClient) -> None:
    (row,) = await onec.rows(
        f"/{PARTNERS}",
        "$select=Description,ОсновнойМенеджер____Presentation,Presentation",
        "$top=1",
    )

    assert row["Presentation"] == row["Description"]
    assert isinstance(row["ОсновнойМенеджер____Presentation"], str)


@pytest.mark.parametrize(
    ("option", "status", "code"),
    [
        ("$select=КонтактнаяИнформация/Нет", 400, "6"),
        ("$select=Ref_Key,+Code", 400, "6"),
        ("$orderby=Нет", 400, "6"),
        ("$orderby=Description+desc", 400, "6"),
        ("$orderby=Комментарий", 500, "-1"),
        ("$expand=Нет", 400, "6"),
        ("$expand=КонтактнаяИнформация", 501, "0"),
        ("$expan=Партнер", 501, "0"),
        ("$top=много", 400, "14"),
        ("$skip=-1", 400, "14"),
    ],
)
async def test_wrong_options_are_refused(
    onec: OneCClient, option: str, status: int, code: str
) -> None:
    response = await onec.get(f"/{PARTNERS}", option)

    assert error_of(response)[:2] == (status, code)


async def test_a_reference_to_an_unpublished_set_has_no_navigation(onec: OneCClient) -> None:
    response = await onec.get(f"/{PARTNERS}", "$expand=БизнесРегион")

    assert error_of(response)[:2] == (400, "6")


async def test_levels_of_metadata(onec: OneCClient) -> None:
    minimal = (
        await onec.get(f"/{COUNTERPARTIES}", "$filter=Партнер_Key ne guid'" + EMPTY_REF + "'")
    ).json()
    bare = (
        await onec.http.get(f"/{COUNTERPARTIES}?$format=application/json;odata=nometadata")
    ).json()
    by_accept = await onec.http.get(f"/{PARTNERS}?$top=1", headers={"accept": "application/json"})

    assert minimal["odata.metadata"].endswith(f"$metadata#{COUNTERPARTIES}")
    first = minimal["value"][0]
    assert first["Партнер@navigationLinkUrl"] == (
        f"{COUNTERPARTIES}(guid'{first['Ref_Key']}')/Партнер"
    )
    assert set(bare) == {"value"}
    assert not any("@" in name for row in bare["value"] for name in row)
    assert "value" in by_accept.json()


async def test_empty_references_have_no_links(onec: OneCClient) -> None:
    rows = await onec.rows(f"/{PARTNERS}", f"$filter=ОсновнойМенеджер_Key eq guid'{EMPTY_REF}'")

    assert rows
    assert not any("ОсновнойМенеджер@navigationLinkUrl" in row for row in rows)


# ------------------------------------------------------------------ values


async def test_wide_integers_are_strings_and_empty_values_are_1cs(onec: OneCClient) -> None:
    call = await onec.a_call(АбонентПредставление="")
    await onec.remind(call, ИнтервалВремениНапоминания=900)

    (reminder,) = await onec.rows(f"/{REMINDERS}")
    partner = (await onec.get(f"/{PARTNERS}(guid'{onec.a_partner()}')")).json()

    assert reminder["ИнтервалВремениНапоминания"] == "900"
    assert partner["ДатаРождения"] == "0001-01-01T00:00:00"
    assert partner["БизнесРегион_Key"] == EMPTY_REF
    numbers = [line["LineNumber"] for line in partner["КонтактнаяИнформация"]]
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)]
    assert "odata.metadata" in partner


async def test_a_value_type_is_a_complex_value(onec: OneCClient) -> None:
    rows = await onec.rows(f"/{PROPERTIES}", "$select=Ref_Key,ValueType")

    assert all("String" in row["ValueType"]["Types"] for row in rows)


# ------------------------------------------------------------------ order and pages


async def test_pages_by_a_full_key_meet_every_row_once(onec: OneCClient) -> None:
    seen: list[str] = []
    for skip in range(0, 140, 20):
        rows = await onec.rows(f"/{PARTNERS}", "$orderby=Code", f"$skip={skip}", "$top=20")
        seen += [row["Ref_Key"] for row in rows]

    assert sorted(seen) == sorted(onec.lab.infobase.tables[PARTNERS].rows)


@pytest.mark.parametrize("order", ["$orderby=ЮрФизЛицо", "$inlinecount=none"])
async def test_pages_of_ties_lose_and_double_rows(onec: OneCClient, order: str) -> None:
    seen: list[str] = []
    for skip in range(0, 140, 10):
        rows = await onec.rows(f"/{PARTNERS}", order, f"$skip={skip}", "$top=10")
        seen += [row["Ref_Key"] for row in rows]

    assert len(seen) == len(onec.lab.infobase.tables[PARTNERS].rows)
    assert len(set(seen)) < len(seen)


async def test_names_that_repeat_tie_under_the_order_by_reference(onec: OneCClient) -> None:
    for _ in range(8):
        onec.lab.add_partner("Тёзка ООО")
    orders = set()
    for _ in range(6):
        rows = await onec.rows(
            f"/{PARTNERS}", "$orderby=Ref_Key", "$filter=Description eq 'Тёзка ООО'"
        )
        orders.add(tuple(row["Ref_Key"] for row in rows))

    assert len(orders) > 1


async def test_descending_order_and_a_second_key(onec: OneCClient) -> None:
    rows = await onec.rows(f"/{PARTNERS}", "$orderby=ЮрФизЛицо desc,Code asc")

    keys = [(row["ЮрФизЛицо"], row["Code"]) for row in rows]
    people = [code for kind, code in keys if kind == "ЧастноеЛицо"]
    assert keys[: len(people)] == [("ЧастноеЛицо", code) for code in sorted(people)]


async def test_a_whole_listing_is_one_answer(onec: OneCClient) -> None:
    rows = await onec.rows(f"/{PARTNERS}", "$select=Ref_Key,DataVersion")

    assert len(rows) == 123
    assert all(len(row["DataVersion"]) == 12 for row in rows)


async def test_a_section_is_read_through_its_own_address(onec: OneCClient) -> None:
    address = f"/{PARTNERS}_КонтактнаяИнформация"
    phones = await onec.rows(address, "$filter=Тип eq 'Телефон'", "$orderby=Ref_Key,LineNumber")
    ref = phones[0]["Ref_Key"]

    one = await onec.get(f"{address}(Ref_Key=guid'{ref}',LineNumber=1)")

    lines = [line for row in rows_of(onec, PARTNERS) for line in row["КонтактнаяИнформация"]]
    assert len(phones) == sum(line["Тип"] == "Телефон" for line in lines)
    assert one.json()["LineNumber"] == "1"


# ------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/{PARTNERS}/Лишнее", 400, "6"),
        (f"/{REMINDERS}/SliceLast()", 400, "6"),
        (f"/{PARTNERS}(guid'нет')", 400, "1"),
        (f"/{REMINDERS}(Пользователь_Key=guid'{NOWHERE}')", 400, "7"),
        (f"/{PHONE_CALLS}(guid'{NOWHERE}')/Post", 400, "6"),
        ("/$batch", 400, "2"),
    ],
)
async def test_wrong_addresses_are_refused(
    onec: OneCClient, path: str, status: int, code: str
) -> None:
    assert error_of(await onec.get(path))[:2] == (status, code)


async def test_a_reference_is_walked_by_the_path(onec: OneCClient) -> None:
    person = rows_of(onec, CONTACT_PERSONS)[0]
    address = f"/{CONTACT_PERSONS}(guid'{person['Ref_Key']}')"

    owner = (await onec.get(f"{address}/Owner")).json()
    name = (await onec.get(f"{address}/Owner/Description")).json()

    assert owner["Ref_Key"] == person["Owner_Key"]
    assert name["value"] == owner["Description"]


async def test_an_unpublished_set_leaves_the_root_and_the_metadata(onec: OneCClient) -> None:
    onec.lab.switches.unpublished = {COUNTERPARTIES}

    names = [row["name"] for row in (await onec.get("/")).json()["value"]]
    edmx = (await onec.get("/$metadata", json=False)).text

    assert PARTNERS in names
    assert COUNTERPARTIES not in names
    assert f'EntitySet Name="{COUNTERPARTIES}"' not in edmx


@pytest.mark.parametrize(
    "text",
    [
        "like(Description,'[')",
        "1 div 0 eq 1",
        "АбонентКонтакт eq 1",
        "КонтактнаяИнформация/any(d: d/Нет eq 1)",
    ],
)
async def test_nonsense_is_refused_and_never_breaks_the_server(onec: OneCClient, text: str) -> None:
    response = await onec.get(f"/{PARTNERS}", f"$filter={text}")

    assert error_of(response)[0] in {400, 500}


async def test_a_very_long_chain_is_read_where_nothing_limits_it(onec: OneCClient) -> None:
    onec.lab.switches.iis_query_limit = None
    refs = [*onec.lab.infobase.tables[PARTNERS].rows, *[NOWHERE] * 700]
    chain = " or ".join(f"Ref_Key eq guid'{ref}'" for ref in refs)

    found = await onec.rows(f"/{PARTNERS}", f"$filter={chain}", "$select=Ref_Key")

    assert len(found) == 123
