"""A service under few open files, with strangers at its port: callers are answered all the same."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.stories.processes import free_port, open_service_folder, wait_until_alive

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, sets a limit by sh"),
]

FILES = 320
TOKEN = "t0ken-of-the-path"
QUESTION = f"/hook/{TOKEN}/sipuni/route?fromnum=79035550123&tonum=74950000001"
MIB = 1 << 20


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[int, Path, int]]:
    """Run a service that may open only a few files; give its port, its log, its process."""
    async with open_service_folder(folder, partners=20) as site:
        site.port = free_port()
        log = folder / "log"
        settings = site.environment(
            HOOK_TOKEN=TOKEN, DEFAULT_EXTENSION="100", SYNC_INTERVAL_S="3600", LOG_FORMAT="json"
        )
        with log.open("wb") as result:
            process = await asyncio.create_subprocess_exec(
                *("sh", "-c", f'ulimit -n {FILES}; exec "$0" "$@"'),
                *(sys.executable, "-m", "bridge", "serve"),
                cwd=folder,
                env=settings,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=result,
                stderr=result,
            )
        try:
            await wait_until_alive(site.port, process)
            yield site.port, log, process.pid
        finally:
            process.kill()
            await process.wait()


async def ask(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        return await reader.read()
    finally:
        writer.close()


async def is_answered(port: int) -> bool:
    result = await ask(port, f"GET {QUESTION} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
    head, _, body = result.partition(b"\r\n\r\n")
    return head.startswith(b"HTTP/1.1 200 ") and json.loads(body)["extension"] == "100"


async def flood(port: int, head: bytes, mebibytes: int) -> bytes:
    """Send until the other side closes; return its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    try:
        for _ in range(mebibytes):
            writer.write(bytes(MIB).replace(b"\0", b"a"))
            await writer.drain()
    except ConnectionError:
        pass
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def resident(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024


async def test_idle_connections_beyond_all_files_keep_no_caller_out(tmp_path: Path) -> None:
    async with service(tmp_path) as (port, log, _):
        idle = []
        for _ in range(FILES + 100):
            idle.append(await asyncio.open_connection("127.0.0.1", port))
            if len(idle) % 50 == 0:
                assert await is_answered(port)
        assert await is_answered(port)
        for _, writer in idle:
            writer.close()

    result = log.read_text(encoding="utf-8")
    assert "connections_full" in result
    assert "file_limit_low" in result
    assert "Traceback" not in result


async def test_strangers_floods_cost_no_memory_and_no_caller(tmp_path: Path) -> None:
    async with service(tmp_path) as (port, log, process):
        assert await is_answered(port)
        before = resident(process)
        for head, status in (
            (
                b"POST /hook/wrong/sipuni/events HTTP/1.1\r\nContent-Length: 2000000000\r\n\r\n",
                b"413",
            ),
            (
                b"POST /sipuni/events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
                b"401",
            ),
            (b"POST /api/v1/calls HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", b"401"),
            (b"GET / HTTP/1.1\r\nX: ", b"431"),
            (b"GET /?", b"414"),
        ):
            result = await flood(port, head, 60)
            # What is reset while it still sends may take its answer with it.
            assert not result or result.split(b" ")[1] in {status, b"403", b"404"}
            assert await is_answered(port)
        grown = resident(process) - before

    assert grown < 40 * MIB
    assert "Traceback" not in log.read_text(encoding="utf-8")


async def test_a_label_that_is_not_encoded_costs_no_answer_and_no_event(tmp_path: Path) -> None:
    end = b" HTTP/1.1\r\nConnection: close\r\n\r\n"
    event = (
        f"GET /hook/{TOKEN}/sipuni/events?event=1&call_id=1.1&src_type=1&dst_type=1"
        "&src_num=79035550123&dst_num=74950000001&timestamp=1790000000&treeName="
    )
    async with service(tmp_path) as (port, _, _):
        for label in ("Продажи".encode(), "Продажи".encode("cp1251"), b"a b", b"a\0b"):
            answer = await ask(port, f"GET {QUESTION}&label=".encode() + label + end)
            stored = await ask(port, event.encode() + label + end)

            assert answer.startswith(b"HTTP/1.1 200 ")
            assert stored.endswith(b'{"success": true}')
