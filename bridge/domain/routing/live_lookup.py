"""Asking 1C itself about a caller: when it may be asked, and how long its answer holds.

A question costs the caller on the line time and 1C a query, so both are spared where asking is of
no use: `CircuitBreaker` lets nothing through while 1C fails, and its answers are kept for a while.
"""

from datetime import timedelta

#: An owner named by 1C is believed so long, unless the index is proven later (`is_still_valid`).
FOUND_VALID_FOR = timedelta(minutes=10)

#: A caller unknown to 1C may ring again within this without costing it another question.
UNKNOWN_VALID_FOR = timedelta(seconds=60)


def is_still_valid(found: bool, age: timedelta, *, proven_since: bool) -> bool:
    """Return whether what 1C said *age* ago may answer a call now that the index cannot.

    An index proven equal to 1C since then knows better: it does not have the number any more.
    """
    if not found:
        return age < UNKNOWN_VALID_FOR
    return not proven_since and age < FOUND_VALID_FOR
