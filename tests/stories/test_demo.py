"""The command line from outside: exit codes, one sentence for what is wrong, one JSON document."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from bridge.lab.demo.callers import choose_callers
from bridge.lab.demo.environment import DemoSettings
from bridge.lab.demo.run import run_demo
from bridge.lab.demo.steps import DemoStep
from bridge.lab.onec.infobase.infobase import PARTNERS
from bridge.lab.sipuni.calls import CallPlan
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scheme import SipuniScheme
from tests.stories.processes import (
    HOOK,
    PATIENCE_S,
    CommandResult,
    ServiceFolder,
    free_port,
    open_service_folder,
    secrets_in,
    wait_until,
    wait_until_alive,
)

pytestmark = pytest.mark.anyio


class RecordedScreen:
    """Keeps what a person would have seen."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[DemoStep] = []

    def write_line(self, text: str) -> None:
        self.lines.append(text)

    def show_steps(self, steps: Sequence[DemoStep]) -> None:
        self.steps = list(steps)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServiceFolder]:
    async with open_service_folder(tmp_path) as opened:
        yield opened


async def test_the_scripted_day_is_seen_on_the_1c_side() -> None:
    screen = RecordedScreen()
    settings = DemoSettings(partners=200, fast_clock=True)
    passed = await run_demo(settings, screen, once=True)
    assert passed, [step for step in screen.steps if not step.passed] + screen.lines
    assert len(screen.steps) > 10


def is_one_sentence(result: CommandResult) -> bool:
    lines = result.err.strip().splitlines()
    return len(lines) == 1 and not result.out


async def test_what_is_wrong_is_one_sentence_and_an_exit_code(site: ServiceFolder) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/ut11"
    missing, unreachable, wrong, no_hook = await asyncio.gather(
        site.run_command("sync", ONEC_URL=None),
        site.run_command("sync", ONEC_URL=nowhere),
        site.run_command("sync", ONEC_PASSWORD="wrong", DATA_DIR="other"),
        site.run_command("serve", HOOK_USER=None, HOOK_PASSWORD=None),
    )
    assert (missing.code, unreachable.code, wrong.code) == (2, 4, 5)
    assert no_hook.code == 2
    for result, named in (
        (missing, "BRIDGE_ONEC_URL"),
        (unreachable, "1C"),
        (wrong, "1C"),
        (no_hook, "BRIDGE_HOOK_USER"),
    ):
        assert is_one_sentence(result), result
        assert named in result.err
        assert not secrets_in(result.err, site.environment())


async def test_the_guard_has_an_exit_code_of_its_own_and_says_what_to_do(
    site: ServiceFolder,
) -> None:
    await site.sync()
    site.lab.faults.add("shrunken", set=PARTNERS, share=1.0)
    refused, as_json = await site.run_command("sync"), await site.run_command("sync", "--json")
    assert refused.code == as_json.code == 3
    assert is_one_sentence(refused)
    assert "--accept-shrink" in refused.err
    reported = json.loads(as_json.out)
    assert (reported["ok"], reported["code"]) == (False, 3)


async def test_json_is_one_document_and_nothing_else_on_stdout(site: ServiceFolder) -> None:
    callers = choose_callers(site.lab.infobase)
    synced = await site.run_command("sync", "--json")
    assert synced.code == 0
    assert json.loads(synced.out)["numbers"] > 0
    routed, unknown, nonsense, listed, shown, checked = await asyncio.gather(
        site.run_command("route", callers.contact.sent_number, "--json"),
        site.run_command("route", "+7 999 000-00-01", "--did", "74950000001", "--json"),
        site.run_command("route", "нет номера"),
        site.run_command("outbox", "list", "--json"),
        site.run_command("outbox", "show", "nope"),
        site.run_command("check", "--json"),
    )
    answer = json.loads(routed.out)
    assert answer["decision"]["extension"] == callers.contact.extension
    assert json.loads(unknown.out)["decision"]["extension"] is None
    assert nonsense.err.count("\n") == 1
    assert (listed.code, json.loads(listed.out)) == (0, [])
    assert shown.code == 1
    assert is_one_sentence(shown)
    findings = json.loads(checked.out)
    code = {"ok": 0, "warning": 1, "failure": 2}
    assert checked.code == max(code[finding["verdict"]] for finding in findings)
    assert not secrets_in(checked.out + checked.err, site.environment())


async def test_the_doctor_says_by_its_exit_code_how_bad_it_is(site: ServiceFolder) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/ut11"
    broken, away = await asyncio.gather(
        site.run_command("check", "--json", ONEC_TIMEOUT_S="soon"),
        site.run_command("check", "--json", ONEC_URL=nowhere),
    )
    assert broken.code == away.code == 2
    assert "BRIDGE_ONEC_TIMEOUT_S" in broken.out
    assert json.loads(away.out)


async def test_a_terminated_service_exits_with_0_and_keeps_its_outbox(
    site: ServiceFolder,
) -> None:
    callers = choose_callers(site.lab.infobase)
    await site.sync()
    site.port = free_port()
    await site.onec.stop()
    process = await site.start("serve", SYNC_INTERVAL_S="3600")
    await wait_until_alive(site.port, process)
    async with httpx.AsyncClient(trust_env=False) as http:
        pbx = SipuniLab(SipuniScheme(hook_url=HOOK.format(port=site.port)), http)
        report = await pbx.place_call(CallPlan(callers.contact.sent_number, "74950000001"))
        assert report.rang_first == callers.contact.extension
        assert report.problems == ()
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0
    assert "Traceback" not in err.decode()
    pending = await site.run_command("outbox", "list", "--json")
    (entry,) = json.loads(pending.out)
    assert entry["state"] == "due"
    shown = await site.run_command("outbox", "show", entry["key"][:6], "--json")
    assert json.loads(shown.out)["key"] == entry["key"]


async def test_a_port_that_is_taken_is_reported_in_one_sentence(site: ServiceFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site.port = int(taken.getsockname()[1])
        result = await site.run_command("serve")
    assert result.code == 1
    assert is_one_sentence(result)
    assert f"127.0.0.1:{site.port}: address already in use" in result.err


@pytest.mark.parametrize("lab", ["onec", "sipuni"])
async def test_a_simulator_whose_port_is_taken_says_so_in_one_sentence(
    site: ServiceFolder, lab: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = await site.run_command("lab", lab, "--port", str(taken.getsockname()[1]))
    assert result.code == 1
    assert is_one_sentence(result)
    assert "--port" in result.err


async def test_a_simulator_refuses_what_it_does_not_know(site: ServiceFolder) -> None:
    faults = site.folder / "faults.json"
    faults.write_text('{"switches": {"nope": true}}')
    unknown, nowhere = await asyncio.gather(
        site.run_command("lab", "onec", "--port", "0", "--faults", str(faults)),
        site.run_command("lab", "sipuni", "--port", "0", "--hook", "nowhere"),
    )
    assert (unknown.code, nowhere.code) == (2, 2)
    assert is_one_sentence(unknown)
    assert "no such switch: nope" in unknown.err
    assert "--hook" in nowhere.err


async def test_a_data_folder_that_cannot_be_is_a_wrong_setting(site: ServiceFolder) -> None:
    # The service alone starts all the same: see test_restarts.
    taken = site.folder / "a file"
    taken.touch()
    nowhere = str(taken / "data")
    synced, linked, checked = await asyncio.gather(
        site.run_command("sync", DATA_DIR=nowhere),
        site.run_command("outbox", "list", DATA_DIR=nowhere),
        site.run_command("check", "--json", DATA_DIR=nowhere),
    )
    assert synced.code == 2
    assert is_one_sentence(synced)
    assert "BRIDGE_DATA_DIR" in synced.err
    assert linked.code == 1
    assert is_one_sentence(linked)
    (store,) = [f for f in json.loads(checked.out) if f["area"] == "store"]
    assert (checked.code, store["verdict"]) == (2, "failure")
    assert "BRIDGE_DATA_DIR" in store["advice"]


async def test_looking_at_the_outbox_makes_no_file(site: ServiceFolder) -> None:
    data = site.folder / "data"
    elsewhere = await site.run_command("outbox", "list")
    assert elsewhere.code == 1  # else a look in the wrong folder would find nothing pending
    data.mkdir()
    listed, shown = await asyncio.gather(
        site.run_command("outbox", "list"), site.run_command("outbox", "retry", "abc", "--json")
    )
    assert (listed.code, listed.out) == (0, "Nothing is owed to 1C.\n")
    assert (shown.code, json.loads(shown.out)["ok"]) == (1, False)
    assert list(data.iterdir()) == []


async def test_the_doctor_finds_damaged_files_and_says_what_to_do(site: ServiceFolder) -> None:
    await site.sync()
    data = site.folder / "data"
    (data / "ledger.db").write_bytes(b"no database at all" * 50)
    whole = (data / "directory.db").read_bytes()
    (data / "directory.db").write_bytes(whole[:4096] + bytes(range(256)) * 16 + whole[8192:])
    checked = await site.run_command("check", "--json")
    found = {f["words"].split()[0]: f for f in json.loads(checked.out) if f["area"] == "store"}
    assert found.keys() >= {"ledger.db", "directory.db"}  # and that others may read them
    assert "backup" in found["ledger.db"]["advice"]
    assert "onec-bridge sync" in found["directory.db"]["advice"]
    assert checked.code == 2


async def test_a_caller_may_be_typed_as_1c_shows_him(site: ServiceFolder) -> None:
    await site.sync()
    callers = choose_callers(site.lab.infobase)
    number = callers.contact.sent_number
    typed = f"+7 ({number[1:4]}) {number[4:7]}-{number[7:9]}-{number[9:]} вн.39"
    known, nonsense = await asyncio.gather(
        site.run_command("route", typed, "--json"),
        site.run_command("route", "нет номера", "--json"),
    )
    assert json.loads(known.out)["extension"] == callers.contact.extension
    assert known.code == 0
    assert json.loads(nonsense.out)["question"]["caller_kind"] == "nonsense"
    assert nonsense.code == 1


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let programs started here get Ctrl-C: where the tests run in the background they would not.

    A shell has its background jobs ignore it, and they pass that on to their children.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_a_demonstration_that_is_stopped_leaves_nothing_behind(
    site: ServiceFolder, stop: signal.Signals
) -> None:
    port = free_port()
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "demo", "--port", str(port), "--partners", "60"),
        env=site.environment() | {"TMPDIR": str(site.folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    await wait_until_alive(port, demo)
    demo.send_signal(stop)
    result, _ = await asyncio.wait_for(demo.communicate(), PATIENCE_S)
    assert demo.returncode == 0, result.decode()
    assert "Traceback" not in result.decode()
    with socket.create_server(("127.0.0.1", port)):  # the bridge it had started is gone
        pass
    assert list(site.folder.iterdir()) == []


async def test_a_day_that_was_cut_short_was_not_seen_whole(site: ServiceFolder) -> None:
    day = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "demo", "--once", "--partners", "60"),
        env=site.environment() | {"TMPDIR": str(site.folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    await wait_until(lambda: bool(list(site.folder.rglob("metadata.json"))), "the first sync")
    day.send_signal(signal.SIGTERM)
    result, _ = await asyncio.wait_for(day.communicate(), PATIENCE_S)
    assert day.returncode == 1, result.decode()
    assert "Traceback" not in result.decode()
    assert list(site.folder.iterdir()) == []
