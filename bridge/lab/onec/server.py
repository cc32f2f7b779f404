"""Serves the simulator of 1C over a real socket, for integrators, the demo and benchmarks."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from bridge.lab.onec.app import create_onec_app
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.faults import FaultPlan, read_faults_file
from bridge.lab.onec.simulator import OneCLab
from bridge.lab.onec.switches import PublicationSwitches

OnListening = Callable[[OneCLab, str], None]


class OneCServer(uvicorn.Server):
    """A uvicorn server that reports when its socket listens.

    `await server.serve()` in a task, or `server.run()`; stop it with `should_exit = True`.
    """

    def __init__(self, lab: OneCLab, host: str, port: int, announce: OnListening | None) -> None:
        super().__init__(
            uvicorn.Config(
                create_onec_app(lab),
                host=host,
                port=port,
                lifespan="off",
                log_config=None,
                access_log=False,
            )
        )
        self.lab = lab
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then report the address: the URL of the publication without `/odata`."""
        await super().startup(sockets)
        if self._announce is not None and self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._announce(self.lab, f"http://{host}:{port}{self.lab.publication}")


def run_onec_lab(
    port: int,
    partners: int = 5000,
    seed: int = 1,
    faults_file: Path | None = None,
    *,
    host: str = "127.0.0.1",
    announce: OnListening | None = None,
) -> None:
    """Compose a company and serve it until interrupted.

    *announce* is called once the socket listens, with the lab and the publication's address; port
    0 takes a free one. Nothing is printed here.

    Raises:
        OSError: the file cannot be read.
        msgspec.DecodeError: the file is no JSON of the documented shape (see `faults`).
        ValueError: the file names an unknown switch.
    """
    faults, switches = FaultPlan(), PublicationSwitches()
    if faults_file is not None:
        file = read_faults_file(faults_file.read_bytes())
        faults.extend(file.faults)
        for name, value in file.switches.items():
            switches.set(name, value)
    infobase = compose_infobase(partners=partners, seed=seed)
    # A composed company stays for the life of the process: keep the collector out of it.
    gc.collect()
    gc.freeze()
    lab = OneCLab(infobase, switches=switches, faults=faults)
    OneCServer(lab, host, port, announce).run()
