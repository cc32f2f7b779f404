"""Sipuni's events read into neutral words: every code, spelling and quirk of its push.

Codes, fields and captures: facts/telephony-apis.md §1.2. A field that cannot be believed says
nothing; nothing that a cabinet sends raises.
"""

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

from bridge.domain.call_events import CallEvent, Direction, EventKind, Outcome
from bridge.domain.calls import CLOCK_TOLERANCE
from bridge.domain.phone import Caller, CallerKind, PhoneRules, read_caller, read_did
from bridge.ports import RawEvent

_KINDS: Final = {
    "1": EventKind.STARTED,
    "2": EventKind.ENDED,
    "3": EventKind.ANSWERED,
    "4": EventKind.LEG_ENDED,
}

#: Asterisk's DIALSTATUS words.
_OUTCOMES: Final = {
    "ANSWER": Outcome.ANSWERED,
    "NOANSWER": Outcome.NO_ANSWER,
    "BUSY": Outcome.BUSY,
    "CANCEL": Outcome.CANCELLED,
    "CONGESTION": Outcome.FAILED,
    "CHANUNAVAIL": Outcome.FAILED,
}

_OUTSIDE: Final = "1"
_INSIDE: Final = "2"

#: Unix seconds, or milliseconds; "0" stands for no time.
_UNIX: Final = re.compile(r"(?P<seconds>[0-9]{9,11})(?:[0-9]{3})?(?:\.[0-9]{1,9})?")
_LINE_SUFFIX: Final = re.compile(r"_id[0-9]+$")
_CHANNEL: Final = re.compile(r"(?:SIP/)?(?P<party>[0-9]+)(?:-[0-9a-f]+)?", re.IGNORECASE)
_EXTENSION: Final = re.compile(r"[0-9]{2,5}")
_CABINET_DIGITS: Final = 6
_SIP_LINE_DIGITS: Final = 6
_NOT_DIGITS: Final = re.compile(r"[^0-9]+")

_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_RECORD_ID: Final = re.compile(r"[0-9]{6,12}\.[0-9]{1,12}")

_MAX_REF: Final = 64
_MAX_SCHEME: Final = 100
_MAX_CHANNEL: Final = 100


class _Fields:
    """The fields of one event; of a repeated one the first that says something."""

    def __init__(self, event: RawEvent) -> None:
        self._found: dict[str, str] = {}
        for name, value in event.fields:
            said = value.strip()
            if said and name not in self._found:
                self._found[name] = said

    def __getitem__(self, name: str) -> str:
        return self._found.get(name, "")

    def number(self, side: str) -> str:
        """Give an outside party's number as the PBX spells it best, without its line suffix.

        `pbxdstnum` is the cleanest destination, but on inner legs it is a SIP line of six digits.
        """
        names = (f"{side}_num", f"short_{side}_num")
        if side == "dst":
            clean = _LINE_SUFFIX.sub("", self["pbxdstnum"])
            if len(clean.lstrip("+")) > _SIP_LINE_DIGITS:
                return clean
        return next((_LINE_SUFFIX.sub("", self[name]) for name in names if self[name]), "")

    def extension(self, side: str) -> str:
        """Give an inner party's extension, from whichever of its spellings holds one."""
        for name in (f"short_{side}_num", f"{side}_num"):
            found = read_extension(_LINE_SUFFIX.sub("", self[name]), self["user_id"])
            if found:
                return found
        return ""


def read_event(event: RawEvent, rules: PhoneRules) -> CallEvent | None:
    """Read a kept event; None where it names no call, as when a cabinet's settings are saved."""
    fields = _Fields(event)
    call_ref = fields["call_id"][:_MAX_REF]
    if not call_ref:
        return None
    code = fields["event"][:_MAX_REF]
    kind = _KINDS.get(code, EventKind.UNKNOWN)
    at = _moment(fields["timestamp"], event.received_at) or event.received_at
    direction = _direction(fields)
    extension = _extension(fields, direction)
    over = kind in (EventKind.ENDED, EventKind.LEG_ENDED)
    outcome = _OUTCOMES.get(fields["status"].upper()) if over else None
    # The id begins with the second in which the call came (§1.2).
    began = fields["call_start_timestamp"] or call_ref.partition(".")[0]
    started_at = _moment(began, event.received_at)
    answered_at = None
    if kind is EventKind.ANSWERED and extension:
        answered_at = at
    elif outcome is Outcome.ANSWERED:
        answered_at = _told_answer(fields, started_at, at)
    return CallEvent(
        provider="sipuni",
        kind=kind,
        at=at,
        call_ref=call_ref,
        code=code,
        direction=direction,
        client=_client(fields, direction, rules),
        did=_did(fields, direction, rules),
        extension=extension,
        leg=fields["channel"][:_MAX_CHANNEL],
        started_at=started_at,
        answered_at=answered_at,
        outcome=outcome,
        rung=_rung(fields),
        transfer_from=read_extension(fields["transfer_from"], fields["user_id"]),
        recording=_recording(fields["call_record_link"]) if outcome is Outcome.ANSWERED else "",
        order_ref=fields["callbackId"][:_MAX_REF],
        scheme=fields["treeName"][:_MAX_SCHEME],
    )


def read_extension(party: str, cabinet: str = "") -> str:
    """Read the extension of an inner party: "012345205", "205" and "SIP/012345205-0a" are 205.

    *cabinet* is the number that stands before it. Empty for a SIP line, which names nobody, and
    for a number outside.
    """
    spelled = _CHANNEL.fullmatch(party.strip())
    if spelled is None:
        return ""
    digits = spelled["party"]
    if cabinet and len(digits) > len(cabinet) and digits.startswith(cabinet):
        digits = digits.removeprefix(cabinet)
    elif not cabinet and len(digits) > _CABINET_DIGITS:
        digits = digits[_CABINET_DIGITS:]
    return digits if _EXTENSION.fullmatch(digits) else ""


def _direction(fields: _Fields) -> Direction | None:
    """Tell the direction by the parties' types; the scheme's name is whatever people gave it."""
    match fields["src_type"], fields["dst_type"]:
        case (src, dst) if src == dst == _INSIDE:
            return Direction.INTERNAL
        case (src, dst) if src == _OUTSIDE:
            # Both parties outside is an order too: call_external, or a client rung first.
            return Direction.OUTBOUND if fields["callbackId"] else Direction.INBOUND
        case (src, dst) if src == _INSIDE and dst == _OUTSIDE:
            return Direction.OUTBOUND
    return None


def _client(fields: _Fields, direction: Direction | None, rules: PhoneRules) -> Caller | None:
    match direction:
        case Direction.INBOUND:
            return read_caller(fields.number("src"), rules)
        case Direction.OUTBOUND:
            side = "dst" if fields["dst_type"] != _INSIDE else "src"
            return read_caller(fields.number(side), rules)
        case Direction.INTERNAL:
            extension = fields.extension("src")
            if extension:
                return Caller(CallerKind.INTERNAL, extension, extension=extension)
    return None


def _extension(fields: _Fields, direction: Direction | None) -> str:
    """Give the company's end of this leg; the leg to the DID, a greeting, has none."""
    match direction:
        case Direction.INBOUND | Direction.INTERNAL:
            return fields.extension("dst") if fields["dst_type"] == _INSIDE else ""
        case Direction.OUTBOUND:
            side = "src" if fields["src_type"] == _INSIDE else "dst"
            return fields.extension(side) if fields[f"{side}_type"] == _INSIDE else ""
    return ""


def _did(fields: _Fields, direction: Direction | None, rules: PhoneRules) -> str:
    """Give the dialled line of an inbound call; a leg to an employee does not tell it."""
    if direction is not Direction.INBOUND or fields["dst_type"] == _INSIDE:
        return ""
    return read_did(fields.number("dst"), rules)


def _rung(fields: _Fields) -> tuple[str, ...]:
    """Read `last_called`: separated by a comma here, by an ampersand there."""
    parties = _NOT_DIGITS.split(fields["last_called"])
    read = (read_extension(party, fields["user_id"]) for party in parties)
    return tuple(dict.fromkeys(extension for extension in read if extension))


def _told_answer(
    fields: _Fields, started_at: datetime | None, ended_at: datetime
) -> datetime | None:
    """Give when an answered call was answered, where the PBX's word can be believed.

    On call_external it lies: it equals or precedes the start, even where nobody answered.
    """
    answered = _moment(fields["call_answer_timestamp"], ended_at)
    if answered is None or started_at is None:
        return None
    return answered if started_at < answered <= ended_at else None


def _recording(link: str) -> str:
    """Give the recording's address, decoded once more where a cabinet encodes it twice, or its id.

    What is neither must not stand in a document that people click.
    """
    if not _ADDRESS.match(link) or ("?" not in link and "%3f" in link.lower()):
        link = unquote(link)
    if _ADDRESS.fullmatch(link) or _RECORD_ID.fullmatch(link):
        return link if link.isprintable() else ""
    return ""


def _moment(text: str, received_at: datetime) -> datetime | None:
    """Read Unix seconds; None for "0", for garbage, and for a clock that is a day off."""
    unix = _UNIX.fullmatch(text)
    if unix is None:
        return None
    at = datetime.fromtimestamp(int(unix["seconds"]), UTC)
    return at if abs(at - received_at) <= CLOCK_TOLERANCE else None
