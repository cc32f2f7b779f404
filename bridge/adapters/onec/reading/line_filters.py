"""The `$filter` by which the contact lines with one number are found in 1C.

The narrow one compares the column of digits, which 1C's form fills. The wide one finds what other
programs wrote: the digits of the number one after the other, with anything between them, in the
presentation, in the column of digits, or in a storage of a line whose presentation has no digits.
Numbers whose parts are in a storage in another order are not found; the sync reads those.
"""

from typing import Final

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.query import text_literal
from bridge.domain.phone.phone import PhoneNumber, PhoneRules

#: Numbers of this country code, Russia's and Kazakhstan's, are written in three ways.
_COUNTRY_CODE: Final = "7"
_TRUNK_PREFIX: Final = "8"
_FULL_DIGITS: Final = 11


def digit_spellings(number: PhoneNumber, rules: PhoneRules) -> tuple[str, ...]:
    """Return *number* in the ways in which 1C's column of digits may hold it.

    Source: docs/facts/ut11.md, 'Phones in contact information'.
    """
    digits = str(number)
    if len(digits) != _FULL_DIGITS or not digits.startswith(_COUNTRY_CODE):
        return (digits,)
    national = digits[1:]
    written = (digits, _TRUNK_PREFIX + national, national)
    if rules.area_code and national.startswith(rules.area_code):
        return (*written, national.removeprefix(rules.area_code))
    return written


def narrow_filter(number: PhoneNumber, rules: PhoneRules) -> str:
    """Return the condition on the column of digits as 1C's form fills it."""
    any_of = " or ".join(
        f"{schema.PHONE_LINE_NUMBER} eq {text_literal(digits)}"
        for digits in digit_spellings(number, rules)
    )
    return f"{_IS_PHONE} and ({any_of})"


def wide_filter(number: PhoneNumber, rules: PhoneRules, *, with_json: bool) -> str:
    """Return the condition that also finds lines of other programs.

    *with_json*: the release has the newer storage as well.
    """
    pattern = text_literal(f"%{'%'.join(digit_spellings(number, rules)[-1])}%")
    storages = (
        schema.PHONE_LINE_TEXT_STORAGE,
        *((schema.PHONE_LINE_JSON_STORAGE,) if with_json else ()),
    )
    stored = " or ".join(f"like({storage},{pattern})" for storage in storages)
    return (
        f"{_IS_PHONE} and (like({schema.PHONE_LINE_PRESENTATION},{pattern}) or "
        f"like({schema.PHONE_LINE_NUMBER},{pattern}) or "
        f"not like({schema.PHONE_LINE_PRESENTATION},{_A_DIGIT}) and ({stored}))"
    )


_A_DIGIT: Final = "'%[0-9]%'"
_IS_PHONE: Final = f"{schema.PHONE_LINE_TYPE} eq {text_literal(schema.PHONE_CONTACT_TYPE)}"
