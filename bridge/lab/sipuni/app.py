"""The cabinet as a server: its API, and the levers of whoever runs the experiment."""

import asyncio
from dataclasses import replace

import httpx
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from bridge.lab.sipuni.api import CabinetApi
from bridge.lab.sipuni.calls import CallPlan
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scenarios.playback import play_scenario, queue_scenario
from bridge.lab.sipuni.scenarios.scenario import parse_scenario
from bridge.lab.sipuni.scheme import DEFAULT_HOOK_URL, SipuniScheme
from bridge.lab.sipuni.switches import CabinetSwitches

DEFAULT_PORT = 8082


def create_sipuni_app(lab: SipuniLab) -> Starlette:
    """Build the cabinet's API, its websocket `/ws` and, under `/_lab/`, the experiment's levers.

    - `POST /_lab/call` `{caller, did, outcome?, dtmf?, ring_s?, talk_s?, switches?}` → report
    - `GET /_lab/calls` → reports of all incoming calls so far, the state of the push beside them
    - `GET /_lab/orders` → every call ordered through the API, and the events it left
    - `POST /_lab/story` with a story file as body (see `stories`) → its performance; roles are
      recast in the query, `?client=79031112233`; with `?staged=1` it waits for its order
    - `POST /_lab/drop` → cuts the websockets; how many there were
    - `POST /_lab/switches` `{switch: value, …}` → all switches; also resumes a suspended push
    """
    levers = _Levers(lab)
    return _Cabinet(
        routes=[
            *CabinetApi(lab).routes(),
            WebSocketRoute("/ws", lab.listeners.serve),
            Route("/_lab/call", levers.call, methods=["POST"]),
            Route("/_lab/calls", levers.calls),
            Route("/_lab/orders", levers.orders),
            Route("/_lab/story", levers.story, methods=["POST"]),
            Route("/_lab/drop", levers.drop, methods=["POST"]),
            Route("/_lab/switches", levers.switches, methods=["POST"]),
        ]
    )


class _Cabinet(Starlette):
    """Remembers the socket of each request: ASGI has no word for hanging up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's `send` belongs to the one who holds the socket.
        scope["lab.transport"] = getattr(getattr(send, "__self__", None), "transport", None)
        await super().__call__(scope, receive, send)


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
                "suspended": self._lab.is_suspended,
            }
        )

    async def orders(self, request: Request) -> Response:
        del request  # a list has no questions to ask
        return _plain(
            [
                {
                    "id": call.header.callback_id,
                    "call_id": call.header.call_id,
                    "source": call.header.source,
                    "destination": call.header.destination,
                    "over": call.is_over,
                    "events": [push.event for push in call.pushes],
                }
                for call in self._lab.calls
                if call.header.callback_id
            ]
        )

    async def story(self, request: Request) -> Response:
        cast = dict(request.query_params)
        staged = cast.pop("staged", "") not in {"", "0"}
        try:
            story = parse_scenario((await request.body()).decode())
            if staged:
                queue_scenario(story, self._lab, roles=cast)
                return _plain({"story": story.name, "waits_for": story.order})
            told = await play_scenario(story, self._lab, roles=cast)
        except ValueError as mistake:
            return JSONResponse({"error": str(mistake)}, status_code=422)
        return _plain(
            {
                "story": story.name,
                "start": told.start,
                "expect": told.expect,
                "questions": told.questions,
                "pushes": told.pushes,
                "problems": told.problems,
            }
        )

    async def drop(self, request: Request) -> Response:
        del request
        return _plain({"dropped": await self._lab.listeners.drop()})

    async def switches(self, request: Request) -> Response:
        try:
            changed = _changed(self._lab.switches, _json_object(await request.body()))
        except ValueError as mistake:
            return JSONResponse({"error": str(mistake)}, status_code=422)
        self._lab.set_switches(changed)
        return _plain(changed)


def _json_object(body: bytes) -> dict[str, object]:
    return msgspec.json.decode(body, type=dict[str, object])


def _changed(switches: CabinetSwitches, changes: object) -> CabinetSwitches:
    """Copy *switches* with *changes*; a ValueError names what does not fit."""
    standing: dict[str, object] = msgspec.to_builtins(switches)
    wanted = msgspec.convert(changes, dict[str, object])
    if unknown := sorted(wanted.keys() - standing.keys()):
        raise ValueError(f"no such switch: {', '.join(unknown)}")
    return msgspec.convert(standing | wanted, CabinetSwitches)


def read_cabinet_switches(raw: bytes) -> CabinetSwitches:
    """Read a file of faults, the same JSON that `POST /_lab/switches` takes.

    Raises:
        ValueError: it is no such JSON, or names an unknown switch.
    """
    return _changed(CabinetSwitches(), _json_object(raw))


def _plain(answer: object) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")


def run_sipuni_lab(
    *,
    hook_url: str = DEFAULT_HOOK_URL,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    scheme: SipuniScheme | None = None,
    switches: CabinetSwitches | None = None,
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
    switches: CabinetSwitches | None = None,
    paced: bool = False,
) -> None:
    """Serve the lab inside a running loop."""
    # A PBX knows nothing of the proxies in our environment.
    async with httpx.AsyncClient(trust_env=False) as http:
        lab = SipuniLab(scheme, http, switches=switches, pause=asyncio.sleep if paced else None)
        config = uvicorn.Config(create_sipuni_app(lab), host=host, port=port, log_level="warning")
        await uvicorn.Server(config).serve()
