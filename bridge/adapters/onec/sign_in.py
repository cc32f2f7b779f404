"""Whether 1C accepts a name and a password, by one request for the service root with them.

A publication may have a user of its own (`Usr=` in its default.vrd) and then accepts any request;
that proves nothing. So acceptance counts only where made-up credentials are refused.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.decoding import lenient_json_decoder
from bridge.adapters.onec.protocol.errors import NoRights
from bridge.errors import OneCUnauthorized, OneCUnavailable
from bridge.ports.access import SignInAnswer
from bridge.ports.clock import Clock

#: How long a refusal of made-up credentials counts: a publication is not changed every minute.
_CHECK_VALID: Final = timedelta(minutes=10)


#: How many sign-ins may wait for 1C; one more is refused and may be tried again.
_MAX_WAITING: Final = 20


class _ServiceRoot(msgspec.Struct):
    """What the service root lists; an answer without a list is not 1C's."""

    value: list[msgspec.Raw]


_ROOT: Final = lenient_json_decoder(msgspec.json.Decoder(_ServiceRoot))


class ODataSignIn:
    """`OneCSignIn` over OData; *make_client* returns a client for one name and password."""

    def __init__(self, make_client: Callable[[str, str], ODataClient], clock: Clock) -> None:
        self._make_client = make_client
        self._clock = clock
        #: When made-up credentials were refused.
        self._refused_at: datetime | None = None
        self._waiting = 0

    async def check_credentials(self, name: str, password: str) -> SignInAnswer:
        """Return what 1C answers to *name* and *password*."""
        if self._waiting >= _MAX_WAITING:
            raise OneCUnavailable(
                "sign-in", "too many people are signing in; try again in a minute"
            )
        self._waiting += 1
        try:
            return await self._check(name, password)
        finally:
            self._waiting -= 1

    async def _check(self, name: str, password: str) -> SignInAnswer:
        answer = await self._ask(name, password)
        if answer is SignInAnswer.REFUSED:
            return answer
        now = self._clock()
        if self._refused_at is None or now - self._refused_at > _CHECK_VALID:
            made_up = await self._ask(secrets.token_hex(8), secrets.token_hex(16))
            if made_up is not SignInAnswer.REFUSED:
                return SignInAnswer.PROVES_NOTHING
            self._refused_at = now
        return answer

    async def _ask(self, name: str, password: str) -> SignInAnswer:
        client = self._make_client(name, password)
        try:
            await client.read("", {"$format": "json"}, _ROOT)
        except NoRights:
            return SignInAnswer.NO_RIGHTS  # 1C checks rights only after it accepted the password
        except OneCUnauthorized:
            return SignInAnswer.REFUSED
        finally:
            await client.aclose()
        return SignInAnswer.ACCEPTED
