"""How the sync in the background shares the processors with those who answer callers."""

import os


def lower_priority() -> None:
    """Take about a tenth of a busy processor, and all of one that is idle.

    Beside a sync of 100 000 partners the p99 of answers was 0.95-1.43 × idle. In Linux's idle class
    it was no better; and a machine busy with something else, 1C perhaps, left a sync there none of
    it: a first one of 5 000 partners did not end in a minute.
    """
    if hasattr(os, "nice"):
        os.nice(10)
