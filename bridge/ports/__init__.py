"""What the core needs from outside: small Protocols, read as contracts.

Everywhere: times are aware UTC unless a name says otherwise; `Ref` is lower case; errors are those
of `bridge.errors` only. Each file holds one neighbour of the core and the values exchanged with it;
whoever needs one imports it from here.
"""

from bridge.ports.access import (
    Audit,
    AuditAct,
    AuditRecord,
    DeskKeys,
    EndedSessions,
    OneCSignIn,
    SignIn,
)
from bridge.ports.alarms import Alarm, AlarmName, StandingAlarm
from bridge.ports.clock import Clock, Monotonic
from bridge.ports.directory import (
    Directory,
    DirectoryStore,
    DirectoryTransaction,
    EntitySync,
    SyncReport,
)
from bridge.ports.events import (
    CallChanged,
    CallRecorded,
    DebtChanged,
    DirectoryChanged,
    EntryMoved,
    Event,
    Events,
    OneCMood,
)
from bridge.ports.history import CallSearch
from bridge.ports.ledger import (
    UNREAD,
    CallFilter,
    Change,
    Forgotten,
    Ledger,
    OutboxCounts,
    Talk,
)
from bridge.ports.onec import (
    FoundDocument,
    FoundOwners,
    Listing,
    Noun,
    OneCJournal,
    OneCLookup,
    OneCProbe,
    OneCRequests,
    OneCSource,
    ProbeFinding,
    Traffic,
)
from bridge.ports.orders import OrderBook, OwnedPhone, PhoneBook, PlacedCall
from bridge.ports.runs import Shrink, SyncRun, SyncRuns
from bridge.ports.stores import Rescue, RescuedCall, StoredFile
from bridge.ports.telephony import PbxControl, RawEvent, RawReply, RawRequest, Telephony

__all__ = [
    "UNREAD",
    "Alarm",
    "AlarmName",
    "Audit",
    "AuditAct",
    "AuditRecord",
    "CallChanged",
    "CallFilter",
    "CallRecorded",
    "CallSearch",
    "Change",
    "Clock",
    "DebtChanged",
    "DeskKeys",
    "Directory",
    "DirectoryChanged",
    "DirectoryStore",
    "DirectoryTransaction",
    "EndedSessions",
    "EntitySync",
    "EntryMoved",
    "Event",
    "Events",
    "Forgotten",
    "FoundDocument",
    "FoundOwners",
    "Ledger",
    "Listing",
    "Monotonic",
    "Noun",
    "OneCJournal",
    "OneCLookup",
    "OneCMood",
    "OneCProbe",
    "OneCRequests",
    "OneCSignIn",
    "OneCSource",
    "OrderBook",
    "OutboxCounts",
    "OwnedPhone",
    "PbxControl",
    "PhoneBook",
    "PlacedCall",
    "ProbeFinding",
    "RawEvent",
    "RawReply",
    "RawRequest",
    "Rescue",
    "RescuedCall",
    "Shrink",
    "SignIn",
    "StandingAlarm",
    "StoredFile",
    "SyncReport",
    "SyncRun",
    "SyncRuns",
    "Talk",
    "Telephony",
    "Traffic",
]
