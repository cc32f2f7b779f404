"""Routing questions as Sipuni asks them: every one a call of its own."""

import base64
import time
from collections.abc import Callable

from bridge.domain.phone import PhoneNumber
from tests.benchmarks.load import NextRequest

HOOK_USER, HOOK_PASSWORD = "sipuni", "benchmark-hook"
_PAIR = base64.b64encode(f"{HOOK_USER}:{HOOK_PASSWORD}".encode()).decode()

#: Prime, and no divisor of the cycle of times: a pair of caller and time comes once in billions.
_CALLERS = 99_991
_TIMES = 80_000


def plain_request(path: str, *, keep_alive: bool = True) -> NextRequest:
    """Give one request again and again."""
    request = _get(path, "", keep_alive=keep_alive)
    return lambda: request


def routing_questions(
    number_of: Callable[[int], PhoneNumber], *, keep_alive: bool = True, first: int = 0
) -> NextRequest:
    """Give questions of distinct callers at distinct times, none of them the same call twice."""
    count = first
    now = int(time.time())
    secret = f"authorization: Basic {_PAIR}\r\n"

    def question() -> bytes:
        nonlocal count
        count += 1
        caller = number_of(count % _CALLERS)
        at = now - count % _TIMES
        query = f"fromnum={caller}&tonum=74951234567&dtmf=&label=&time={at}"
        return _get(f"/sipuni/route?{query}", secret, keep_alive=keep_alive)

    return question


def _get(path: str, headers: str, *, keep_alive: bool) -> bytes:
    end = "" if keep_alive else "connection: close\r\n"
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}{end}\r\n".encode()
