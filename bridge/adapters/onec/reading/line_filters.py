"""The `$filter` by which 1C is asked whose contact lines hold one number.

The narrow one compares the column of digits, which 1C's form fills. The wide one finds what other
programs wrote: the digits of the number one after the other, whatever stands between, in the text
that people see, in the column, or in a storage of a line whose text has no digits. Not found are
numbers whose parts stand in a storage in another order; the sync reads those.
"""

from typing import Final

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import text_literal
from bridge.domain.phone.phone import PhoneNumber, PhoneRules

#: Only Russia and Kazakhstan write one number in three ways of digits.
_SEVEN: Final = "7"
_TRUNK: Final = "8"
_WITH_TRUNK: Final = 11


def digit_spellings(number: PhoneNumber, rules: PhoneRules) -> tuple[str, ...]:
    """Write *number* as 1C's column of digits may hold it (facts/ut11-metadata.md §3)."""
    digits = str(number)
    if len(digits) != _WITH_TRUNK or not digits.startswith(_SEVEN):
        return (digits,)
    national = digits[1:]
    written = (digits, _TRUNK + national, national)
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
    """Return the condition that lines of other programs meet too.

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
