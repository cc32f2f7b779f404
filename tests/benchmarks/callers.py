"""Routing questions as Sipuni asks them: every one a call of its own."""

import base64
import time
from collections.abc import Callable
from urllib.parse import urlencode

from bridge.domain.phone.phone import PhoneNumber
from tests.benchmarks.load import NextRequest

HOOK_USER, HOOK_PASSWORD = "sipuni", "benchmark-hook"
ADMIN_PASSWORD = "benchmark-admin"
AS_ADMIN = {"Authorization": f"Bearer {ADMIN_PASSWORD}"}
_PAIR = base64.b64encode(f"{HOOK_USER}:{HOOK_PASSWORD}".encode()).decode()

#: Prime, and no divisor of the cycle of times: a pair of caller and time comes once in billions.
_CALLERS = 99_991
_TIMES = 80_000


def plain_request(path: str, *, proof: str = "", keep_alive: bool = True) -> NextRequest:
    """Return one request again and again; *proof* is a password of the administrator's."""
    secret = f"authorization: Bearer {proof}\r\n" if proof else ""
    request = _get(path, secret, keep_alive=keep_alive)
    return lambda: request


def routing_questions(
    number_of: Callable[[int], PhoneNumber], *, keep_alive: bool = True, first: int = 0
) -> NextRequest:
    """Return questions of distinct callers at distinct times, none of them the same call twice."""
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


def pushed_event(code: str, call_ref: str, began: int, client: int, *, leg: str = "0") -> bytes:
    """Return one event of the push: *client* and *leg* number the clients and legs."""
    inner = code == "3" or leg == "1"
    fields = {
        "event": code,
        "call_id": call_ref,
        "timestamp": str(began + int(leg) * 10),
        "src_num": str(79030000000 + client),
        "src_type": "1",
        "dst_num": "012345205" if inner else "74951234567",
        "dst_type": "2" if inner else "1",
        "user_id": "012345",
        "channel": f"SIP/{leg}",
        "call_start_timestamp": str(began),
        **({"status": "ANSWER", "last_called": "205"} if code == "2" else {}),
    }
    secret = f"authorization: Basic {_PAIR}\r\n"
    return _get(f"/sipuni/events?{urlencode(fields)}", secret, keep_alive=True)


def _get(path: str, headers: str, *, keep_alive: bool) -> bytes:
    end = "" if keep_alive else "connection: close\r\n"
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}{end}\r\n".encode()
