"""Sipuni's routing question and its answer, and the events of its push: pure translation.

Source: docs/facts/sipuni.md, 'The routing question'.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from bridge.adapters.pbx.sipuni.bodies import decode_body, parse_body, parse_form
from bridge.adapters.pbx.sipuni.events import read_event
from bridge.adapters.pbx.sipuni.raw_events import (
    PROVIDER,
    REPLACEMENT,
    clean_text,
    make_raw_event,
    make_unread_event,
)
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

#: Which form of the routing answer the cabinet's scheme node follows.
AnswerForm = Literal["auto", "number", "text"]

_MAX_TIME: Final = 40
_MAX_LABEL: Final = 64
_MAX_DTMF: Final = 32

#: Unix seconds, or milliseconds; fractions of a second are left out.
_UNIX: Final = re.compile(r"(?P<seconds>[0-9]{9,11})(?:[0-9]{3})?(?:\.[0-9]{1,9})?")

#: A wall clock without a zone differs from ours by whole half hours, and the question comes while
#: the phone rings: a larger remaining difference means that the time is not of this call.
_ZONE_STEP: Final = timedelta(minutes=30)
_MAX_ZONE: Final = timedelta(hours=14)
_MAX_LATE: Final = timedelta(minutes=10)
_MAX_EARLY: Final = timedelta(minutes=2)


class SipuniTelephony:
    """`Telephony` of a Sipuni cabinet whose scheme node follows answers of *answer_form*."""

    def __init__(self, answer_form: AnswerForm, rules: PhoneRules) -> None:
        self._answer_form: AnswerForm = answer_form
        self._rules = rules

    @property
    def provider(self) -> str:
        """Return the name of the PBX."""
        return PROVIDER

    def parse_question(self, request: RawRequest, received_at: datetime) -> RouteQuestion:
        """Return the node's five parameters; of a repeated one the first that is not empty."""
        parameters: dict[str, str] = {}
        for name, value in request.query:
            if value and name not in parameters:
                parameters[name] = value
        time_text = clean_text(parameters.get("time", ""), _MAX_TIME).strip()
        did = read_did(parameters.get("tonum"), self._rules)
        # A caller on an outside line is outside, however few digits the number has.
        read = read_outside_caller if is_outside_line(did) else read_caller
        return RouteQuestion(
            provider=PROVIDER,
            caller=read(parameters.get("fromnum"), self._rules),
            did=did,
            received_at=received_at,
            dtmf=clean_text(parameters.get("dtmf", ""), _MAX_DTMF),
            label=clean_text(parameters.get("label", ""), _MAX_LABEL).strip(),
            pbx_time_text=time_text,
            arrived_at=read_question_time(time_text, received_at) if time_text else None,
        )

    def render_answer(self, question: RouteQuestion, decision: RouteDecision) -> RawReply:
        """Return the extension in the form that the cabinet's node was set up for."""
        extension = decision.extension
        if self._answer_form == "text":
            text = (extension or "").encode("utf-8", "replace")
            return RawReply(200, text, "text/plain; charset=utf-8")
        if extension is None:
            no_extension = b'{"choice": 0, "extension": null}'
            return RawReply(200, no_extension if self._answer_form == "auto" else b'{"choice": 0}')
        # Extensions are typed in 1C and may hold any character: dumps escapes it.
        quoted = json.dumps(extension)
        if self._answer_form == "number":
            return RawReply(200, f'{{"choice": {quoted}}}'.encode())
        label = question.label
        is_other_extension = label.isascii() and label.isdigit() and label != extension
        choice = 0 if is_other_extension else 1
        return RawReply(200, f'{{"choice": {choice}, "extension": {quoted}}}'.encode())

    def parse_events(self, request: RawRequest, received_at: datetime) -> Sequence[RawEvent]:
        """Return the events in query and body; of unknown codes too, one for each in a list."""
        query = request.query
        if request.query_string and any(REPLACEMENT in value for _, value in query):
            query = parse_form(request.query_string)
        if not request.body.strip():
            return (make_raw_event(query, received_at),)
        events = parse_body(request.body, request.content_type)
        if not events:
            return (make_unread_event(query, request.body, request.content_type, received_at),)
        if len(events) == 1:
            return (make_raw_event((*query, *events[0]), received_at),)
        return tuple(make_raw_event((*event, *query), received_at) for event in events)

    def reparse_event(self, event: RawEvent) -> Sequence[RawEvent]:
        """Return the events in one that was stored unread, as this version reads them."""
        if not event.body:
            return (event,)
        request = RawRequest(event.fields, event.content_type, decode_body(event.body))
        return self.parse_events(request, event.received_at)

    def read_event(self, event: RawEvent) -> CallEvent | None:
        """Return a stored event in neutral form; None where it is no call's."""
        return read_event(event, self._rules)

    def render_ack(self) -> RawReply:
        """Return the acknowledgement without which Sipuni may suspend its events.

        Source: docs/facts/sipuni.md, 'Events'.
        """
        return RawReply(200, b'{"success": true}')


def read_question_time(text: str, received_at: datetime) -> datetime | None:
    """Return `time`, whose form Sipuni does not document, as aware UTC; None when unreadable.

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
