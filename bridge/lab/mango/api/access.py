"""What a request may hold, and how often one may come: parameters, the lock, the rate limits.

docs/facts/mango.md, 'Limits'.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Final

from bridge.lab.mango.calls import MangoCode

#: Bytes of an identifier.
MAX_TEXT: Final = 128
#: The second wrong request within this time locks the key, until so long after the first.
LOCK_S: Final = 120.0
#: How many requests in how many seconds, for one product; paths that are not named share the first.
ALL_REQUESTS: Final = (10, 1.0)
RATES: Final = {
    "commands/callback": (4, 1.0),
    "commands/callback_group": (4, 1.0),
    "commands/call/hangup": (4, 1.0),
    "commands/recording/start": (4, 1.0),
    "commands/route": (1, 2.0),
    "commands/transfer": (1, 2.0),
    "config/users/request": (1, 2.0),
    "stats/request": (1, 2.0),
    "stats/calls/request": (1, 2.0),
}


class RequestRefused(Exception):
    """The request is wrong, which counts for the lock; *code* is why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = int(code)


def required_text(fields: Mapping[str, object], name: str, most: int = MAX_TEXT) -> str:
    """Return a parameter that must be there.

    Raises:
        RequestRefused: it is missing (3103), or no text of this length (3104).
    """
    text = optional_text(fields, name, most)
    if not text:
        raise RequestRefused(MangoCode.MISSING)
    return text


def optional_text(fields: Mapping[str, object], name: str, most: int = MAX_TEXT) -> str:
    """Return a parameter as text, a number too; empty where it is missing.

    Raises:
        RequestRefused: it is no text of this length (3104).
    """
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RequestRefused(MangoCode.WRONG_FORMAT)
    try:
        size = len(str(value).encode())
    except UnicodeEncodeError:  # half of a character, which JSON can write and UTF-8 cannot
        raise RequestRefused(MangoCode.WRONG_FORMAT) from None
    if size > most:
        raise RequestRefused(MangoCode.WRONG_FORMAT)
    return str(value)


class RequestGate:
    """Counts requests by their time; *clock* is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._passed: defaultdict[str, deque[float]] = defaultdict(deque)
        self._first_wrong: dict[bytes, float] = {}
        self._locked: set[bytes] = set()

    def is_locked(self, key: bytes) -> bool:
        """Return whether *key* gets 401 for whatever it sends."""
        first = self._first_wrong.get(key)
        if first is not None and self._clock() - first >= LOCK_S:
            del self._first_wrong[key]
            self._locked.discard(key)
        return key in self._locked

    def count_wrong(self, key: bytes) -> bool:
        """Count a wrong request; return whether it locks its key."""
        if key in self._first_wrong:
            self._locked.add(key)
            return True
        self._first_wrong[key] = self._clock()
        return False

    def admit(self, path: str) -> bool:
        """Return whether a request to *path* is within its rate and within that of all requests.

        A request that is refused does not count (unverified).
        """
        limits = {"": ALL_REQUESTS}
        if path in RATES:
            limits[path] = RATES[path]
        now = self._clock()
        for name, (most, seconds) in limits.items():
            passed = self._passed[name]
            while passed and now - passed[0] >= seconds:
                passed.popleft()
            if len(passed) >= most:
                return False
        for name in limits:
            self._passed[name].append(now)
        return True
