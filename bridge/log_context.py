"""The call that log lines are about, wherever in the code they are written.

An adapter that warns in the middle of a delivery does not know whose call it is; the task it runs
in does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CALL: ContextVar[str] = ContextVar("call", default="")


@contextmanager
def call_in_logs(key: str) -> Iterator[None]:
    """Add the call's *key* to every log line of this task and of tasks begun in it."""
    token = _CALL.set(key)
    try:
        yield
    finally:
        _CALL.reset(token)


def current_call_key() -> str:
    """Return the key of the call that this task is about; empty where it is about none."""
    return _CALL.get()
