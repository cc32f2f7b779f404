"""The names the pages give to the domain's own words; marked here for the catalogues."""

from collections.abc import Mapping
from typing import Final

from bridge.domain.call_events import Direction, EventKind, Outcome
from bridge.domain.directory import EntityKind
from bridge.domain.flaws import FlawKind
from bridge.domain.life import Disposition
from bridge.domain.outbox import EntryState, Stage
from bridge.ports import AlarmName, AuditAct
from bridge.web.language import mark

DIRECTIONS: Final[Mapping[Direction, str]] = {
    Direction.INBOUND: mark("incoming"),
    Direction.OUTBOUND: mark("outgoing"),
    Direction.INTERNAL: mark("internal"),
}

DISPOSITIONS: Final[Mapping[Disposition, str]] = {
    Disposition.RINGING: mark("ringing"),
    Disposition.TALKING: mark("talking"),
    Disposition.ANSWERED: mark("answered"),
    Disposition.MISSED: mark("missed"),
    Disposition.NOT_REACHED: mark("not reached"),
    Disposition.UNKNOWN: mark("not known"),
}

EVENTS: Final[Mapping[EventKind, str]] = {
    EventKind.STARTED: mark("rings"),
    EventKind.ANSWERED: mark("answered"),
    EventKind.LEG_ENDED: mark("one end hung up"),
    EventKind.ENDED: mark("the call ended"),
    EventKind.HISTORY: mark("told by the PBX's statistics"),
    EventKind.GIVEN_UP: mark("nobody told how it ended"),
    EventKind.UNKNOWN: mark("an event the bridge does not know"),
}

OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.ANSWERED: mark("answered"),
    Outcome.NO_ANSWER: mark("no answer"),
    Outcome.BUSY: mark("busy"),
    Outcome.CANCELLED: mark("cancelled"),
    Outcome.FAILED: mark("failed"),
}

ENTRY_STATES: Final[Mapping[EntryState, str]] = {
    EntryState.DUE: mark("waiting"),
    EntryState.SENDING: mark("being written"),
    EntryState.SETTLED: mark("written"),
    EntryState.DEAD: mark("refused"),
}

STAGES: Final[Mapping[Stage, str]] = {
    Stage.DOCUMENT: mark("the document"),
    Stage.SUBJECT: mark("the partner's list"),
    Stage.REMINDER: mark("the reminder"),
    Stage.VERIFY: mark("a last look for a double"),
}

KINDS: Final[Mapping[EntityKind, str]] = {
    EntityKind.MANAGER: mark("1C users"),
    EntityKind.PARTNER: mark("partners"),
    EntityKind.CONTACT: mark("contact persons"),
    EntityKind.COUNTERPARTY: mark("counterparties"),
}

#: Of each alarm its name, and what it means; the words of the trouble itself follow.
ALARMS: Final[Mapping[AlarmName, tuple[str, str]]] = {
    "sync_failed": (
        mark("Sync"),
        mark("It did not come to its end; calls are routed by what was held before. The reason:"),
    ),
    "slow_disk": (
        mark("Disk"),
        mark(
            "It does not keep up: the PBX has its answer in time, the call's record follows. "
            "The reason:"
        ),
    ),
    "onec_unauthorized": (
        mark("Rights in 1C"),
        mark("Calls wait, nothing is lost: mend the bridge's 1C user or his rights. 1C's answer:"),
    ),
    "answer_broken": (
        mark("Index"),
        mark("It cannot be read: every call goes to the default. The reason:"),
    ),
    "pbx_events_lost": (
        mark("PBX events"),
        mark("Calls are routed; how they ended is learnt later, from the statistics. The reason:"),
    ),
    "audit_damaged": (
        mark("Audit list"),
        mark(
            "It began anew, as which links were revoked is not known: personal links made before "
            "open nothing. Make new ones, or let people sign in by their 1C name. What happened:"
        ),
    ),
    "onec_not_published": (
        mark("OData publication"),
        mark("It lacks a set we need. Calls wait: publish it. 1C's answer:"),
    ),
}

FLAWS: Final[Mapping[FlawKind, tuple[str, str]]] = {
    FlawKind.NO_MANAGER: (
        mark("Partners without a main manager"),
        mark("Their calls go to the line's or the default extension. Name a manager in 1C."),
    ),
    FlawKind.NO_EXTENSION: (
        mark("Users without an extension"),
        mark("Calls of their customers go on up the chain. Enter the extension in 1C."),
    ),
    FlawKind.UNREADABLE: (
        mark("Phones that cannot be read"),
        mark("No number was found in these fields. Correct them in 1C."),
    ),
    FlawKind.SHARED: (
        mark("Numbers of several owners with different managers"),
        mark("Whose call it is has to be guessed. Leave the number with one of them."),
    ),
}

ACTS: Final[Mapping[AuditAct, str]] = {
    AuditAct.SIGNED_IN: mark("signed in"),
    AuditAct.SIGNED_OUT: mark("signed out"),
    AuditAct.REFUSED: mark("was not let in"),
    AuditAct.LINK_MADE: mark("made a personal link"),
    AuditAct.LINK_REVOKED: mark("revoked a personal link"),
    AuditAct.REVEALED: mark("looked at a hidden number"),
    AuditAct.EXPORTED: mark("downloaded a table"),
    AuditAct.RETRIED: mark("retried a write to 1C"),
    AuditAct.DROPPED: mark("dropped a write to 1C"),
    AuditAct.SHRINK_ACCEPTED: mark("accepted a shrunken listing"),
    AuditAct.CHOSEN: mark("said whose number it is"),
    AuditAct.NOTED: mark("wrote a note"),
    AuditAct.ORDERED: mark("placed a call"),
    AuditAct.ORDER_DENIED: mark("was refused a call from a telephone that is not his"),
}
