"""Hooks, API, console, desk and operations in one application."""

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from http import HTTPStatus
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from bridge import errors
from bridge.web.access import AccessControl
from bridge.web.access.access_control import is_navigation
from bridge.web.access.attempts import AttemptLimiter
from bridge.web.api.docs import docs_route
from bridge.web.api.operations import operations_routes
from bridge.web.api.orders import orders_router
from bridge.web.api.routes import api_router
from bridge.web.console import console_routes
from bridge.web.desk.pages import DeskPages
from bridge.web.desk.place_call import PlaceCallPage
from bridge.web.hooks import HookRoutes
from bridge.web.manual import ManualRoutes
from bridge.web.shared.language import translatable
from bridge.web.shared.pages import PageRenderer, static_files
from bridge.web.sign_in.routes import SignInRoutes
from bridge.web.web_services import WebServices

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

#: The one place where an error becomes a status; the nearest ancestor in the tree counts.
STATUSES: dict[type[errors.BridgeError], int] = {
    errors.BridgeError: 500,
    errors.OneCError: 502,
    errors.OneCUnavailable: 503,
    errors.OneCRejected: 502,
    errors.OrderRefused: 422,
    errors.OrderRepeated: 409,
    errors.SyncRefused: 409,
    errors.SyncAlreadyRunning: 409,
    errors.StoreError: 503,
}

#: Only a PBX's question may come with a longer query, as its caller waits for an answer.
_LONGEST_QUERY = 16 * 1024
_LONG_ADDRESS = "The query is too long."

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class BridgeApp(FastAPI):
    """FastAPI with a short cut: the PBX's requests go past its middleware and router.

    These cost as much as answering does. A refused request, and every other address, takes the
    usual way.
    """

    hooks: HookRoutes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self.hooks is not None and scope["type"] == "http":
            endpoint = self.hooks.endpoint(scope)
            if endpoint is not None:
                with suppress(HTTPException):  # not let in: nothing was sent yet
                    await endpoint(scope, receive, send)
                    return
            elif len(scope["query_string"]) > _LONGEST_QUERY and _is_page_or_api(scope["path"]):
                await _problem(414, _LONG_ADDRESS)(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def create_app(services: WebServices, *, lifespan: Lifespan | None = None) -> BridgeApp:
    """Build the application over *services*, which are ready to use.

    Run it without the server's own reading of proxy headers: whom to believe is decided here.
    """
    access = AccessControl(
        services.admin_access,
        managers=services.directory.managers,
        keys=services.desk_keys,
        ended=services.ended_sessions,
        attempts=AttemptLimiter(services.monotonic, services.sleep),
        monotonic=services.monotonic,
    )
    pages = PageRenderer(services.lang, services.zone)
    app = BridgeApp(
        title="1C-bridge",
        version=version("onec-bridge"),
        description="Calls, callers, what is owed to 1C, and how fresh the data are.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a PBX follows no redirects (docs/facts/sipuni.md)
    )
    # The hooks stand first: routes are tried in order, and a caller is waiting.
    hooks = HookRoutes(services)
    app.hooks = hooks
    app.router.routes[:0] = hooks.routes()
    app.include_router(api_router(services, access))
    app.include_router(orders_router(services, access, pages))
    app.router.routes += [
        *operations_routes(services, access),
        *SignInRoutes(services, access, pages).routes(),
        *console_routes(services, access, pages),
        *DeskPages(services, access, pages).routes(),
        *PlaceCallPage(services, access, pages).routes(),
        *ManualRoutes(pages).routes(),
        static_files(),
        docs_route(app),
    ]
    for error in STATUSES:
        app.add_exception_handler(error, _as_page(pages, _answer_bridge_error))
    app.add_exception_handler(HTTPException, _as_page(pages, _answer_refusal))
    app.add_exception_handler(RequestValidationError, _answer_unreadable)
    app.add_exception_handler(ClientDisconnect, _answer_disconnect)
    app.add_exception_handler(Exception, _as_page(pages, _answer_failure))
    return app


def _is_page_or_api(path: str) -> bool:
    return path == "/" or path.startswith(
        ("/api/", "/console/", "/desk", "/call", "/log", "/manual")
    )


ErrorResponder = Callable[[Request, Exception], Awaitable[Response]]


def _as_page(pages: PageRenderer, responder: ErrorResponder) -> ErrorResponder:
    """Show the answer of *responder* as a page in a browser; scripts get it as it is."""

    async def answer(request: Request, error: Exception) -> Response:
        response = await responder(request, error)
        # A challenge, 401, is the browser's own to answer.
        if (
            not is_navigation(request.scope)
            or response.status_code < HTTPStatus.BAD_REQUEST
            or response.status_code == HTTPStatus.UNAUTHORIZED
        ):
            return response
        sentence = json.loads(bytes(response.body))["error"]
        headers = {
            name: response.headers[name] for name in ("retry-after",) if name in response.headers
        }
        return pages.render_problem(request, response.status_code, sentence, headers)

    return answer


async def _answer_bridge_error(_: Request, error: Exception) -> Response:
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    return _problem(status, str(error))


async def _answer_refusal(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return _problem(error.status_code, str(error.detail), dict(error.headers or {}))


async def _answer_unreadable(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    message = str(first["msg"]).removeprefix("Value error, ")  # pydantic puts it before ours
    return _problem(422, f"{where}: {message}")


async def _answer_disconnect(_: Request, error: Exception) -> Response:
    del error  # the client is gone, and nothing of ours is broken
    return _problem(400, "The request did not come whole.")


async def _answer_failure(_: Request, error: Exception) -> Response:
    del error  # the server logs it with its traceback
    return _problem(500, translatable("Internal error of the bridge; see the service's log."))


def _problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": sentence}, status, {**_HEADERS, **(headers or {})})
