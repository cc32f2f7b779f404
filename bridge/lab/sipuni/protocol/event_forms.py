"""Events as odd cabinets and scripts send them: absent fields, other spellings, other bodies.

None of it is documented; every form was seen in public reports of people who connect a PBX.
"""

import gzip
import json
from collections.abc import Mapping
from typing import Final

from bridge.lab.sipuni.protocol.events import Params, encode_event
from bridge.lab.sipuni.switches import BodyForm, CabinetSwitches, FieldSpelling, StatusSpelling

_BOUNDARY: Final = "sipuni-event-boundary"
_TIMES: Final = frozenset({"timestamp", "call_start_timestamp", "call_answer_timestamp"})
_STATUSES: Final[Mapping[StatusSpelling, Mapping[str, str]]] = {
    StatusSpelling.SPACED: {"NOANSWER": "NO ANSWER"},
    StatusSpelling.PAST: {"ANSWER": "ANSWERED", "NOANSWER": "NOT ANSWERED", "CANCEL": "CANCELLED"},
    StatusSpelling.RUSSIAN: {"ANSWER": "Отвечен", "NOANSWER": "Не отвечен", "BUSY": "Занято"},
}


def spell_params(params: Params, switches: CabinetSwitches) -> Params:
    """Return the event *params* as a cabinet with these *switches* puts them on the wire."""
    sent = [(name, value) for name, value in params if name not in switches.omitted_fields]
    return tuple((_name(name, switches), _value(name, value, switches)) for name, value in sent)


def encode_body(params: Params, form: BodyForm) -> tuple[str, bytes]:
    """Return the content type and the bytes of a body in this *form*."""
    if form is BodyForm.FORM:
        return "application/x-www-form-urlencoded", encode_event(params).encode("ascii")
    if form is BodyForm.MULTIPART:
        parts = "".join(
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in params
        )
        return f"multipart/form-data; boundary={_BOUNDARY}", f"{parts}--{_BOUNDARY}--\r\n".encode()
    content: object = dict(params)
    if form is BodyForm.JSON_LIST:
        content = [content]
    elif form is BodyForm.JSON_WRAPPED:
        content = {"action": "notify", "request": content}
    body = json.dumps(content, ensure_ascii=False).encode()
    return "application/json", gzip.compress(body, mtime=0) if form is BodyForm.GZIP else body


def _name(name: str, switches: CabinetSwitches) -> str:
    if switches.field_spelling is FieldSpelling.CAMEL:
        first, *rest = name.split("_")
        return first + "".join(word.capitalize() for word in rest)
    return name.upper() if switches.field_spelling is FieldSpelling.UPPER else name


def _value(name: str, value: str, switches: CabinetSwitches) -> str:
    if name in ("src_type", "dst_type") and switches.party_types:
        return switches.party_types
    if name == "status":
        return _status(value, switches)
    if name in _TIMES and switches.event_milliseconds and value != "0":
        return f"{value}000"
    return value


def _status(value: str, switches: CabinetSwitches) -> str:
    if switches.status_word:
        return switches.status_word
    if switches.status_spelling is StatusSpelling.LOWER:
        return value.lower()
    return _STATUSES.get(switches.status_spelling, {}).get(value, value)
