"""A Mango lab in one process, the bridge's side of it, and a client of its API.

    async with mango_world(MangoSwitches(numbers=NumberStyle.TEXT)) as world:
        world.bridge.routes_to = "205"
        report = await world.call(caller="79001234567")

The event loop must be a `VirtualLoop`: silence, ringing and talking pass at once. What is received
is checked here by hashlib alone, not by the lab's own signature.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.lab.mango import (
    MangoCabinet,
    MangoCallReport,
    MangoKind,
    MangoLab,
    MangoOutcome,
    MangoPlan,
    MangoSwitches,
    create_mango_app,
    report_call,
)

Fields = dict[str, Any]

KEY, SALT = "demo-key", "demo-salt"
NOW = 1_767_225_600.0  # 01.01.2026 03:00 in Moscow
CALLER, DID, SIP_DID = "79001234567", "74950000001", "74950000002"
HOOK = "http://bridge/hook/secret/mango"


def signed(key: str, text: str, salt: str) -> str:
    return hashlib.sha256((key + text + salt).encode()).hexdigest()


@dataclass(frozen=True)
class ReceivedPush:
    """One push that was signed right."""

    path: str
    fields: Fields
    json_text: str
    at: float

    @property
    def leg(self) -> str:
        return str(self.fields.get("call_id", ""))


@dataclass
class ReceivingBridge:
    """The bridge's part: it takes pushes whose signature is right, and routes callers in time."""

    routes_to: str = ""
    thinks_s: float = 0.0
    status: int = 200
    received: list[ReceivedPush] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    empty: int = 0
    routed: set[str] = field(default_factory=set)
    replies: list[Fields] = field(default_factory=list)
    client: "MangoClient | None" = None
    orders: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        path = "/" + request.path_params["path"]
        form = parse_qs((await request.body()).decode("ascii"), keep_blank_values=True)
        if not form:
            self.empty += 1
            return Response()
        text = form["json"][0]
        if form["vpbx_api_key"] != [KEY] or form["sign"] != [signed(KEY, text, SALT)]:
            self.refused.append(path)
            return Response(status_code=401)
        if self.status != 200:
            return Response(status_code=self.status)
        fields = json.loads(text)
        now = asyncio.get_running_loop().time()
        push = ReceivedPush(path.removeprefix("/hook/secret/mango/"), fields, text, now)
        self.received.append(push)
        if self.routes_to and self.is_to_be_routed(push):
            self.routed.add(fields["entry_id"])
            task = asyncio.create_task(self.route(push.leg))
            self.orders.add(task)
            task.add_done_callback(self.orders.discard)
        return Response()

    def is_to_be_routed(self, push: ReceivedPush) -> bool:
        """Whether a leg may be acted on: in the menu, not ours, nobody's before, once an entry."""
        fields = push.fields
        return (
            push.path == "events/call"
            and fields["call_state"] == "Appeared"
            and fields.get("location") == "ivr"
            and "taken_from_call_id" not in fields["from"]
            and "command_id" not in fields
            and fields["entry_id"] not in self.routed
        )

    async def route(self, leg: str) -> None:
        assert self.client is not None
        await asyncio.sleep(self.thinks_s)
        command = {"command_id": f"cmd-{len(self.routed)}", "call_id": leg}
        reply = await self.client.ask("commands/route", command | {"to_number": self.routes_to})
        self.replies.append(reply)

    # ---------------------------------------------------------------- what came

    def of(self, path: str) -> list[Fields]:
        return [one.fields for one in self.received if one.path == path]

    @property
    def events(self) -> list[Fields]:
        return self.of("events/call")

    @property
    def summary(self) -> Fields:
        (summary,) = self.of("events/summary")
        return summary

    @property
    def legs(self) -> list[str]:
        """The legs in the order of their first events."""
        return list(dict.fromkeys(one["call_id"] for one in self.events))

    def shape(self) -> list[str]:
        """Every event as `L1 ivr Appeared`, and the code of an end."""
        names = {leg: f"L{number}" for number, leg in enumerate(self.legs, start=1)}
        return [
            " ".join(
                str(part)
                for part in (
                    names[one["call_id"]],
                    one.get("location"),
                    one["call_state"],
                    one.get("disconnect_reason"),
                )
                if part is not None
            )
            for one in self.events
        ]


@dataclass
class MangoClient:
    """Signs requests to the API."""

    http: httpx.AsyncClient

    async def send(
        self, path: str, fields: Mapping[str, object] | str, *, sign: str = "", key: str = KEY
    ) -> httpx.Response:
        text = fields if isinstance(fields, str) else json.dumps(fields)
        form = {"vpbx_api_key": key, "sign": sign or signed(key, text, SALT), "json": text}
        return await self.http.post(
            f"/vpbx/{path}",
            content=urlencode(form),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

    async def ask(self, path: str, fields: Mapping[str, object] | str) -> Fields:
        reply: Fields = (await self.send(path, fields)).json()
        return reply


@dataclass
class MangoWorld:
    lab: MangoLab
    bridge: ReceivingBridge
    api: MangoClient
    control: httpx.AsyncClient

    async def call(
        self,
        outcome: MangoOutcome = MangoOutcome.ANSWERED,
        *,
        caller: str = CALLER,
        did: str = DID,
        kind: MangoKind = MangoKind.INCOMING,
        **plan: Any,
    ) -> MangoCallReport:
        asked = MangoPlan(kind=kind, caller=caller, did=did, outcome=outcome, **plan)
        return report_call(await self.lab.place_call(asked))

    def start(
        self, outcome: MangoOutcome = MangoOutcome.MANUAL, *, caller: str = CALLER, **plan: Any
    ) -> str:
        """Let a call begin; its entry."""
        asked = MangoPlan(caller=caller, outcome=outcome, **plan)
        return self.lab.start_call(asked).entry_id

    async def idle(self) -> None:
        await self.lab.wait_until_idle()

    async def callback(self, command_id: str = "cmd-1", **fields: object) -> httpx.Response:
        order = {"command_id": command_id, "from": {"extension": "205"}, "to_number": CALLER}
        return await self.api.send("commands/callback", order | fields)


@asynccontextmanager
async def mango_world(
    switches: MangoSwitches | None = None,
    *,
    cabinet: MangoCabinet | None = None,
    bridge: ReceivingBridge | None = None,
    pace: float = 1.0,
) -> AsyncIterator[MangoWorld]:
    bridge = bridge or ReceivingBridge()
    loop = asyncio.get_running_loop()
    cabinet = cabinet or MangoCabinet(hook_url=HOOK, public_url="http://mango")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bridge.app)) as to_bridge:
        lab = MangoLab(
            cabinet,
            to_bridge,
            clock=lambda: NOW + loop.time(),
            switches=switches,
            pace=pace,
        )
        app = httpx.ASGITransport(create_mango_app(lab))
        async with httpx.AsyncClient(transport=app, base_url="http://mango") as to_mango:
            bridge.client = MangoClient(to_mango)
            yield MangoWorld(lab, bridge, bridge.client, to_mango)
            await lab.wait_until_idle()
