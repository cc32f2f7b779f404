"""1C's word on a name and a password, by one question for the service root with them.

A publication may hold a user of its own (`Usr=` in its default.vrd) and then asks nobody for a
password; its yes proves nothing. So a yes counts only where made-up credentials get a no.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from bridge.adapters.onec.protocol.client import ODataClient, lenient_json_decoder
from bridge.adapters.onec.protocol.errors import NoRights
from bridge.errors import OneCUnauthorized, OneCUnavailable
from bridge.ports.access import SignInAnswer
from bridge.ports.clock import Clock

#: A publication is not changed every minute; a no to made-up credentials is believed this long.
_BELIEVED: Final = timedelta(minutes=10)


#: So many people's passwords wait for 1C's word; one more is asked to come again.
_MOST_WAITING: Final = 20


class _ServiceRoot(msgspec.Struct):
    """What the root lists; a page that lists nothing is not 1C's."""

    value: list[msgspec.Raw]


_ROOT: Final = lenient_json_decoder(msgspec.json.Decoder(_ServiceRoot))


class ODataSignIn:
    """`OneCSignIn` over OData. *client* makes a client for one name and password, used once."""

    def __init__(self, client: Callable[[str, str], ODataClient], clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._turned_away: datetime | None = None  # when made-up credentials got a no
        self._waiting = 0

    async def check_credentials(self, name: str, password: str) -> SignInAnswer:
        """Ask 1C whether *name* and *password* belong together."""
        if self._waiting >= _MOST_WAITING:
            raise OneCUnavailable(
                "sign-in", "too many people are signing in; try again in a minute"
            )
        self._waiting += 1
        try:
            return await self._check(name, password)
        finally:
            self._waiting -= 1

    async def _check(self, name: str, password: str) -> SignInAnswer:
        said = await self._ask(name, password)
        if said is SignInAnswer.REFUSED:
            return said
        now = self._clock()
        if self._turned_away is None or now - self._turned_away > _BELIEVED:
            if (
                await self._ask(secrets.token_hex(8), secrets.token_hex(16))
                is not SignInAnswer.REFUSED
            ):
                return SignInAnswer.PROVES_NOTHING
            self._turned_away = now
        return said

    async def _ask(self, name: str, password: str) -> SignInAnswer:
        client = self._client(name, password)
        try:
            await client.read("", {"$format": "json"}, _ROOT)
        except NoRights:
            return SignInAnswer.NO_RIGHTS  # only behind the right password does 1C speak of rights
        except OneCUnauthorized:
            return SignInAnswer.REFUSED
        finally:
            await client.aclose()
        return SignInAnswer.ACCEPTED
