"""A Sipuni cabinet in a box: it asks the bridge, follows the answer, pushes events, serves the API.

It is the referee: it believes nothing but bytes on the wire, retries nothing, and tells what a
caller would have lived through.
"""

from bridge.lab.sipuni.app import (
    DEFAULT_PORT,
    create_sipuni_app,
    read_switches,
    run_sipuni_lab,
    serve_sipuni_lab,
)
from bridge.lab.sipuni.calls import CallPlan, CallReport, LabCall, Push, Question
from bridge.lab.sipuni.exchange import Pause, SipuniLab
from bridge.lab.sipuni.scheme import (
    DEFAULT_HOOK_URL,
    Employee,
    NodeMode,
    SchemeNode,
    SipuniScheme,
    events_beside,
    read_answer,
    signature,
)
from bridge.lab.sipuni.switches import CallerSpelling, Outcome, Switches, TimeSpelling

__all__ = [
    "DEFAULT_HOOK_URL",
    "DEFAULT_PORT",
    "CallPlan",
    "CallReport",
    "CallerSpelling",
    "Employee",
    "LabCall",
    "NodeMode",
    "Outcome",
    "Pause",
    "Push",
    "Question",
    "SchemeNode",
    "SipuniLab",
    "SipuniScheme",
    "Switches",
    "TimeSpelling",
    "create_sipuni_app",
    "events_beside",
    "read_answer",
    "read_switches",
    "run_sipuni_lab",
    "serve_sipuni_lab",
    "signature",
]
