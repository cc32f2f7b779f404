"""Drafts turned into the bodies that 1C is sent, and rows of written documents read back."""

from typing import Final
from zoneinfo import ZoneInfo

from msgspec import UNSET

from bridge.adapters.onec.protocol.decoding import ref_or_none
from bridge.adapters.onec.protocol.wall_clock import instant_or, wall_time
from bridge.adapters.onec.schema import (
    CONTACT_TYPES,
    UNDEFINED_TYPE,
    PhoneCallBody,
    PhoneCallChangeBody,
    PhoneCallRow,
    ReminderBody,
    ReminderRow,
    ReminderTextBody,
    SubjectBody,
    WrittenPhoneCallRow,
)
from bridge.domain.delivery.document_drafts import (
    ContactRef,
    PhoneCallChange,
    PhoneCallDraft,
    ReminderDraft,
    WrittenPhoneCall,
    WrittenReminder,
)
from bridge.domain.directory.entities import EMPTY_REF, Ref, Version
from bridge.ports.onec import FoundDocument

#: Control characters make a text of 1C unreadable to every reader of Atom.
_CONTROLS: Final = dict.fromkeys(i for i in range(32) if chr(i) not in "\n\t")


def phone_call_body(draft: PhoneCallDraft, zone: ZoneInfo) -> PhoneCallBody:
    """Return the phone call document to create; author and responsible are the manager, if any."""
    contact, contact_type = _contact(draft.contact)
    manager = draft.responsible or EMPTY_REF
    return PhoneCallBody(
        ref=draft.proposed_ref,
        at=wall_time(draft.at, zone),
        incoming=draft.incoming,
        subject=_clean(draft.subject),
        description=_clean(draft.description),
        contact=contact,
        contact_type=contact_type,
        presentation=_clean(draft.presentation),
        how_to_reach=_clean(draft.how_to_reach),
        author=manager,
        responsible=manager,
        comment=_clean(draft.comment),
    )


def subject_body(document: Ref) -> SubjectBody:
    """Return the record by which a call is its own subject, as 1C's form writes it."""
    return SubjectBody(call=document, subject=document)


def reminder_body(draft: ReminderDraft, zone: ZoneInfo) -> ReminderBody:
    """Return the reminder to create, due at its event."""
    at = wall_time(draft.at, zone)
    return ReminderBody(
        user=draft.user, at=at, source=draft.document, due=at, text=_clean(draft.text)
    )


def phone_call_change_body(change: PhoneCallChange) -> PhoneCallChangeBody:
    """Return the fields to change in a phone call document."""
    return PhoneCallChangeBody(
        subject=UNSET if change.subject is None else _clean(change.subject),
        description=UNSET if change.description is None else _clean(change.description),
        comment=UNSET if change.comment is None else _clean(change.comment),
        responsible=UNSET if change.responsible is None else change.responsible,
    )


def reminder_text_body(draft: ReminderDraft) -> ReminderTextBody:
    """Return the text to give to a reminder."""
    return ReminderTextBody(text=_clean(draft.text))


def read_written_phone_call(row: WrittenPhoneCallRow) -> WrittenPhoneCall:
    """Return a document as it is in 1C now."""
    return WrittenPhoneCall(
        document=Ref(row.ref.lower()),
        subject=row.subject or "",
        description=row.description or "",
        comment=row.comment or "",
        responsible=ref_or_none(row.responsible),
        deletion_mark=bool(row.deletion_mark),
        version=Version(row.version) if row.version else None,
    )


def read_written_reminder(
    row: ReminderRow, draft: ReminderDraft, zone: ZoneInfo
) -> WrittenReminder:
    """Return the reminder of *draft* as it is in 1C now; one without a date is due as drafted."""
    return WrittenReminder(instant_or(row.due, zone, draft.at), row.text or "")


def read_found_document(row: PhoneCallRow, draft: PhoneCallDraft, zone: ZoneInfo) -> FoundDocument:
    """Return a document found by the marker of *draft*."""
    at = instant_or(row.at, zone, draft.at)
    return FoundDocument(Ref(row.ref.lower()), row.number or "", at, bool(row.deletion_mark))


def search_text(draft: PhoneCallDraft) -> str:
    """Return the text by which the document is searched: exactly what was written into it."""
    return _clean(draft.how_to_reach)


def _contact(contact: ContactRef | None) -> tuple[str, str]:
    if contact is None or contact.kind not in CONTACT_TYPES:
        return "", UNDEFINED_TYPE
    return contact.ref, CONTACT_TYPES[contact.kind]


def _clean(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines.translate(_CONTROLS).encode("utf-8", "replace").decode()
