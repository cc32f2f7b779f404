"""How the process of a command uses the machine: priority, open files, garbage collection."""

import gc
import logging
import os
import sys
from typing import Final

_log = logging.getLogger(__name__)

#: What a service with all its desks needs; more is of no use.
_USEFUL: Final = 65_536

#: Fewer than this leave few connections for pages beside the PBX.
_FEW: Final = 1024

#: Where there is no such limit to be asked (Windows), this many are possible.
_UNKNOWN: Final = 2048


def raise_file_limit(limit: int = _USEFUL) -> int:
    """Raise the limit on open files as far as the system lets us, and return it."""
    if sys.platform == "win32":
        return _UNKNOWN
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    most = limit if hard == infinite else min(limit, hard)
    if soft != infinite and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError) as error:
            _log.warning("file_limit_stays", extra={"files": soft, "reason": str(error)})
            most = soft
    elif soft != infinite:
        most = soft
    if most < _FEW:
        advice = "raise it: LimitNOFILE= in the service file, or ulimit -n"
        _log.warning("file_limit_low", extra={"files": most, "advice": advice})
    return most


def lower_priority() -> None:
    """Lower the priority: about a tenth of a busy processor, and all of an idle one.

    Beside a sync of 100 000 partners the p99 of answers was 0.95-1.43 × idle. In Linux's idle class
    it was no better; and a machine busy with something else, 1C perhaps, left a sync there none of
    it: a first one of 5 000 partners did not end in a minute.
    """
    if hasattr(os, "nice"):
        os.nice(10)


def freeze_heap() -> None:
    """Keep the garbage collector from walking all parts of the service while a caller waits.

    What exists now exists until the end and is left alone; what comes is collected less often. With
    the defaults a full collection under load took 65-180 ms, the longest wait of all.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
