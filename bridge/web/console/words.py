"""The names the pages give to the domain's own words; marked here for the catalogues."""

from collections.abc import Mapping
from typing import Final

from bridge.domain.account import fate_of
from bridge.domain.call_events import Direction, EventKind, Outcome
from bridge.domain.calls import PhoneCall
from bridge.domain.directory import EntityKind
from bridge.domain.flaws import FlawKind
from bridge.domain.life import Disposition
from bridge.domain.orders import OrderState
from bridge.domain.outbox import EntryState, Stage
from bridge.ports import AuditAct
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

#: Of calls that were ordered: what their disposition does not tell.
ORDER_UNKNOWN: Final = mark("unknown, look at the PBX")
ORDER_REFUSED: Final = mark("the call was not placed")


def ending(call: PhoneCall) -> str:
    """Return what became of *call*, as the message of a catalogue."""
    match fate_of(call):
        case OrderState.UNKNOWN:
            return ORDER_UNKNOWN
        case OrderState.REFUSED:
            return ORDER_REFUSED
    return DISPOSITIONS[call.life.disposition]


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
    Stage.OUTCOME: mark("how the call ended"),
    Stage.CONSIDERED: mark("the mark “considered”"),
    Stage.VERIFY: mark("a last look for a double"),
}

KINDS: Final[Mapping[EntityKind, str]] = {
    EntityKind.MANAGER: mark("1C users"),
    EntityKind.PARTNER: mark("partners"),
    EntityKind.CONTACT: mark("contact persons"),
    EntityKind.COUNTERPARTY: mark("counterparties"),
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
    AuditAct.FORGOTTEN: mark("deleted what was too old"),
    AuditAct.ORDER_DENIED: mark("was refused a call from a telephone that is not his"),
}
