"""The names that pages give to the domain's terms; marked here for the catalogues."""

from collections.abc import Mapping
from typing import Final

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction, EventKind, Outcome
from bridge.domain.calls.orders import OrderState
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.entry import DeliveryStage, EntryState
from bridge.domain.delivery.outcome import unresolved_order_state
from bridge.domain.directory.entities import EntityKind
from bridge.domain.reporting.data_quality import DataQualityIssueKind
from bridge.ports.audit import AuditAct
from bridge.web.shared.language import translatable

DIRECTION_LABELS: Final[Mapping[Direction, str]] = {
    Direction.INBOUND: translatable("incoming"),
    Direction.OUTBOUND: translatable("outgoing"),
    Direction.INTERNAL: translatable("internal"),
}

DISPOSITION_LABELS: Final[Mapping[Disposition, str]] = {
    Disposition.RINGING: translatable("ringing"),
    Disposition.TALKING: translatable("talking"),
    Disposition.ANSWERED: translatable("answered"),
    Disposition.MISSED: translatable("missed"),
    Disposition.NOT_REACHED: translatable("not reached"),
    Disposition.UNKNOWN: translatable("not known"),
}

#: Of calls that were ordered: what their disposition does not show.
ORDER_UNKNOWN: Final = translatable("unknown, look at the PBX")
ORDER_REFUSED: Final = translatable("the call was not placed")


def call_outcome_label(call: PhoneCall) -> str:
    """Return what became of *call*, as the message of a catalogue."""
    match unresolved_order_state(call):
        case OrderState.UNKNOWN:
            return ORDER_UNKNOWN
        case OrderState.REFUSED:
            return ORDER_REFUSED
    return DISPOSITION_LABELS[call.state.disposition]


EVENT_LABELS: Final[Mapping[EventKind, str]] = {
    EventKind.STARTED: translatable("rings"),
    EventKind.ANSWERED: translatable("answered"),
    EventKind.LEG_ENDED: translatable("one end hung up"),
    EventKind.ENDED: translatable("the call ended"),
    EventKind.HISTORY: translatable("from the PBX's statistics"),
    EventKind.GIVEN_UP: translatable("the PBX did not report how it ended"),
    EventKind.UNKNOWN: translatable("an event the bridge does not know"),
}

OUTCOME_LABELS: Final[Mapping[Outcome, str]] = {
    Outcome.ANSWERED: translatable("answered"),
    Outcome.NO_ANSWER: translatable("no answer"),
    Outcome.BUSY: translatable("busy"),
    Outcome.CANCELLED: translatable("cancelled"),
    Outcome.FAILED: translatable("failed"),
}

ENTRY_STATE_LABELS: Final[Mapping[EntryState, str]] = {
    EntryState.DUE: translatable("waiting"),
    EntryState.SENDING: translatable("being written"),
    EntryState.DELIVERED: translatable("written"),
    EntryState.DEAD: translatable("refused"),
}

STAGE_LABELS: Final[Mapping[DeliveryStage, str]] = {
    DeliveryStage.DOCUMENT: translatable("the document"),
    DeliveryStage.SUBJECT: translatable("the partner's list"),
    DeliveryStage.REMINDER: translatable("the reminder"),
    DeliveryStage.OUTCOME: translatable("how the call ended"),
    DeliveryStage.CONSIDERED: translatable("the mark “considered”"),
    DeliveryStage.VERIFY: translatable("a last look for a double"),
}

ENTITY_LABELS: Final[Mapping[EntityKind, str]] = {
    EntityKind.MANAGER: translatable("1C users"),
    EntityKind.PARTNER: translatable("partners"),
    EntityKind.CONTACT: translatable("contact persons"),
    EntityKind.COUNTERPARTY: translatable("counterparties"),
}

DATA_QUALITY_LABELS: Final[Mapping[DataQualityIssueKind, tuple[str, str]]] = {
    DataQualityIssueKind.NO_MANAGER: (
        translatable("Partners without a main manager"),
        translatable(
            "Their calls go to the line's or the default extension. Name a manager in 1C."
        ),
    ),
    DataQualityIssueKind.NO_EXTENSION: (
        translatable("Users without an extension"),
        translatable(
            "Calls of their customers go to the next in the chain. Enter the extension in 1C."
        ),
    ),
    DataQualityIssueKind.UNREADABLE: (
        translatable("Unrecognised telephones"),
        translatable("No number was found in these fields. Correct them in 1C."),
    ),
    DataQualityIssueKind.SHARED: (
        translatable("Numbers of several owners with different managers"),
        translatable(
            "Whose call it is cannot be told for certain. Leave the number with one of them."
        ),
    ),
}

AUDIT_LABELS: Final[Mapping[AuditAct, str]] = {
    AuditAct.SIGNED_IN: translatable("signed in"),
    AuditAct.SIGNED_OUT: translatable("signed out"),
    AuditAct.SIGN_IN_REFUSED: translatable("sign-in refused"),
    AuditAct.LINK_MADE: translatable("made a personal link"),
    AuditAct.LINK_REVOKED: translatable("revoked a personal link"),
    AuditAct.NUMBER_REVEALED: translatable("looked at a hidden number"),
    AuditAct.CALLS_EXPORTED: translatable("downloaded a table"),
    AuditAct.ENTRY_RETRIED: translatable("retried a write to 1C"),
    AuditAct.ENTRY_DROPPED: translatable("cancelled a write to 1C"),
    AuditAct.SHRINK_ACCEPTED: translatable("accepted a loss of rows"),
    AuditAct.OWNER_CHOSEN: translatable("chose whose number it is"),
    AuditAct.NOTE_WRITTEN: translatable("wrote a note"),
    AuditAct.CALL_ORDERED: translatable("placed a call"),
    AuditAct.OLD_CALLS_DELETED: translatable("deleted old records"),
    AuditAct.ORDER_DENIED: translatable("refused: a call from another's telephone"),
}
