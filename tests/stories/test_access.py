"""How people are let in, in processes: a link made at a terminal, its end, a password's hash."""

import asyncio
import json
import sys
from pathlib import Path

import httpx
import pytest

from bridge.web.access.secrets import PasswordHash
from tests.stories.processes import ServiceFolder, free_port, open_service_folder, wait_until_alive

pytestmark = pytest.mark.anyio


async def opened(link: str, browser: httpx.AsyncClient) -> int:
    return (await browser.get(link, headers={"Accept": "text/html"})).status_code


async def make_link(site: ServiceFolder, *arguments: str) -> str:
    result = await site.run_command("desk-link", *arguments, "--json")
    assert result.code == 0, result.err
    made = json.loads(result.out)
    assert made["name"] == "Звонков Олег"
    return str(made["link"])


async def test_a_link_made_at_a_terminal_opens_the_desk_until_it_is_revoked_there(
    tmp_path: Path,
) -> None:
    async with open_service_folder(tmp_path, partners=3) as site:
        site.lab.add_user("Звонков Олег", "205")
        await site.sync()
        site.port = free_port()
        process = await site.start("serve", readable=False, SYNC_INTERVAL_S="3600")
        try:
            await wait_until_alive(site.port, process)
            async with httpx.AsyncClient(trust_env=False) as browser:
                desk = f"http://127.0.0.1:{site.port}/desk"
                first = await make_link(site, "205")
                seen = [await opened(first, browser), await opened(desk, browser)]
                mine = dict(browser.cookies)
                second = await make_link(site, "205", "--revoke")
                seen += [await opened(first, browser), await opened(second, browser)]
            async with httpx.AsyncClient(trust_env=False) as browser:
                stranger = await opened(f"http://127.0.0.1:{site.port}/console/audit", browser)
                console = json.loads((await site.run_command("console-link", "--json")).out)["link"]
                seen += [await opened(console, browser)]
                audit = await browser.get(f"http://127.0.0.1:{site.port}/console/audit")
                seen += [await opened(console, browser)]
        finally:
            process.terminate()
            await process.wait()

    assert seen == [303, 200, 403, 303, 303, 403]
    assert stranger == 303  # to the sign-in
    assert "bridge_desk" in mine
    assert audit.text.count("на машине моста") == 3  # two links made, the first ones revoked


async def test_the_link_that_serve_prints_opens_the_console_once(tmp_path: Path) -> None:
    async with open_service_folder(tmp_path, partners=3) as site:
        process = await site.start("serve", SYNC_INTERVAL_S="3600", PORT="0")
        try:
            assert process.stdout is not None
            async with asyncio.timeout(60):
                line = (await process.stdout.readline()).decode()
            link = line.split()[-1]
            async with httpx.AsyncClient(trust_env=False) as browser:
                seen = [await opened(link, browser)]
                page = await browser.get(link.partition("/login")[0] + "/console/calls")
            async with httpx.AsyncClient(trust_env=False) as other:
                seen += [await opened(link, other)]
        finally:
            process.terminate()
            await process.communicate()

    assert seen == [303, 403]
    assert page.status_code == 200


async def test_with_a_password_serve_prints_no_link(tmp_path: Path) -> None:
    async with open_service_folder(tmp_path, partners=3) as site:
        site.port = free_port()
        process = await site.start("serve", ADMIN_PASSWORD="composed", SYNC_INTERVAL_S="3600")
        await wait_until_alive(site.port, process)
        process.terminate()
        out, _ = await process.communicate()

    assert out == b""


async def test_where_no_service_ever_ran_there_is_no_link_to_its_console(tmp_path: Path) -> None:
    async with open_service_folder(tmp_path, partners=3) as site:
        result = await site.run_command("console-link")

    assert result.code == 1
    assert "onec-bridge serve" in result.err
    assert not (tmp_path / "data").exists()


async def test_nobody_gets_a_link_to_a_telephone_that_is_nobody_s(tmp_path: Path) -> None:
    async with open_service_folder(tmp_path, partners=3) as site:
        result = await site.run_command("desk-link", "999")

    assert result.code == 1
    assert "999" in result.err
    assert result.out == ""


@pytest.mark.parametrize(("typed", "code"), [("тайна админа\n", 0), ("\n", 2)])
async def test_a_password_s_hash_is_printed_and_nothing_else(typed: str, code: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "hash-password"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(typed.encode())

    assert process.returncode == code
    if code == 0:
        made = PasswordHash.parse(out.decode().strip())
        assert made.matches("тайна админа".encode())
    else:
        assert out == b""


async def test_a_broken_hash_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    async with open_service_folder(tmp_path, partners=3) as site:
        result = await site.run_command("serve", ADMIN_PASSWORD="scrypt:1:2:3")

    assert result.code == 2
    assert "BRIDGE_ADMIN_PASSWORD" in result.err
    assert "scrypt:1:2:3" not in result.err
