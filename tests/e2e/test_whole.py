"""The desk on the whole service, as a process of its own, beside a simulated 1C."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from bridge.lab.demo.callers import choose_callers
from tests.e2e.desk_fixture import open_window
from tests.stories.processes import ServiceFolder, free_port, open_service_folder, wait_until_alive

pytestmark = pytest.mark.anyio

DID = "74950000001"


@asynccontextmanager
async def serving(site: ServiceFolder) -> AsyncIterator[None]:
    """Serve until the block ends, and be killed then."""
    process = await site.start("serve", readable=False, SYNC_INTERVAL_S="3600", LANG="en")
    try:
        await wait_until_alive(site.port, process)
        yield
    finally:
        process.kill()
        await process.wait()


async def ask(site: ServiceFolder, caller: str, at: int) -> None:
    """Ask where a call goes, as the PBX does."""
    question = {"fromnum": caller, "tonum": DID, "time": str(at), "label": ""}
    async with httpx.AsyncClient(trust_env=False, auth=("pbx", "composed-pass")) as pbx:
        answer = await pbx.get(f"http://127.0.0.1:{site.port}/sipuni/route", params=question)
        assert answer.is_success


async def push(site: ServiceFolder, caller: str, at: int, extension: str, event: str) -> None:
    """Push an event of a call, as Sipuni does: 1 it rings at *extension*, 3 it was answered."""
    fields = {
        "event": event,
        "call_id": f"{at}.100001",
        "timestamp": str(int(time.time())),
        "src_num": caller,
        "src_type": "1",
        "short_src_num": caller,
        "dst_num": f"012345{extension}",
        "dst_type": "2",
        "short_dst_num": extension,
        "pbxdstnum": f"100{extension}",
        "treeName": "Входящая",
        "treeNumber": "000-123456",
        "user_id": "012345",
        "channel": f"SIP/012345100{extension}-0000abce",
    }
    async with httpx.AsyncClient(trust_env=False, auth=("pbx", "composed-pass")) as pbx:
        answer = await pbx.get(f"http://127.0.0.1:{site.port}/sipuni/events", params=fields)
        assert answer.json() == {"success": True}


async def test_a_call_is_followed_from_the_hook_to_the_desk_through_a_kill(
    browser: Browser, tmp_path: Path
) -> None:
    async with open_service_folder(tmp_path) as site, open_window(browser) as context:
        site.port = free_port()
        await site.sync()
        client = choose_callers(site.lab.infobase).contact
        page = await context.new_page()
        async with serving(site):
            link = json.loads((await site.run_command("console-link", "--json")).out)["link"]
            await page.goto(link)
            await page.goto(f"http://127.0.0.1:{site.port}/desk")
            await page.get_by_role("link", name=f", {client.extension}").click()
            await expect(page.locator("#line.live")).to_be_visible()
            at = int(time.time())

            await ask(site, client.sent_number, at)

            card = page.locator(".card")
            await expect(card.locator(".badge")).to_have_text("Ringing")
            heading = await card.get_by_role("heading").inner_text()
            assert heading in client.name
            await push(site, client.sent_number, at, client.extension, "1")
            await push(site, client.sent_number, at, client.extension, "3")
            await expect(card.locator(".badge")).to_have_text("Talking")
        await expect(page.locator("#lost")).to_contain_text("Connection lost since")

        async with serving(site):
            await ask(site, client.sent_number, at + 60)
            await expect(page.locator("#lost")).to_be_hidden()
            await expect(page.locator("#running .ringing")).to_have_count(1)
            await expect(page.locator("#running .talking")).to_have_count(1)

            await page.get_by_label("Name, company or number").fill(heading)
            await expect(page.locator("#found strong").first).to_have_text(heading)
            await page.locator(".talking").get_by_text("Note on this call").click()
            await page.locator(".talking").get_by_role("textbox").fill("счёт")
            await page.locator(".talking").get_by_role("button", name="Save").click()
            await expect(page.locator(".talking .written")).to_have_text("счёт")
