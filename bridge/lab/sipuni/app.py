"""The cabinet as a server: its API, and the levers of whoever runs the experiment."""

import asyncio
from dataclasses import replace

import httpx
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.lab.sipuni.api import CabinetApi
from bridge.lab.sipuni.calls import CallPlan
from bridge.lab.sipuni.exchange import SipuniLab
from bridge.lab.sipuni.scheme import DEFAULT_HOOK_URL, SipuniScheme
from bridge.lab.sipuni.switches import Switches

DEFAULT_PORT = 8082


def create_sipuni_app(lab: SipuniLab) -> Starlette:
    """Build the cabinet's API and, under `/_lab/`, the levers of whoever runs the experiment.

    - `POST /_lab/call` `{caller, did, outcome?, dtmf?, ring_s?, talk_s?, switches?}` → report
    - `GET /_lab/calls` → reports of all incoming calls so far, the state of the push beside them
    - `POST /_lab/switches` `{switch: value, …}` → all switches; also resumes a suspended push
    """
    levers = _Levers(lab)
    return Starlette(
        routes=[
            *CabinetApi(lab).routes(),
            Route("/_lab/call", levers.call, methods=["POST"]),
            Route("/_lab/calls", levers.calls),
            Route("/_lab/switches", levers.switches, methods=["POST"]),
        ]
    )


class _Levers:
    """What the person who runs the experiment may ask of the lab; no cabinet has this."""

    def __init__(self, lab: SipuniLab) -> None:
        self._lab = lab

    async def call(self, request: Request) -> Response:
        try:
            wanted = _json_object(await request.body())
            if "switches" in wanted:
                wanted["switches"] = _changed(self._lab.switches, wanted["switches"])
            plan = msgspec.convert(wanted, CallPlan)
        except ValueError as mistake:
            return JSONResponse({"error": str(mistake)}, status_code=422)
        return _plain(await self._lab.place_call(plan))

    async def calls(self, request: Request) -> Response:
        del request  # a list has no questions to ask
        reports = [one.report for one in self._lab.calls if one.report is not None]
        return _plain(
            {
                "calls": reports,
                "bad_answers": self._lab.bad_answers,
                "suspended": self._lab.suspended,
            }
        )

    async def switches(self, request: Request) -> Response:
        try:
            changed = _changed(self._lab.switches, _json_object(await request.body()))
        except ValueError as mistake:
            return JSONResponse({"error": str(mistake)}, status_code=422)
        self._lab.switch(changed)
        return _plain(changed)


def _json_object(body: bytes) -> dict[str, object]:
    return msgspec.json.decode(body, type=dict[str, object])


def _changed(switches: Switches, changes: object) -> Switches:
    """Copy *switches* with *changes*; a ValueError names what does not fit."""
    standing: dict[str, object] = msgspec.to_builtins(switches)
    wanted = msgspec.convert(changes, dict[str, object])
    if unknown := sorted(wanted.keys() - standing.keys()):
        raise ValueError(f"no such switch: {', '.join(unknown)}")
    return msgspec.convert(standing | wanted, Switches)


def read_switches(raw: bytes) -> Switches:
    """Read a file of faults, the same JSON that `POST /_lab/switches` takes.

    Raises:
        ValueError: it is no such JSON, or names an unknown switch.
    """
    return _changed(Switches(), _json_object(raw))


def _plain(answer: object) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")


def run_sipuni_lab(
    *,
    hook_url: str = DEFAULT_HOOK_URL,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    scheme: SipuniScheme | None = None,
    switches: Switches | None = None,
    paced: bool = False,
) -> None:
    """Serve the lab until interrupted; *paced* lets events take the seconds they tell of."""
    settings = replace(
        scheme or SipuniScheme(), hook_url=hook_url, public_url=f"http://{host}:{port}"
    )
    asyncio.run(serve_sipuni_lab(settings, host=host, port=port, switches=switches, paced=paced))


async def serve_sipuni_lab(
    scheme: SipuniScheme,
    *,
    host: str,
    port: int,
    switches: Switches | None = None,
    paced: bool = False,
) -> None:
    """Serve the lab inside a running loop."""
    # A PBX knows nothing of the proxies in our environment.
    async with httpx.AsyncClient(trust_env=False) as http:
        lab = SipuniLab(scheme, http, switches=switches, pause=asyncio.sleep if paced else None)
        config = uvicorn.Config(create_sipuni_app(lab), host=host, port=port, log_level="warning")
        await uvicorn.Server(config).serve()
