"""The simulated cabinet as a server: its API, its websocket and its control address."""

import asyncio
from dataclasses import replace

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from bridge.lab.sipuni.api import CabinetApi
from bridge.lab.sipuni.control import CabinetControl
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scheme import DEFAULT_HOOK_URL, SipuniScheme
from bridge.lab.sipuni.switches import CabinetSwitches

DEFAULT_PORT = 8082


def create_sipuni_app(lab: SipuniLab) -> Starlette:
    """Return the application of *lab*: the API, the websocket `/ws`, and `/_lab/`."""
    return _CabinetApp(
        routes=[
            *CabinetApi(lab).routes(),
            WebSocketRoute("/ws", lab.listeners.serve),
            *CabinetControl(lab).routes(),
        ]
    )


class _CabinetApp(Starlette):
    """Keeps the socket of each request in its scope, because ASGI cannot drop a connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's `send` is a method of the object that holds the socket.
        scope["lab.transport"] = getattr(getattr(send, "__self__", None), "transport", None)
        await super().__call__(scope, receive, send)


def run_sipuni_lab(
    *,
    hook_url: str = DEFAULT_HOOK_URL,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    scheme: SipuniScheme | None = None,
    switches: CabinetSwitches | None = None,
    paced: bool = False,
) -> None:
    """Serve the lab until interrupted; *paced* lets time pass between the events of a call."""
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
    # The PBX is outside: it must not use the proxies of this environment.
    async with httpx.AsyncClient(trust_env=False) as http:
        lab = SipuniLab(scheme, http, switches=switches, pause=asyncio.sleep if paced else None)
        config = uvicorn.Config(create_sipuni_app(lab), host=host, port=port, log_level="warning")
        await uvicorn.Server(config).serve()
