"""Drafts → what 1C is sent, and instants ↔ the naive wall clock 1C lives by.

1C's dates have no zone: they are the wall time of its server (facts/ut11-metadata.md §5).
"""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from bridge.adapters.onec.schema import (
    CONTACT_PERSONS,
    PARTNERS,
    TYPE_PREFIX,
    UNDEFINED,
    PhoneCallBody,
    PhoneCallRow,
    ReminderBody,
    SubjectBody,
)
from bridge.domain.directory import EMPTY_REF, CandidateKind, Ref
from bridge.domain.writeback import ContactRef, PhoneCallDraft, ReminderDraft
from bridge.ports import FoundDocument

_CONTACT_TYPES: Final = {
    CandidateKind.CONTACT: TYPE_PREFIX + CONTACT_PERSONS,
    CandidateKind.PARTNER: TYPE_PREFIX + PARTNERS,
}

#: Control characters make a text of 1C unreadable in Atom for everybody else.
_CONTROLS: Final = dict.fromkeys(i for i in range(32) if chr(i) not in "\n\t")


def wall_time(at: datetime, zone: ZoneInfo) -> str:
    """Write the aware *at* as 1C's server shows it: whole seconds, a year of four digits."""
    local = at.astimezone(zone).replace(tzinfo=None, microsecond=0)
    return local.isoformat(timespec="seconds")


def instant(wall: str, zone: ZoneInfo, near: datetime) -> datetime:
    """Read 1C's wall time; of the two that one hour of autumn means, the one nearer to *near*.

    Raises:
        ValueError: *wall* is no date.
    """
    local = datetime.fromisoformat(wall).replace(tzinfo=zone)
    readings = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return min(readings, key=lambda at: abs(at - near))


def phone_call_body(draft: PhoneCallDraft, zone: ZoneInfo) -> PhoneCallBody:
    """Write the phone call document; author and responsible are the manager, or nobody."""
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
    """Write the record by which a call is its own subject, as 1C's form does."""
    return SubjectBody(call=document, subject=document)


def reminder_body(draft: ReminderDraft, zone: ZoneInfo) -> ReminderBody:
    """Write the reminder, due at its event."""
    at = wall_time(draft.at, zone)
    return ReminderBody(
        user=draft.user, at=at, source=draft.document, due=at, text=_clean(draft.text)
    )


def found_document(row: PhoneCallRow, draft: PhoneCallDraft, zone: ZoneInfo) -> FoundDocument:
    """Read a document found by the marker of *draft*."""
    try:
        at = instant(row.at or "", zone, draft.at)
    except ValueError:
        at = draft.at
    return FoundDocument(Ref(row.ref.lower()), row.number or "", at, bool(row.marked))


def how_to_reach(draft: PhoneCallDraft) -> str:
    """Give the text by which the document is searched: exactly what was written into it."""
    return _clean(draft.how_to_reach)


def _contact(contact: ContactRef | None) -> tuple[str, str]:
    if contact is None or contact.kind not in _CONTACT_TYPES:
        return "", UNDEFINED
    return contact.ref, _CONTACT_TYPES[contact.kind]


def _clean(text: str) -> str:
    return text.translate(_CONTROLS).encode("utf-8", "replace").decode()
