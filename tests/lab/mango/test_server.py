"""The lab over a real socket, and the command that starts it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.lab.mango import MangoCabinet, MangoSwitches, serve_mango_lab
from bridge.lab.mango.switches import CommandReply
from tests.support.mango_lab import CALLER, MangoClient

QUICK = MangoSwitches(silence_s=0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # a socket is waited for in real time


@asynccontextmanager
async def served(switches: MangoSwitches = QUICK) -> AsyncIterator[httpx.AsyncClient]:
    loop = asyncio.get_running_loop()
    listens: asyncio.Future[str] = loop.create_future()
    # Nobody listens at the discard port: every push fails at once.
    cabinet = MangoCabinet(hook_url="http://127.0.0.1:9/mango")
    serving = loop.create_task(
        serve_mango_lab(cabinet, port=0, switches=switches, announce=listens.set_result)
    )
    try:
        async with httpx.AsyncClient(base_url=await listens, trust_env=False) as http:
            yield http
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@pytest.mark.anyio
async def test_the_lab_listens_where_it_says() -> None:
    async with served() as http:
        report = (await http.post("/_lab/call", json={"caller": CALLER})).json()
        lines = await MangoClient(http).ask("incominglines", "{}")

    assert report["answered_by"] == "205"
    assert set(report["problems"]) == {
        f"{path}: no connection (ConnectError)"
        for path in ("events/call", "events/recording", "events/summary", "events/record/added")
    }
    assert lines["result"] == 1000


@pytest.mark.anyio
async def test_a_lost_reply_is_a_dead_line() -> None:
    async with served(MangoSwitches(reply=CommandReply.LOST)) as http:
        order = {"command_id": "cmd-1", "from": {"extension": "205"}, "to_number": CALLER}

        with pytest.raises(httpx.RemoteProtocolError):
            await MangoClient(http).send("commands/callback", order)
        (ordered,) = (await http.get("/_lab/orders")).json()

    assert ordered["command_id"] == "cmd-1"


@pytest.mark.parametrize(
    "arguments",
    [["--hook", "ftp://bridge"], ["--pace", "slow"], ["--port", "70000"]],
)
def test_a_wrong_option_ends_with_the_code_of_usage(arguments: list[str]) -> None:
    ended = CliRunner().invoke(app, ["lab", "mango", *arguments])

    assert ended.exit_code == 2


@pytest.mark.parametrize("written", ["{", '{"colour": "red"}', None])
def test_wrong_faults_end_with_the_code_of_usage(tmp_path: Path, written: str | None) -> None:
    faults = tmp_path / "faults.json"
    if written is not None:
        faults.write_text(written, "utf-8")

    ended = CliRunner().invoke(app, ["lab", "mango", "--faults", str(faults)])

    assert ended.exit_code == 2


def test_a_cabinet_may_have_other_people() -> None:
    cabinet = MangoCabinet().with_extensions(("301", "302", "303"))

    assert [one.extension for one in cabinet.employees] == ["301", "302", "303"]
    assert cabinet.groups[0].members == ("301", "302")
