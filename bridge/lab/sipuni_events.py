"""What a Sipuni cabinet puts on the wire towards a bridge: its question and its event scripts.

Nothing here awaits, and nothing here reads a clock: the same arguments give the same bytes.

Field names and their meaning come from the vendor's pages (help.sipuni.com 128-132-89 for the
scheme node, doc.sipuni.com 626-636-640 for the event push); their quirks and order come from
published captures. Switches exist because a cabinet shows some of the quirks on some days.
"""

import re
import zlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote, quote_plus, urlencode
from zoneinfo import ZoneInfo

# A DID was captured with such a tail on inbound legs; the digits name the line in the cabinet.
DID_SUFFIX = "_id123456"
GREETING_S = 1  # the greeting rings nobody; an employee's leg starts after it

Params = tuple[tuple[str, str], ...]


class CallerSpelling(StrEnum):
    """How the carrier and the scheme node spell one and the same caller."""

    AS_GIVEN = "as_given"
    SEVEN = "seven"
    PLUS_SEVEN = "plus_seven"
    PLUS_UNENCODED = "plus_unencoded"  # a bare "+" in a query, which decodes to a space
    EIGHT = "eight"
    LOCAL_NINE = "local_nine"  # a 9-digit national number was captured in an Uzbek cabinet
    SPACED_PLUS = "spaced_plus"
    SPACED_PERCENT = "spaced_percent"
    ANONYMOUS = "anonymous"
    EMPTY = "empty"
    MISSING = "missing"
    REPEATED = "repeated"  # the parameter stands twice, in two spellings


class TimeSpelling(StrEnum):
    """How the node writes `time`; the vendor's page names it and shows no example."""

    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    TEXT = "text"
    MISSING = "missing"


class Outcome(StrEnum):
    """What becomes of a planned call once somebody's telephone rings."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    GIVES_UP = "gives_up"
    GROUP_RING = "group_ring"
    TRANSFER = "transfer"

    @property
    def is_answered(self) -> bool:
        """Tell whether somebody talked to the caller."""
        return self in {Outcome.ANSWERED, Outcome.GROUP_RING, Outcome.TRANSFER}

    @property
    def status(self) -> str:
        """Give the DIALSTATUS word of the final event.

        A caller who gave up and a callee who did not answer look alike: both were captured as
        NOANSWER.
        """
        if self.is_answered:
            return "ANSWER"
        return "BUSY" if self is Outcome.BUSY else "NOANSWER"


@dataclass(frozen=True, slots=True)
class Switches:
    """Say how this cabinet behaves today; the defaults are its best day.

    Attributes:
        caller: spelling of `fromnum`; a hidden caller is hidden in the events too.
        time: spelling of `time` in the question.
        tonum_suffix: the question's DID carries `_id123456`.
        bare_question: the question comes without a single parameter.
        shuffle_params: question and events have their parameters in arbitrary order.
        dup_event1: the first event 1 comes again, one second later, otherwise identical.
        drop_event2: the final event never comes, though the call is over in the statistics.
        unknown_event: a code outside 1-4 that is pushed after the first event; empty for none.
        broken_answer_ts: `call_answer_timestamp` precedes the start of the call.
        did_suffix: the events' DID carries `_id123456`.
        record_id_shift: the id in the recording link differs from the call id in its last digit.
        renamed_scheme: somebody renamed the scheme to this; empty for the default names.
        last_called_separator: between the extensions of `last_called`; "," and "&" were seen.
        post_instead_of_get: events come as a POSTed form whatever the cabinet's setting.
        suspend_after: pushing stops for good after so many incorrect answers; 0 for never. It
            belongs to the cabinet: a single call's own switches do not change it.
        event_before_answer: event 1 of an incoming call overtakes the routing question.
        event_before_reply: event 1 of an ordered call overtakes the API's reply.
        offline_ext: extensions whose softphone is not registered.
        originated: what becomes of calls ordered through the API.
        reordered_columns: the statistics' columns stand in another order.
        recordings_ready: recordings can be fetched; otherwise a sentence comes in their place.
        refusal_status: HTTP status of a refused API request; both 200 and others were seen.
    """

    caller: CallerSpelling = CallerSpelling.AS_GIVEN
    time: TimeSpelling = TimeSpelling.SECONDS
    tonum_suffix: bool = False
    bare_question: bool = False
    shuffle_params: bool = False
    dup_event1: bool = False
    drop_event2: bool = False
    unknown_event: str = ""
    broken_answer_ts: bool = False
    did_suffix: bool = False
    record_id_shift: bool = False
    renamed_scheme: str = ""
    last_called_separator: str = ","
    post_instead_of_get: bool = False
    suspend_after: int = 0
    event_before_answer: bool = False
    event_before_reply: bool = True
    offline_ext: frozenset[str] = frozenset()
    originated: Outcome = Outcome.ANSWERED
    reordered_columns: bool = False
    recordings_ready: bool = True
    refusal_status: int = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One call as the exchange itself knows it.

    Attributes:
        call_id: `<unix seconds>.<counter>`, the same for all legs.
        started: Unix seconds.
        source: an outside number, or an extension when `source_inner`.
        destination: the DID of an incoming call, the outside number of an ordered one.
        destination_plus: `pbxdstnum` gets a leading plus, as captured for `call_number`.
        callback_id: 32 hex digits of the order that began the call, or empty.
    """

    call_id: str
    started: int
    source: str
    destination: str
    cabinet: str
    tree_name: str
    tree_number: str
    record_link: str
    source_inner: bool = False
    destination_plus: bool = False
    callback_id: str = ""


@dataclass(frozen=True, slots=True)
class ScriptedEvent:
    """One event to push at virtual second *at*."""

    at: int
    params: Params

    @property
    def code(self) -> str:
        """Give the value of `event`."""
        return self.value("event")

    def value(self, name: str) -> str:
        """Give the parameter called *name*, or an empty string."""
        return dict(self.params).get(name, "")

    def with_values(self, **values: str) -> "ScriptedEvent":
        """Copy the event with some parameters replaced or added."""
        return replace(self, params=tuple((dict(self.params) | values).items()))


Script = tuple[ScriptedEvent, ...]


# ---------------------------------------------------------------- the question


def carrier_number(number: str, spelling: CallerSpelling) -> str:
    """Spell *number* as this carrier would, before any URL encoding."""
    national = re.sub(r"\D", "", number)[-10:]
    spelled = {
        CallerSpelling.SEVEN: f"7{national}",
        CallerSpelling.PLUS_SEVEN: f"+7{national}",
        CallerSpelling.PLUS_UNENCODED: f"+7{national}",
        CallerSpelling.EIGHT: f"8{national}",
        CallerSpelling.LOCAL_NINE: national[-9:],
        CallerSpelling.SPACED_PLUS: f"+7 {national[:3]} {national[3:6]} {national[6:]}",
        CallerSpelling.SPACED_PERCENT: f"+7 {national[:3]} {national[3:6]} {national[6:]}",
        CallerSpelling.ANONYMOUS: "anonymous",
        CallerSpelling.EMPTY: "",
        CallerSpelling.MISSING: "",
        CallerSpelling.REPEATED: f"7{national}",
    }
    return spelled.get(spelling, number)


def event_number(number: str, spelling: CallerSpelling) -> str:
    """Spell *number* as `src_num` of an event: digits, or the word for a hidden caller."""
    return re.sub(r"[+\s()-]", "", carrier_number(number, spelling))


def question_query(
    *,
    caller: str,
    did: str,
    dtmf: str,
    label: str,
    arrived: float,
    zone: ZoneInfo,
    switches: Switches,
) -> str:
    """Compose the query string of one routing question, ready for the wire.

    *arrived* is when the call reached the exchange (Unix seconds), the same at every node.
    """
    if switches.bare_question:
        return ""
    pairs = [
        *(f"fromnum={value}" for value in _encoded_callers(caller, switches.caller)),
        f"tonum={quote(did + (DID_SUFFIX if switches.tonum_suffix else ''), safe='')}",
        f"dtmf={quote(dtmf, safe='')}",
        f"label={quote(label, safe='')}",
        *(f"time={quote(value, safe='')}" for value in _spelled_time(arrived, zone, switches.time)),
    ]
    if switches.shuffle_params:
        pairs.sort(key=lambda pair: _disorder(f"{arrived}{pair}"))
    return "&".join(pairs)


def _encoded_callers(number: str, spelling: CallerSpelling) -> tuple[str, ...]:
    plain = carrier_number(number, spelling)
    match spelling:
        case CallerSpelling.MISSING:
            return ()
        case CallerSpelling.PLUS_UNENCODED:
            return (quote(plain, safe="+"),)
        case CallerSpelling.SPACED_PLUS:
            return (quote_plus(plain),)
        case CallerSpelling.REPEATED:
            return quote(plain), quote(carrier_number(number, CallerSpelling.EIGHT))
        case _:
            return (quote(plain, safe=""),)


def _spelled_time(arrived: float, zone: ZoneInfo, spelling: TimeSpelling) -> tuple[str, ...]:
    match spelling:
        case TimeSpelling.SECONDS:
            return (str(int(arrived)),)
        case TimeSpelling.MILLISECONDS:
            return (str(int(arrived * 1000)),)
        case TimeSpelling.TEXT:
            return (datetime.fromtimestamp(arrived, tz=zone).strftime("%Y-%m-%d %H:%M:%S"),)
        case TimeSpelling.MISSING:
            return ()


def _disorder(text: str) -> int:
    """Give a sort key that looks arbitrary and is the same every time."""
    return zlib.crc32(text.encode())


# ---------------------------------------------------------------- single events


def did_leg(line: Line) -> ScriptedEvent:
    """Compose event 1 of an incoming call on its DID: nobody is rung yet."""
    return _event(line, "1", line.started, _towards_did(line))


def extension_leg(line: Line, code: str, at: int, extension: str) -> ScriptedEvent:
    """Compose event 1 (rings) or 3 (answers) of the leg to *extension*."""
    inner = (("is_inner_call", "1"),) if code == "1" else ()
    return _event(line, code, at, (*_towards_extension(line, extension), *inner))


def hangup_of_leg(
    line: Line, at: int, extension: str, status: str, answered_at: int, *, transfers: bool = False
) -> ScriptedEvent:
    """Compose event 4: the leg of *extension* is over, the call goes on."""
    gave_away = (("transfer_from", extension),) if transfers else ()
    towards = _towards_extension(line, extension)
    ending = _ending(line, status, answered_at, extension)
    return _event(line, "4", at, (*towards, *ending, *gave_away))


def final_event(
    line: Line, at: int, status: str, answered_at: int, last_called: str, *, transfer_from: str = ""
) -> ScriptedEvent:
    """Compose event 2: the call is over.

    The recording link is there even when nobody answered, as captured.
    """
    came_from = (("transfer_from", transfer_from),) if transfer_from else ()
    towards = _towards_did(line)
    return _event(
        line, "2", at, (*towards, *_ending(line, status, answered_at, last_called), *came_from)
    )


def _event(line: Line, code: str, at: int, fields: Params) -> ScriptedEvent:
    # The channel differs between the events of one call, as captured: it names a leg, not a call.
    channel = f"SIP/{line.cabinet}100003-{_disorder(line.call_id + code) & 0xFFFF:08x}"
    frame: Params = (
        ("event", code),
        ("call_id", line.call_id),
        ("timestamp", str(at)),
        ("treeName", line.tree_name),
        ("treeNumber", line.tree_number),
        ("user_id", line.cabinet),
        ("channel", channel),
    )
    ordered_by = (("callbackId", line.callback_id),) if line.callback_id else ()
    return ScriptedEvent(at=at, params=(*frame, *_source(line), *fields, *ordered_by))


def _source(line: Line) -> Params:
    # An inner party is the cabinet number and the extension written together: 012345205.
    full = f"{line.cabinet}{line.source}" if line.source_inner else line.source
    return (
        ("src_num", full),
        ("src_type", "2" if line.source_inner else "1"),
        ("short_src_num", line.source),
    )


def _towards_did(line: Line) -> Params:
    return (
        ("dst_num", line.destination),
        ("dst_type", "1"),
        ("short_dst_num", line.destination),
        ("pbxdstnum", f"+{line.destination}" if line.destination_plus else line.destination),
    )


def _towards_extension(line: Line, extension: str) -> Params:
    return (
        ("dst_num", f"{line.cabinet}{extension}"),
        ("dst_type", "2"),
        ("short_dst_num", extension),
        ("pbxdstnum", f"100{extension[-3:]}"),  # a 6-digit SIP line on inner legs
    )


def _ending(line: Line, status: str, answered_at: int, last_called: str) -> Params:
    return (
        ("status", status),
        ("call_start_timestamp", str(line.started)),
        ("call_answer_timestamp", str(answered_at)),
        ("call_record_link", line.record_link),
        ("last_called", last_called),
    )


# ---------------------------------------------------------------- scripts


def unreachable_script(line: Line, extension: str) -> Script:
    """Script an incoming call that found nobody's telephone registered."""
    return did_leg(line), final_event(
        line, line.started + GREETING_S, "CHANUNAVAIL", 0, last_called=extension
    )


def incoming_script(
    line: Line,
    outcome: Outcome,
    extension: str,
    *,
    ring_s: int,
    talk_s: int,
    others: tuple[str, ...] = (),
    separator: str = ",",
) -> Script:
    """Script an incoming call that rings *extension* first.

    *others* are the rest of a ring group, or the colleague who takes a transfer. The order of
    events within a group ring and a transfer is inferred from public code, not captured.
    """
    rings, answers = line.started + GREETING_S, line.started + GREETING_S + ring_s
    opening = (did_leg(line), extension_leg(line, "1", rings, extension))
    if not outcome.is_answered:
        return *opening, final_event(line, answers, outcome.status, 0, extension)
    answer, ends = extension_leg(line, "3", answers, extension), answers + talk_s
    if outcome is Outcome.GROUP_RING:
        rung = separator.join((extension, *others))
        return (
            *opening,
            *(extension_leg(line, "1", rings, other) for other in others),
            answer,
            *(hangup_of_leg(line, answers, other, "NOANSWER", 0) for other in others),
            final_event(line, ends, "ANSWER", answers, rung),
        )
    if outcome is Outcome.TRANSFER and others:
        moved = answers + talk_s // 2
        return (
            *opening,
            answer,
            extension_leg(line, "1", moved, others[0]),
            hangup_of_leg(line, moved, extension, "ANSWER", answers, transfers=True),
            extension_leg(line, "3", moved + GREETING_S, others[0]),
            final_event(line, ends, "ANSWER", answers, others[0], transfer_from=extension),
        )
    return *opening, answer, final_event(line, ends, "ANSWER", answers, extension)


def ordered_script(
    line: Line, outcome: Outcome, extension: str, *, ring_s: int, talk_s: int
) -> Script:
    """Script a call between an employee and an outside number, ordered through the API."""
    answers = line.started + ring_s
    opening = _event(line, "1", line.started, _towards_did(line))
    if not outcome.is_answered:
        return opening, final_event(line, answers, outcome.status, 0, extension)
    return (
        opening,
        _event(line, "3", answers, _towards_did(line)),
        final_event(line, answers + talk_s, "ANSWER", answers, extension),
    )


def external_script(line: Line, outcome: Outcome, *, ring_s: int, talk_s: int) -> Script:
    """Script a call between two outside numbers.

    Event 1 comes only when the second party is dialled, 8-13 s after the time in the call id; a
    first party who hangs up before that leaves no event at all; and the answer time is always
    wrong, also when nobody answered (all captured).
    """
    if outcome is Outcome.GIVES_UP:
        return ()
    second_leg = line.started + 10
    answers = second_leg + ring_s
    opening = _event(line, "1", second_leg, _towards_did(line))
    if not outcome.is_answered:
        return opening, final_event(line, answers, outcome.status, line.started, "")
    return (
        opening,
        _event(line, "3", answers, _towards_did(line)),
        final_event(line, answers + talk_s, "ANSWER", line.started, ""),
    )


# ---------------------------------------------------------------- quirks


def bend(script: Script, switches: Switches) -> Script:
    """Show *script* as a cabinet with these *switches* would push it."""
    bent = [bend_event(event, switches) for event in script]
    if bent and switches.unknown_event:
        bent.insert(1, bent[0].with_values(event=switches.unknown_event))
    if bent and switches.dup_event1:
        first = bent[0]
        bent.insert(1, replace(first.with_values(timestamp=str(first.at + 1)), at=first.at + 1))
    if switches.drop_event2:
        bent = [event for event in bent if event.code != "2"]
    return tuple(bent)


def bend_event(event: ScriptedEvent, switches: Switches) -> ScriptedEvent:
    """Apply to one *event* the switches that change its parameters."""
    changes: dict[str, str] = {}
    inbound = event.value("src_type") == "1" and event.value("dst_type") == "1"
    if switches.did_suffix and inbound and not event.value("callbackId"):
        changes["dst_num"] = event.value("dst_num") + DID_SUFFIX
        changes["short_dst_num"] = event.value("short_dst_num") + DID_SUFFIX
    if switches.broken_answer_ts and event.code == "2":
        changes["call_answer_timestamp"] = str(int(event.value("call_start_timestamp")) - 1)
    if switches.renamed_scheme:
        changes["treeName"] = switches.renamed_scheme
    bent = event.with_values(**changes)
    if switches.shuffle_params:
        # The seed leaves out the time, so that a duplicate stays otherwise identical.
        seed = bent.value("call_id") + bent.code
        shuffled = sorted(bent.params, key=lambda pair: _disorder(f"{seed}{pair[0]}"))
        bent = replace(bent, params=tuple(shuffled))
    return bent


def encode_event(params: Params) -> str:
    """URL-encode *params* as UTF-8, for a query or for a form."""
    return urlencode(params)
