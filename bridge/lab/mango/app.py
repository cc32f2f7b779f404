"""The cabinet as a server: its API, and the control addresses of whoever runs the experiment."""

import socket
from collections.abc import Callable
from dataclasses import fields, replace
from inspect import cleandoc

import httpx
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bridge.lab.mango.api.commands import MangoApi
from bridge.lab.mango.cabinet import MangoCabinet
from bridge.lab.mango.calls import MangoKind, MangoPlan, report_call
from bridge.lab.mango.lab import MangoLab
from bridge.lab.mango.switches import MangoOutcome, MangoSwitches, change_switches

DEFAULT_MANGO_PORT = 8083


def create_mango_app(lab: MangoLab) -> Starlette:
    """Return the cabinet's API under `/vpbx/` and, under `/_lab/`, the experiment's control.

    - `POST /_lab/call` `{caller, did, outcome?, kind?, extension?, number?, dtmf?, ring_s?,
      talk_s?, ended_by?, transfer_to?, initiator?, switches?}` → report of the call when it is
      over; one that is `manual`, or asked for with `?wait=0`, is reported as it begins
    - `POST /_lab/answer` `{entry_id, extension?}` picks up a telephone that rings
    - `POST /_lab/hangup` `{entry_id, by?}`: the `caller` or the `callee` hangs up
    - `GET /_lab/calls` → reports of all calls so far
    - `GET /_lab/orders` → calls ordered through the API, and their pushes
    - `GET /_lab/requests` → every request to the API and the code it got
    - `GET /_lab/pushes` → every push and how it was taken
    - `POST /_lab/push` `{path, fields}` pushes anything, signed: `events/record/tagged`,
      `events/sms`, or what no document names
    - `POST /_lab/ping` `{signed?}` presses «Проверить подключение»
    - `GET /_lab/switches`, `POST /_lab/switches` `{switch: value, …}` → all switches
    - `GET /_lab/` → these lines
    """
    api = MangoApi(lab)
    control = _CabinetControl(lab, api)
    return _MangoServer(
        routes=[
            *api.routes(),
            Route("/_lab/", control.index),
            Route("/_lab/call", control.call, methods=["POST"]),
            Route("/_lab/answer", control.answer, methods=["POST"]),
            Route("/_lab/hangup", control.hang_up, methods=["POST"]),
            Route("/_lab/calls", control.calls),
            Route("/_lab/orders", control.orders),
            Route("/_lab/requests", control.requests),
            Route("/_lab/pushes", control.pushes),
            Route("/_lab/push", control.push, methods=["POST"]),
            Route("/_lab/ping", control.ping, methods=["POST"]),
            Route("/_lab/switches", control.switches, methods=["GET", "POST"]),
        ]
    )


class _MangoServer(Starlette):
    """Remembers the socket of each request, because ASGI cannot drop a connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's `send` belongs to the one who holds the socket.
        scope["lab.transport"] = getattr(getattr(send, "__self__", None), "transport", None)
        await super().__call__(scope, receive, send)


class _PickUp(msgspec.Struct, forbid_unknown_fields=True):
    entry_id: str
    extension: str = ""


class _HangUp(msgspec.Struct, forbid_unknown_fields=True):
    entry_id: str
    by: str = "caller"


class _Push(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    fields: dict[str, object]


class _Ping(msgspec.Struct, forbid_unknown_fields=True):
    signed: bool = True


class _CabinetControl:
    """What the person who runs the experiment may ask of the lab; no cabinet has this."""

    def __init__(self, lab: MangoLab, api: MangoApi) -> None:
        self._lab = lab
        self._api = api

    async def index(self, request: Request) -> Response:
        del request
        return PlainTextResponse(cleandoc(create_mango_app.__doc__ or ""))

    async def call(self, request: Request) -> Response:
        try:
            plan = self._read_plan(await request.body())
        except ValueError as mistake:
            return _refused(mistake)
        waits = request.query_params.get("wait", "1") not in {"", "0"}
        if plan.outcome is MangoOutcome.MANUAL or not waits:
            return _plain(report_call(self._lab.start_call(plan)))
        return _plain(report_call(await self._lab.place_call(plan)))

    def _read_plan(self, raw: bytes) -> MangoPlan:
        """Return the requested call; a ValueError names what does not fit."""
        plan = msgspec.json.decode(raw, type=dict[str, object])
        if unknown := sorted(plan.keys() - {one.name for one in fields(MangoPlan)}):
            raise ValueError(f"a call has no {', '.join(unknown)}")
        if "switches" in plan:
            plan["switches"] = change_switches(self._lab.switches, plan["switches"])
        return msgspec.convert(plan, MangoPlan)

    async def answer(self, request: Request) -> Response:
        try:
            command = msgspec.json.decode(await request.body(), type=_PickUp)
        except ValueError as mistake:
            return _refused(mistake)
        is_done = self._lab.answer(command.entry_id, command.extension)
        return _plain({"done": is_done})

    async def hang_up(self, request: Request) -> Response:
        try:
            command = msgspec.json.decode(await request.body(), type=_HangUp)
        except ValueError as mistake:
            return _refused(mistake)
        is_done = self._lab.leave(command.entry_id, by_caller=command.by == "caller")
        return _plain({"done": is_done})

    async def calls(self, request: Request) -> Response:
        del request  # it takes no parameters
        return _plain([report_call(call) for call in self._lab.calls])

    async def orders(self, request: Request) -> Response:
        del request
        ordered = (call for call in self._lab.calls if call.plan.kind is MangoKind.CALLBACK)
        return _plain(
            [
                {"command_id": call.command_id, **msgspec.to_builtins(report_call(call))}
                for call in ordered
            ]
        )

    async def requests(self, request: Request) -> Response:
        del request
        return _plain(self._api.log)

    async def pushes(self, request: Request) -> Response:
        del request
        return _plain(self._lab.sender.log)

    async def push(self, request: Request) -> Response:
        try:
            command = msgspec.json.decode(await request.body(), type=_Push)
        except ValueError as mistake:
            return _refused(mistake)
        return _plain(await self._lab.push_anything(command.path.strip("/"), command.fields))

    async def ping(self, request: Request) -> Response:
        try:
            command = msgspec.json.decode(await request.body() or b"{}", type=_Ping)
        except ValueError as mistake:
            return _refused(mistake)
        return _plain(await self._lab.ping(is_signed=command.signed))

    async def switches(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                changes = msgspec.json.decode(await request.body())
                self._lab.switches = change_switches(self._lab.switches, changes)
            except ValueError as mistake:
                return _refused(mistake)
        return _plain(self._lab.switches)


def _plain(answer: object) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _refused(mistake: ValueError) -> Response:
    return JSONResponse({"error": str(mistake)}, status_code=422)


async def serve_mango_lab(
    cabinet: MangoCabinet,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_MANGO_PORT,
    switches: MangoSwitches | None = None,
    pace: float = 0.0,
    seed: int = 1,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve the lab until the loop is stopped; port 0 takes a free one.

    *announce* is called with the lab's address once its socket listens.
    """
    with socket.create_server((host, port)) as listener:
        address = f"http://{host}:{listener.getsockname()[1]}"
        # A PBX does not use the proxies of our environment.
        async with httpx.AsyncClient(trust_env=False) as http:
            settings = replace(cabinet, public_url=address)
            lab = MangoLab(settings, http, switches=switches, pace=pace, seed=seed)
            config = uvicorn.Config(create_mango_app(lab), lifespan="off", log_level="warning")
            if announce is not None:
                announce(address)
            await uvicorn.Server(config).serve(sockets=[listener])
