"""The command line from outside: exit codes, one sentence for what is wrong, one JSON document."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest

from bridge.lab.demo import DayStep, StageSettings, demonstrate
from bridge.lab.demo.cast import choose_cast
from bridge.lab.sipuni import CallPlan, SipuniLab, SipuniScheme
from bridge.lab.world import PARTNERS
from tests.stories.processes import (
    HOOK,
    Said,
    Site,
    free_port,
    open_site,
    secrets_in,
    wait_until_alive,
)

pytestmark = pytest.mark.anyio


class NotedScreen:
    """Keeps what a person would have seen."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[DayStep] = []

    def say(self, words: str) -> None:
        self.said.append(words)

    def table(self, steps: Sequence[DayStep]) -> None:
        self.steps = list(steps)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        yield opened


async def test_the_scripted_day_is_seen_on_the_1c_side() -> None:
    screen = NotedScreen()
    settings = StageSettings(partners=200, compressed=True)
    passed = await demonstrate(settings, screen, once=True)
    assert passed, [step for step in screen.steps if not step.passed] + screen.said
    assert len(screen.steps) > 10


def is_one_sentence(said: Said) -> bool:
    lines = said.err.strip().splitlines()
    return len(lines) == 1 and not said.out


async def test_what_is_wrong_is_one_sentence_and_an_exit_code(site: Site) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/ut11"
    missing, unreachable, wrong, no_hook = await asyncio.gather(
        site.run("sync", ONEC_URL=None),
        site.run("sync", ONEC_URL=nowhere),
        site.run("sync", ONEC_PASSWORD="wrong", DATA_DIR="other"),
        site.run("serve", HOOK_USER=None, HOOK_PASSWORD=None),
    )
    assert (missing.code, unreachable.code, wrong.code) == (2, 4, 5)
    assert no_hook.code == 2
    for said, named in (
        (missing, "BRIDGE_ONEC_URL"),
        (unreachable, "1C"),
        (wrong, "1C"),
        (no_hook, "BRIDGE_HOOK_USER"),
    ):
        assert is_one_sentence(said), said
        assert named in said.err
        assert not secrets_in(said.err, site.environment())


async def test_the_guard_has_an_exit_code_of_its_own_and_says_what_to_do(site: Site) -> None:
    await site.sync()
    site.lab.weather.add("shrunken", set=PARTNERS, share=1.0)
    refused, as_json = await site.run("sync"), await site.run("sync", "--json")
    assert refused.code == as_json.code == 3
    assert is_one_sentence(refused)
    assert "--accept-shrink" in refused.err
    told = json.loads(as_json.out)
    assert (told["ok"], told["code"]) == (False, 3)


async def test_json_is_one_document_and_nothing_else_on_stdout(site: Site) -> None:
    cast = choose_cast(site.lab.world)
    synced = await site.run("sync", "--json")
    assert synced.code == 0
    assert json.loads(synced.out)["numbers"] > 0
    routed, unknown, nonsense, listed, shown, checked = await asyncio.gather(
        site.run("route", cast.contact.sent, "--json"),
        site.run("route", "+7 999 000-00-01", "--did", "74950000001", "--json"),
        site.run("route", "нет номера"),
        site.run("outbox", "list", "--json"),
        site.run("outbox", "show", "nope"),
        site.run("check", "--json"),
    )
    answer = json.loads(routed.out)
    assert answer["decision"]["extension"] == cast.contact.extension
    assert json.loads(unknown.out)["decision"]["extension"] is None
    assert nonsense.err.count("\n") == 1
    assert (listed.code, json.loads(listed.out)) == (0, [])
    assert shown.code == 1
    assert is_one_sentence(shown)
    findings = json.loads(checked.out)
    code = {"ok": 0, "warning": 1, "failure": 2}
    assert checked.code == max(code[finding["verdict"]] for finding in findings)
    assert not secrets_in(checked.out + checked.err, site.environment())


async def test_the_doctor_says_by_its_exit_code_how_bad_it_is(site: Site) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/ut11"
    broken, away = await asyncio.gather(
        site.run("check", "--json", ONEC_TIMEOUT_S="soon"),
        site.run("check", "--json", ONEC_URL=nowhere),
    )
    assert broken.code == away.code == 2
    assert "BRIDGE_ONEC_TIMEOUT_S" in broken.out
    assert json.loads(away.out)


async def test_a_terminated_service_exits_with_0_and_keeps_what_it_owes(site: Site) -> None:
    cast = choose_cast(site.lab.world)
    await site.sync()
    site.port = free_port()
    await site.onec.stop()
    process = await site.start("serve", SYNC_INTERVAL_S="3600")
    await wait_until_alive(site.port, process)
    async with httpx.AsyncClient(trust_env=False) as http:
        pbx = SipuniLab(SipuniScheme(hook_url=HOOK.format(port=site.port)), http)
        report = await pbx.place_call(CallPlan(cast.contact.sent, "74950000001"))
        assert report.rang_first == cast.contact.extension
        assert report.problems == ()
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode == 0
    assert "Traceback" not in err.decode()
    owed = await site.run("outbox", "list", "--json")
    (entry,) = json.loads(owed.out)
    assert entry["state"] == "due"
    shown = await site.run("outbox", "show", entry["key"][:6], "--json")
    assert json.loads(shown.out)["key"] == entry["key"]


async def test_a_port_that_is_taken_is_said_in_one_sentence(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site.port = int(taken.getsockname()[1])
        said = await site.run("serve")
    assert said.code != 0
    assert str(site.port) in said.err
