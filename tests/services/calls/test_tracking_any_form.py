"""Events in any form.

One call for each id, read or stored with an alarm, and never the worst guess.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Final

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from bridge.adapters.pbx.sipuni.questions import SipuniTelephony
from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.documents import build_desired_state
from bridge.domain.delivery.outcome import format_outcome, format_outcome_lines
from bridge.domain.phone.callers import CallerKind
from bridge.ports.alarms import Alarm
from bridge.ports.pbx import RawEvent, RawRequest
from bridge.ports.stores.event_log import UNREAD
from bridge.services.calls.tracking import CallTracker
from tests.support import builders as b
from tests.support.call_services import build_call_services
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents

pytestmark = pytest.mark.anyio

DID: Final = "74950000001"
START: Final = int(b.NOON.timestamp())
REF: Final = f"{START}.100020"
PBX: Final = SipuniTelephony("auto", b.RULES)


class TrackingSetup:
    """CallTracker over a ledger in memory, asked and sent events as a cabinet does."""

    def __init__(self, ledger: MemoryLedger | None = None) -> None:
        self.ledger = ledger or MemoryLedger(lambda: b.NOON)
        self.events = RecordedEvents()
        self.tracker: CallTracker
        _, self.tracker = build_call_services(self.ledger, lambda: b.NOON, self.events)

    async def ask(self, caller: str) -> None:
        query = (("fromnum", caller), ("tonum", DID), ("time", str(START)))
        question = PBX.parse_question(RawRequest(query), b.NOON)
        call = self.tracker.open_call(question, b.decision())
        self.tracker.mark_recorded(await self.ledger.record_call(call, None))

    async def push(self, *events: dict[str, str]) -> None:
        for fields in events:
            request = RawRequest(tuple(fields.items()))
            for raw in PBX.parse_events(request, b.NOON):
                await self.tracker.receive(raw)
        await self.tracker.apply_stored_events()

    @property
    def calls(self) -> list[PhoneCall]:
        return list(self.ledger.calls_by_key.values())

    def alarms(self) -> list[Alarm]:
        return self.events.of(Alarm)


def event(code: str, second: int, caller: str, **fields: str) -> dict[str, str]:
    return {
        "event": code,
        "call_id": REF,
        "src_num": caller,
        "timestamp": str(START + second),
        **fields,
    }


def answered(caller: str) -> list[dict[str, str]]:
    """What a cabinet pushes of a call that 777 answered, without a single type."""
    inner = {"dst_num": "012345777", "short_dst_num": "777"}
    times = {
        "call_start_timestamp": str(START),
        "call_answer_timestamp": str(START + 5),
        "last_called": "777",
        "status": "ANSWER",
    }
    return [
        event("1", 0, caller, dst_num=DID),
        event("1", 1, caller, **inner),
        event("3", 5, caller, **inner),
        event("2", 60, caller, **inner, **times),
    ]


@pytest.mark.parametrize("caller", ["77273501122", "900", "0500", "12345"])
@pytest.mark.parametrize("asked", [True, False])
async def test_events_without_types_are_one_answered_call(caller: str, asked: bool) -> None:
    env = TrackingSetup()
    if asked:
        await env.ask(caller)
    elif len(caller) < 6:
        pytest.skip("without a question nothing tells that few digits came from outside")

    await env.push(*answered(caller))

    (call,) = env.calls
    assert (call.direction, call.caller.raw, call.did) == (Direction.INBOUND, caller, DID)
    assert (call.state.disposition, call.state.talked_extensions) == (
        Disposition.ANSWERED,
        ("777",),
    )
    assert env.alarms() == []


@pytest.mark.parametrize("number", ["900", "00000", "12345"])
async def test_few_digits_from_outside_are_one_missed_call_with_a_document(number: str) -> None:
    env = TrackingSetup()
    typed = {"src_type": "1", "dst_type": "1", "dst_num": DID, "short_src_num": number}

    await env.push(
        event("1", 0, number, **typed),
        event("2", 15, number, **typed, status="NOANSWER", call_start_timestamp=str(START)),
    )

    (call,) = env.calls
    assert call.direction is Direction.INBOUND
    assert call.state.disposition is Disposition.MISSED
    assert env.ledger.entries_by_key.keys() == {call.key}
    assert call.caller.kind in (CallerKind.SHORT, CallerKind.WITHHELD)


async def test_the_question_alone_says_that_few_digits_call_from_outside() -> None:
    env = TrackingSetup()
    await env.ask("900")

    (call,) = env.calls
    assert (call.direction, call.needs_document) == (Direction.INBOUND, True)


async def test_a_call_that_turns_out_to_come_from_outside_gets_its_document() -> None:
    env = TrackingSetup()
    inside = event("1", 0, "900", dst_num="012345777", short_dst_num="777")
    await env.push(inside)
    (call,) = env.calls
    assert (call.direction, env.ledger.entries_by_key) == (Direction.INTERNAL, {})

    await env.push(event("1", 1, "900", src_type="1", dst_type="1", dst_num=DID))

    (call,) = env.calls
    assert call.direction is Direction.INBOUND
    assert env.ledger.entries_by_key.keys() == {call.key}


async def test_an_event_without_its_caller_joins_the_call_of_its_moment() -> None:
    env = TrackingSetup()
    await env.ask("77273501122")

    await env.push(*(_without(one, "src_num") for one in answered("")))

    (call,) = env.calls
    assert (call.caller.number, call.state.disposition) == (77273501122, Disposition.ANSWERED)


async def test_a_question_names_the_caller_whom_its_events_did_not() -> None:
    env = TrackingSetup()
    await env.push(*(_without(one, "src_num") for one in answered("")[:2]))

    await env.ask("77273501122")

    (call,) = env.calls
    assert (call.caller.number, call.has_question) == (77273501122, True)


async def test_an_unknown_end_is_no_missed_call_and_the_statistics_are_asked() -> None:
    env = TrackingSetup()
    await env.push(event("1", 0, "77273501122", dst_num=DID))
    await env.push(event("2", 60, "77273501122", dst_num=DID, status="REDIRECTED"))

    (call,) = env.calls
    assert call.state.disposition is Disposition.UNKNOWN
    assert await env.ledger.open_missed_calls() == []
    assert [c.key for c in env.tracker.unfinished_calls(timedelta(minutes=-1))] == [call.key]


async def test_who_was_lost_in_a_transfer_waits_to_be_called_back_and_reads_so() -> None:
    env = TrackingSetup()
    caller, first, second = "77273501122", {"dst_num": "012345777"}, {"dst_num": "012345778"}
    sent_on = [
        *answered(caller)[:3],
        event("1", 38, caller, **second),
        event("4", 38, caller, **first, status="ANSWER"),
    ]

    await env.push(*sent_on, event("2", 58, caller, dst_num=DID, status="NOANSWER"))

    (call,) = env.calls
    (missed_call,) = await env.ledger.open_missed_calls()
    assert (call.state.disposition, missed_call.call_keys) == (Disposition.ANSWERED, (call.key,))
    assert format_outcome(call, "ru") == "ответил 777, перевод никто не принял"
    assert not build_desired_state(call, "ru", UTC).considered


async def test_an_end_with_an_unknown_status_is_written_to_1c_as_what_it_is() -> None:
    env = TrackingSetup()
    await env.push(event("2", 60, "77273501122", dst_num=DID, status="REDIRECTED"))

    (call,) = env.calls
    assert format_outcome_lines(call, "ru") == ["Итог: итог неизвестен"]


# ---------------------------------------------------------------- unread


async def test_what_cannot_be_read_is_stored_with_an_alarm() -> None:
    env = TrackingSetup()
    await env.push({"kto": "79001234567", "kogda": "now2"}, *answered("77273501122"))

    assert len(env.calls) == 1  # it blocks nobody
    ((_, raw),) = await env.ledger.unread_events(9)
    assert dict(raw.fields)["kto"] == "79001234567"
    (alarm,) = env.alarms()
    assert (alarm.name, alarm.clear) == ("pbx_events_unread", False)
    assert alarm.message.startswith("1 kept unread, see /api/v1/events/unread")
    assert "kto" in alarm.message
    assert "7900" not in alarm.message


async def test_the_alarm_counts_and_goes_with_the_last_of_them() -> None:
    env = TrackingSetup()
    await env.push({"kto": "79001234567"}, {"kto": "79001234568"})
    assert env.alarms()[-1].message.startswith("2 kept unread")

    assert await env.tracker.dismiss_unread() == 2

    assert env.alarms()[-1].clear
    assert await env.ledger.count_unread_events() == 0
    assert len(env.ledger.stored_events) == 2


async def test_a_newer_bridge_reads_what_an_older_one_could_not() -> None:
    ledger = MemoryLedger(lambda: b.NOON)
    body = json.dumps({"request": {"event": "1", "call_id": REF, "src_num": "77273501122"}})
    await ledger.record_event(RawEvent("sipuni", b.NOON, (), body))
    await ledger.record_event(RawEvent("sipuni", b.NOON, (("kto", "79001234567"),)))
    ledger.event_keys |= {0: UNREAD, 1: UNREAD}
    env = TrackingSetup(ledger)

    await env.tracker.apply_stored_events()
    await env.tracker.apply_stored_events()

    (call,) = env.calls
    assert call.caller.number == 77273501122
    assert [row for row, _ in await ledger.unread_events(9)] == [1]
    assert [alarm.message[:13] for alarm in env.alarms()] == ["1 kept unread"]


async def test_an_event_that_breaks_the_reading_is_stored_with_an_alarm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    env = TrackingSetup()
    strange = RawEvent("sipuni", b.NOON, ((REF, 7),))  # type: ignore[arg-type]

    await env.tracker.receive(strange)

    assert await env.ledger.count_unread_events() == 1
    assert [alarm.name for alarm in env.alarms()] == ["pbx_events_unread"]
    assert "event_broken" in caplog.text


# ---------------------------------------------------------------- whatever comes

SPELLINGS: Final = {
    "event": ("event", "Event", "eventType"),
    "call_id": ("call_id", "callId", "CALL-ID"),
    "src_num": ("src_num", "srcNum", "from", ""),
    "short_dst_num": ("short_dst_num", "shortDstNum", ""),
    "timestamp": ("timestamp", "ts", ""),
    "status": ("status", "dialStatus", ""),
    "last_called": ("last_called", "lastCalled", ""),
    "call_start_timestamp": ("call_start_timestamp", "start_time", ""),
    "call_answer_timestamp": ("call_answer_timestamp", ""),
}
TYPES = st.sampled_from([None, "1", "2", "external", "mobile", "0"])
STATUSES = st.sampled_from(["ANSWER", "Answered", "отвечен", "REDIRECTED"])


@st.composite
def mangled(draw: st.DrawFn, fields: dict[str, str]) -> dict[str, str]:
    """An event with fields absent, misspelt and contradicting one another."""
    changed = {
        "src_type": draw(TYPES),
        "dst_type": draw(TYPES),
        "user_id": draw(st.sampled_from([None, "012345"])),
    }
    sent = fields | {name: value for name, value in changed.items() if value is not None}
    if "status" in sent:
        sent["status"] = draw(STATUSES)
    renamed = {draw(st.sampled_from(SPELLINGS.get(n, (n,)))): v for n, v in sent.items()}
    renamed.pop("", None)
    return dict(draw(st.permutations(list(renamed.items()))))


@st.composite
def days(draw: st.DrawFn) -> tuple[str, int, list[dict[str, str]]]:
    """A caller, when the question comes among the events (-1: never), and the events."""
    caller = draw(st.sampled_from(["77273501122", "79001234567"]))
    events = [draw(mangled(fields)) for fields in answered(caller)]
    repeated = events + draw(st.lists(st.sampled_from(events), max_size=4))
    shuffled = draw(st.permutations(repeated))
    return caller, draw(st.integers(-1, len(shuffled))), list(shuffled)


@given(days())
@settings(deadline=None, max_examples=100)
def test_any_mixture_is_one_call_and_answered_is_never_missed(
    day: tuple[str, int, list[dict[str, str]]],
) -> None:
    caller, asked, events = day
    note(f"{caller} {asked} {events}")
    env = TrackingSetup()

    async def live() -> None:
        for place, fields in enumerate(events):
            if place == asked:
                await env.ask(caller)
            await env.push(fields)
        if asked == len(events):
            await env.ask(caller)

    asyncio.run(live())

    _check(env, env.calls)


def _check(env: TrackingSetup, calls: Sequence[PhoneCall]) -> None:
    for one in calls:
        note(f"{one.direction} {one.caller} {one.did} {one.placed_by} asked={one.has_question}")
    (call,) = calls
    assert call.state.call_ref == REF
    assert call.direction is not Direction.INTERNAL or not call.did
    assert call.state.disposition is not Disposition.MISSED
    assert call.state.disposition is not Disposition.RINGING
    # Every event was applied to the call: none was acknowledged and lost.
    assert set(env.ledger.event_keys.values()) == {call.key}
    assert len(env.ledger.event_keys) == len(env.ledger.stored_events)


def _without(fields: dict[str, str], name: str) -> dict[str, str]:
    return {other: value for other, value in fields.items() if other != name}
