"""A Sipuni cabinet in a box: it asks the bridge, follows the answer, pushes events, serves the API.

It is the referee: it believes nothing but bytes on the wire, retries nothing, and tells what a
caller would have lived through.
"""

from bridge.lab.sipuni.app import (
    DEFAULT_PORT,
    create_sipuni_app,
    read_cabinet_switches,
    run_sipuni_lab,
    serve_sipuni_lab,
)
from bridge.lab.sipuni.calls import AskedQuestion, CallPlan, CallReport, LabCall, PushedEvent
from bridge.lab.sipuni.pbx import Pause, SipuniLab
from bridge.lab.sipuni.protocol.history import HistoryRow
from bridge.lab.sipuni.scenarios.playback import Playback, play_scenario, queue_scenario
from bridge.lab.sipuni.scenarios.scenario import (
    Expectation,
    ExpectedCall,
    Scenario,
    ScenarioError,
    parse_scenario,
    read_scenario,
    read_scenarios,
)
from bridge.lab.sipuni.scheme import (
    DEFAULT_HOOK_URL,
    CabinetEmployee,
    NodeMode,
    SchemeNode,
    SipuniScheme,
    guess_events_url,
    read_answer,
    signature,
)
from bridge.lab.sipuni.switches import (
    AcceptedForm,
    BodyForm,
    CabinetSwitches,
    CallerSpelling,
    EventsOver,
    FieldSpelling,
    OrderReplyMode,
    PlannedOutcome,
    StatusSpelling,
    TimeSpelling,
)

__all__ = [
    "DEFAULT_HOOK_URL",
    "DEFAULT_PORT",
    "AcceptedForm",
    "AskedQuestion",
    "BodyForm",
    "CabinetEmployee",
    "CabinetSwitches",
    "CallPlan",
    "CallReport",
    "CallerSpelling",
    "EventsOver",
    "Expectation",
    "ExpectedCall",
    "FieldSpelling",
    "HistoryRow",
    "LabCall",
    "NodeMode",
    "OrderReplyMode",
    "Pause",
    "PlannedOutcome",
    "Playback",
    "PushedEvent",
    "Scenario",
    "ScenarioError",
    "SchemeNode",
    "SipuniLab",
    "SipuniScheme",
    "StatusSpelling",
    "TimeSpelling",
    "create_sipuni_app",
    "guess_events_url",
    "parse_scenario",
    "play_scenario",
    "queue_scenario",
    "read_answer",
    "read_cabinet_switches",
    "read_scenario",
    "read_scenarios",
    "run_sipuni_lab",
    "serve_sipuni_lab",
    "signature",
]
