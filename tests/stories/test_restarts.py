"""A service in trouble with its disk: callers are answered, and it reports and mends itself."""

import asyncio
import json
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from bridge.lab.demo.callers import choose_callers
from tests.stories.processes import (
    HOOK,
    ServiceFolder,
    free_port,
    open_service_folder,
    wait_until_alive,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process"),
]

_PATIENCE_S, _LOOK_S = 60, 0.05
_ADMIN = ("admin", "composed-admin")


@dataclass
class Service:
    """A running service, and the lines of its log as they come."""

    site: ServiceFolder
    process: asyncio.subprocess.Process
    http: httpx.AsyncClient
    log: list[str] = field(default_factory=list)

    async def answer(self, number: str, did: str) -> str | None:
        asked = await self.http.get(
            HOOK.format(port=self.site.port), params={"fromnum": number, "tonum": did}
        )
        assert asked.status_code == 200
        extension: str | None = asked.json()["extension"]
        return extension

    async def event(self, **fields: str) -> int:
        address = HOOK.format(port=self.site.port).replace("/route", "/events")
        return (await self.http.get(address, params=fields)).status_code

    async def standing(self, name: str) -> list[dict[str, str]]:
        reported = await self.http.get(self.url("/api/v1/alarms"), auth=_ADMIN)
        return [alarm for alarm in reported.json() if alarm["name"] == name]

    async def down(self) -> set[str]:
        reported = await self.http.get(self.url("/api/v1/alarms"), auth=_ADMIN)
        assert str(self.site.folder) not in reported.text
        return {alarm["subject"] for alarm in reported.json() if alarm["name"] == "store_down"}

    async def until_down(self, names: set[str]) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while await self.down() != names:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(_LOOK_S)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.site.port}{path}"

    def limit_files(self, size: int) -> None:
        hard = resource.RLIM_INFINITY
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, hard))

    async def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_PATIENCE_S):
            await self.process.wait()


def _no_space() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


@asynccontextmanager
async def serving(site: ServiceFolder, *, full_disk: bool = False) -> AsyncIterator[Service]:
    site.port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "serve"),
        cwd=site.folder,
        env=site.environment(
            LOG_FORMAT="json", ADMIN_PASSWORD=_ADMIN[1], SYNC_INTERVAL_S="3600", LIVE_LOOKUP="false"
        ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=_no_space if full_disk else None,
        limit=1 << 20,
    )
    log: list[str] = []

    async def read() -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            log.append(line.decode())  # noqa: PERF401 - as they come

    reading = asyncio.create_task(read())
    try:
        await wait_until_alive(site.port, process)
        async with httpx.AsyncClient(trust_env=False) as http:
            yield Service(site, process, http, log)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await reading
    assert not [line for line in log if "Traceback" in line], log


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServiceFolder]:
    async with open_service_folder(tmp_path) as opened:
        await opened.sync()
        yield opened


async def outbox_keys(site: ServiceFolder) -> list[str]:
    result = await site.run_command("outbox", "list", "--json")
    return [entry["key"] for entry in json.loads(result.out)]


async def test_with_everything_broken_but_the_directory_callers_reach_their_managers(
    site: ServiceFolder,
) -> None:
    callers = choose_callers(site.lab.infobase)
    data = site.folder / "data"
    broken = [data / name for name in ("ledger.db", "audit.db", "runs.db")]
    (data / "runs.db").unlink()
    (data / "metadata.json").unlink()
    for path in (*broken, data / "metadata.json"):
        path.mkdir()
    (data / "secret.key").write_bytes(b"")
    site.lab.faults.add("down")

    async with serving(site) as service:
        answered = await service.answer(callers.contact.sent_number, "74950000001")
        await service.until_down({path.name for path in broken})
        signed_in = await service.http.post(
            service.url("/login/admin"), data={"password": _ADMIN[1]}
        )
        page = await service.http.get(service.url("/"), auth=_ADMIN)
        figures = await service.http.get(service.url("/metrics"), auth=_ADMIN)
        event = await service.event(event="1", call_id="1.1", src_num="79035550100")
        check = await site.run_command("check", "--json")
        route = await site.run_command("route", callers.contact.sent_number, "--json")
        await service.stop()
    rescue = data / "rescue.jsonl"
    kept, mode = rescue.read_text(), rescue.stat().st_mode & 0o777
    async with serving(site) as service:
        again = await service.answer(callers.contact.sent_number, "74950000002")
        for path in broken:
            path.rmdir()
        await service.until_down(set())
        async with asyncio.timeout(_PATIENCE_S):
            while rescue.exists():  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(_LOOK_S)
        keys = await outbox_keys(site)
        acknowledged = await service.event(event="1", call_id="1.1", src_num="79035550100")

    assert answered == again == callers.contact.extension
    assert (signed_in.status_code, page.status_code, figures.status_code) == (303, 200, 200)
    assert "ledger.db" in page.text
    assert str(data) not in page.text
    assert (event, acknowledged) == (503, 200)
    assert check.code == 2
    assert json.loads(route.out)["extension"] == callers.contact.extension
    assert mode == 0o600
    assert json.loads(kept)["call"]["caller"]["raw"] == callers.contact.sent_number
    assert len(keys) == len(set(keys)) == 2
    assert not [path for path in data.iterdir() if path.is_file() and path.stat().st_mode & 0o077]


async def test_a_start_on_a_full_disk_answers_and_records_as_soon_as_there_is_space(
    site: ServiceFolder,
) -> None:
    callers = choose_callers(site.lab.infobase)
    site.lab.faults.add("down")

    async with serving(site, full_disk=True) as service:
        answered = await service.answer(callers.contact.sent_number, "74950000001")
        in_trouble = await service.down()
        service.limit_files(resource.RLIM_INFINITY)
        await service.until_down(set())
        recorded = await outbox_keys(site)
        service.limit_files(0)
        again = await service.answer(callers.contact.sent_number, "74950000002")
        await service.stop()
        (line,) = [line for line in service.log if "recorded nowhere else" in line]

    assert answered == again == callers.contact.extension
    assert "ledger.db" in in_trouble
    assert len(recorded) == 1
    assert (
        json.loads(line.partition("else: ")[2])["call"]["caller"]["raw"]
        == callers.contact.sent_number
    )


async def test_a_data_folder_that_is_none_stops_no_start(tmp_path: Path) -> None:
    async with open_service_folder(tmp_path) as site:
        data = site.folder / "data"
        data.write_text("a file where the folder is needed")
        site.lab.faults.add("down")

        async with serving(site) as service:
            answered = await service.answer("79035550123", "74950000001")
            await service.until_down({"ledger.db", "audit.db", "secret.key"})
            data.unlink()
            await service.until_down(set())

        assert answered is None
        assert len(await outbox_keys(site)) == 1


async def test_a_ledger_deleted_under_the_service_loses_nothing_and_is_reported(
    site: ServiceFolder,
) -> None:
    callers = choose_callers(site.lab.infobase)
    site.lab.faults.add("down")

    async with serving(site) as service:
        await service.answer(callers.contact.sent_number, "74950000001")
        for part in (site.folder / "data").glob("ledger.db*"):
            part.unlink()
        event = await service.event(event="1", call_id="1.1", src_num="79035550100")
        async with asyncio.timeout(_PATIENCE_S):
            while not (  # noqa: ASYNC110 - it is another process
                result := await service.standing("store_damaged")
            ):
                await asyncio.sleep(_LOOK_S)
        await service.answer(callers.contact.sent_number, "74950000002")
        keys = await outbox_keys(site)

    assert event == 200
    assert "ledger.db was deleted while the service ran" in result[0]["words"]
    assert len(set(keys)) == 3
