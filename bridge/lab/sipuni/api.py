"""The vendor's side of the cabinet's API: signed orders, statistics, recordings.

Everything is labelled text/html, as the real API labels it.
"""

import hmac
import json
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.lab.connection import LabConnectionLost
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.protocol.history import csv_bytes, history_csv, select_rows
from bridge.lab.sipuni.scheme import signature
from bridge.lab.sipuni.switches import AcceptedForm, OrderReplyMode

Endpoint = Callable[[Request], Awaitable[Response]]
SignedAction = Callable[[Mapping[str, str]], Awaitable[Response]]

# An ID3 header and one silent MPEG frame's sync word: enough for a reader of magic bytes.
SILENT_MP3 = b"ID3\x03\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" + b"\x00" * 413


class CabinetApi:
    """The API's actions; each gets parameters whose signature was right."""

    def __init__(self, lab: SipuniLab) -> None:
        self._lab = lab
        #: The seconds in which the last requests came.
        self._recent: deque[int] = deque()

    def routes(self) -> list[Route]:
        """Return the addresses of the API; each takes GET and POST."""
        signed: dict[str, SignedAction] = {
            "callback/call_number": self._call_number,
            "callback/call_tree": self._call_tree,
            "callback/call_external": self._call_external,
            "callback/cancel": self._cancel,
            "events/call/hangup": self._hang_up,
            "statistic/export": self._export,
            "statistic/record": self._record,
            "statistic/operators": self._operators,
            "crm/record": self._record,  # the link of event 2: its own hash, no login
        }
        return [
            Route(f"/api/{path}", self._signed(action), methods=["GET", "POST"])
            for path, action in signed.items()
        ]

    def _signed(self, action: SignedAction) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            form = (await request.body()).decode("utf-8", errors="replace")
            params = dict(request.query_params)
            params |= dict(parse_qsl(form, keep_blank_values=True))
            scheme = self._lab.scheme
            right = signature(params, scheme.cabinet, scheme.key)
            if params.get("user") != scheme.cabinet or not hmac.compare_digest(
                params.get("hash", "").encode(), right.encode()
            ):
                return self._refuse("Неверная подпись запроса")
            if self._too_many():
                status = self._lab.switches.rate_limit_status
                return self._refuse("Слишком много запросов", status=status)
            try:
                return await action(params)
            except LabConnectionLost:
                # Over a socket the connection is dropped; in one process the exception is seen.
                transport = request.scope["lab.transport"]
                if transport is None:
                    raise
                transport.abort()
                return Response()

        return endpoint

    def _too_many(self) -> bool:
        now, limit = self._lab.unix_time(), self._lab.switches.rate_limit
        self._recent.append(now)
        while self._recent[0] != now:
            self._recent.popleft()
        return 0 < limit < len(self._recent)

    async def _call_number(self, params: Mapping[str, str]) -> Response:
        return await self._call_employee(params, tree="")

    async def _call_tree(self, params: Mapping[str, str]) -> Response:
        if not params.get("tree"):
            return self._refuse("Не указана схема")
        return await self._call_employee(params, tree=params["tree"])

    async def _call_employee(self, params: Mapping[str, str], *, tree: str) -> Response:
        if not (params.get("phone") and params.get("sipnumber")):
            return self._refuse("Не указан номер")
        lab, extension, phone = self._lab, params["sipnumber"], params["phone"]
        playback = lab.take_waiting_scenario(phone, extension)
        if playback is not None:
            await playback.play(until_reply=True)
            return await self._accept(playback.order_id, playback.play)
        client_first = params.get("reverse") == "1"
        call = lab.order_call(extension, phone, tree=tree, client_first=client_first)
        if lab.switches.event_before_reply:
            await lab.push_events(call, only_first=True)
        return await self._accept(call.header.callback_id, partial(lab.push_events, call))

    async def _call_external(self, params: Mapping[str, str]) -> Response:
        if not (params.get("phoneFrom") and params.get("phoneTo")):
            return self._refuse("Не указан номер")
        # Its event 1 waits for the second party, so here nothing overtakes the reply.
        call = self._lab.order_external(params["phoneFrom"], params["phoneTo"])
        return await self._accept(call.header.callback_id, partial(self._lab.push_events, call))

    async def _cancel(self, params: Mapping[str, str]) -> Response:
        if await self._lab.cancel(params.get("callbackId", "")):
            return _as_html({"success": True})
        return self._refuse("Обратный звонок не найден")

    async def _hang_up(self, params: Mapping[str, str]) -> Response:
        if await self._lab.hang_up(params.get("callId", "")):
            return _as_html({"success": True})
        return self._refuse("Звонок не найден")

    async def _export(self, params: Mapping[str, str]) -> Response:
        lab = self._lab
        zone = ZoneInfo(lab.scheme.zone)
        try:
            rows = select_rows(lab.history_rows(), params, zone, lab.switches)
        except ValueError:
            return self._refuse("Неверный период")
        names = {one.extension: one.name for one in lab.scheme.employees}
        return _as_csv(history_csv(rows, names, zone, lab.switches))

    async def _record(self, params: Mapping[str, str]) -> Response:
        rows = (row for row in self._lab.history_rows() if row.record_id == params.get("id"))
        row = next(rows, None)
        if row is None or not row.recorded or not self._lab.switches.recordings_ready:
            return Response("Запись не найдена", media_type="text/html")
        return Response(SILENT_MP3, media_type="audio/mpeg")

    async def _operators(self, params: Mapping[str, str]) -> Response:
        del params  # signed like every request, though it takes none
        offline = self._lab.switches.offline_ext
        lines = [
            ("Внутренний номер", "Имя", "Статус"),
            *(
                (one.extension, one.name, "Офлайн" if one.extension in offline else "Онлайн")
                for one in self._lab.scheme.employees
            ),
        ]
        return _as_csv(csv_bytes(lines, self._lab.switches))

    async def _accept(
        self, order_id: str, ring: Callable[[], Coroutine[object, object, None]]
    ) -> Response:
        """Answer an accepted order in this cabinet's form; the telephones ring anyway."""
        lab, switches = self._lab, self._lab.switches
        answers = {
            AcceptedForm.ID: {"success": True, "id": order_id},
            AcceptedForm.CALL_ID: {"success": True, "callId": order_id},
            AcceptedForm.BARE_ONE: 1,
            AcceptedForm.MESSAGE: {"message": "ok", "callId": order_id},
            AcceptedForm.NAMELESS: {"success": True},
        }
        reply = _as_html(answers[switches.accepted_form])
        if switches.order_reply is OrderReplyMode.PROMPT:
            # Starlette runs a background task after the reply has left: events follow their order.
            reply.background = BackgroundTask(ring)
            return reply
        lab.run_in_background(ring())
        await lab.sleep(switches.order_reply_s)
        if switches.order_reply is OrderReplyMode.LOST:
            raise LabConnectionLost("timeout")
        return reply

    def _refuse(self, message: str, *, status: int | None = None) -> Response:
        switches = self._lab.switches
        status = switches.refusal_status if status is None else status
        if switches.refusal_bare:
            return Response(message, status_code=status, media_type="text/html")
        return _as_html({"success": False, switches.refusal_key: message}, status=status)


def _as_html(answer: object, status: int = 200) -> Response:
    """Return JSON under the content type that the real API gives it."""
    text = json.dumps(answer, ensure_ascii=False)
    return Response(text, status_code=status, media_type="text/html")


def _as_csv(sheet: bytes) -> Response:
    return Response(sheet, media_type="text/csv")
