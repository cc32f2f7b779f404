"""The cabinet's API: access, its commands, and how it answers.

docs/facts/mango.md, 'Commands', 'Result codes' and 'Limits'. A wrong request is one that is not
signed, not JSON, or lacks what it needs. A recording that is not ready (3320) is none, though its
code begins with a 3: the vendor asks clients to try again each minute.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.lab.mango.api.access import (
    RequestGate,
    RequestRefused,
    optional_text,
    required_text,
)
from bridge.lab.mango.api.queries import CabinetQueries
from bridge.lab.mango.calls import MangoCode
from bridge.lab.mango.lab import MangoLab
from bridge.lab.mango.signature import MangoForm, decode_form
from bridge.lab.mango.switches import CommandReply, RateReply, ResultPush

Action = Callable[[Mapping[str, object]], Awaitable[Response]]

MAX_DISPLAY_NAME = 64
_UNSUPPORTED = {
    "commands/callback_group", "commands/transfer", "commands/transfer_cancel",
    "commands/recording/start", "commands/play/start", "commands/calls_connect",
    "commands/call/hold/on", "stats/request", "stats/result",
}  # fmt: skip
_TABLE = {"forwarding/numbers", "forwarding/number/add", "forwarding/number/change",
          "forwarding/number/remove"}  # fmt: skip


class MangoConnectionLost(Exception):
    """The connection was dropped without an answer; in one process the client sees this."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to the API as it went; *code* is the answer's `result`, 0 where it has none."""

    at: float
    path: str
    json_text: str
    status: int
    code: int


class MangoApi:
    """The addresses of the API under one prefix."""

    def __init__(self, lab: MangoLab) -> None:
        self._lab = lab
        self._gate = RequestGate(lab.clock)
        self._queries = CabinetQueries(lab)
        self._actions: dict[str, Action] = {
            "commands/route": self._route,
            "commands/callback": self._call_back,
            "commands/call/hangup": self._hang_up,
            **self._queries.actions(),
        }
        #: Every request so far.
        self.log: list[ApiRequest] = []

    def routes(self, prefix: str = "/vpbx") -> list[Route]:
        """Return the addresses of the API and of recordings."""
        every = ["GET", "POST", "PUT", "DELETE"]
        link = "queries/recording/link/{recording}/{action}/{key}/{until:int}/{sign}"
        return [
            Route("/files/{token}", self._queries.file),
            Route(f"{prefix}/{link}", self._queries.linked_recording),
            Route(f"{prefix}/{{path:path}}", self._serve, methods=every),
        ]

    async def _serve(self, request: Request) -> Response:
        path = str(request.path_params["path"]).strip("/")
        form = decode_form(await request.body())
        try:
            response = await self._answer(request.method, path, form)
        except MangoConnectionLost:
            self._log(path, form, 0, 0)
            # Over a socket the connection is dropped; in one process the client sees the exception.
            transport = getattr(request.scope.get("lab.transport"), "abort", None)
            if transport is None:
                raise
            transport()
            return Response()
        self._log(path, form, response.status_code, _result_of(response))
        return response

    async def _answer(self, method: str, path: str, form: MangoForm | None) -> Response:
        switches = self._lab.switches
        key = form.key if form else b""
        if switches.lock and self._gate.is_locked(key):
            return _locked()
        if switches.rate_limits and not self._gate.admit(path):
            return self._above_rate()
        try:
            return await self._act(path, self._trusted_fields(method, form))
        except RequestRefused as refused:
            if switches.lock and self._gate.count_wrong(key):
                return _locked()
            return self._queries.reply(refused.code)

    def _trusted_fields(self, method: str, form: MangoForm | None) -> Mapping[str, object]:
        """Return the fields of a signed request.

        Raises:
            RequestRefused: it is not signed, or not by this cabinet's client, or has no fields.
        """
        cabinet = self._lab.cabinet
        if method != "POST":
            raise RequestRefused(MangoCode.NOT_POST)
        if form is None:
            raise RequestRefused(MangoCode.MISSING)
        if form.key != cabinet.key.encode():
            raise RequestRefused(MangoCode.UNKNOWN_KEY)
        if not form.is_signed(cabinet.salt):
            raise RequestRefused(MangoCode.WRONG_SIGN)
        return _json_object(form.json_text)

    async def _act(self, path: str, fields: Mapping[str, object]) -> Response:
        action = self._actions.get(path)
        if action is not None:
            return await action(fields)
        if path in _TABLE:
            return self._queries.reply(MangoCode.NO_TABLE)
        if path in _UNSUPPORTED:
            return self._queries.reply(MangoCode.UNSUPPORTED)
        return Response(status_code=404)

    async def _route(self, fields: Mapping[str, object]) -> Response:
        command_id = required_text(fields, "command_id")
        call_id, to_number = required_text(fields, "call_id"), required_text(fields, "to_number")
        headers = fields.get("sip_headers", {})
        if not isinstance(headers, dict):
            raise RequestRefused(MangoCode.WRONG_FORMAT)
        optional_text(headers, "From/display-name", MAX_DISPLAY_NAME)
        code = self._forced("route")
        if code is None:
            code = self._lab.route(command_id, call_id, to_number)
        return await self._answer_command("route", command_id, code)

    async def _call_back(self, fields: Mapping[str, object]) -> Response:
        command_id = required_text(fields, "command_id")
        who = fields.get("from")
        if who is None:
            raise RequestRefused(MangoCode.MISSING)
        if not isinstance(who, dict):
            raise RequestRefused(MangoCode.WRONG_FORMAT)
        extension, number = required_text(who, "extension"), required_text(fields, "to_number")
        line = optional_text(fields, "line_number")
        lab, code = self._lab, self._forced("callback")
        if code is None and lab.cabinet.employee(extension) is None:
            code = MangoCode.NO_SUCH_NUMBER
        if code is not None:
            return await self._answer_command("callback", command_id, code)
        ring = lab.order_callback(command_id, extension, number, line)
        return await self._answer_command("callback", command_id, MangoCode.DONE, ring=ring)

    async def _hang_up(self, fields: Mapping[str, object]) -> Response:
        command_id = required_text(fields, "command_id")
        call_id = required_text(fields, "call_id")
        code = self._forced("call/hangup")
        if code is None:
            code = self._lab.hang_up(call_id)
        return await self._answer_command("call/hangup", command_id, code)

    def _forced(self, command: str) -> int | None:
        return self._lab.switches.forced_results.get(command)

    async def _answer_command(
        self,
        command: str,
        command_id: str,
        code: int,
        *,
        ring: Coroutine[object, object, None] | None = None,
    ) -> Response:
        """Answer a command in this cabinet's manner; *ring* is what it lets happen.

        Its result is pushed here where no call does it.
        """
        lab, switches = self._lab, self._lab.switches
        is_first = switches.result_push is ResultPush.BEFORE_REPLY
        by_call = code == MangoCode.DONE and command in {"route", "callback"}
        if is_first:
            await lab.push_result(command, command_id, code)

        async def follow() -> None:
            if ring is not None:
                lab.run_in_background(ring)
            if not is_first and not by_call and switches.result_push is not ResultPush.NEVER:
                lab.run_in_background(lab.push_result(command, command_id, code))

        reply = self._queries.reply(code)
        if switches.reply is CommandReply.PROMPT and not switches.events_before_reply:
            # Starlette runs this after the reply has left.
            reply.background = BackgroundTask(follow)
            return reply
        await follow()
        if switches.events_before_reply:
            await asyncio.sleep(0)  # let the call begin
            await lab.sender.drain()
        if switches.reply is not CommandReply.PROMPT:
            await asyncio.sleep(switches.reply_delay_s)
        if switches.reply is CommandReply.LOST:
            raise MangoConnectionLost
        return reply

    def _above_rate(self) -> Response:
        form = self._lab.switches.rate_reply
        if form is RateReply.BODY_429:
            return _failure(429, "Service Unavailable", "Rate limit exceeded.")
        if form is RateReply.STATUS_503:
            return _failure(503, "Service Unavailable", "Rate limit exceeded.")
        is_service = form is RateReply.CODE_5008
        return self._queries.reply(MangoCode.NO_SERVICE if is_service else MangoCode.TOO_MANY)

    def _log(self, path: str, form: MangoForm | None, status: int, code: int) -> None:
        text = form.json_text.decode("utf-8", errors="replace") if form else ""
        self.log.append(ApiRequest(self._lab.clock(), path, text, status, code))


def _json_object(raw: bytes) -> Mapping[str, object]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise RequestRefused(MangoCode.NOT_JSON) from None
    if not isinstance(value, dict):
        # PHP writes an empty array where it means an empty object.
        if value == []:
            return {}
        raise RequestRefused(MangoCode.NOT_JSON)
    return value


def _result_of(response: Response) -> int:
    """Return the `result` of an answer; 0 where it has none."""
    try:
        answer = json.loads(bytes(response.body))
    except ValueError:
        return 0
    return int(answer.get("result", 0)) if isinstance(answer, dict) else 0


def _locked() -> Response:
    return _failure(401, "Unauthorized", "Too many wrong requests.")


def _failure(status: int, name: str, message: str) -> Response:
    body_status = 429 if status == 503 else status  # noqa: PLR2004 - the body of both is one
    body = {"name": name, "message": message, "code": 0, "status": body_status}
    return JSONResponse(body, status_code=status)
