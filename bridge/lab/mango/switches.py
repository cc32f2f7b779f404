"""How the cabinet behaves: every uncertainty of the facts is a switch.

docs/facts/mango.md, 'What the simulator must do' and 'Not known'.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec


class MangoOutcome(StrEnum):
    """What becomes of a call once a telephone rings."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    GIVES_UP = "gives_up"
    LEFT_IN_MENU = "left_in_menu"  # the caller leaves while waiting in silence
    SCHEME_END = "scheme_end"  # the caller is not routed, and the scheme hangs up
    EMPLOYEE_SILENT = "employee_silent"  # of a callback: the employee does not pick up
    BLIND_TRANSFER = "blind_transfer"
    RETURNED_TRANSFER = "returned_transfer"  # blind, the colleague does not answer (inferred)
    CONSULTED_TRANSFER = "consulted_transfer"
    MANUAL = "manual"  # it rings, and whoever runs the experiment answers and hangs up

    @property
    def is_answered(self) -> bool:
        """Return whether the call is answered without a command."""
        return self in {
            MangoOutcome.ANSWERED,
            MangoOutcome.BLIND_TRANSFER,
            MangoOutcome.RETURNED_TRANSFER,
            MangoOutcome.CONSULTED_TRANSFER,
        }


class PushOrder(StrEnum):
    """In which order pushes leave; each carries the `seq` of its leg."""

    PARALLEL = "parallel"  # at once, none waits for the answer to the one before
    ONE_BY_ONE = "one_by_one"
    SHUFFLED = "shuffled"  # those of `shuffle_window_s`, in parallel and in any order
    REVERSED = "reversed"  # those of `shuffle_window_s`, the last one first


class PushSignature(StrEnum):
    """How pushes are signed."""

    RIGHT = "right"
    WRONG = "wrong"
    FOREIGN_KEY = "foreign_key"  # right, but with another key
    REWRITTEN = "rewritten"  # over the same values with other blanks


class JsonStyle(StrEnum):
    """How the text of `json` is written."""

    COMPACT = "compact"
    SPACED = "spaced"  # a blank after every `:` and `,`
    ESCAPED = "escaped"  # `\\u` escapes, and PHP's `\\/`


class NumberStyle(StrEnum):
    """Whether numbers come as numbers."""

    DOCUMENTED = "documented"
    TEXT = "text"
    WOBBLING = "wobbling"  # another type at every odd `seq`, of extensions too


class LocationStyle(StrEnum):
    """How `location` is written."""

    DOCUMENTED = "documented"
    MISSPELT = "misspelt"  # `locaton`, as in a sample of the vendor
    MISSING = "missing"  # as in the samples of transfers


class ResultPush(StrEnum):
    """When `result/<command>` is pushed."""

    AS_SEEN = "as_seen"  # of a route after the new leg, of a callback before its first leg
    BEFORE_REPLY = "before_reply"
    BEFORE_LEG = "before_leg"
    AFTER_LEG = "after_leg"
    NEVER = "never"


class RateReply(StrEnum):
    """What a request above the rate gets; each is documented somewhere."""

    BODY_429 = "body_429"  # status 429 in the body and of the reply
    STATUS_503 = "status_503"
    CODE_4290 = "code_4290"
    CODE_5008 = "code_5008"


class CommandReply(StrEnum):
    """How a command is answered; the telephones ring whatever becomes of the answer."""

    PROMPT = "prompt"
    LATE = "late"  # after `reply_delay_s`
    LOST = "lost"  # never: after `reply_delay_s` the connection is dropped


@dataclass(frozen=True, slots=True)
class MangoSwitches:
    """The switches; by default the cabinet does as it is documented.

    Attributes:
        silence_s: how long a caller waits in the scheme's silence, and may be routed; with 0 every
            command comes too late (4101).
        route_delay_s: how long an accepted route takes to have effect (29 s in a sample).
        push_order: see `PushOrder`.
        shuffle_window_s: how long pushes are held to be shuffled or reversed.
        push_signature: see `PushSignature`.
        json_style: see `JsonStyle`.
        vpbx_paths: pushes go to `/vpbx/…` under the base, as the examples print.
        slash_at_end: the addresses of pushes end with a slash.
        repeats: how often a push that was not answered with 200 is sent again (unverified: 0).
        repeat_after_s: the pause before that.
        lost_pushes: what never leaves: paths (`events/summary`) or states (`Disconnected`).
        appeared_twice: a blind transfer lets its leg appear again with the caller's number.
        connected_twice: a consultation lets its leg connect again with the caller's number.
        sip_lines: every line is written as a SIP URI.
        connected_without_line: Connected events lack `to.line_number`.
        groups_without_number: `to.acd_group` is an empty text.
        hidden_callers: every caller's number is hidden: `from.number` is absent.
        menu_end_contradicts: the summary of a call that ended in the menu has entry_result 1 and a
            forward_time, as the vendor's sample has.
        cyrillic_initiator: `callback_initiator` has the Cyrillic letters of the document.
        numbers: see `NumberStyle`.
        location: see `LocationStyle`.
        timestamp_shift_s: added to all times of pushes; 10800 is the "UTC+3" of the text.
        unknown_fields: pushes carry fields no document names.
        sip_call_id: events carry the SIP identifier of the call.
        result_push: see `ResultPush`.
        result_as_text: `result` is a string in the replies to requests, as clients expect.
        error_status: HTTP status of a reply whose `result` is an error.
        forced_results: commands that are refused: `{"route": 4100}`.
        reply: see `CommandReply`; of commands alone.
        reply_delay_s: how long an answer that is late or lost takes.
        events_before_reply: the first push of a callback overtakes the reply to the command.
        ordered_outcome: what becomes of calls ordered by `commands/callback`.
        rate_limits: requests above the documented rates are refused.
        rate_reply: see `RateReply`.
        lock: the second wrong request in two minutes locks the key.
        offline: extensions whose telephone is away (1131).
        do_not_disturb: extensions whose status forbids calls (1124): pushed all the same.
        off_schedule: extensions outside their hours: nothing is pushed of their legs.
        off_schedule_summary: the call has a summary nevertheless (unverified).
        doubled_extension: an extension that a second employee has too, as in the vendor's sample.
        recordings: talks are recorded.
        recording_ready_after_s: how long after its end a recording can be fetched.
        recording_links: recordings can be fetched by a signed GET link (off by default).
        stats_ready_after_s: how long the statistics take.
        stats_not_ready_204: until then they are a bare 204 and no `work`.
        stats_partial: until then they carry a first part of their rows, as a client saw.
        stats_key_valid_s: how long the key to them lives.
        stats_as_object: `data` is an object and no array of days.
        stats_service_rows: the legs of a call include a row without times.
        stats_call_ids: legs carry `external_call_id` (since 18.08.2025).
        stats_iso_dates: dates like `2026-01-01 00:00:00` are taken; else 3104.
    """

    silence_s: float = 5.0
    route_delay_s: float = 0.0
    push_order: PushOrder = PushOrder.PARALLEL
    shuffle_window_s: float = 0.3
    push_signature: PushSignature = PushSignature.RIGHT
    json_style: JsonStyle = JsonStyle.COMPACT
    vpbx_paths: bool = False
    slash_at_end: bool = False
    repeats: int = 0
    repeat_after_s: float = 5.0
    lost_pushes: frozenset[str] = frozenset()
    appeared_twice: bool = True
    connected_twice: bool = True
    sip_lines: bool = False
    connected_without_line: bool = False
    groups_without_number: bool = False
    hidden_callers: bool = False
    menu_end_contradicts: bool = False
    cyrillic_initiator: bool = False
    numbers: NumberStyle = NumberStyle.DOCUMENTED
    location: LocationStyle = LocationStyle.DOCUMENTED
    timestamp_shift_s: int = 0
    unknown_fields: bool = False
    sip_call_id: bool = False
    result_push: ResultPush = ResultPush.AS_SEEN
    result_as_text: bool = False
    error_status: int = 200
    forced_results: dict[str, int] = field(default_factory=dict)
    reply: CommandReply = CommandReply.PROMPT
    reply_delay_s: float = 0.0
    events_before_reply: bool = False
    ordered_outcome: MangoOutcome = MangoOutcome.ANSWERED
    rate_limits: bool = True
    rate_reply: RateReply = RateReply.BODY_429
    lock: bool = True
    offline: frozenset[str] = frozenset()
    do_not_disturb: frozenset[str] = frozenset()
    off_schedule: frozenset[str] = frozenset()
    off_schedule_summary: bool = False
    doubled_extension: str = ""
    recordings: bool = True
    recording_ready_after_s: float = 0.0
    recording_links: bool = False
    stats_ready_after_s: float = 1.0
    stats_not_ready_204: bool = False
    stats_partial: bool = False
    stats_key_valid_s: float = 60.0
    stats_as_object: bool = False
    stats_service_rows: bool = False
    stats_call_ids: bool = True
    stats_iso_dates: bool = False


def change_switches(standing: MangoSwitches, changes: object) -> MangoSwitches:
    """Return *standing* with *changes*.

    Raises:
        ValueError: one of them is no switch, or its value does not fit.
    """
    values: dict[str, object] = msgspec.to_builtins(standing)
    changed = msgspec.convert(changes, dict[str, object])
    if unknown := sorted(changed.keys() - values.keys()):
        raise ValueError(f"no such switch: {', '.join(unknown)}")
    return msgspec.convert(values | changed, MangoSwitches)


def read_mango_switches(raw: bytes) -> MangoSwitches:
    """Return the switches of a file, the same JSON that `POST /_lab/switches` takes.

    Raises:
        ValueError: it is no such JSON, or names an unknown switch.
    """
    return change_switches(MangoSwitches(), msgspec.json.decode(raw))


#: The initiators of callbacks that the document types with Cyrillic letters.
CYRILLIC_INITIATORS: Final = {
    "CC": "СС",
    "MissGroupCallCallback": "MissGroupСallCallback",
}
