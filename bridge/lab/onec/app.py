"""The simulated publication as an ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bridge.lab.onec.http_exchange import HttpExchange, Receive, Scope, Send
from bridge.lab.onec.simulator import OneCLab

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def create_onec_app(lab: OneCLab) -> AsgiApp:
    """Return the ASGI application of *lab*, which keeps all state."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = HttpExchange(lab, scope, receive, send)
        if exchange.path.startswith("/_lab"):
            await exchange.serve_control()
        else:
            await exchange.serve_publication()

    return app
