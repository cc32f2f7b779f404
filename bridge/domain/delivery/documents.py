"""A call → what UT 11 should hold of it: the phone call document, its subject, the reminder.

1C fills in nothing over OData, so every field is decided here.
Drafts are a pure function of the recorded call: after a crash the same draft is made again.
Source: docs/facts/ut11.md, 'Writing a phone call'.
"""

import hashlib
from collections.abc import Sequence
from datetime import tzinfo

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.desired import DesiredReminder, DesiredState, DocumentText
from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.caller_names import (
    caller_name,
    candidate_name,
    how_to_reach,
    reminder_text,
)
from bridge.domain.delivery.description import find_written_text, merge_text, subject_change
from bridge.domain.delivery.document_drafts import (
    ContactRef,
    PhoneCallChange,
    PhoneCallDraft,
    ReminderDraft,
    WrittenPhoneCall,
)
from bridge.domain.delivery.outcome import format_outcome_lines, format_telephone
from bridge.domain.delivery.texts import Language, format_rule, format_text
from bridge.domain.directory.caller_card import Candidate, CandidateKind
from bridge.domain.directory.entities import Ref

#: Attribute lengths in УТ 11; 1C cuts longer texts silently.
#: Source: docs/facts/ut11.md, 'ТелефонныйЗвонок'.
MAX_SUBJECT = 1024
MAX_PRESENTATION = 1024

#: How the mark of every document of ours begins, in Комментарий.
MARKER_START = "[bridge:"


def document_marker(key: str) -> str:
    """Return the mark by which our document is found; searched before anything is created."""
    return f"{MARKER_START}{key}]"


def proposed_ref(key: str) -> Ref:
    """Derive a reference from the idempotency key (shape of a version 5 guid)."""
    digits = hashlib.sha256(f"1c-bridge/phone-call/{key}".encode()).hexdigest()
    variant = "89ab"[int(digits[16], 16) % 4]
    return Ref(
        f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
    )


def build_desired_state(call: PhoneCall, lang: Language, zone: tzinfo) -> DesiredState:
    """Return what 1C should hold of *call* by now; *zone* is the one its people live in."""
    draft = build_phone_call_draft(call, lang, zone)
    return DesiredState(
        document_text=DocumentText(draft.subject, draft.description, draft.responsible),
        considered=call.state.disposition is Disposition.ANSWERED
        and not call.state.is_lost_in_transfer,
        reminders=build_ringing_reminders(call, lang)
        if call.desired_reminders is None
        else call.desired_reminders,
        revision=call.revision,
    )


def build_phone_call_draft(call: PhoneCall, lang: Language, zone: tzinfo) -> PhoneCallDraft:
    """Draft the document of *call* as it should read now, every field filled."""
    name = caller_name(call, lang)
    return PhoneCallDraft(
        key=call.key,
        proposed_ref=proposed_ref(call.key),
        at=call.arrived_at,
        incoming=call.direction is Direction.INBOUND,
        subject=format_text(lang, f"call.subject.{call.direction}", name=name)[:MAX_SUBJECT],
        description=_description(call, lang, zone),
        presentation=name[:MAX_PRESENTATION],
        how_to_reach=how_to_reach(call, lang),
        comment=document_marker(call.key),
        contact=_contact(call.decision.candidate),
        responsible=_responsible(call),
    )


def build_ringing_reminders(call: PhoneCall, lang: Language) -> tuple[DesiredReminder, ...]:
    """Return the reminder for the 1C user whose telephone rings; none when none rings."""
    target = call.decision.target
    if target is None or target.manager is None or not call.has_question:
        return ()
    return (DesiredReminder(target.manager, reminder_text(call, lang, "call.reminder")),)


def build_reminder_draft(call: PhoneCall, user: Ref, text: str, document: Ref) -> ReminderDraft:
    """Draft the reminder of *call* for *user*; its key is that of every reminder of theirs."""
    return ReminderDraft(user, call.arrived_at, document, text)


def build_document_change(
    present: WrittenPhoneCall, before: Sequence[DocumentText], now: DocumentText, mark: str = ""
) -> PhoneCallChange:
    """Return what to change in a document so that it reads as *now*, and bears *mark*.

    *before* is what we wrote, or may have written: a crash leaves that open. Only what still stands
    as we wrote it is replaced; what users changed stays.
    """
    former = find_written_text(present.description, [text.description for text in before])
    description = merge_text(present.description, former, now.description)
    subjects = (subject_change(present.subject, text.subject, now.subject) for text in before)
    subject = next((changed for changed in subjects if changed is not None), None)
    ours = present.responsible in {text.responsible for text in before}
    moved = now.responsible is not None and now.responsible != present.responsible
    return PhoneCallChange(
        subject=subject,
        description=None if description == present.description else description,
        comment=None if mark in present.comment else f"{present.comment} {mark}".strip(),
        responsible=now.responsible if ours and moved else None,
        seen_version=present.version,
    )


def _contact(candidate: Candidate | None) -> ContactRef | None:
    if candidate is None:
        return None
    if candidate.kind is not CandidateKind.COUNTERPARTY:
        return ContactRef(candidate.kind, candidate.ref)
    partner = candidate.partner
    return None if partner is None else ContactRef(CandidateKind.PARTNER, partner.partner)


def _responsible(call: PhoneCall) -> Ref | None:
    """Return who has the client: who talked, else who dials, else whose telephone was to ring."""
    talked = call.target_of(call.state.answered_by).manager
    if talked is not None:
        return talked
    if call.direction is not Direction.INBOUND:
        return call.target_of(call.placed_by).manager
    target = call.decision.target if call.has_question else None
    return None if target is None else target.manager


def _description(call: PhoneCall, lang: Language, zone: tzinfo) -> str:
    """Return the lines a manager reads: who, on which line, to whom and why, and how it went."""
    inbound = call.direction is Direction.INBOUND
    number = how_to_reach(call, lang)
    lines = [
        format_text(lang, "call.from" if inbound else f"call.from.{call.direction}", number=number)
    ]
    if call.did:
        lines.append(format_text(lang, "call.line", number=call.did))
    if not inbound:
        lines.append(
            format_text(lang, "call.placed_by", who=format_telephone(call, call.placed_by))
        )
    elif call.has_question:
        lines.append(_where_to(call, lang))
    candidates = call.decision.candidates
    if len(candidates) > 1:
        names = "; ".join(candidate_name(c) for c in candidates)
        lines.append(format_text(lang, "call.shared", names=names))
    lines += format_outcome_lines(call, lang)
    for note in call.notes:
        at = note.at.astimezone(zone).strftime("%d.%m.%Y %H:%M")
        lines.append(format_text(lang, "call.note", by=note.by, at=at, text=note.text))
    return "\n".join(lines)


def _where_to(call: PhoneCall, lang: Language) -> str:
    target = call.decision.target
    if target is None:
        return format_text(lang, "call.to_scheme")
    who = f"{target.extension} {target.name}".strip()
    return format_text(lang, "call.to", who=who, why=format_rule(lang, call.decision.rule))
