"""Whole numbers as others write them: digits, and no more of them than make sense."""

from typing import Final

#: More than any count, place or page of ours needs; fits into a column of SQLite.
MAX_WHOLE_NUMBER: Final = 10**15


def read_whole_number(text: str, maximum: int = MAX_WHOLE_NUMBER) -> int | None:
    """Return the number that *text* writes in ASCII digits; None for anything else.

    None also for a number above *maximum*: `int` raises ValueError for more than 4 300 digits, and
    takes other alphabets' digits, signs and underscores.
    """
    # Leading zeros are no reason to read without an end.
    if not text.isascii() or not text.isdigit() or len(text) > len(str(maximum)):
        return None
    number = int(text)
    return number if number <= maximum else None
