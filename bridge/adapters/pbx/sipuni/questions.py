"""Sipuni's dialect: its scheme node's question and answer, its events. Pure translation.

Forms and quirks are those of facts/telephony-apis.md §1; the answers' bodies of contract.md §5.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from bridge.adapters.pbx.sipuni.bodies import (
    decode_body,
    decompressed,
    encode_body,
    parse_body,
    parse_form,
)
from bridge.adapters.pbx.sipuni.events import read_event
from bridge.adapters.pbx.sipuni.fields import vendor_field_name
from bridge.domain.calls.events import CallEvent
from bridge.domain.calls.parties import is_outside_line
from bridge.domain.phone.callers import (
    read_caller,
    read_did,
    read_outside_caller,
)
from bridge.domain.phone.phone import PhoneRules
from bridge.domain.routing.decision import RouteDecision, RouteQuestion
from bridge.ports.pbx import RawEvent, RawReply, RawRequest

#: Which form of the routing answer the cabinet's node follows (contract.md §5).
AnswerForm = Literal["auto", "number", "text"]

_MAX_TIME = 40
_MAX_LABEL = 64
_MAX_DTMF = 32
_MAX_FIELDS = 100  # an event has about twenty
_MAX_NAME = 64
_MAX_VALUE = 2048  # the recording's address is the longest, about 150

#: Unix seconds, or milliseconds; what is below a second tells nothing.
_UNIX = re.compile(r"(?P<seconds>[0-9]{9,11})(?:[0-9]{3})?(?:\.[0-9]{1,9})?")

#: A wall clock without a zone differs from ours by whole half hours, and the question comes while
#: the telephone rings: what remains beyond these is no clock but another call's time.
_ZONE_STEP = timedelta(minutes=30)
_MAX_ZONE = timedelta(hours=14)
_MAX_LATE = timedelta(minutes=10)
_MAX_EARLY = timedelta(minutes=2)

_NOT_SHOWN = "\N{REPLACEMENT CHARACTER}"


class SipuniTelephony:
    """Translates between Sipuni's requests and the neutral ones."""

    def __init__(self, answer: AnswerForm, rules: PhoneRules) -> None:
        self._answer: AnswerForm = answer
        self._rules = rules

    @property
    def provider(self) -> str:
        """Name of the PBX."""
        return "sipuni"

    def parse_question(self, request: RawRequest, received_at: datetime) -> RouteQuestion:
        """Read the node's five parameters; of a repeated one the first that is not empty."""
        found: dict[str, str] = {}
        for name, value in request.query:
            if value and name not in found:
                found[name] = value
        asked_time = _clean(found.get("time", ""), _MAX_TIME).strip()
        did = read_did(found.get("tonum"), self._rules)
        # Who came by an outside line calls from outside, however few digits his number has.
        read = read_outside_caller if is_outside_line(did) else read_caller
        return RouteQuestion(
            provider="sipuni",
            caller=read(found.get("fromnum"), self._rules),
            did=did,
            received_at=received_at,
            dtmf=_clean(found.get("dtmf", ""), _MAX_DTMF),
            label=_clean(found.get("label", ""), _MAX_LABEL).strip(),
            pbx_time_text=asked_time,
            arrived_at=read_question_time(asked_time, received_at) if asked_time else None,
        )

    def render_answer(self, question: RouteQuestion, decision: RouteDecision) -> RawReply:
        """Say the extension in the form the cabinet's node was set up for."""
        extension = decision.extension
        if self._answer == "text":
            text = (extension or "").encode("utf-8", "replace")
            return RawReply(200, text, "text/plain; charset=utf-8")
        if extension is None:
            nobody = b'{"choice": 0, "extension": null}'
            return RawReply(200, nobody if self._answer == "auto" else b'{"choice": 0}')
        # Extensions are texts typed in 1C: dumps escapes what a hand may have left in them.
        quoted = json.dumps(extension)
        if self._answer == "number":
            return RawReply(200, f'{{"choice": {quoted}}}'.encode())
        label = question.label
        elsewhere = label.isascii() and label.isdigit() and label != extension
        choice = 0 if elsewhere else 1
        return RawReply(200, f'{{"choice": {choice}, "extension": {quoted}}}'.encode())

    def parse_events(self, request: RawRequest, received_at: datetime) -> Sequence[RawEvent]:
        """Keep the fields of query, form and body, unknown events' too; one by one in a list."""
        query = request.query
        if request.query_string and any(_NOT_SHOWN in value for _, value in query):
            query = parse_form(request.query_string)
        around = (*query, *request.form)
        if not request.body.strip():
            return (make_raw_event(around, received_at),)
        events = parse_body(request.body, request.headers)
        if not events:
            return (_keep_body(request, around, received_at),)
        if len(events) == 1:
            return (make_raw_event((*around, *events[0]), received_at),)
        return tuple(make_raw_event((*event, *around), received_at) for event in events)

    def reparse_event(self, event: RawEvent) -> Sequence[RawEvent]:
        """Return the events in one that was kept raw, as a newer bridge finds them."""
        if not event.body:
            return (event,)
        request = RawRequest(
            "POST",
            "",
            event.fields,
            headers={"content-type": event.content_type},
            body=decode_body(event.body),
        )
        return self.parse_events(request, event.received_at)

    def read_event(self, event: RawEvent) -> CallEvent | None:
        """Return a kept event in neutral words; None where it is no call's."""
        return read_event(event, self._rules)

    def render_ack(self) -> RawReply:
        """Say what keeps Sipuni pushing; without it the events may be suspended (§1.2)."""
        return RawReply(200, b'{"success": true}')


def make_raw_event(fields: Iterable[tuple[str, str]], received_at: datetime) -> RawEvent:
    """Keep an event's *fields* in a sane size, safe to be stored and shown."""
    fields = tuple(fields)
    if len(fields) > _MAX_FIELDS:
        # What is left out must not be what names the call.
        fields = tuple(sorted(fields, key=lambda pair: not vendor_field_name(pair[0])))
    first = fields[:_MAX_FIELDS]
    kept = tuple((_clean(name, _MAX_NAME), _clean(value, _MAX_VALUE)) for name, value in first)
    return RawEvent("sipuni", received_at, kept)


def _keep_body(
    request: RawRequest, around: tuple[tuple[str, str], ...], received_at: datetime
) -> RawEvent:
    """Keep a body that cannot be read as it came, with the fields beside it."""
    return replace(
        make_raw_event(around, received_at),
        body=encode_body(decompressed(request.body)),
        content_type=_clean(request.headers.get("content-type", ""), _MAX_VALUE),
    )


def read_question_time(text: str, received_at: datetime) -> datetime | None:
    """Read `time`, whose form Sipuni does not document, into aware UTC; None when unreadable.

    Unix seconds (as in the events), milliseconds and ISO forms are read. A text without a zone is
    placed in the zone that makes it a moment ago, since the question is asked while it rings.
    """
    unix = _UNIX.fullmatch(text)
    if unix is not None:
        return datetime.fromtimestamp(int(unix["seconds"]), UTC)
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return _in_likely_zone(at.replace(tzinfo=UTC), received_at)


def _in_likely_zone(at: datetime, received_at: datetime) -> datetime | None:
    ahead = at - received_at
    zone = round(ahead / _ZONE_STEP) * _ZONE_STEP
    if abs(zone) > _MAX_ZONE or not -_MAX_LATE <= ahead - zone <= _MAX_EARLY:
        return None
    return at - zone


def _clean(text: str, length: int) -> str:
    """Cut *text* and replace what can be neither stored nor shown (controls, lone surrogates)."""
    text = text[:length]
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else _NOT_SHOWN for sign in text)
