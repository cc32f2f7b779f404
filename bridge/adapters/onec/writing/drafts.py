"""Drafts → what 1C is sent, and instants ↔ the naive wall clock 1C lives by.

1C's dates have no zone: they are the wall time of its server (facts/ut11-metadata.md §5).
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import UNSET

from bridge.adapters.onec.schema import (
    CONTACT_PERSONS,
    EMPTY_DATE,
    PARTNERS,
    TYPE_PREFIX,
    UNDEFINED_TYPE,
    CallRequestRow,
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
    CallRequest,
    ContactRef,
    PhoneCallChange,
    PhoneCallDraft,
    ReminderDraft,
    WrittenPhoneCall,
    WrittenReminder,
)
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import (
    EMPTY_REF,
    Ref,
    Version,
)
from bridge.ports.onec import FoundDocument

_CONTACT_TYPES: Final = {
    CandidateKind.CONTACT: TYPE_PREFIX + CONTACT_PERSONS,
    CandidateKind.PARTNER: TYPE_PREFIX + PARTNERS,
}

_CONTACT_KINDS: Final = {name: kind for kind, name in _CONTACT_TYPES.items()}

_A_DAY: Final = timedelta(days=1)

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


def phone_call_change_body(change: PhoneCallChange) -> PhoneCallChangeBody:
    """Write what is to be changed in a phone call document."""
    return PhoneCallChangeBody(
        subject=UNSET if change.subject is None else _clean(change.subject),
        description=UNSET if change.description is None else _clean(change.description),
        comment=UNSET if change.comment is None else _clean(change.comment),
        responsible=UNSET if change.responsible is None else change.responsible,
    )


def reminder_text_body(draft: ReminderDraft) -> ReminderTextBody:
    """Write the text of a reminder."""
    return ReminderTextBody(text=_clean(draft.text))


def read_written_phone_call(row: WrittenPhoneCallRow) -> WrittenPhoneCall:
    """Read a document as it stands."""
    return WrittenPhoneCall(
        document=Ref(row.ref.lower()),
        subject=row.subject or "",
        description=row.description or "",
        comment=row.comment or "",
        responsible=_ref(row.responsible),
        deletion_mark=bool(row.deletion_mark),
        version=Version(row.version) if row.version else None,
    )


def read_written_reminder(
    row: ReminderRow, draft: ReminderDraft, zone: ZoneInfo
) -> WrittenReminder:
    """Read the reminder of *draft* as it stands; one without a date is due as it was written."""
    return WrittenReminder(_instant_or(row.due, zone, draft.at), row.text or "")


def read_call_request(row: CallRequestRow, since: datetime, zone: ZoneInfo) -> CallRequest:
    """Read a document by which a manager orders a call."""
    kind, contact = _CONTACT_KINDS.get(row.contact_type or ""), _ref(row.contact)
    return CallRequest(
        document=Ref(row.ref.lower()),
        at=_instant_or(row.at, zone, since),
        subject=row.subject or "",
        description=row.description or "",
        user=_ref(row.responsible) or _ref(row.author),
        how_to_reach=(row.how_to_reach or "").strip(),
        contact=None if kind is None or contact is None else ContactRef(kind, contact),
    )


def earliest_wall_time(since: datetime, zone: ZoneInfo) -> str:
    """Write the earliest wall time that anything after *since* can bear.

    In autumn the clock is put back: what is later may be dated up to an hour earlier.
    """
    put_back = _offset(since, zone) - _offset(since + _A_DAY, zone)
    return wall_time(since - max(put_back, timedelta(0)), zone)


def read_found_document(row: PhoneCallRow, draft: PhoneCallDraft, zone: ZoneInfo) -> FoundDocument:
    """Read a document found by the marker of *draft*."""
    at = _instant_or(row.at, zone, draft.at)
    return FoundDocument(Ref(row.ref.lower()), row.number or "", at, bool(row.deletion_mark))


def search_text(draft: PhoneCallDraft) -> str:
    """Give the text by which the document is searched: exactly what was written into it."""
    return _clean(draft.how_to_reach)


def _contact(contact: ContactRef | None) -> tuple[str, str]:
    if contact is None or contact.kind not in _CONTACT_TYPES:
        return "", UNDEFINED_TYPE
    return contact.ref, _CONTACT_TYPES[contact.kind]


def _instant_or(wall: str | None, zone: ZoneInfo, near: datetime) -> datetime:
    if wall in {None, "", EMPTY_DATE}:
        return near
    try:
        return instant(wall or "", zone, near)
    except ValueError:
        return near


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def _ref(text: str | None) -> Ref | None:
    ref = (text or "").lower()
    return None if ref in {"", EMPTY_REF} else Ref(ref)


def _clean(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines.translate(_CONTROLS).encode("utf-8", "replace").decode()
