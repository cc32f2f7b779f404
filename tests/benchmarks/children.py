"""Processes that a benchmark starts: one line of JSON in, lines of JSON out.

A child is `python -m tests.benchmarks.<module>`; a server among them ends when its standard input
does, so that none outlives a test that was interrupted.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from bridge.web.connections.limits import ConnectionLimits
from bridge.web.connections.protocol import protocol_for
from bridge.web.connections.registry import ConnectionRegistry

_ROOT = Path(__file__).parents[2]
_PATIENCE_S = 60.0


class ChildFailed(RuntimeError):
    """The thing measured is broken; the end of its stderr is shown."""


class Child:
    """One running child, read line by line."""

    def __init__(self, module: str, spec: dict[str, Any]) -> None:
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in `end`
        own = {k: v for k, v in os.environ.items() if not k.startswith("BRIDGE_")}
        self._process = subprocess.Popen(  # noqa: S603 - our own modules
            (sys.executable, "-m", f"tests.benchmarks.{module}"),
            cwd=_ROOT,
            env=own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(spec) + "\n")
        self._process.stdin.flush()

    def line(self) -> dict[str, Any]:
        """Read its next message."""
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        if not text:
            self._process.wait(_PATIENCE_S)
            self._stderr.seek(0)
            raise ChildFailed(self._stderr.read()[-3000:])
        message: dict[str, Any] = json.loads(text)
        return message

    def running(self) -> bool:
        """Return whether it still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """Let it end by itself, as a graceful stop does."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._stderr.close()


@contextmanager
def child(module: str, **spec: Any) -> Iterator[Child]:
    """Run a child for the length of the block."""
    started = Child(module, spec)
    try:
        yield started
    finally:
        started.end()


def run(module: str, **spec: Any) -> dict[str, Any]:
    """Run a child to its end and give its one answer."""
    with child(module, **spec) as started:
        return started.line()


# ---------------------------------------------------------------- the child's side
def given() -> dict[str, Any]:
    """Return what this process is to do; it is sent once."""
    spec: dict[str, Any] = json.loads(sys.stdin.readline())
    return spec


def send_message(**message: Any) -> None:
    """Send the parent one message."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def peak_mib() -> float:
    """Return this process's largest resident size so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux hands the parent's peak down through getrusage; this one begins with the program.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[int], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._announce(self.servers[0].sockets[0].getsockname()[1])


def serve(app: Any, *, lifespan: str = "on", bounded: bool = False) -> None:
    """Serve *app* on a free loopback port until the parent is gone.

    *bounded*: with the limits of `onec-bridge serve`; else as uvicorn does by itself.
    """
    connections = ConnectionRegistry(ConnectionLimits(), time.monotonic)
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        loop="uvloop",
        http=protocol_for(connections) if bounded else "httptools",
        lifespan=lifespan,  # type: ignore[arg-type]  # a literal of uvicorn's
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config, lambda port: send_message(port=port))

    def wait_for_parent() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=wait_for_parent, daemon=True).start()
    server.run()
