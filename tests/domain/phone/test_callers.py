"""What PBXs send as caller ID and as dialled number; how numbers are shown and hidden."""

import pytest

from bridge.domain.phone.callers import (
    Caller,
    CallerKind,
    read_caller,
    read_did,
    read_outside_caller,
)
from bridge.domain.phone.fields import read_phones
from bridge.domain.phone.formatting import (
    format_digits,
    format_phone,
    mask_phone,
)
from bridge.domain.phone.phone import PhoneNumber, PhoneRules

RU = PhoneRules()


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("79035550123", 79035550123),
        ("+79035550123", 79035550123),
        (" 79035550123", 79035550123),  # a plus that URL decoding took
        ("89035550123", 79035550123),
        ("9035550123", 79035550123),
        ("+7 (903) 555-01-23", 79035550123),
        ("79035550123_id77", 79035550123),
        ("sip:79035550123@pbx", 79035550123),
        ("SIP:+79035550123@pbx.example.ru:5060;user=phone", 79035550123),
        ("79035550123@host", 79035550123),
        ('"Ivan" <sip:79035550123@host>;tag=1', 79035550123),
        ("tel:+79035550123;phone-context=x", 79035550123),
        ("sip:%2B79035550123@host", 79035550123),
        ("007 903 5550123", 79035550123),
        ("７９０３５５５０１２３", 79035550123),
        ("78001234567", 78001234567),
        ("77272580000", 77272580000),
        ("7272580000", 77272580000),
        ("375291234567", 375291234567),
        ("+375291234567", 375291234567),
        ("81049301234567", 49301234567),
        (" 4930123456", 4930123456),
        ("12125550123", 12125550123),
        # Ranges the library does not know: the carrier has delivered the call all the same.
        ("73991234567", 73991234567),
        ("72001234567", 72001234567),
        ("82001234567", 72001234567),
        ("+72001234567", 72001234567),
        ("+49 999 1234567", 499991234567),
    ],
)
def test_a_number_is_recognised_however_the_pbx_sends_it(raw: str, number: int) -> None:
    caller = read_caller(raw, RU)

    assert caller == Caller(CallerKind.EXTERNAL, raw, number=PhoneNumber(number))


@pytest.mark.parametrize("raw", ["101", "200", "9999", "12345", "10", "sip:205@pbx", " 205 "])
def test_two_to_five_digits_are_an_extension(raw: str) -> None:
    caller = read_caller(raw, PhoneRules(area_code="48439"))

    assert caller.kind is CallerKind.INTERNAL
    assert caller.extension is not None
    assert caller.extension in raw
    assert caller.number is None


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "  ",
        "anonymous",
        "Anonymous",
        "unknown",
        "restricted",
        "PRIVATE",
        "sip:anonymous@anonymous.invalid",
        "anonymous@host",
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        "sip:@host",
        "null",
        "0",
        "00000",
        "0000000000",
    ],
)
def test_a_caller_who_hides_is_withheld(raw: str | None) -> None:
    caller = read_caller(raw, RU)

    assert caller == Caller(CallerKind.WITHHELD, raw or "")


@pytest.mark.parametrize(
    "raw",
    [
        "1",
        "+101",
        "ivan",
        "1800FLOWERS",
        "79035550123' OR 1=1 --",
        "'; DROP TABLE calls; --",
        "<script>alert(1)</script>",
        "😀😀😀",
        "123456789",
        "123-45-67",
        "4951234567890123456789",
        "1 (495) 123-45-67",
        "79035550123,79035550124",
        "+",
        "%00",
    ],
)
def test_nonsense_is_called_nonsense(raw: str) -> None:
    assert read_caller(raw, RU) == Caller(CallerKind.NONSENSE, raw)


@pytest.mark.parametrize("raw", ["7" * 10_000, "<" * 10_000, "sip:" * 10_000, "+ " * 10_000])
def test_an_endless_caller_id_is_cut_before_it_is_read(raw: str) -> None:
    caller = read_caller(raw, RU)

    assert caller.kind is CallerKind.NONSENSE
    assert caller.raw == raw[:100]


def test_what_could_break_a_log_or_a_store_is_replaced_in_raw() -> None:
    caller = read_caller("a\x00b\nc\x1b[31m\u202ed\ud800", RU)

    assert caller.raw == "a�b�c�[31m�d�"
    assert caller.raw.encode()


def test_a_local_caller_is_read_by_the_area_code() -> None:
    caller = read_caller("1234567", PhoneRules(area_code="495"))

    assert caller.number == 74951234567


@pytest.mark.parametrize(
    "typed", ["+84912345678", "8 399 123-45-67", "375291234567", "8-727-258-00-00"]
)
def test_a_caller_meets_the_number_that_was_typed_for_him(typed: str) -> None:
    (stored,) = read_phones(typed, RU)

    assert read_caller(f"+{stored.number}", RU).number == stored.number
    assert read_caller(f" {stored.number}", RU).number == stored.number
    assert read_caller(f"{stored.number}", RU).number == stored.number


@pytest.mark.parametrize(
    ("raw", "did"),
    [
        (None, ""),
        ("", ""),
        ("anonymous", ""),
        ("74951234567", "74951234567"),
        ("+74951234567", "74951234567"),
        (" 74951234567", "74951234567"),
        ("84951234567", "74951234567"),
        ("82001234567", "72001234567"),
        ("4951234567", "74951234567"),
        ("74951234567_id123", "74951234567"),
        ("sip:74951234567@pbx", "74951234567"),
        ("200", "200"),
        ("12345", "12345"),
        ("004-200", "004200"),
        ("queue 7", "7"),
        ("٢٠٠", "200"),
        ("1" * 50, "1" * 20),
        ("375291234567", "375291234567"),
    ],
)
def test_the_dialled_number_becomes_digits(raw: str | None, did: str) -> None:
    assert read_did(raw, PhoneRules(area_code="48439")) == did


def test_outside_russia_an_eight_is_no_trunk_prefix() -> None:
    assert read_did("82001234567", PhoneRules("US")) == "82001234567"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (79035550123, "+7 (903) 555-01-23"),
        (77272580000, "+7 (727) 258-00-00"),
        (78001234567, "+7 (800) 123-45-67"),
        (375291234567, "+375 29 123-45-67"),
        (4930123456, "+49 30 123456"),
        (12, "+12"),
        (0, "+0"),
    ],
)
def test_a_number_is_shown_as_1c_writes_it(number: int, shown: str) -> None:
    assert format_phone(PhoneNumber(number)) == shown


def test_digits_are_e164_without_the_plus() -> None:
    assert format_digits(PhoneNumber(79035550123)) == "79035550123"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (79035550123, "+7903*****23"),
        ("+79035550123", "+7903*****23"),
        ("+7 (903) 555-01-23", "+7903*****23"),
        ("79035550123", "7903*****23"),
        ("9035550123", "903*****23"),
        ("sip:79035550123@host", "7903*****23"),
        ("٧٩٠٣٥٥٥٠١٢٣", "7903*****23"),
        ("1234567", "*****67"),
        ("205", "*05"),
        ("05", "*****"),
        ("5", "*****"),
        ("Иван Петров", "*****"),
        ("", ""),
    ],
)
def test_a_log_shows_only_the_ends_of_a_number(text: str | int, masked: str) -> None:
    assert mask_phone(text) == masked


@pytest.mark.parametrize("raw", ["900", "0500", "12345", "7", "+900", "Bank <sip:900@host>"])
def test_few_digits_from_outside_are_no_extension(raw: str) -> None:
    caller = read_outside_caller(raw, RU)

    assert (caller.kind, caller.number, caller.extension) == (CallerKind.SHORT, None, None)
    assert caller.raw == raw


def test_a_number_of_the_callers_own_town_is_completed() -> None:
    small_town = PhoneRules("RU", "34643")

    assert read_outside_caller("12345", small_town).number == 73464312345
    assert read_outside_caller("900", small_town).kind is CallerKind.SHORT


@pytest.mark.parametrize("raw", ["79035550123", "00000", "anonymous", "ivan", None])
def test_other_callers_from_outside_read_as_ever(raw: str | None) -> None:
    assert read_outside_caller(raw, RU) == read_caller(raw, RU)
