"""What the core needs from outside: small Protocols, read as contracts.

Everywhere: times are aware UTC unless a name says otherwise; `Ref` is lower case; errors are those
of `bridge.errors` only. Each file holds one neighbour of the core and the values exchanged with it;
whoever needs one imports it from here.
"""

from bridge.ports.access import (
    Audit,
    AuditAct,
    AuditRecord,
    EndedSessions,
    OneCSignIn,
    PersonalLinks,
    SignInAnswer,
)
from bridge.ports.alarms import ActiveAlarm, Alarm, AlarmName
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
    DirectoryChanged,
    EntryChanged,
    Event,
    EventPublisher,
    MissedCallChanged,
    OneCAvailability,
)
from bridge.ports.history import CallSearch
from bridge.ports.ledger import (
    UNREAD,
    CallFilter,
    DeletedRecords,
    Ledger,
    LedgerChange,
    OutboxCounts,
    Talk,
)
from bridge.ports.onec import (
    DirectoryObject,
    FoundDocument,
    FoundOwners,
    Listing,
    OneCCallRequests,
    OneCJournal,
    OneCLookup,
    OneCProbe,
    OneCSource,
    ProbeFinding,
    Traffic,
)
from bridge.ports.orders import OrderStore, OwnedPhone, PartnerPhones, PlacedCall
from bridge.ports.runs import Shrink, SyncRun, SyncRunList
from bridge.ports.stores import CallRescue, RescuedCall, StoredFile
from bridge.ports.pbx import PbxControl, RawEvent, RawReply, RawRequest, Telephony

__all__ = [
    "UNREAD",
    "ActiveAlarm",
    "Alarm",
    "AlarmName",
    "Audit",
    "AuditAct",
    "AuditRecord",
    "CallChanged",
    "CallFilter",
    "CallRecorded",
    "CallRescue",
    "CallSearch",
    "Clock",
    "DeletedRecords",
    "Directory",
    "DirectoryChanged",
    "DirectoryObject",
    "DirectoryStore",
    "DirectoryTransaction",
    "EndedSessions",
    "EntitySync",
    "EntryChanged",
    "Event",
    "EventPublisher",
    "FoundDocument",
    "FoundOwners",
    "Ledger",
    "LedgerChange",
    "Listing",
    "MissedCallChanged",
    "Monotonic",
    "OneCAvailability",
    "OneCCallRequests",
    "OneCJournal",
    "OneCLookup",
    "OneCProbe",
    "OneCSignIn",
    "OneCSource",
    "OrderStore",
    "OutboxCounts",
    "OwnedPhone",
    "PartnerPhones",
    "PbxControl",
    "PersonalLinks",
    "PlacedCall",
    "ProbeFinding",
    "RawEvent",
    "RawReply",
    "RawRequest",
    "RescuedCall",
    "Shrink",
    "SignInAnswer",
    "StoredFile",
    "SyncReport",
    "SyncRun",
    "SyncRunList",
    "Talk",
    "Telephony",
    "Traffic",
]
