"""Sipuni's events in neutral types: every code, spelling and quirk of its push."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.pbx.sipuni.questions import SipuniTelephony
from bridge.domain.calls.events import CallEvent, Direction, DirectionSource, EventKind, Outcome
from bridge.domain.phone.callers import Caller, CallerKind
from bridge.errors import UnreadableEvent
from bridge.ports.pbx import RawEvent, Telephony
from tests.support.builders import RULES

FIXTURES = Path(__file__).parents[4] / "fixtures" / "sipuni"
START = datetime(2026, 1, 1, tzinfo=UTC)
RECEIVED_AT = START + timedelta(seconds=90)
LINK = "https://sipuni.com/api/crm/record?id=1767225600.100001&hash=ab12&user=012345"
PBX: Telephony = SipuniTelephony("auto", RULES)

TO_DID = {"src_num": "79001234567", "src_type": "1", "dst_num": "74950000001", "dst_type": "1"}
TO_205 = {"src_num": "79001234567", "src_type": "1", "dst_num": "012345205", "dst_type": "2"}
FROM_205 = {"src_num": "012345205", "src_type": "2", "dst_num": "79001234567", "dst_type": "1"}
INSIDE = {"src_num": "012345205", "src_type": "2", "dst_num": "012345206", "dst_type": "2"}
CABINET = {"user_id": "012345"}
DID = "74950000001"
ANSWERED = Outcome.ANSWERED


def fixture(name: str) -> CallEvent:
    case = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    read = PBX.read_event(RawEvent("sipuni", RECEIVED_AT, tuple(case["query"].items())))
    assert read is not None
    return read


def read(code: str, *sides: dict[str, str], **fields: str) -> CallEvent:
    merged = {"event": code, "call_id": "1767225600.1", "timestamp": "1767225660"}
    for side in (*sides, fields):
        merged |= side
    read = PBX.read_event(RawEvent("sipuni", RECEIVED_AT, tuple(merged.items())))
    assert read is not None
    return read


def seconds(count: int) -> datetime:
    return START + timedelta(seconds=count)


# ---------------------------------------------------------------- codes and times


def test_an_incoming_call_begins_on_its_did_and_rings_nobody_yet() -> None:
    event = fixture("event1__incoming")

    assert event.kind is EventKind.STARTED
    assert event.direction is Direction.INBOUND
    assert event.client is not None
    assert event.client.number == 79001234567
    assert (event.did, event.extension) == ("74950000001", "")
    assert (event.at, event.call_ref) == (START, "1767225600.100001")
    assert (event.scheme, event.leg) == ("Входящая", "SIP/012345100003-0000abcd")


def test_the_repeated_event_1_is_known_as_the_same() -> None:
    first, again = fixture("event1__incoming"), fixture("event1__duplicate")

    assert again.at - first.at == timedelta(seconds=1)
    assert again.repeat_key == first.repeat_key


def test_an_answer_names_the_extension_and_its_moment() -> None:
    event = fixture("event3__answered")

    assert (event.kind, event.extension) == (EventKind.ANSWERED, "205")
    assert event.answered_at == event.at == seconds(12)
    assert event.did == ""


def test_a_greeting_that_picks_up_answers_nobody() -> None:
    event = read("3", TO_DID)

    assert (event.kind, event.extension, event.answered_at) == (EventKind.ANSWERED, "", None)


def test_the_end_of_an_answered_call_has_everything() -> None:
    event = fixture("event2__answered")

    assert (event.kind, event.outcome) == (EventKind.ENDED, Outcome.ANSWERED)
    assert (event.started_at, event.answered_at, event.at) == (START, seconds(12), seconds(80))
    assert event.rung_extensions == ("205",)
    assert event.recording.startswith("https://sipuni.com/api/crm/record?id=1767225600.100001&")


def test_an_unanswered_call_has_no_answer_and_no_recording_whatever_the_link_says() -> None:
    event = fixture("event2__noanswer")

    assert event.outcome is Outcome.NO_ANSWER
    assert (event.answered_at, event.recording) == (None, "")
    assert event.rung_extensions == ("205", "206")


def test_an_answer_before_the_start_is_not_used() -> None:
    event = fixture("event2__broken_answer_time")

    assert (event.outcome, event.answered_at) == (Outcome.ANSWERED, None)
    assert event.started_at == START


def test_the_leg_that_gave_the_call_away_ends_alone() -> None:
    event = fixture("event4__transfer")

    assert (event.kind, event.extension) == (EventKind.LEG_ENDED, "205")
    assert event.transferred_by == "205"


def test_an_unknown_code_is_kept_as_unknown() -> None:
    event = fixture("event_unknown__7")

    assert (event.kind, event.code) == (EventKind.UNKNOWN, "7")


def test_what_names_no_call_is_no_event_of_a_call() -> None:
    saved = RawEvent("sipuni", RECEIVED_AT, (("event", "1"), ("call_id", " ")))

    assert PBX.read_event(saved) is None
    assert PBX.read_event(RawEvent("sipuni", RECEIVED_AT, ())) is None


@pytest.mark.parametrize("stamp", ["", "0", "soon", "1" * 30, "1577836800", "١٧٦٧٢٢٥٦٠٠"])
def test_without_a_believable_time_an_event_is_as_old_as_its_arrival(stamp: str) -> None:
    assert read("1", TO_DID, timestamp=stamp).at == RECEIVED_AT


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("ANSWER", Outcome.ANSWERED),
        ("answer", Outcome.ANSWERED),
        ("NOANSWER", Outcome.NO_ANSWER),
        ("BUSY", Outcome.BUSY),
        ("CANCEL", Outcome.CANCELLED),
        ("CONGESTION", Outcome.FAILED),
        ("CHANUNAVAIL", Outcome.FAILED),
        ("DONTCALL", None),
        ("", None),
    ],
)
def test_statuses_are_asterisk_s(status: str, outcome: Outcome | None) -> None:
    assert read("2", TO_DID, status=status).outcome is outcome
    assert read("1", TO_DID, status=status).outcome is None


@pytest.mark.parametrize("answered", ["0", "", "1767225600", "1767225599", "1767225661", "x"])
def test_an_answer_that_cannot_be_is_none(answered: str) -> None:
    ended = read(
        "2",
        TO_DID,
        status="ANSWER",
        call_start_timestamp="1767225600",
        call_answer_timestamp=answered,
    )

    assert ended.answered_at is None


# ---------------------------------------------------------------- who and whither


@pytest.mark.parametrize(
    ("sides", "direction", "client", "extension", "did"),
    [
        (TO_DID, Direction.INBOUND, "79001234567", "", "74950000001"),
        (TO_205 | CABINET, Direction.INBOUND, "79001234567", "205", ""),
        (FROM_205 | CABINET, Direction.OUTBOUND, "79001234567", "205", ""),
        (INSIDE | CABINET, Direction.INTERNAL, "205", "206", ""),
        # call_external: both parties outside, distinguished from a client's call by our order
        (TO_DID | {"callbackId": "ab" * 16}, Direction.OUTBOUND, "74950000001", "", ""),
        # an order that rings the client first
        (TO_205 | {"callbackId": "ab" * 16}, Direction.OUTBOUND, "79001234567", "205", ""),
    ],
)
def test_the_direction_follows_the_types_of_the_parties(
    sides: dict[str, str], direction: Direction, client: str, extension: str, did: str
) -> None:
    event = read("1", sides, treeName="Входящая")

    assert event.direction is direction
    assert event.client is not None
    assert str(event.client.number or event.client.extension) == client
    assert (event.extension, event.did) == (extension, did)


def test_the_name_of_the_scheme_does_not_decide_the_direction() -> None:
    event = read("1", {"treeName": "Исходящая"})

    assert (event.direction, event.client, event.extension) == (None, None, "")
    assert event.direction_source is DirectionSource.NONE


@pytest.mark.parametrize(
    ("numbers", "direction", "client", "extension", "did"),
    [
        # A caller's number and a line of ours; the telephone that rings.
        ({"src_num": "79001234567", "dst_num": "74950000001"}, "inbound", 79001234567, "", DID),
        ({"src_num": "79001234567", "dst_num": "012345205"}, "inbound", 79001234567, "205", ""),
        (
            {"src_num": "79001234567", "dst_num": "012345205", "short_dst_num": "205"},
            *("inbound", 79001234567, "205", ""),
        ),
        (
            {"src_num": "79001234567", "dst_num": "74950000001", "short_dst_num": "777"},
            *("inbound", 79001234567, "777", DID),
        ),
        ({"src_num": "79001234567"}, "inbound", 79001234567, "", ""),
        # One of ours who dials.
        ({"src_num": "012345205", "dst_num": "79001234567"}, "outbound", 79001234567, "205", ""),
        ({"src_num": "205", "dst_num": "79001234567"}, "outbound", 79001234567, "205", ""),
        ({"src_num": "012345205", "dst_num": "012345206"}, "internal", None, "206", ""),
        # Nine digits that are no cabinet's (Uzbekistan), ten that are; the short number decides.
        ({"src_num": "901234567", "short_src_num": "901234567"}, "inbound", None, "", ""),
        ({"dst_num": "74950000001"}, None, None, "", DID),
        ({"dst_num": "012345205"}, None, None, "205", ""),
    ],
)
@pytest.mark.parametrize("types", [{}, {"src_type": "mobile", "dst_type": "7"}])
def test_numbers_decide_what_types_leave_open(
    numbers: dict[str, str],
    direction: str | None,
    client: int | None,
    extension: str,
    did: str,
    *,
    types: dict[str, str],
) -> None:
    event = read("1", numbers, types)

    assert (event.direction, event.extension, event.did) == (direction, extension, did)
    assert event.client is None or event.client.number == client
    assert event.direction_source is (
        DirectionSource.NONE if direction is None else DirectionSource.NUMBERS
    )


def test_a_number_beats_a_type_that_contradicts_it() -> None:
    ours = read("1", TO_DID | {"src_num": "012345205", "dst_num": "79001234567"}, CABINET)
    outside = read("1", TO_205 | {"src_type": "2"}, CABINET)

    assert (ours.direction, ours.extension) == (Direction.OUTBOUND, "205")
    assert (outside.direction, outside.extension) == (Direction.INBOUND, "205")


def test_the_trunk_leg_may_name_the_telephone_that_rings() -> None:
    event = read("1", TO_DID, {"short_dst_num": "777"})

    assert (event.extension, event.did) == ("777", DID)


@pytest.mark.parametrize("number", ["900", "0500", "12345"])
def test_few_digits_from_outside_are_a_client(number: str) -> None:
    event = read("1", TO_DID, {"src_num": number, "short_src_num": number})

    assert event.direction is Direction.INBOUND
    assert event.client == Caller(CallerKind.SHORT, number)


def test_few_digits_that_we_dial_are_no_colleague() -> None:
    event = read("1", FROM_205, {"dst_num": "112"})

    assert event.client == Caller(CallerKind.SHORT, "112")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((spelling, Outcome.ANSWERED) for spelling in ("ANSWERED", "Answer", "отвечен", "Принят")),
        *((spelling, Outcome.NO_ANSWER) for spelling in ("NO ANSWER", "no_answer", "NoAnswer")),
        *(
            (spelling, Outcome.NO_ANSWER)
            for spelling in ("Не отвечен", "нет ответа", "Пропущенный")
        ),
        *((spelling, Outcome.BUSY) for spelling in ("Busy", "занято")),
        *((spelling, Outcome.CANCELLED) for spelling in ("CANCELED", "Cancelled", "Отменён")),
        *((spelling, None) for spelling in ("REDIRECTED", "17", "Неизвестно", "ANSWERED?NO")),
    ],
)
def test_a_status_is_read_in_every_spelling_and_never_guessed(
    status: str, outcome: Outcome | None
) -> None:
    assert read("2", TO_DID, status=status).outcome is outcome


def test_without_a_status_the_time_of_the_answer_decides() -> None:
    times = {"call_start_timestamp": "1767225600"}

    assert read("2", TO_DID, times, call_answer_timestamp="1767225605").outcome is ANSWERED
    assert read("2", TO_DID, times, call_answer_timestamp="0").outcome is Outcome.NO_ANSWER
    assert read("2", TO_DID, times).outcome is None
    assert read("2", TO_DID, times, call_answer_timestamp="1767225599").outcome is None


@pytest.mark.parametrize("code", ["1.0", "01", "start", "CallStart"])
def test_a_code_is_read_in_every_spelling(code: str) -> None:
    assert read(code, TO_DID).kind is EventKind.STARTED


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "1", "src_num": "79001234567", "dst_num": "74950000001"},
        {"event": "begin-of-call", "call_id": "1767225600.1"},
        {"call_id": "1767225600.1", "src_num": "79001234567"},
        {"kto": "79001234567"},
    ],
)
def test_what_may_be_a_call_and_is_not_understood_is_unread(fields: dict[str, str]) -> None:
    with pytest.raises(UnreadableEvent, match="cannot be read"):
        PBX.read_event(RawEvent("sipuni", RECEIVED_AT, tuple(fields.items())))


def test_fields_are_known_in_other_spellings() -> None:
    sent = {
        "Event": "2",
        "callId": "1767225600.1",
        "srcNum": "79001234567",
        "src-type": "1",
        "shortDstNum": "205",
        "dstNum": "012345205",
        "DST_TYPE": "2",
        "callStartTimestamp": "1767225600",
        "dialstatus": "ANSWER",
        "lastCalled": "205",
        "userId": "012345",
    }
    event = PBX.read_event(RawEvent("sipuni", RECEIVED_AT, tuple(sent.items())))

    assert event is not None
    assert (event.kind, event.call_ref, event.outcome) == (
        EventKind.ENDED,
        "1767225600.1",
        ANSWERED,
    )
    assert (event.direction, event.extension, event.rung_extensions) == (
        Direction.INBOUND,
        "205",
        ("205",),
    )
    assert event.direction_source is DirectionSource.STATED


def test_the_vendors_spelling_wins() -> None:
    both = (("callId", "9.9"), ("call_id", "1.1"), ("event", "1"), ("src", "205"))

    event = PBX.read_event(RawEvent("sipuni", RECEIVED_AT, both))

    assert event is not None
    assert event.call_ref == "1.1"


@pytest.mark.parametrize(
    ("spelled", "extension"),
    [
        ({"short_dst_num": "205", "dst_num": "012345205"}, "205"),
        ({"dst_num": "012345205"}, "205"),
        ({"dst_num": "012345205", "user_id": "012345"}, "205"),
        ({"dst_num": "0123452050", "user_id": "0123452"}, "050"),
        ({"dst_num": "SIP/012345205-0000abcd"}, "205"),
        ({"dst_num": "205_id123456"}, "205"),
        ({"short_dst_num": "012345205"}, "205"),
        ({"dst_num": "SIP/012345100003-0000abcd"}, ""),
        ({"pbxdstnum": "100021"}, ""),
        ({"dst_num": "79001234567", "user_id": "012345"}, ""),
        ({"dst_num": "Local/205@vatsout-ab;1"}, ""),
    ],
)
def test_an_employee_is_known_in_each_spelling(spelled: dict[str, str], extension: str) -> None:
    inner = {"src_num": "79001234567", "src_type": "1", "dst_type": "2"}

    assert read("1", inner, spelled).extension == extension


@pytest.mark.parametrize(
    "spelled",
    [
        {"dst_num": "74950000001_id123456"},
        {"short_dst_num": "74950000001_id123456"},
        {"dst_num": "74950000001_id123456", "pbxdstnum": "74950000001"},
        {"dst_num": "74950000001_id123456", "pbxdstnum": "+74950000001"},
        {"dst_num": "74950000001", "pbxdstnum": "100021"},
        {"dst_num": "84950000001"},
    ],
)
def test_a_did_is_known_in_each_of_its_spellings(spelled: dict[str, str]) -> None:
    line = {"src_num": "79001234567", "src_type": "1", "dst_type": "1"}

    assert read("1", line, spelled).did == "74950000001"


@pytest.mark.parametrize(
    "spelled", [{"pbxdstnum": "+79001234567"}, {"pbxdstnum": "100021"}, {"dst_num": "89001234567"}]
)
def test_a_called_client_is_known_in_each_spelling(spelled: dict[str, str]) -> None:
    event = read("1", FROM_205, spelled)

    assert event.client is not None
    assert event.client.number == 79001234567


def test_a_hidden_caller_is_withheld() -> None:
    event = read("1", TO_DID, src_num="anonymous")

    assert event.client is not None
    assert event.client.kind is CallerKind.WITHHELD


@pytest.mark.parametrize("text", ["205,206", "205&206", " 012345205 ; 012345206;", "205,206,205"])
def test_who_was_rung_is_read_whatever_separates_them(text: str) -> None:
    assert read("2", TO_DID, CABINET, last_called=text).rung_extensions == ("205", "206")


# ---------------------------------------------------------------- the recording


@pytest.mark.parametrize(
    ("link", "kept"),
    [
        (LINK, LINK),
        (LINK.replace(":", "%3A").replace("/", "%2F").replace("?", "%3F"), LINK),
        (LINK.replace("?", "%3F").replace("=", "%3D").replace("&", "%26"), LINK),
        ("1767225600.100001", "1767225600.100001"),
        ("javascript:alert(1)", ""),
        ("https://sipuni.com/a b", ""),
        ("", ""),
    ],
)
def test_a_recording_is_an_address_or_an_id(link: str, kept: str) -> None:
    assert read("2", TO_DID, status="ANSWER", call_record_link=link).recording == kept


# ---------------------------------------------------------------- whatever comes

SIDES = [f"{short}{side}_num" for short in ("", "short_") for side in ("src", "dst")]
TEXT_NAMES = ["status", "treeName", "channel", "call_record_link", "last_called", "transfer_from"]
TIMES = ["timestamp", "call_start_timestamp", "call_answer_timestamp"]
REST = ["event", "call_id", "callbackId", "src_type", "dst_type", "pbxdstnum", "user_id"]
NAMES = st.sampled_from([*SIDES, *TEXT_NAMES, *TIMES, *REST])
VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["", "0", "1", "2", "3", "ANSWER", "1767225600", "012345205", "anonymous"]),
)


@given(st.lists(st.tuples(NAMES | st.text(max_size=10), VALUES), max_size=40))
def test_nothing_a_cabinet_sends_makes_the_reading_raise(fields: list[tuple[str, str]]) -> None:
    named = any(value.strip() for name, value in fields if name == "call_id")
    try:
        event = PBX.read_event(RawEvent("sipuni", RECEIVED_AT, tuple(fields)))
    except UnreadableEvent:
        return  # it is kept as it came

    if event is None:
        assert not named
        return
    assert event.call_ref or event.order_ref
    assert event.at.utcoffset() == timedelta(0)
    assert event.answered_at is None or event.answered_at <= event.at
    assert not event.recording or event.outcome in (Outcome.ANSWERED, None)
    assert event.direction is not Direction.INTERNAL or not event.did


@given(st.permutations(list((TO_205 | CABINET | {"event": "1", "call_id": "1.1"}).items())))
def test_the_order_of_fields_and_their_repetition_change_nothing(
    fields: list[tuple[str, str]],
) -> None:
    repeated = (("call_id", ""), *fields, ("call_id", "2.2"), ("event", "4"))

    assert PBX.read_event(RawEvent("sipuni", RECEIVED_AT, repeated)) == PBX.read_event(
        RawEvent("sipuni", RECEIVED_AT, tuple(sorted(fields)))
    )
