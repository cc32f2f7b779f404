"""Calls ordered from the bridge, in processes: the command, the PBX that rings, its events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from bridge import bootstrap
from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.lab.servers import LoopbackServer
from bridge.lab.sipuni.app import create_sipuni_app
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scheme import SipuniScheme
from bridge.lab.sipuni.switches import CabinetSwitches, EventsOver
from bridge.web.access.secrets import PasswordHash
from tests.stories.processes import (
    ServiceFolder,
    free_port,
    open_service_folder,
    wait_until,
    wait_until_alive,
)

pytestmark = pytest.mark.anyio

CLIENT = "79001234567"


@dataclass
class Office:
    """A bridge that serves, between a simulated 1C and a cabinet that it reaches by itself."""

    site: ServiceFolder
    cabinet: SipuniLab
    settings: dict[str, str]

    def rung(self) -> list[tuple[str, str]]:
        """Return the calls that the cabinet was asked to place."""
        calls = [call for call in self.cabinet.calls if call.header.callback_id]
        return [(call.extension, call.header.destination) for call in calls]

    async def dispositions(self) -> list[str]:
        """Read how the calls went, from the file that the service writes."""
        path = self.site.folder / "data" / "ledger.db"
        ledger = SqliteLedger.open(path, clock=bootstrap.now, as_guest=True)
        try:
            return [call.state.disposition for call in await ledger.calls()]
        finally:
            await ledger.close()

    async def wait_until_answered(self) -> None:
        """Wait until the bridge's only call is answered."""
        async with asyncio.timeout(30):
            while True:
                if await self.dispositions() == ["answered"]:
                    return
                await asyncio.sleep(0.05)  # between looks at another process only


@asynccontextmanager
async def open_cabinet() -> AsyncIterator[tuple[SipuniLab, int]]:
    """Serve a cabinet without a way to push over HTTP: its bridge has no public address."""
    async with httpx.AsyncClient(trust_env=False) as http:
        switches = CabinetSwitches(events_over=EventsOver.WEBSOCKET)
        lab = SipuniLab(SipuniScheme(), http, switches=switches)
        app = create_sipuni_app(lab)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        served = LoopbackServer(lambda: _Server(config))
        await served.start()
        try:
            yield lab, served.port
        finally:
            await served.stop()


class _Server(uvicorn.Server):
    """Leaves the signals to the tests."""

    def install_signal_handlers(self) -> None:
        pass


@asynccontextmanager
async def open_office(site: ServiceFolder, **settings: str) -> AsyncIterator[Office]:
    async with open_cabinet() as (cabinet, port):
        site.port = free_port()
        wired = {
            "SIPUNI_URL": f"http://127.0.0.1:{port}/api",
            "SIPUNI_USER": cabinet.scheme.cabinet,
            "SIPUNI_KEY": cabinet.scheme.key,
            "SIPUNI_EVENTS": "websocket",
            "SIPUNI_WS_URL": f"ws://127.0.0.1:{port}/ws",
            "SIPUNI_WS_KEY": cabinet.scheme.ws_key,
            "SYNC_INTERVAL_S": "3600",
            **settings,
        }
        process = await site.start("serve", readable=False, **wired)
        try:
            await wait_until_alive(site.port, process)
            yield Office(site, cabinet, wired)
        finally:
            process.terminate()
            await process.wait()


async def test_without_a_service_the_command_says_what_to_do(tmp_path: Path) -> None:
    async with open_service_folder(tmp_path, partners=3) as site:
        site.port = free_port()
        result = await site.run_command("call", "205", "+79001234567")

    assert result.code == 1
    assert "onec-bridge serve" in result.err
    assert result.out == ""


async def test_a_call_ordered_at_a_terminal_rings_and_its_events_are_applied(
    tmp_path: Path,
) -> None:
    async with open_service_folder(tmp_path, partners=3) as site, open_office(site) as office:
        await office.cabinet.listeners.wait_for_listeners()
        result = await site.run_command("call", "205", "8 (900) 123-45-67", **office.settings)
        again = await site.run_command("call", "205", CLIENT, **office.settings)

        await office.wait_until_answered()

    assert (result.code, result.out) == (0, "205 rings; then 8 (900) 123-45-67 is called\n")
    assert again.code == 1
    assert "уже звонит" in again.err
    assert office.rung() == [("205", CLIENT)]


async def test_a_document_written_in_1c_rings_its_user_once(tmp_path: Path) -> None:
    async with open_service_folder(tmp_path, partners=3) as site:
        user = site.lab.add_user("Звонков Олег", "205")
        site.lab.write_call(user, "Позвонить насчёт договора", phone="8 900 123-45-67")
        await site.sync()
        async with open_office(site, CALL_REQUESTS="true") as office:
            await wait_until(lambda: bool(office.rung()), "the telephone did not ring")
        async with open_office(site, CALL_REQUESTS="true") as again:
            result = await site.run_command("call", "206", CLIENT, **again.settings)

    assert office.rung() == [("205", CLIENT)]
    assert (result.code, again.rung()) == (0, [("206", CLIENT)])


async def test_a_command_is_proved_by_the_data_folder_where_the_password_is_a_hash(
    tmp_path: Path,
) -> None:
    hashed = str(PasswordHash.create("composed-pass"))
    async with (
        open_service_folder(tmp_path, partners=3) as site,
        open_office(site, ADMIN_PASSWORD=hashed) as office,
    ):
        result = await site.run_command("call", "205", CLIENT, ADMIN_PASSWORD=hashed)
        elsewhere = str(tmp_path / "other")
        other = await site.run_command(
            "call", "205", CLIENT, ADMIN_PASSWORD=hashed, DATA_DIR=elsewhere
        )
        wrong = await site.run_command("call", "205", CLIENT, DATA_DIR=elsewhere)

    assert (result.code, office.rung()) == (0, [("205", CLIENT)])
    assert other.code == 2
    assert "BRIDGE_ADMIN_PASSWORD" in other.err
    assert wrong.code == 1
    assert "BRIDGE_DATA_DIR" in wrong.err
    assert hashed not in result.err + other.err + wrong.err


async def test_a_manager_s_link_rings_his_own_telephone_and_nobody_else_s(tmp_path: Path) -> None:
    async with open_service_folder(tmp_path, partners=3) as site:
        site.lab.add_user("Звонков Олег", "205")
        site.lab.add_user("Чужова Нина", "206")
        await site.sync()
        async with open_office(site) as office:
            made = await site.run_command("desk-link", "205", "--json")
            async with httpx.AsyncClient(trust_env=False) as browser:
                await browser.get(json.loads(made.out)["link"])
                address = f"http://127.0.0.1:{site.port}/call/{CLIENT}"
                page = await browser.get(address, params={"extension": "206"})
                denied = await browser.post(address, data={"extension": "206"})
                nothing_yet = office.rung()
                placed = await browser.post(address)
            await wait_until(lambda: bool(office.rung()), "the telephone did not ring")

    assert "ваш телефон 205" in page.text
    assert (denied.status_code, nothing_yet) == (403, [])
    assert "только со своего телефона 205" in denied.text
    assert placed.status_code == 303
    assert office.rung() == [("205", CLIENT)]
