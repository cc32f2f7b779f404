"""Checks of the administrator's password: off the event loop, and never behind guesses.

Checking a hash takes a tenth of a second and 16 MiB, so few are checked at once. The last right
password is remembered by a digest and passes without hashing. Any other goes to one of two
threads: networks without a mistake use the first, those with one share the second.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from bridge.web.access.secrets import PasswordHash, Secret, is_password_hash

#: So many wait for a thread at most; one more is turned away.
_MOST_WAITING: Final = 20


class TooManyChecks(Exception):
    """So many passwords are being checked that this one is not."""


class _HashThread:
    """One thread that checks hashes, and who waits for it."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._waiting = 0

    async def run(self, check: Callable[[bytes], bool], offered: bytes) -> bool:
        if self._waiting >= _MOST_WAITING:
            raise TooManyChecks
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, check, offered)
        finally:
            self._waiting -= 1


class AdminPassword:
    """Checks what is offered as the administrator's password; *setting* is plain or a hash.

    *check* takes the place of the hash's own check.
    """

    def __init__(self, setting: str, check: Callable[[bytes], bool] | None = None) -> None:
        hashed = is_password_hash(setting)
        self._plain = None if hashed else Secret(setting)
        self._check = check or (PasswordHash.parse(setting).matches if hashed else None)
        self._last_right: Secret | None = None
        self._thread = _HashThread("password")
        self._guess_thread = _HashThread("password guess")

    async def matches(self, offered: bytes, *, no_failures: bool) -> bool:
        """Return whether *offered* is the password; *no_failures*: none of this network is known.

        Raises:
            TooManyChecks: it was not checked.
        """
        if self._plain is not None:
            return self._plain.matches(offered)
        if self._last_right is not None and self._last_right.matches(offered):
            return True
        thread = self._thread if no_failures else self._guess_thread
        if self._check is None or not await thread.run(self._check, offered):
            return False
        self._last_right = Secret.from_bytes(offered)
        return True
