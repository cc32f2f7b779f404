"""Sipuni's events read into neutral form: every code, spelling and quirk of its push.

A field that contradicts the others counts as empty; nothing that a cabinet sends raises anything
but UnreadableEvent. Source: docs/facts/sipuni.md, 'Events'.
"""

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

from bridge.adapters.pbx.sipuni.fields import EventFields
from bridge.adapters.pbx.sipuni.raw_events import PROVIDER
from bridge.adapters.pbx.sipuni.sides import (
    EventSides,
    has_cabinet_form,
    read_extension,
    read_sides,
)
from bridge.adapters.pbx.sipuni.vocabulary import is_ignored_code, read_kind, read_outcome
from bridge.domain.calls.events import CallEvent, Direction, EventKind, Outcome
from bridge.domain.calls.identity import CLOCK_TOLERANCE
from bridge.domain.phone.callers import (
    Caller,
    CallerKind,
    read_did,
    read_outside_caller,
)
from bridge.domain.phone.phone import PhoneRules
from bridge.errors import UnreadableEvent
from bridge.ports.pbx import RawEvent

#: Unix seconds, or milliseconds; "0" stands for no time.
_UNIX: Final = re.compile(r"(?P<seconds>[0-9]{9,11})(?:[0-9]{3}){0,2}(?:\.[0-9]{1,9})?")
_NOT_DIGITS: Final = re.compile(r"[^0-9]+")

_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_RECORD_ID: Final = re.compile(r"[0-9]{6,12}\.[0-9]{1,12}")

_MAX_REF: Final = 64
_MAX_SCHEME: Final = 100
_MAX_CHANNEL: Final = 100


def read_event(event: RawEvent, rules: PhoneRules) -> CallEvent | None:
    """Return a stored event in neutral form; None where it is no call's, as a test of the address.

    Raises:
        UnreadableEvent: it may be a call's, and does not show of which call, or what happened.
    """
    if event.body:
        raise UnreadableEvent("its body is neither a form nor JSON")
    fields = EventFields(event.fields)
    call_ref, order_ref = fields["call_id"][:_MAX_REF], fields["callbackId"][:_MAX_REF]
    if not call_ref and not order_ref:
        if fields.mentions_call:
            raise UnreadableEvent("no field names its call")
        return None
    code = fields["event"][:_MAX_REF]
    kind = read_kind(code)
    if kind is EventKind.UNKNOWN and not is_ignored_code(code):
        raise UnreadableEvent("its code is not known" if code else "no field says what happened")
    at = _moment(fields["timestamp"], event.received_at) or event.received_at
    sides = read_sides(fields)
    is_end = kind in (EventKind.ENDED, EventKind.LEG_ENDED)
    # The id begins with the second in which the call began.
    start_text = fields["call_start_timestamp"] or call_ref.partition(".")[0]
    started_at = _moment(start_text, event.received_at)
    reported_answer = _reported_answer(fields, started_at, at)
    outcome = _outcome(fields, reported_answer) if is_end else None
    extension = _extension(sides)
    answered_at = None
    if kind is EventKind.ANSWERED and extension:
        answered_at = at
    elif outcome is Outcome.ANSWERED:
        answered_at = reported_answer
    has_talk = is_end and outcome in (Outcome.ANSWERED, None)
    return CallEvent(
        provider=PROVIDER,
        kind=kind,
        at=at,
        call_ref=call_ref,
        code=code,
        direction=sides.direction,
        client=_client(fields, sides, rules),
        did=_did(fields, sides, rules),
        extension=extension,
        leg=fields["channel"][:_MAX_CHANNEL],
        started_at=started_at,
        answered_at=answered_at,
        outcome=outcome,
        rung_extensions=_rung(fields),
        transferred_by=read_extension(fields["transfer_from"], fields["user_id"]),
        recording=_recording(fields["call_record_link"]) if has_talk else "",
        order_ref=order_ref,
        scheme=fields["treeName"][:_MAX_SCHEME],
        direction_source=sides.source,
    )


def _client(fields: EventFields, sides: EventSides, rules: PhoneRules) -> Caller | None:
    match sides.direction:
        case Direction.INBOUND:
            return read_outside_caller(fields.outside_number("src"), rules)
        case Direction.OUTBOUND:
            side = "src" if sides.dst.is_inside else "dst"
            return read_outside_caller(fields.outside_number(side), rules)
        case Direction.INTERNAL:
            extension = sides.src.extension
            if extension:
                return Caller(CallerKind.INTERNAL, extension, extension=extension)
    return None


def _extension(sides: EventSides) -> str:
    """Return the extension of this leg; the leg to the DID, a greeting, has none."""
    if sides.direction is Direction.OUTBOUND:
        return sides.src.extension or sides.dst.extension
    return sides.dst.extension


def _did(fields: EventFields, sides: EventSides, rules: PhoneRules) -> str:
    """Return the DID of an inbound call; a leg to an extension does not have it."""
    if sides.direction not in (Direction.INBOUND, None) or sides.dst.is_inside is not False:
        return ""
    did = read_did(fields.outside_number("dst"), rules)
    # Whatever its type, that is an extension; taken for a line it would split one call in two.
    return "" if has_cabinet_form(did) else did


def _outcome(fields: EventFields, reported_answer: datetime | None) -> Outcome | None:
    """Return how the call or leg ended: by its status, without one by the time of its answer."""
    if fields["status"]:
        return read_outcome(fields["status"])
    if reported_answer is not None:
        return Outcome.ANSWERED
    return Outcome.NO_ANSWER if fields["call_answer_timestamp"] == "0" else None


def _rung(fields: EventFields) -> tuple[str, ...]:
    """Return the extensions in `last_called`, separated by a comma or an ampersand."""
    parties = _NOT_DIGITS.split(fields["last_called"])
    read = (read_extension(party, fields["user_id"]) for party in parties)
    return tuple(dict.fromkeys(extension for extension in read if extension))


def _reported_answer(
    fields: EventFields, started_at: datetime | None, ended_at: datetime
) -> datetime | None:
    """Return when the call was answered; None where the PBX's time is impossible.

    On call_external it is wrong: it equals or precedes the start, even without an answer.
    """
    answered = _moment(fields["call_answer_timestamp"], ended_at)
    if answered is None or started_at is None:
        return None
    return answered if started_at < answered <= ended_at else None


def _recording(link: str) -> str:
    """Return the recording's id, or its address, decoded twice where a cabinet encodes it twice.

    Any other text is left out: users click on what stands in the document.
    """
    if not _ADDRESS.match(link) or ("?" not in link and "%3f" in link.lower()):
        link = unquote(link)
    if _ADDRESS.fullmatch(link) or _RECORD_ID.fullmatch(link):
        return link if link.isprintable() else ""
    return ""


def _moment(text: str, received_at: datetime) -> datetime | None:
    """Return Unix seconds or a time with its zone as UTC; None for "0" and a time a day off."""
    unix = _UNIX.fullmatch(text)
    at = _zoned(text) if unix is None else datetime.fromtimestamp(int(unix["seconds"]), UTC)
    if at is None:
        return None
    return at if abs(at - received_at) <= CLOCK_TOLERANCE else None


def _zoned(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return None if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
