"""Asking 1C itself about a caller: when it may be asked, and how long its answer holds.

A question costs the caller on the line time and 1C a query, so both are spared where asking is of
no use: a breaker lets nothing through while 1C fails, and what it said is remembered for a while.
"""

from datetime import timedelta
from typing import Final

from bridge.domain.circuit_breaker import BreakerRules

#: So many failures in a row, late answers among them, and 1C is left alone.
FAILURES_TO_OPEN = 3

#: How long it is left alone; then one question tries whether it is back.
OPEN_FOR = timedelta(seconds=30)

#: The same where a person must act in 1C first (rights, publication): one question at a time is
#: enough to see that he did.
OPEN_UNTIL_REPAIRED = timedelta(minutes=15)

#: An owner named by 1C is believed so long, unless the index is proven later (`still_holds`).
FOUND_VALID_FOR = timedelta(minutes=10)

#: A caller unknown to 1C may ring again within this without costing it another question.
UNKNOWN_VALID_FOR = timedelta(seconds=60)

#: When questions to 1C that somebody waits for are given up for a while.
BREAKER_RULES: Final = BreakerRules(FAILURES_TO_OPEN, OPEN_FOR, OPEN_FOR)


def is_still_valid(found: bool, age: timedelta, *, proven_since: bool) -> bool:
    """Tell whether what 1C said *age* ago may answer a call now that the index cannot.

    An index proven equal to 1C since then knows better: it does not have the number any more.
    """
    if not found:
        return age < UNKNOWN_VALID_FOR
    return not proven_since and age < FOUND_VALID_FOR
