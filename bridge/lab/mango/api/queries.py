"""The queries of the API: employees, lines, groups, statistics, recordings.

docs/facts/mango.md, 'Commands' and 'History'.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bridge.lab.mango.api.access import RequestRefused, optional_text, required_text
from bridge.lab.mango.api.statistics import CallStatistics
from bridge.lab.mango.cabinet import MangoEmployee
from bridge.lab.mango.calls import MangoCode
from bridge.lab.mango.lab import MangoLab
from bridge.lab.mango.signature import sign_recording_link

Action = Callable[[Mapping[str, object]], Awaitable[Response]]

# An ID3 header and one silent MPEG frame's sync word: enough for a reader of magic bytes.
SILENT_MP3: Final = b"ID3\x03\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" + b"\x00" * 413


class CabinetQueries:
    """Questions to the cabinet; each gets parameters whose signature was right."""

    def __init__(self, lab: MangoLab) -> None:
        self._lab = lab
        self._statistics = CallStatistics(lab)
        self._links: dict[str, str] = {}
        self._links_made = 0

    def actions(self) -> dict[str, Action]:
        """Return the questions by their paths."""
        return {
            "config/users/request": self._users,
            "incominglines": self._lines,
            "groups": self._groups,
            "schemas": self._schemas,
            "stats/calls/request": self._ask_statistics,
            "stats/calls/result": self._read_statistics,
            "queries/recording/post": self._recording,
        }

    def reply(self, code: int, **fields: object) -> Response:
        """Return an answer with this `result`."""
        switches = self._lab.switches
        is_error = code not in {1000, 1001}
        value = str(int(code)) if switches.result_as_text else int(code)
        status = switches.error_status if is_error else 200
        return JSONResponse({"result": value, **fields}, status_code=status)

    async def file(self, request: Request) -> Response:
        """Serve a recording by the address it was redirected to, once."""
        recording = self._links.pop(str(request.path_params["token"]), None)
        if recording is None:
            return Response("gone", status_code=404, media_type="text/plain")
        return Response(SILENT_MP3, media_type="audio/mpeg")

    async def linked_recording(self, request: Request) -> Response:
        """Serve a recording by a signed link, where the cabinet has them switched on."""
        parts, cabinet = request.path_params, self._lab.cabinet
        recording, until = str(parts["recording"]), int(parts["until"])
        right = sign_recording_link(cabinet.key, until, recording, cabinet.salt)
        is_right = parts["key"] == cabinet.key and parts["sign"] == right
        is_in_time = until > self._lab.clock()
        if not self._lab.switches.recording_links or not is_right or not is_in_time:
            return Response(status_code=403)
        return self._redirect(recording)

    async def _recording(self, fields: Mapping[str, object]) -> Response:
        if required_text(fields, "action") not in {"download", "play"}:
            raise RequestRefused(MangoCode.WRONG_FORMAT)
        return self._redirect(required_text(fields, "recording_id"))

    def _redirect(self, recording: str) -> Response:
        lab, now = self._lab, self._lab.clock()
        ready_after = lab.switches.recording_ready_after_s
        ready = any(
            call.is_over and call.finished_at + ready_after <= now
            for call in lab.calls
            if any(leg.recording_id == recording for leg in call.legs)
        )
        if not ready:
            return self.reply(MangoCode.NO_RECORDING)
        self._links_made += 1
        token = base64.urlsafe_b64encode(f"{self._links_made}:{recording}".encode()).decode()
        self._links[token] = recording
        address = f"{lab.cabinet.public_url}/files/{token}"
        return Response(status_code=302, headers={"Location": address})

    async def _ask_statistics(self, fields: Mapping[str, object]) -> Response:
        return JSONResponse({"key": self._statistics.ask(fields)})

    async def _read_statistics(self, fields: Mapping[str, object]) -> Response:
        status, days = self._statistics.read(required_text(fields, "key"))
        if status == "work" and self._lab.switches.stats_not_ready_204:
            return Response(status_code=204)
        if days is None:
            return self.reply(MangoCode.DONE, status=status)
        is_object = self._lab.switches.stats_as_object and len(days) == 1
        return self.reply(MangoCode.DONE, status=status, data=days[0] if is_object else days)

    async def _users(self, fields: Mapping[str, object]) -> Response:
        ext_fields, extension = fields.get("ext_fields", []), optional_text(fields, "extension")
        if not isinstance(ext_fields, list):
            raise RequestRefused(MangoCode.WRONG_FORMAT)
        cabinet, doubled = self._lab.cabinet, self._lab.switches.doubled_extension
        people = list(cabinet.employees)
        if doubled:
            people.append(MangoEmployee(doubled, "Второй с тем же номером", 100_999))
        users = [
            self._user(one, number, ext_fields)
            for number, one in enumerate(people)
            if extension in {"", one.extension}
        ]
        return JSONResponse({"users": users})

    def _user(self, one: MangoEmployee, number: int, ext_fields: list[object]) -> dict[str, object]:
        """Return one employee; the types of numbers vary, as in the vendor's samples."""
        cabinet, is_odd = self._lab.cabinet, number % 2 == 1
        general: dict[str, object] = {
            "name": one.name,
            "email": one.email,
            "department": "",
            "position": "",
        }
        if "general.user_id" in ext_fields:
            general["user_id"] = one.user_id
        devices = [("sip", cabinet.sip_user(one.extension)), ("tel", one.mobile)]
        numbers = [
            {
                "number": address,
                "protocol": protocol,
                "order": str(order) if is_odd else order,
                "wait_sec": 60 if is_odd else "60",
                "status": "on",
            }
            for order, (protocol, address) in enumerate(devices)
            if address and one.extension
        ]
        line = cabinet.lines[0] if cabinet.lines else None
        telephony: dict[str, object] = {
            "extension": one.extension,
            "outgoingline": None if is_odd or line is None else line.number,
            "numbers": numbers,
        }
        user: dict[str, object] = {"general": general, "telephony": telephony}
        if "groups" in ext_fields:
            user["groups"] = [
                group.group_id for group in cabinet.groups if one.extension in group.members
            ]
        return user

    async def _lines(self, fields: Mapping[str, object]) -> Response:
        del fields  # an empty object
        lines = [
            {
                "line_id": 405_000_000 + number,
                "number": line.number,
                "name": line.name or None,
                "schema_id": 11_000_001,
                "schema_name": "По умолчанию",
                "region": 98,
            }
            for number, line in enumerate(self._lab.cabinet.lines)
        ]
        return self.reply(MangoCode.DONE, lines=lines)

    async def _groups(self, fields: Mapping[str, object]) -> Response:
        del fields
        groups = [
            {"id": group.group_id, "name": group.name, "extension": group.number}
            for group in self._lab.cabinet.groups
        ]
        return self.reply(MangoCode.DONE, groups=groups)

    async def _schemas(self, fields: Mapping[str, object]) -> Response:
        del fields
        schemas = [{"schema_id": 11_000_001, "name": "По умолчанию"}]
        return self.reply(MangoCode.DONE, schemas=schemas)
