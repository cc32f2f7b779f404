"""Damaged files in the data folder: callers reach their managers all the same."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bridge.errors import SyncRefused
from bridge.lab.demo.callers import choose_callers
from bridge.lab.onec.infobase.infobase import PARTNERS
from tests.stories.processes import (
    HOOK,
    ServiceFolder,
    free_port,
    open_service_folder,
    wait_until_alive,
)

pytestmark = pytest.mark.anyio

_PATIENCE_S, _LOOK_S = 30, 0.05
NO_DATABASE = b"no database at all" * 500


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServiceFolder]:
    async with open_service_folder(tmp_path) as opened:
        yield opened


@dataclass
class Service:
    """A service that runs, and what it logs."""

    site: ServiceFolder
    log: Path
    http: httpx.AsyncClient

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(f"http://127.0.0.1:{self.site.port}{path}")

    async def answer(self, number: str, did: str = "74950000001") -> str | None:
        asked = await self.http.get(
            HOOK.format(port=self.site.port), params={"fromnum": number, "tonum": did}
        )
        extension: str | None = asked.json()["extension"]
        return extension

    async def standing(self, name: str) -> list[dict[str, str]]:
        """Wait for alarms of *name*, and give them."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                reported = await self.http.get(
                    f"http://127.0.0.1:{self.site.port}/api/v1/alarms",
                    auth=("admin", "composed-admin"),
                )
                found: list[dict[str, str]] = [a for a in reported.json() if a["name"] == name]
                if found:
                    return found
                await asyncio.sleep(_LOOK_S)

    async def becomes_ready(self) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while (await self.get("/readyz")).is_error:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(_LOOK_S)

    def reported(self, event: str) -> list[dict[str, str]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]
        return [line for line in lines if line["event"] == event]


@asynccontextmanager
async def serving(site: ServiceFolder, **changed: str | None) -> AsyncIterator[Service]:
    site.port = free_port()
    log = site.folder / "service.log"
    environment = site.environment(LOG_FORMAT="json", **changed)
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge", "serve"),
            cwd=site.folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        await wait_until_alive(site.port, process)
        async with httpx.AsyncClient(trust_env=False) as http:
            yield Service(site, log, http)
    finally:
        process.terminate()
        await process.wait()
    assert "Traceback" not in log.read_text()


def spoil(path: Path, table: str) -> None:
    """Overwrite the first page of *table*: nothing shows before somebody reads it."""
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((root,),) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
        ((size,),) = file.execute("PRAGMA page_size")
    file.close()
    whole = bytearray(path.read_bytes())
    whole[(root - 1) * size : root * size] = b"\xa5" * size
    path.write_bytes(whole)


async def test_a_service_with_a_damaged_index_has_it_anew_without_a_restart(
    site: ServiceFolder,
) -> None:
    callers = choose_callers(site.lab.infobase)
    await site.sync()
    index = site.folder / "data" / "directory.db"
    index.write_bytes(NO_DATABASE)
    why = json.loads((await site.run_command("route", callers.contact.sent_number, "--json")).out)
    site.lab.faults.add("slow", seconds=1)  # until the gate is opened

    async with serving(site, DEFAULT_EXTENSION="100") as service:
        await site.gate.wait_until_reached()
        before = await service.answer(callers.contact.sent_number)
        ready = await service.get("/readyz")
        site.gate.opened.set()
        await service.becomes_ready()
        after = await service.answer(callers.contact.sent_number, did="74950000002")

    assert "file is not a database" in json.dumps(why)
    assert before == "100"
    assert ready.status_code == 503
    assert "file is not a database; the next sync" in ready.json()["reason"]
    assert after == callers.contact.extension
    assert index.with_name("directory.db.damaged").read_bytes() == NO_DATABASE
    (reported,) = service.reported("directory_damaged")
    assert reported["kept"].endswith("directory.db.damaged")
    (warned,) = [f for f in await checked(site) if f["area"] == "store"]
    assert (warned["verdict"], "directory.db.damaged" in warned["words"]) == ("warning", True)


@pytest.mark.parametrize("table", ["partners", "checkpoint"])
async def test_a_sync_that_meets_damage_is_a_first_load(site: ServiceFolder, table: str) -> None:
    first = await site.sync()
    index = site.folder / "data" / "directory.db"
    spoil(index, table)
    # Would be refused as a loss, were anything in the directory.
    site.lab.faults.add("shrunken", set=PARTNERS, share=0.5)

    again = await site.sync()

    assert again.full
    assert 0 < again.numbers < first.numbers
    assert index.with_name("directory.db.damaged").exists()
    assert not (await site.sync()).full


async def test_damage_in_the_middle_of_a_run_is_mended_by_the_same_run(site: ServiceFolder) -> None:
    first = await site.sync()
    index = site.folder / "data" / "directory.db"
    spoil(index, "phone")

    again = await site.sync(full=True)

    assert again.numbers == first.numbers
    assert index.with_name("directory.db.damaged").exists()


async def test_the_guard_watches_the_directory_as_long_as_it_can_be_read(
    site: ServiceFolder,
) -> None:
    await site.sync()
    spoil(site.folder / "data" / "directory.db", "phone")
    site.lab.faults.add("shrunken", set=PARTNERS, share=0.5)

    with pytest.raises(SyncRefused):
        await site.sync(full=True)


async def test_what_only_callers_meet_is_mended_by_the_next_sync(site: ServiceFolder) -> None:
    callers = choose_callers(site.lab.infobase)
    await site.sync()
    spoil(site.folder / "data" / "directory.db", "phone")
    met = await site.run_command("route", callers.contact.sent_number, "--json")

    await site.sync()

    routed = await site.run_command("route", callers.contact.sent_number, "--json")
    assert json.loads(met.out)["extension"] != callers.contact.extension
    assert json.loads(routed.out)["extension"] == callers.contact.extension


async def checked(site: ServiceFolder) -> list[dict[str, str]]:
    findings: list[dict[str, str]] = json.loads((await site.run_command("check", "--json")).out)
    return findings


async def test_doctor_and_link_say_what_is_true_of_a_broken_index(site: ServiceFolder) -> None:
    await site.sync()
    (site.folder / "data" / "directory.db").write_bytes(NO_DATABASE)

    findings, link = await asyncio.gather(checked(site), site.run_command("desk-link", "205"))

    (index,) = [f for f in findings if f["area"] == "index"]
    assert "cannot be read" in index["words"]
    assert "onec-bridge sync" in index["advice"]
    assert link.code == 1
    assert "directory.db: file is not a database; run: onec-bridge sync" in link.err
    assert len(link.err.splitlines()) == 1


async def made_link(site: ServiceFolder) -> str:
    result = await site.run_command("desk-link", "205", "--json")
    assert result.code == 0, result.err
    return str(json.loads(result.out)["link"]).partition(f":{site.port}")[2]


async def test_a_damaged_audit_list_keeps_nobody_waiting_and_ends_every_link_of_before(
    tmp_path: Path,
) -> None:
    async with open_service_folder(tmp_path) as site:
        site.lab.add_user("Звонков Олег", "205")
        await site.sync()
        callers = choose_callers(site.lab.infobase)
        old = await made_link(site)
        audit = site.folder / "data" / "audit.db"
        spoil(audit, "desk_keys")
        refused = await site.run_command("desk-link", "205")
        no_service_yet = audit.with_name("audit.db.damaged").exists()

        async with serving(site, ADMIN_PASSWORD="composed-admin") as service:
            answered = await service.answer(callers.contact.sent_number)
            ready = (await service.get("/readyz")).json()
            dead = await service.get(old)
            alive = await service.get(await made_link(site))
            page = await service.http.get(
                f"http://127.0.0.1:{site.port}/", auth=("admin", "composed-admin")
            )
            (reported,) = service.reported("store_damaged")
        findings = await checked(site)
        async with serving(site) as service:
            again = service.reported("store_damaged")
            still_dead = await service.get(old)

    assert (refused.code, no_service_yet) == (1, False)
    assert "restart the service" in refused.err
    assert answered == callers.contact.extension
    assert (dead.status_code, still_dead.status_code, alive.status_code) == (403, 403, 303)
    assert "попросите" in dead.text
    assert "audit.db.damaged" in page.text
    assert ready["ready"]
    assert ready["warnings"][0].startswith("store_damaged (audit.db)")
    assert reported["kept"].endswith("audit.db.damaged")
    assert again == []
    (warned,) = [f for f in findings if f["area"] == "store"]
    assert "desk-link" in warned["advice"]


@pytest.mark.parametrize("table", ["", "calls", "debts"])
async def test_a_damaged_ledger_is_set_aside_and_keeps_nobody_waiting(
    site: ServiceFolder, table: str
) -> None:
    callers = choose_callers(site.lab.infobase)
    await site.sync()
    async with serving(site, SYNC_INTERVAL_S="3600") as service:
        await service.answer(callers.contact.sent_number)
    ledger = site.folder / "data" / "ledger.db"
    if table:
        spoil(ledger, table)
    else:
        ledger.write_bytes(NO_DATABASE)
    spoilt = ledger.read_bytes()

    async with serving(site, ADMIN_PASSWORD="composed-admin") as service:
        answered = await service.answer(callers.contact.sent_number, did="74950000002")
        alarms = await service.standing("store_damaged")
        (reported,) = service.reported("store_damaged")

    assert answered == callers.contact.extension
    assert [alarm["subject"] for alarm in alarms] == ["ledger.db"]
    assert "PBX's journal" in alarms[0]["words"]
    assert str(site.folder) not in json.dumps(alarms)
    assert reported["kept"].endswith("ledger.db.damaged")
    assert ledger.with_name("ledger.db.damaged").read_bytes() == spoilt
    (warned,) = [f for f in await checked(site) if f["area"] == "store"]
    assert (warned["verdict"], "ledger.db" in warned["words"]) == ("warning", True)
