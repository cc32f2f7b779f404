"""The vendor's side of the cabinet's API: signed orders, statistics, recordings.

Everything is labelled text/html, as the real API labels it.
"""

import csv
import hmac
import io
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.lab.sipuni.calls import LabCall
from bridge.lab.sipuni.exchange import SipuniLab
from bridge.lab.sipuni.scheme import signature

Endpoint = Callable[[Request], Awaitable[Response]]
SignedAction = Callable[[Mapping[str, str]], Awaitable[Response]]

# Thirteen headers seen in public clients; the places of 0-2, 4, 5, 7 and 11 were seen too.
COLUMNS = (
    "Тип",
    "Статус",
    "Время",
    "Схема",
    "Откуда",
    "Куда",
    "Кто ответил",
    "Длительность звонка, сек",
    "Длительность разговора, сек",
    "Кто разговаривал",
    "Кому звонили",
    "ID записи",
    "Запись существует",
)
ANSWERED_WORDS = {True: "Отвечен", False: "Не отвечен"}
# An ID3 header and one silent MPEG frame's sync word: enough for a reader of magic bytes.
SILENT_MP3 = b"ID3\x03\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" + b"\x00" * 413


class CabinetApi:
    """The API's actions; every one gets parameters whose signature was right."""

    def __init__(self, lab: SipuniLab) -> None:
        self._lab = lab

    def routes(self) -> list[Route]:
        """Give the addresses of the API; each takes GET and POST."""
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
            return await action(params)

        return endpoint

    async def _call_number(self, params: Mapping[str, str]) -> Response:
        return await self._call_employee(params, tree="")

    async def _call_tree(self, params: Mapping[str, str]) -> Response:
        if not params.get("tree"):
            return self._refuse("Не указана схема")
        return await self._call_employee(params, tree=params["tree"])

    async def _call_employee(self, params: Mapping[str, str], *, tree: str) -> Response:
        if not (params.get("phone") and params.get("sipnumber")):
            return self._refuse("Не указан номер")
        call = self._lab.order_call(params["sipnumber"], params["phone"], tree=tree)
        if self._lab.switches.event_before_reply:
            await self._lab.play(call, only_first=True)
        return self._accepted(call)

    async def _call_external(self, params: Mapping[str, str]) -> Response:
        if not (params.get("phoneFrom") and params.get("phoneTo")):
            return self._refuse("Не указан номер")
        # Its event 1 waits for the second party, so here nothing overtakes the reply.
        call = self._lab.order_external(params["phoneFrom"], params["phoneTo"])
        return self._accepted(call)

    async def _cancel(self, params: Mapping[str, str]) -> Response:
        if await self._lab.cancel(params.get("callbackId", "")):
            return _as_html({"success": True})
        return self._refuse("Обратный звонок не найден")

    async def _hang_up(self, params: Mapping[str, str]) -> Response:
        if await self._lab.hang_up(params.get("callId", "")):
            return _as_html({"success": True})
        return self._refuse("Звонок не найден")

    async def _export(self, params: Mapping[str, str]) -> Response:
        zone = ZoneInfo(self._lab.scheme.zone)
        try:
            since = _moment(params["from"], params.get("timeFrom") or "00:00", zone)
            until = _moment(params["to"], params.get("timeTo") or "23:59", zone) + 59
        except (KeyError, ValueError):
            return self._refuse("Неверный период")
        rows = [
            self._row(call, zone) for call in self._lab.calls if since <= call.line.started <= until
        ]
        reordered = self._lab.switches.reordered_columns
        columns = tuple(reversed(COLUMNS)) if reordered else COLUMNS
        return _csv([columns, *([row[name] for name in columns] for row in rows)])

    async def _record(self, params: Mapping[str, str]) -> Response:
        call = next(
            (one for one in self._lab.calls if one.record_id == params.get("id")),
            None,
        )
        if call is None or not call.talk_s or not self._lab.switches.recordings_ready:
            return Response("Запись не найдена", media_type="text/html")
        return Response(SILENT_MP3, media_type="audio/mpeg")

    async def _operators(self, params: Mapping[str, str]) -> Response:
        del params  # signed like every request, though it takes none
        offline = self._lab.switches.offline_ext
        return _csv(
            [
                ("Внутренний номер", "Имя", "Статус"),
                *(
                    (one.extension, one.name, "Офлайн" if one.extension in offline else "Онлайн")
                    for one in self._lab.scheme.employees
                ),
            ]
        )

    def _accepted(self, call: LabCall) -> Response:
        reply = _as_html({"success": True, "id": call.line.callback_id})
        # Starlette runs a background task after the reply has left: events follow their order.
        reply.background = BackgroundTask(self._lab.play, call)
        return reply

    def _refuse(self, message: str) -> Response:
        return _as_html(
            {"success": False, "message": message}, status=self._lab.switches.refusal_status
        )

    def _row(self, call: LabCall, zone: ZoneInfo) -> dict[str, str]:
        names = {one.extension: one.name for one in self._lab.scheme.employees}
        talked = f"{call.extension} ({names.get(call.extension, '')}) {call.talk_s}"
        answered = call.status == "ANSWER"
        values = (
            call.kind,
            ANSWERED_WORDS[answered],
            datetime.fromtimestamp(call.line.started, tz=zone).strftime("%d.%m.%Y %H:%M:%S"),
            call.switches.renamed_scheme or call.line.tree_name,
            call.line.source,
            call.line.destination,
            call.extension if answered else "",
            str(call.ends - call.line.started),
            str(call.talk_s),
            talked if answered else "",
            call.extension,
            call.record_id,
            str(int(answered)),
        )
        return dict(zip(COLUMNS, values, strict=True))


def _as_html(answer: Mapping[str, object], status: int = 200) -> Response:
    """Send JSON under the label the real API puts on it."""
    text = json.dumps(answer, ensure_ascii=False)
    return Response(text, status_code=status, media_type="text/html")


def _csv(rows: list[tuple[str, ...] | list[str]]) -> Response:
    sheet = io.StringIO()
    csv.writer(sheet, delimiter=";", lineterminator="\r\n").writerows(rows)
    return Response(sheet.getvalue().encode("utf-8-sig"), media_type="text/csv")


def _moment(day: str, clock: str, zone: ZoneInfo) -> float:
    parsed = datetime.strptime(f"{day} {clock}", "%d.%m.%Y %H:%M").replace(tzinfo=zone)
    return parsed.timestamp()
