"""Live look-up, asking 1C itself about a caller: for how long an answer is valid.

A question costs the caller time and 1C a query, so none is asked where it is of no use: a
`CircuitBreaker` stops them while 1C fails, and answers are kept for a while.
"""

from datetime import timedelta

#: An owner named by 1C is valid for so long, unless the index is proven later (`is_still_valid`).
FOUND_VALID_FOR = timedelta(minutes=10)

#: For so long a caller unknown to 1C may ring again without another question.
UNKNOWN_VALID_FOR = timedelta(seconds=60)


def is_still_valid(found: bool, age: timedelta, *, proven_since: bool) -> bool:
    """Return whether what 1C answered *age* ago may decide a call that the index cannot.

    An index proven equal to 1C since then is newer: it does not have the number.
    """
    if not found:
        return age < UNKNOWN_VALID_FOR
    return not proven_since and age < FOUND_VALID_FOR
