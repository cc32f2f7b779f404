"""How many files this process may open: connections are files, and the usual limit is 1 024."""

import logging
import sys
from typing import Final

_log = logging.getLogger(__name__)

#: What a service with all its desks needs; more is of no use.
_WANTED: Final = 65_536

#: Fewer than this leave little room for people beside the PBX.
_FEW: Final = 1024

#: Where there is no such limit to be asked (Windows), this many are possible.
_UNKNOWN: Final = 2048


def raise_file_limit(limit: int = _WANTED) -> int:
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
