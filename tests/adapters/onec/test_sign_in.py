"""1C's answer about a name and a password: believed only where 1C really asks for them."""

from datetime import timedelta
from typing import Literal

import httpx
import pytest

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.sign_in import ODataSignIn
from bridge.errors import OneCSessionsBlocked, OneCUnavailable
from bridge.lab.onec.simulator import DEFAULT_PASSWORD, DEFAULT_USER, OneCLab
from bridge.ports.access import SignInAnswer
from tests.support.lab_transport import LabTransport
from tests.support.onec_lab import (
    NOW,
    make_client,
    make_lab,
)

pytestmark = pytest.mark.anyio


class SignInSetup:
    """Makes clients of *lab* with the credentials given, and counts them; a clock to set."""

    def __init__(self, lab: OneCLab) -> None:
        self.lab = lab
        self.now = NOW
        self.tried: list[str] = []

    def client(self, name: str, password: str) -> ODataClient:
        self.tried.append(name)
        return make_client(self.lab, user=name, password=password)

    def sign_in(self) -> ODataSignIn:
        return ODataSignIn(self.client, lambda: self.now)


async def test_the_right_password_is_accepted_and_another_is_not() -> None:
    sign_in = SignInSetup(make_lab(5)).sign_in()

    assert await sign_in.check_credentials(DEFAULT_USER, DEFAULT_PASSWORD) is SignInAnswer.ACCEPTED
    assert await sign_in.check_credentials(DEFAULT_USER, "другой") is SignInAnswer.REFUSED
    assert await sign_in.check_credentials("Никто", DEFAULT_PASSWORD) is SignInAnswer.REFUSED


@pytest.mark.parametrize("status", [401, 403])
async def test_whom_1c_itself_denies_the_data_it_knows(status: Literal[401, 403]) -> None:
    setup = SignInSetup(make_lab(5))
    setup.lab.switches.rights_status = status
    setup.lab.faults.add("rights", times=1)

    answer = await setup.sign_in().check_credentials(DEFAULT_USER, DEFAULT_PASSWORD)

    assert answer is SignInAnswer.NO_RIGHTS


class WideOpen(httpx.AsyncBaseTransport):
    """A publication with a user of its own in default.vrd: it asks nobody who he is."""

    def __init__(self, lab: OneCLab) -> None:
        self._lab = lab
        self._inner = LabTransport(lab)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Authorization"] = self._lab.authorization()
        return await self._inner.handle_async_request(request)


async def test_a_publication_that_lets_everybody_in_vouches_for_nobody() -> None:
    lab = make_lab(5)

    def client(name: str, password: str) -> ODataClient:
        config = ODataConfig("http://lab/ut11", name, password)
        return ODataClient(config, transport=WideOpen(lab))

    assert await ODataSignIn(client, lambda: NOW).check_credentials("Кто угодно", "что угодно") is (
        SignInAnswer.PROVES_NOTHING
    )


async def test_that_1c_asks_for_passwords_at_all_is_tried_now_and_then_only() -> None:
    setup = SignInSetup(make_lab(5))
    sign_in = setup.sign_in()
    for minutes in (0, 1, 11):
        setup.now = NOW + timedelta(minutes=minutes)
        await sign_in.check_credentials(DEFAULT_USER, DEFAULT_PASSWORD)

    assert [name == DEFAULT_USER for name in setup.tried] == [True, False, True, True, False]


@pytest.mark.parametrize(
    ("fault", "error"), [("sessions_blocked", OneCSessionsBlocked), ("down", OneCUnavailable)]
)
async def test_a_1c_that_is_away_says_nothing_about_the_password(
    fault: str, error: type[Exception]
) -> None:
    setup = SignInSetup(make_lab(5))
    setup.lab.faults.add(fault)

    with pytest.raises(error):
        await setup.sign_in().check_credentials(DEFAULT_USER, DEFAULT_PASSWORD)
