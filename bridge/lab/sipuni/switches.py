"""How a cabinet behaves: spellings, outcomes, and the switches that a test may set."""

import zlib
from dataclasses import dataclass
from enum import StrEnum


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


class PlannedOutcome(StrEnum):
    """The end of a planned call once a telephone rings."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    GIVES_UP = "gives_up"
    GROUP_RING = "group_ring"
    TRANSFER = "transfer"

    @property
    def is_answered(self) -> bool:
        """Return whether the call was answered."""
        return self in {PlannedOutcome.ANSWERED, PlannedOutcome.GROUP_RING, PlannedOutcome.TRANSFER}

    @property
    def status(self) -> str:
        """Return the DIALSTATUS value of the final event.

        A caller who gave up and a callee who did not answer look alike: both were captured as
        NOANSWER.
        """
        if self.is_answered:
            return "ANSWER"
        return "BUSY" if self is PlannedOutcome.BUSY else "NOANSWER"


class EventsOver(StrEnum):
    """By which way the cabinet pushes events."""

    HTTP = "http"
    WEBSOCKET = "websocket"
    BOTH = "both"


class OrderReplyMode(StrEnum):
    """How an accepted order is answered; the telephones ring whatever becomes of the answer."""

    PROMPT = "prompt"
    LATE = "late"  # after `order_reply_s`
    LOST = "lost"  # never: after `order_reply_s` the connection is dropped


class AcceptedForm(StrEnum):
    """What an accepted order is answered with; public clients expect each of them."""

    ID = "id"
    CALL_ID = "callId"
    BARE_ONE = "bare_one"
    MESSAGE = "message"  # {"message": "ok", "callId": …}, without `success`
    NAMELESS = "nameless"  # success, and no id to join the events by


class FieldSpelling(StrEnum):
    """How the names of an event's fields are spelled."""

    DOCUMENTED = "documented"
    CAMEL = "camel"  # callId, srcNum
    UPPER = "upper"


class StatusSpelling(StrEnum):
    """How the value of `status` is spelled."""

    DOCUMENTED = "documented"
    SPACED = "spaced"  # NO ANSWER
    PAST = "past"  # ANSWERED
    LOWER = "lower"
    RUSSIAN = "russian"


class BodyForm(StrEnum):
    """What a posted event's body is; all but the first are sent whatever the cabinet's method."""

    FORM = "form"
    JSON = "json"
    JSON_LIST = "json_list"
    JSON_WRAPPED = "json_wrapped"
    MULTIPART = "multipart"
    GZIP = "gzip"  # JSON


@dataclass(frozen=True, slots=True)
class CabinetSwitches:
    """How this cabinet behaves; by default nothing is odd or fails.

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
        renamed_scheme: the scheme was renamed to this; empty for the default names.
        last_called_separator: between the extensions of `last_called`; "," and "&" were seen.
        post_instead_of_get: events come as a POSTed form whatever the cabinet's setting.
        suspend_after: pushing stops for good after so many incorrect answers; 0 for never. It
            belongs to the cabinet: a single call's own switches do not change it.
        event_before_answer: event 1 of an incoming call overtakes the routing question.
        event_before_reply: event 1 of an ordered call overtakes the API's reply.
        offline_ext: extensions whose softphone is not registered.
        originated: what becomes of calls ordered through the API.
        reverse_swaps_parties: an order with `reverse` 1 has its outside number as the source of its
            events (unverified).
        order_reply: how an accepted order is answered, see `OrderReply`.
        order_reply_s: how long an answer that is late or lost takes.
        accepted_form: what an accepted order is answered with.
        recordings_ready: recordings can be fetched; otherwise a sentence is returned.
        refusal_status: HTTP status of a refused API request; both 200 and others were seen.
        refusal_key: the key of a refusal's message: `message` and `msg` were seen.
        refusal_bare: a refusal is a sentence and no JSON, as one client guards against.
        rate_limit: API requests of one second beyond this are refused; 0 for no limit
            (unverified: no limit is documented).
        rate_limit_status: HTTP status of a request beyond the limit (unverified).
        reordered_columns: the statistics' columns stand in another order.
        time_without_seconds: the statistics' time is `dd.mm.yyyy hh:mm`.
        headers_without_units: `Длительность звонка` instead of `Длительность звонка, сек`.
        export_bom: the statistics begin with a byte order mark.
        export_crlf: the statistics' lines end with CRLF, else with LF.
        export_unrecorded_ids: a row without a recording has its `ID записи` too (unverified).
        export_times_daily: `timeFrom` and `timeTo` bound each day of the period, not the whole
            (unverified).
        export_last_minute: the minute of `timeTo` belongs to the period (unverified).
        export_limit: rows of one export, the rest is cut in silence; 0 for no limit (unverified).
        export_newest_first: the statistics begin with the newest call (unverified).
        type_codes: what 1, 2 and 3 of the statistics' `type` select (unverified).
        state_codes: what 1 and 2 of the statistics' `state` select (unverified).
        events_over: by which way events are pushed.
        keepalive_s: a websocket that is silent for longer is dropped; clients send a keepalive
            each 30 s, the cabinet's own patience is unverified.
        single_listener: a websocket that is let in closes the one before (unverified).
        ws_namespace: messages carry an additional `"namespace": "api"`.
        ws_unwrapped: messages are the bare fields, without `action` and `request`.
        omitted_fields: names of fields that events leave out, such as `src_type` and `dst_type`.
        party_types: a value that stands in both types in place of 1 and 2; empty for those.
        field_spelling: how the names of fields are spelled (over the websocket too).
        status_spelling: how `status` is spelled.
        status_word: an undocumented value of `status` in every call; empty for none.
        event_milliseconds: the events' times are milliseconds.
        body_form: what the body of an event is.
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
    originated: PlannedOutcome = PlannedOutcome.ANSWERED
    reverse_swaps_parties: bool = True
    order_reply: OrderReplyMode = OrderReplyMode.PROMPT
    order_reply_s: float = 0.0
    accepted_form: AcceptedForm = AcceptedForm.ID
    recordings_ready: bool = True
    refusal_status: int = 200
    refusal_key: str = "message"
    refusal_bare: bool = False
    rate_limit: int = 0
    rate_limit_status: int = 429
    reordered_columns: bool = False
    time_without_seconds: bool = False
    headers_without_units: bool = False
    export_bom: bool = True
    export_crlf: bool = True
    export_unrecorded_ids: bool = True
    export_times_daily: bool = False
    export_last_minute: bool = True
    export_limit: int = 0
    export_newest_first: bool = False
    type_codes: tuple[str, str, str] = ("Входящий", "Исходящий", "Внутренний")
    state_codes: tuple[str, str] = ("Отвечен", "Не отвечен")
    events_over: EventsOver = EventsOver.HTTP
    keepalive_s: float = 45.0
    single_listener: bool = True
    ws_namespace: bool = False
    ws_unwrapped: bool = False
    omitted_fields: frozenset[str] = frozenset()
    party_types: str = ""
    field_spelling: FieldSpelling = FieldSpelling.DOCUMENTED
    status_spelling: StatusSpelling = StatusSpelling.DOCUMENTED
    status_word: str = ""
    event_milliseconds: bool = False
    body_form: BodyForm = BodyForm.FORM


def arbitrary_sort_key(text: str) -> int:
    """Return a sort key that looks arbitrary and is the same every time."""
    return zlib.crc32(text.encode())
