"""Phone lines as 1C, other programs and accidents leave them."""

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.adapters.onec.reading.phones import read_phone_lines
from bridge.adapters.onec.schema import PhoneLineRow
from bridge.domain.phone.phone import PhoneRules

RULES = PhoneRules()
XML = (
    '<КонтактнаяИнформация xmlns="http://www.v8.1c.ru/ssl/contactinfo" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" Представление="{presentation}">'
    '<Комментарий/><Состав xsi:type="НомерТелефона" КодСтраны="7" КодГорода="4852" '
    'Номер="55-01-02" Добавочный="314"/></КонтактнаяИнформация>'
)
JSON = {
    "version": 4, "value": "", "type": "Телефон", "countryCode": "7", "areaCode": "4852",
    "number": "55-01-02", "extNumber": "314", "comment": 'он сказал "да"',
}  # fmt: skip


def numbers(**line: str) -> list[tuple[int, str | None]]:
    (field,) = read_phone_lines([PhoneLineRow(**line)], RULES)
    return [(phone.number, phone.extension) for phone in field.phones]


def test_the_text_people_see_comes_first() -> None:
    assert numbers(presentation="+7 (903) 555-01-23", number="74951234567") == [(79035550123, None)]


def test_a_number_with_its_country_is_read_where_the_text_says_nothing() -> None:
    assert numbers(presentation="Иван", number="79035550123") == [(79035550123, None)]


def test_ten_digits_without_a_country_are_not_used_before_the_storages() -> None:
    # +49 30 123456 becomes 4930123456, which would be a number of Ivanovo.
    german = json.dumps({"countryCode": "49", "areaCode": "30", "number": "123456"})

    assert numbers(number="4930123456") == []
    assert numbers(number="4930123456", json_storage=german) == [(4930123456, None)]
    assert numbers(number="9035550123", json_storage="", text_storage="") == [(79035550123, None)]


@pytest.mark.parametrize(
    "storage",
    [
        {"json_storage": json.dumps(JSON, ensure_ascii=False)},
        {"json_storage": json.dumps(JSON)},
        {"text_storage": XML.format(presentation="")},
        {"text_storage": "КодСтраны=7\nКодГорода=4852\nНомерТелефона=55-01-02\nДобавочный=314"},
        {"text_storage": "+7 (4852) 55-01-02, доб. 314"},
    ],
)
def test_every_storage_has_number_and_extension(storage: dict[str, str]) -> None:
    assert numbers(**storage) == [(74852550102, "314")]


def test_the_trunk_prefix_is_no_country() -> None:
    storage = json.dumps({"countryCode": "8", "areaCode": "903", "number": "555-01-23"})

    assert numbers(json_storage=storage) == [(79035550123, None)]


@pytest.mark.parametrize("share", range(0, 100, 3))
def test_of_a_damaged_storage_only_what_is_whole_is_read(share: int) -> None:
    whole = [(74852550102, "314")]
    for storage in (
        {"json_storage": json.dumps({**JSON, "value": "+7 (4852) 55-01-02, доб. 314"})},
        {"text_storage": XML.format(presentation="+7 (4852) 55-01-02, доб. 314")},
    ):
        cut = {name: text[: len(text) * share // 100] for name, text in storage.items()}
        assert numbers(presentation="тел.", **cut) in ([], whole)


def test_the_typed_text_is_kept_when_no_number_is_in_it() -> None:
    (field,) = read_phone_lines([PhoneLineRow(presentation="позвонить Ивану")], RULES)

    assert (field.text, field.phones) == ("позвонить Ивану", ())


def test_a_line_without_any_text_shows_what_its_storage_says() -> None:
    line = PhoneLineRow(text_storage=XML.format(presentation="+7 (4852) 55-01-02"))
    (field,) = read_phone_lines([line], RULES)

    assert field.text == "+7 (4852) 55-01-02"


def test_without_the_text_a_storage_has_more_than_the_column_of_digits() -> None:
    both = XML.format(presentation="+7 495 280-56-31 / 321-17-46")

    assert numbers(number="74952805631", text_storage=both) == [
        (74952805631, None),
        (74953211746, None),
    ]
    assert numbers(number="74952805631", text_storage="") == [(74952805631, None)]


# ---------------------------------------------------------------- lines of other programs
LINES = json.loads(
    (Path(__file__).parents[4] / "fixtures" / "onec" / "phone_lines.json").read_text()
)["lines"]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["case"])
def test_lines_that_other_programs_wrote_are_read(line: dict[str, Any]) -> None:
    stored = {
        "presentation": "",
        "number": "",
        "json_storage": "",
        "text_storage": "",
        **line["line"],
    }

    assert numbers(**stored) == [(line["number"], None)]


@pytest.mark.parametrize(
    "line",
    [
        {"number": "49(30)123456"},  # the plus is lost: ten digits are no Russian number
        {"json_storage": '{"inn": "9035550123", "account": "79035550123"}'},
        {"text_storage": "<a><inn>9035550123</inn><kpp>770101001</kpp></a>"},
        {"text_storage": "Инн=9035550123\nСчёт=40702810900000012345"},
        {"json_storage": '{"phone": ""}'},
        {"json_storage": '{"telegram": "79035550123", "hotel": "9035550123"}'},
    ],
)
def test_what_other_programs_wrote_beside_a_number_is_none(line: dict[str, str]) -> None:
    stored = {"presentation": "", "number": "", "json_storage": "", "text_storage": "", **line}

    assert numbers(**stored) == []
