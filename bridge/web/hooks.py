"""The PBX's hooks: the routing question and the event push, as raw ASGI applications.

A caller waits here, so there is no middleware and no framework beyond a Route; one endpoint serves
every spelling of an address. Whatever breaks, the question gets a usable answer.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from itertools import product
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from bridge.domain.phone.callers import Caller, CallerKind
from bridge.domain.routing.decision import RouteDecision, RouteQuestion
from bridge.errors import StoreError
from bridge.ports.pbx import RawReply, RawRequest
from bridge.web.access import HookGuard, HookGuessCounter
from bridge.web.shared.bodies import BodyTooLarge, read_body
from bridge.web.web_services import WebServices

_log = logging.getLogger(__name__)

_ROUTE = "/sipuni/route"
_HOOK_ROOT = "/hook/"

#: The second and third keep the address of the 1C HTTP service that the bridge replaces.
ROUTE_PATHS = (_ROUTE, "/hs/sipuni/get", "/{publication}/hs/sipuni/get")
EVENT_PATHS = ("/sipuni/events",)

_MAX_FIELDS = 100
_MAX_FIELD = 8192  # bytes of one field as sent, percent signs and all
_SMALL_QUERY = 2048
#: A PBX's event has about a kilobyte, Mango's summaries a few.
MAX_BODY = 256 * 1024

_NOT_STORED = RawReply(503, b'{"success": false}', "application/json")

Fields = tuple[tuple[str, str], ...]


#: The answer to a monitor's HEAD, which is no call.
_HEAD_ANSWER = RawReply(200, b"", "")


class HookEndpoint:
    """One of the PBX's requests as an ASGI application: called without any wrapping."""

    def __init__(self, answer: Callable[[Scope, Receive], Awaitable[RawReply]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        reply = await self._answer(scope, receive)
        headers = [
            (b"content-length", b"%d" % len(reply.body)),
            (b"content-type", reply.content_type.encode("latin-1")),
            # A proxy may keep the answer to a GET unless a header forbids it.
            (b"cache-control", b"no-store"),
        ]
        if reply is _HEAD_ANSWER:
            del headers[1]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})


class HookRoutes:
    """The hooks of one PBX."""

    def __init__(
        self, services: WebServices, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self._telephony = services.telephony
        self._answering = services.route_answers
        self._receiving = services.event_intake
        self._metrics = services.metrics
        self._clock = services.clock
        self._guard = HookGuard(
            services.hook_access, HookGuessCounter(services.events, services.monotonic)
        )
        self._timer = timer
        self._question_endpoint = HookEndpoint(self.answer_question)
        self._event_endpoint = HookEndpoint(self.receive_event)
        self._by_address = {("GET", _ROUTE): self._question_endpoint}
        for method, path in product(("GET", "POST"), EVENT_PATHS):
            self._by_address[method, path] = self._event_endpoint

    def routes(self) -> list[BaseRoute]:
        """Return the routes, the most asked first; with and without the slash cabinets may add."""
        endpoints = [(path, self._question_endpoint, ["GET"]) for path in ROUTE_PATHS]
        endpoints += [(path, self._event_endpoint, ["GET", "POST"]) for path in EVENT_PATHS]
        return [
            Route(prefix + path + slash, endpoint, methods=methods, include_in_schema=False)
            for slash in ("", "/")
            for prefix in ("", "/hook/{token}")
            for path, endpoint, methods in endpoints
        ]

    def endpoint(self, scope: Scope) -> HookEndpoint | None:
        """Return the endpoint of a PBX request, after storing its path token in *scope*."""
        path: str = scope["path"]
        params = {}
        if path.startswith(_HOOK_ROOT):
            token, slash, rest = path[len(_HOOK_ROOT) :].partition("/")
            path, params = slash + rest, {"token": token}
        found = self._by_address.get((scope["method"], path))
        if found is not None:
            scope["path_params"] = params
        return found

    async def answer_question(self, scope: Scope, receive: Receive) -> RawReply:
        """Answer the routing question: status 200 and a body the PBX follows, whatever breaks."""
        del receive  # a question has no body that matters
        started = self._timer()
        token = scope["path_params"].get("token")
        self._guard.require_pbx(scope, token)
        if scope["method"] == "HEAD":
            return _HEAD_ANSWER
        _reserve_connections(scope)
        received_at = self._clock()
        question: RouteQuestion | None = None
        try:
            question = self._telephony.parse_question(
                RawRequest(read_fields(scope["query_string"])), received_at
            )
            decision = await self._answering.answer(question)
            reply = self._telephony.render_answer(question, decision)
        except Exception:  # noqa: BLE001 - logged with its traceback, answered by the fallback
            # A fault of ours must not cost the caller the answer.
            _log.exception("route_answer_broken")
            reply, decision = self._last_resort(question, received_at)
        self._metrics.routed(self._telephony.provider, decision.rule, self._timer() - started)
        return reply

    async def receive_event(self, scope: Scope, receive: Receive) -> RawReply:
        """Store the event, then acknowledge it; what is not stored is not acknowledged."""
        token = scope["path_params"].get("token")
        self._guard.require_pbx(scope, token)
        if scope["method"] == "HEAD":
            return _HEAD_ANSWER
        body = b""
        if _has_body(scope):
            try:
                body = await read_body(Request(scope, receive), MAX_BODY)
            except ClientDisconnect:
                # Half a field may mean the opposite of the whole, and no caller waits for an
                # answer.
                _log.debug("event_cut_short")  # the PBX knows; a line each would be a flood
                return replace(_NOT_STORED, status=400)
            except BodyTooLarge:
                # Its beginning may mean the opposite of the whole: not acknowledged.
                _log.error("event_too_large", extra={"limit": MAX_BODY})
                return replace(_NOT_STORED, status=413)
        received_at = self._clock()
        query_string = scope["query_string"]
        raw = RawRequest(
            read_fields(query_string),
            content_type=_content_type(scope),
            body=body,
            query_string=query_string[:MAX_BODY],
        )
        try:
            events = self._telephony.parse_events(raw, received_at)
            await asyncio.gather(*(self._receiving.receive(event) for event in events))
        except StoreError as error:
            _log.error("event_not_stored", extra={"reason": str(error)})
            return _NOT_STORED
        self._metrics.event_stored(self._telephony.provider)
        return self._telephony.render_ack()

    def _last_resort(
        self, question: RouteQuestion | None, received_at: datetime
    ) -> tuple[RawReply, RouteDecision]:
        self._metrics.route_failed(self._telephony.provider)
        if question is None:
            withheld = Caller(CallerKind.WITHHELD, "")
            question = RouteQuestion(self._telephony.provider, withheld, "", received_at)
        decision = self._answering.fallback(question)
        return self._telephony.render_answer(question, decision), decision


def read_fields(encoded: bytes) -> Fields:
    """Read URL-encoded fields in their order, repeats and empty ones too; never raises.

    Too many are left out, an over-long one is cut: each by itself, so that it hides no other.
    """
    if not encoded:
        return ()
    text = encoded.decode("utf-8", "replace")
    if len(text) > _SMALL_QUERY or text.count("&") >= _MAX_FIELDS:
        pieces = text.split("&", _MAX_FIELDS)[:_MAX_FIELDS]
        text = "&".join([piece[:_MAX_FIELD] for piece in pieces])
    if "%" in text or "+" in text or not text.isascii():
        return _decoded(text)
    # Nothing is encoded in nearly every question; parse_qsl would take thrice the time.
    return tuple([_pair(piece) for piece in text.split("&") if piece])


def _decoded(text: str) -> Fields:
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        pieces = (_decoded_piece(piece) for piece in text.split("&"))
        return tuple(field for piece in pieces for field in piece)


def _decoded_piece(piece: str) -> list[tuple[str, str]]:
    """Read one field that may be in Windows' Cyrillic, as 1C and old PBXs write."""
    fields = parse_qsl(piece, keep_blank_values=True, errors="replace")
    # One sign that cannot be read is a text cut in the middle of a letter.
    if any((name + value).count("\ufffd") > 1 for name, value in fields):
        return parse_qsl(piece, keep_blank_values=True, encoding="cp1251", errors="replace")
    return fields


def _pair(piece: str) -> tuple[str, str]:
    name, _, value = piece.partition("=")
    return name, value


def _has_body(scope: Scope) -> bool:
    """Return whether a body follows; some programs send one with a GET."""
    if scope["method"] == "POST":
        return True
    names = {name for name, value in scope["headers"] if value != b"0"}
    return b"content-length" in names or b"transfer-encoding" in names


def _content_type(scope: Scope) -> str:
    """Return the content type of the body, "" where the request names none."""
    found = [value for name, value in scope["headers"] if name == b"content-type"]
    return found[-1].decode("latin-1") if found else ""


def _reserve_connections(scope: Scope) -> None:
    """Reserve connections for the address of a question with the right secret."""
    reserve = scope.get("state", {}).get("reserve_connections")
    if reserve is not None:
        reserve()
