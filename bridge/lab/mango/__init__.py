"""A simulated Mango Office cabinet: it pushes signed events, takes commands, serves the API.

It trusts only the bytes on the wire, and reports what a caller would have met. Everything it does
is described in docs/facts/mango.md.
"""

from bridge.lab.mango.api.commands import ApiRequest, MangoApi, MangoConnectionLost
from bridge.lab.mango.app import (
    DEFAULT_MANGO_PORT,
    create_mango_app,
    serve_mango_lab,
)
from bridge.lab.mango.cabinet import MangoCabinet, MangoEmployee, MangoGroup, MangoLine
from bridge.lab.mango.calls import (
    MangoCall,
    MangoCallReport,
    MangoCode,
    MangoKind,
    MangoPlan,
    MangoPush,
    report_call,
)
from bridge.lab.mango.lab import MangoLab
from bridge.lab.mango.signature import (
    MangoForm,
    decode_form,
    encode_form,
    sign_json,
    sign_recording_link,
)
from bridge.lab.mango.switches import (
    CommandReply,
    JsonStyle,
    LocationStyle,
    MangoOutcome,
    MangoSwitches,
    NumberStyle,
    PushOrder,
    PushSignature,
    RateReply,
    ResultPush,
    change_switches,
    read_mango_switches,
)

__all__ = [
    "DEFAULT_MANGO_PORT",
    "ApiRequest",
    "CommandReply",
    "JsonStyle",
    "LocationStyle",
    "MangoApi",
    "MangoCabinet",
    "MangoCall",
    "MangoCallReport",
    "MangoCode",
    "MangoConnectionLost",
    "MangoEmployee",
    "MangoForm",
    "MangoGroup",
    "MangoKind",
    "MangoLab",
    "MangoLine",
    "MangoOutcome",
    "MangoPlan",
    "MangoPush",
    "MangoSwitches",
    "NumberStyle",
    "PushOrder",
    "PushSignature",
    "RateReply",
    "ResultPush",
    "change_switches",
    "create_mango_app",
    "decode_form",
    "encode_form",
    "read_mango_switches",
    "report_call",
    "serve_mango_lab",
    "sign_json",
    "sign_recording_link",
]
