"""What is true of every text: nothing raises, and a number once read stays what it is."""

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.domain.phone.callers import (
    CallerKind,
    read_caller,
    read_did,
)
from bridge.domain.phone.fast_reading import read_fast
from bridge.domain.phone.fields import read_phone_fields, read_phones
from bridge.domain.phone.formatting import (
    format_digits,
    format_phone,
    mask_phone,
)
from bridge.domain.phone.phone import PhoneRules

RU = PhoneRules()
RULES = st.builds(
    PhoneRules,
    region=st.sampled_from(["RU", "KZ", "DE", "BY", "US", "", "??"]),
    area_code=st.sampled_from([None, "495", "4852", "48439", "30", "", "abc", "٤٩٥"]),
)
#: Texts made of what stands in phone fields are worth more than arbitrary ones.
SIGNS = [
    " ",
    "(",
    ")",
    "-",
    ".",
    ", ",
    "; ",
    "/",
    "\n",
    " и ",
    "#",
    "*",
    "@",
    "<",
    "\x00",
    "\u202e",
]
DIGITS = ["+7", "8", "7", "00", "8 10 ", "495", "903", "4852", "727", "+49", "375", "12", "٣", "５"]
LOCALS = ["123-45-67", "1234567", "55-01-02", "5-12-34"]
PIECES = ["доб. ", "вн.", "x", "моб. ", "Иван", "sip:", "_id", "²", "😀", "\ud800"]
SCRAPS = st.lists(
    st.sampled_from([*SIGNS, *DIGITS, *LOCALS, *PIECES]),
    max_size=14,
).map("".join)
TEXTS = st.one_of(SCRAPS, st.text(), st.text(alphabet="0123456789+-() .,;/#*x", max_size=60))
#: Numbers of Russian form.
RUSSIAN = st.builds(
    str.__add__,
    st.sampled_from(["+7", "8", "7", "", "+8", "007"]),
    st.from_regex(r"[3489][0-9]{9}", fullmatch=True),
)

#: Callers in the form of E.164, assigned or not.
E164 = st.one_of(
    st.from_regex(r"[1-9][0-9]{7,14}", fullmatch=True),
    st.from_regex(r"7[0-9]{10}", fullmatch=True),
    st.builds(
        str.__add__,
        st.sampled_from([str(code) for code in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)]),
        st.from_regex(r"[1-9][0-9]{5,10}", fullmatch=True),
    ),
)


def library_reads(text: str) -> int | None:
    try:
        parsed = phonenumbers.parse(text, "RU")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return int(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


@given(TEXTS, RULES)
def test_no_text_breaks_the_reading_of_fields(text: str, rules: PhoneRules) -> None:
    phones = read_phones(text, rules)

    assert len({phone.number for phone in phones}) == len(phones)
    for phone in phones:
        assert phone.extension is None or phone.extension.isdigit()
        assert 5 <= len(format_digits(phone.number)) <= 18
        assert format_phone(phone.number).startswith("+")


@given(st.lists(TEXTS | RUSSIAN | RUSSIAN.map(" {} ".format), max_size=12), RULES)
@example(["79035550123\n", "\n79035550123", ""], RU)
@example(["7903\n5550123", "+7903555 0123"], RU)
@example(["7+9035550123", "+79035550123" + " " * 60, "\ud8009035550123", "79035550123\r"], RU)
def test_many_fields_read_like_each_of_them(texts: list[str], rules: PhoneRules) -> None:
    assert read_phone_fields(texts, rules) == [read_phones(text, rules) for text in texts]


@given(st.none() | TEXTS, RULES)
def test_no_text_breaks_the_reading_of_callers(raw: str | None, rules: PhoneRules) -> None:
    caller = read_caller(raw, rules)
    did = read_did(raw, rules)

    assert (caller.number is not None) == (caller.kind is CallerKind.EXTERNAL)
    assert (caller.extension is not None) == (caller.kind is CallerKind.INTERNAL)
    assert len(caller.raw) <= 100
    assert caller.raw.isprintable() or not caller.raw.isascii()
    assert did == "" or (did.isascii() and did.isdigit() and len(did) <= 20)


@given(E164)
@example("76101234567")
@example("72001234567")
@example("499991234567")
@example("491234")
@example("14951234567")
@example("81049301234567")
@example("84951234567")
def test_what_can_call_can_be_stored(digits: str) -> None:
    """Every caller that a PBX may present, typed with a plus in 1C, is the same number."""
    caller = read_caller(f"+{digits}", RU)
    typed = [f"+{digits}", f"+ {digits}", f"тел. +{digits}", f"+{digits} Иван", f"+{digits};"]
    if caller.number is not None:
        typed.append(format_phone(caller.number))

    for text in typed:
        expected = [] if caller.number is None else [caller.number]
        assert [phone.number for phone in read_phones(text, RU)] == expected
        assert [phones for (phones,) in [read_phone_fields([text], RU)]] == [read_phones(text, RU)]


@given(TEXTS)
@example("810 84 95 1234567")
@example("8 10 886 37 123456")
def test_a_number_read_again_is_the_same_number(text: str) -> None:
    for phone in read_phones(text, RU):
        digits = format_digits(phone.number)
        again = [typed.number for typed in read_phones(f"+{digits}", RU)]

        assert again == [phone.number]
        assert read_caller(f"+{digits}", RU).number == phone.number
        # Shorter foreign numbers need their plus, and so do ranges that no library knows.
        known = read_fast(digits, RU) or library_reads(f"+{digits}")
        if 11 <= len(digits) <= 15 and known:
            assert [typed.number for typed in read_phones(digits, RU)] == [phone.number]


@given(st.sampled_from(["тел. ", "Моб. ", "ф. ", "tel. "]), TEXTS, RULES)
@example("тел. ", "8 495 123 45 6", RU)
@example("тел. ", "9.00-18.00", PhoneRules(area_code="495"))
@example("тел. ", "-90.12345678", RU)
def test_a_label_before_a_number_changes_nothing(label: str, text: str, rules: PhoneRules) -> None:
    assert read_phones(label + text[:100], rules) == read_phones(text[:100], rules)


@given(st.sampled_from("\t\u00a0\u2009\u2013\u2212\u200b"), RUSSIAN)
def test_odd_blanks_and_dashes_read_as_plain_ones(sign: str, digits: str) -> None:
    odd = f"{digits[:-7]}{sign}{digits[-7:]}"
    plain = f"{digits[:-7]} {digits[-7:]}"
    assert read_phones(odd, RU) == read_phones(plain, RU)


@given(RUSSIAN)
def test_a_caller_and_a_field_read_one_number_alike(text: str) -> None:
    for phone in read_phones(text, RU):
        assert read_caller(text, RU).number == phone.number


@given(RUSSIAN, st.lists(st.sampled_from(["", " ", "-", "(", ")", "."]), min_size=16, max_size=16))
def test_the_fast_path_agrees_with_phonenumbers(digits: str, between: list[str]) -> None:
    text = "".join(digit + sign for digit, sign in zip(digits, between, strict=False))
    fast = read_fast(text, RU)
    library = library_reads(digits)

    if fast is not None and library is not None and not digits.startswith("+8"):
        assert fast == library


@pytest.mark.parametrize("form", ["+7{}", "7{}", "8{}", "{}", "+7 ({0[0]}{0[1]}{0[2]}) {1}"])
def test_the_fast_path_agrees_with_phonenumbers_on_every_area_code(form: str) -> None:
    """Where both answer they say the same; ten bare digits are read fast only if valid."""
    disagreements = []
    for code in range(300, 1000):
        national = f"{code}2345678"
        text = form.format(national, national[3:]) if "0[0]" in form else form.format(national)
        fast, library = read_fast(text, RU), library_reads(text)
        if fast is not None and fast != library and (library is not None or form == "{}"):
            disagreements.append(text)

    assert disagreements == []


@given(TEXTS | st.integers(min_value=0, max_value=10**15))
def test_a_mask_hides_the_middle(text: str | int) -> None:
    masked = mask_phone(text)
    shown = [sign for sign in masked if sign.isdigit()]

    assert set(masked) <= set("+*0123456789")
    assert len(shown) <= 6
    if len(shown) > 2:
        assert masked.count("*") >= 5
