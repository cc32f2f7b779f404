"""How a cabinet behaves today: spellings, outcomes, and the switches of whoever experiments."""

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


def disorder(text: str) -> int:
    """Give a sort key that looks arbitrary and is the same every time."""
    return zlib.crc32(text.encode())
