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
from bridge.lab.sipuni.history import HistoryRow
from bridge.lab.sipuni.performance import Performance, perform, stage
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
from bridge.lab.sipuni.stories import (
    Expectation,
    ExpectedCall,
    Story,
    StoryError,
    parse_story,
    read_stories,
    read_story,
)
from bridge.lab.sipuni.switches import (
    AcceptedForm,
    BodyForm,
    CallerSpelling,
    EventsOver,
    FieldSpelling,
    OrderReply,
    Outcome,
    StatusSpelling,
    Switches,
    TimeSpelling,
)

__all__ = [
    "DEFAULT_HOOK_URL",
    "DEFAULT_PORT",
    "AcceptedForm",
    "BodyForm",
    "CallPlan",
    "CallReport",
    "CallerSpelling",
    "Employee",
    "EventsOver",
    "Expectation",
    "ExpectedCall",
    "FieldSpelling",
    "HistoryRow",
    "LabCall",
    "NodeMode",
    "OrderReply",
    "Outcome",
    "Pause",
    "Performance",
    "Push",
    "Question",
    "SchemeNode",
    "SipuniLab",
    "SipuniScheme",
    "StatusSpelling",
    "Story",
    "StoryError",
    "Switches",
    "TimeSpelling",
    "create_sipuni_app",
    "events_beside",
    "parse_story",
    "perform",
    "read_answer",
    "read_stories",
    "read_story",
    "read_switches",
    "run_sipuni_lab",
    "serve_sipuni_lab",
    "signature",
    "stage",
]
