"""What people type into 1C's contact fields, and the numbers that must come out. All composed."""

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.domain.phone.fields import read_phones
from bridge.domain.phone.phone import ParsedPhone, PhoneNumber, PhoneRules

FIXTURES = Path(__file__).parents[3] / "fixtures" / "onec"

RU = PhoneRules()
MOSCOW = PhoneRules(area_code="495")
YAROSLAVL = PhoneRules(area_code="4852")


def numbers(text: str, rules: PhoneRules = RU) -> list[int]:
    return [phone.number for phone in read_phones(text, rules)]


@pytest.mark.parametrize(
    "text",
    [
        "+7 (903) 555-01-23",
        "+79035550123",
        "79035550123",
        "89035550123",
        "8 903 555-01-23",
        "8(903)5550123",
        "8-903-555-01-23",
        "8.903.555.01.23",
        "903 555-01-23",
        "9035550123",
        "(903) 555-01-23",
        "+7\u00a0903\u00a0555\u201101\u201123",
        "\u202d+7 903 555-01-23\u202c",
        "  +7 903 555-01-23\t",
        "+ 7 903 555 01 23",
        "моб. 8 903 555-01-23",
        "Тел: +7(903)555-01-23",
        "сот 89035550123",
        "8 903 555-01-23 Иван",
        "8 903 555-01-23 (Иван Петрович)",
        "Иван 8 903 555-01-23, звонить до 18",
        "+7 903 555-01-23 звонить с 9:00 до 18:00",
        "007 903 555 01 23",
        "8 10 7 903 555 01 23",
        "+8 903 555-01-23",
        "８９０３５５５０１２３",
        "＋７（９０３）５５５－０１－２３",
        "+٧٩٠٣٥٥٥٠١٢٣",
        "+7 903 555-01-23\r\n",
    ],
)
def test_one_number_is_read_however_it_is_typed(text: str) -> None:
    assert read_phones(text, RU) == (ParsedPhone(PhoneNumber(79035550123)),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+7 (4852) 55-01-02", 74852550102),
        ("(495) 123-45-67", 74951234567),
        ("8 (48439) 5-12-34", 74843951234),
        ("812 123-45-67", 78121234567),
        ("8442 35-12-34", 78442351234),
        ("846 123-45-67, доб. 12", 78461234567),
        ("(8482) 55-01-02", 78482550102),
        ("8 800 123-45-67", 78001234567),
        ("800 123-45-67", 78001234567),
        ("+8 495 123-45-67", 74951234567),
        ("+84951234567", 74951234567),
        ("+7 (727) 258-00-00", 77272580000),
        ("8 727 258 00 00", 77272580000),
        ("8 701 234 56 78", 77012345678),
        ("007 495 123-45-67", 74951234567),
        ("8 10 49 30 123456", 4930123456),
        ("00 49 30 123456", 4930123456),
        ("+49 (30) 123456", 4930123456),
        ("+375 29 123-45-67", 375291234567),
        ("+1 212 555 0123", 12125550123),
        # НомерТелефона of 1C: no plus.
        ("375291234567", 375291234567),
        ("375 29 123-45-67", 375291234567),
        ("74852550102", 74852550102),
    ],
)
def test_city_neighbour_and_foreign_numbers_are_read(text: str, expected: int) -> None:
    assert numbers(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "8 495 123 45 6",  # a digit lost
        "8(495)123-45-6",
        "8-495-123-45-6",
        "8 442 35 12 34",  # likewise, though 844 is Volgograd's code
        "-8 (442) 35-12-34",
        "+7 495 123-45-6",
        "1 (495) 123-45-67",
        "123-45-67",  # no city
        "12345",
        "101",
        "доб. 314",
        "7712345678",  # a tax number of Moscow
        "5012345678",
        "500100732259",
        "30.12.2024 10:15",
        "40702810900000012345",  # a bank account
        "0000000000",
        "",
        "   ",
        "-",
        "нет",
        "anonymous",
        "ivan@example.ru",
        "+",
        "()",
        "+7",
        "😀☎",
        "²³½Ⅷ",
        "\ud800\x00",
    ],
)
def test_what_is_no_number_gives_none(text: str) -> None:
    assert read_phones(text, RU) == ()


@pytest.mark.parametrize(
    ("tail", "extension"),
    [
        (", доб. 314", "314"),  # as 1C assembles it
        (" доб. 314", "314"),
        (" доб.314", "314"),
        (" доб 314", "314"),
        (" ДОБ. 314", "314"),
        (" добавочный 314", "314"),
        (" доб.: 314", "314"),
        (" (доб. 314)", "314"),
        (" вн.12", "12"),
        (" вн. 12", "12"),
        (" внутр. 12", "12"),
        (" внутренний 12", "12"),
        (" ext 12", "12"),
        (" ext. 12", "12"),
        (" x12", "12"),
        (" х12", "12"),
        ("#4048", "4048"),
        (" # 4048", "4048"),
        ("*12", "12"),
        (" (12)", "12"),
        ("(12)", "12"),
        (" тел. (12)", "12"),
        (" доб.12 Иван", "12"),
        (", доб. 12, Иван Петрович, 2 этаж", "12"),
        (" доб. 00", "00"),
        (" 12", None),  # said without a word: nobody knows what it is
        (", 2 этаж", None),
        (" доб.", None),
    ],
)
def test_an_extension_is_kept_apart_from_its_number(tail: str, extension: str | None) -> None:
    assert read_phones("+7 (495) 123-45-67" + tail, RU) == (
        ParsedPhone(PhoneNumber(74951234567), extension),
    )


TWO = [74951234567, 74957654321]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8(495)1234567;84957654321", TWO),
        ("8(495)1234567; 8(495)7654321", TWO),
        ("8 495 123-45-67, 8 495 765-43-21", TWO),
        ("84951234567/84957654321", TWO),
        ("84951234567\n84957654321", TWO),
        ("84951234567 и 84957654321", TWO),
        ("84951234567 84957654321", TWO),
        ("8 495 123 45 67 8 495 765 43 21", TWO),
        ("+74951234567+74957654321", TWO),
        ("(495) 123-45-67 (495) 765-43-21", TWO),
        ("+7 495 123-45-67 Иван +7 495 765-43-21 Пётр", TWO),
        ("+7 495 123-45-67, 765-43-21", TWO),
        ("+7 495 123-45-67 / 765-43-21", TWO),
        ("+7 495 123-45-67; 765 43 21", TWO),
        ("+7 495 123-45-67 и 765-43-21", TWO),
        ("+7 495 123-45-67 765-43-21", TWO),
        ("+7 495 123-45-67 (Иван), тел. 765-43-21 (Пётр)", TWO),
        ("8 (495) 123-45-67 доб. 12, 765-43-21", TWO),
        ("84951234567; 84957654321; +7 (495) 123-45-67", TWO),
        ("+7 (4852) 55-01-02, 55-01-03", [74852550102, 74852550103]),
        ("8 (48439) 5-12-34, 5-12-35", [74843951234, 74843951235]),
        ("+7 7272 58-00-00, 58-00-01", [77272580000, 77272580001]),
        ("+49 30 123456, 375 29 123-45-67", [4930123456, 375291234567]),
        ("моб 89035550123 раб 84951234567", [79035550123, 74951234567]),
        # Not numbers of the same city:
        ("+7 495 123-45-67, код 12345", [74951234567]),
        ("+7 495 123-45-67, квартира 12345", [74951234567]),
        ("+7 495 123-45-67, 9.00-18.00", [74951234567]),
        ("+7 495 123-45-67, 01.02.24", [74951234567]),
        ("+7 903 555-01-23, 765-43-21", [79035550123]),  # a mobile has no city to lend
        ("8 800 123-45-67, 765-43-21", [78001234567]),
        ("+1 (495) 123-45-67, 765-43-21", [14951234567]),  # never the last ten digits
    ],
)
def test_several_numbers_in_a_field_are_never_merged(text: str, expected: list[int]) -> None:
    assert numbers(text) == expected


def test_each_number_keeps_its_own_extension() -> None:
    text = "8(495)1234567 доб. 12; 84957654321 вн 7; 89035550123"

    assert read_phones(text, RU) == (
        ParsedPhone(PhoneNumber(74951234567), "12"),
        ParsedPhone(PhoneNumber(74957654321), "7"),
        ParsedPhone(PhoneNumber(79035550123)),
    )


def test_a_repeated_number_lends_its_extension_to_the_first() -> None:
    text = "84951234567; 8 495 123-45-67 доб. 12"

    assert read_phones(text, RU) == (ParsedPhone(PhoneNumber(74951234567), "12"),)


@pytest.mark.parametrize(
    ("text", "rules", "expected"),
    [
        ("123-45-67", MOSCOW, [74951234567]),
        ("тел. 123-45-67", MOSCOW, [74951234567]),
        ("123-45-67, 765-43-21", MOSCOW, TWO),
        ("123-45-67 765-43-21", MOSCOW, TWO),
        ("123-45-67 доб. 12", MOSCOW, [74951234567]),
        ("55-01-02", YAROSLAVL, [74852550102]),
        ("5-12-34", PhoneRules(area_code="48439"), [74843951234]),
        ("+7 903 555-01-23, 765-43-21", MOSCOW, [79035550123, 74957654321]),
        ("8 (4852) 55-01-02, 55-01-03", MOSCOW, [74852550102, 74852550103]),
        ("55-01-02", MOSCOW, []),  # six digits are not Moscow's
        ("123-45-67", YAROSLAVL, []),
        ("офис 12345", PhoneRules(area_code="48439"), []),
        ("12.05.24", YAROSLAVL, []),
        ("8 4852 12 34 5", PhoneRules(area_code="48439"), []),
        ("030 123456", PhoneRules("DE"), [4930123456]),
        ("123456", PhoneRules("DE", "030"), [4930123456]),
        ("8 017 123-45-67", PhoneRules("BY"), [375171234567]),
        ("+7 903 555-01-23", PhoneRules("DE"), [79035550123]),
        ("8 727 258-00-00", PhoneRules("KZ"), [77272580000]),
        ("727 258-00-00", PhoneRules("KZ"), [77272580000]),
        ("89035550123", PhoneRules("US"), []),
        ("89035550123", PhoneRules("no such region"), []),
        ("+84951234567", PhoneRules("VN"), [84951234567]),
    ],
)
def test_the_rules_give_city_and_country(text: str, rules: PhoneRules, expected: list[int]) -> None:
    assert numbers(text, rules) == expected


def test_a_range_newer_than_the_library_is_read_behind_seven_or_eight() -> None:
    assert numbers("+7 (399) 123-45-67") == [73991234567]
    assert numbers("8 399 123-45-67") == [73991234567]
    assert numbers("399 123-45-67") == []


@pytest.mark.parametrize(
    ("typed", "stored", "number"),
    [
        ("+7 (4852) 55-01-02 доб. 314", "74852550102", 74852550102),
        ("8 903 555-01-23", "89035550123", 79035550123),
        ("+79035550123", "79035550123", 79035550123),
        ("89035550123", "89035550123", 79035550123),
        ("903 555-01-23", "9035550123", 79035550123),
    ],
)
def test_text_and_digits_that_1c_stores_are_one_number(
    typed: str, stored: str, number: int
) -> None:
    assert numbers(typed) == [number]
    assert numbers(stored) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "+79035550123;" * 10_000,
        "1 " * 50_000,
        "(" * 100_000,
        "+ (" * 50_000,
        "доб" * 50_000,
        "8 495 123 45 67 " * 10_000,
        "x" * 100_000,
        "9" * 100_000,
    ],
    ids=lambda text: text[:8],
)
def test_a_giant_field_is_cut_and_not_worked_through(text: str) -> None:
    assert len(read_phones(text, RU)) <= 500 // 5


# ---------------------------------------------------------------- digits that are no number
FIELDS = json.loads((FIXTURES / "phone_fields.json").read_text())["fields"]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field["text"])
def test_digits_dialled_after_a_pause_are_no_second_number(field: dict[str, Any]) -> None:
    assert numbers(field["text"]) == field["numbers"]


@pytest.mark.parametrize("area_code", ["495", "4852", "48439"])
@pytest.mark.parametrize(
    "tail", [",1234567", ",,1234567#", ";123456", "\\,12345", " 12345", ",,123456#", " 123456"]
)
def test_nor_does_the_city_of_the_rules_make_a_number_of_them(tail: str, area_code: str) -> None:
    rules = PhoneRules(area_code=area_code)

    assert numbers("+7 (495) 123-45-63" + tail, rules) == [74951234563]
    assert numbers("+74951234563" + tail, rules) == [74951234563]


@pytest.mark.parametrize("text", ["79035550123.0", "79035550123.00", "tel:+79035550123;ext=12"])
def test_numbers_of_spreadsheets_and_links_are_read(text: str) -> None:
    assert numbers(text) == [79035550123]


@pytest.mark.parametrize("rules", [RU, MOSCOW])
@pytest.mark.parametrize("blank", ["&nbsp;", "&#160;", "&#xA0;"])
def test_blanks_of_web_pages_do_not_tear_a_number_apart(blank: str, rules: PhoneRules) -> None:
    text = f"+7{blank}(903){blank}555-01-23"

    assert numbers(text, rules) == [79035550123]


def test_a_number_of_a_spreadsheet_lends_no_digit_to_another_country() -> None:
    # Without its ".0" it is Moscow's; with the nought as a digit it would be one of Germany.
    assert numbers("4951234567.0") == [74951234567]
