"""Sipuni's routing question and its answer, and its events, against the composed fixtures."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.pbx.sipuni.questions import SipuniTelephony
from bridge.domain.phone.callers import CallerKind
from bridge.domain.routing.decision import RouteDecision, RouteQuestion, Rule, Target
from bridge.ports.pbx import RawRequest
from tests.support.builders import RULES

FIXTURES = Path(__file__).parents[4] / "fixtures" / "sipuni"
ASKED = datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
ARRIVED = datetime(2026, 1, 1, tzinfo=UTC)

FORM = "application/x-www-form-urlencoded"

TO_205 = RouteDecision(Rule.CONTACT_MANAGER, (Target("205"),))
BY_DEFAULT = RouteDecision(Rule.DEFAULT, fallback=Target("100"))
TO_NOBODY = RouteDecision(Rule.NOBODY)


def sent(name: str) -> RawRequest:
    case = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    return RawRequest(tuple(case["query"].items()))


def asked(*query: tuple[str, str]) -> RouteQuestion:
    return SipuniTelephony("auto", RULES).parse_question(RawRequest(query), ASKED)


# ---------------------------------------------------------------- the question


def test_a_plain_question_is_read_whole() -> None:
    question = SipuniTelephony("auto", RULES).parse_question(sent("route__plain"), ASKED)

    assert question.provider == "sipuni"
    assert question.caller.number == 79001234567
    assert question.did == "74950000001"
    assert (question.dtmf, question.label) == ("", "")
    assert question.pbx_time_text == "1767225600"
    assert question.arrived_at == ARRIVED
    assert question.received_at == ASKED


def test_a_node_s_label_and_the_menu_s_digits_are_kept() -> None:
    question = SipuniTelephony("auto", RULES).parse_question(sent("route__label"), ASKED)

    assert (question.label, question.dtmf) == ("205", "1")


def test_a_hidden_caller_is_withheld() -> None:
    question = SipuniTelephony("auto", RULES).parse_question(sent("route__hidden_caller"), ASKED)

    assert question.caller.kind is CallerKind.WITHHELD
    assert not question.is_blank


def test_a_question_without_anything_is_blank() -> None:
    question = SipuniTelephony("auto", RULES).parse_question(
        sent("route__missing_everything"), ASKED
    )

    assert question.is_blank
    assert question.arrived_at is None


def test_of_a_repeated_parameter_the_first_that_says_something_counts() -> None:
    question = asked(("fromnum", ""), ("fromnum", "79001234567"), ("fromnum", "79007654321"))

    assert question.caller.number == 79001234567


@pytest.mark.parametrize(
    ("text", "arrived"),
    [
        ("1767225600", ARRIVED),
        ("1767225600.123", ARRIVED),
        ("1767225600123", ARRIVED),
        ("2026-01-01T00:00:00Z", ARRIVED),
        ("2026-01-01T03:00:00+03:00", ARRIVED),
        ("2026-01-01 00:00:00", ARRIVED),
        ("2026-01-01 03:00:00", ARRIVED),  # Moscow's wall clock
        ("2025-12-31 23:59:50", ARRIVED - timedelta(seconds=10)),
        ("2026-01-01 05:30:00", ARRIVED),  # a zone of half an hour
        ("2026-01-01 00:15:00", None),  # no zone makes that a moment ago
        ("2026-01-03 00:00:00", None),
        ("", None),
        ("yesterday", None),
        ("0", None),
        ("9" * 40, None),
        ("-1767225600", None),
        ("١٧٦٧٢٢٥٦٠٠", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
    ],
)
def test_the_arrival_time_is_read_in_every_form_a_cabinet_may_use(
    text: str, arrived: datetime | None
) -> None:
    assert asked(("time", text)).arrived_at == arrived


def test_an_unreadable_time_stays_part_of_the_call_s_identity() -> None:
    question = asked(("time", "x" * 1000))

    assert question.pbx_time_text == "x" * 40


def test_over_long_and_unprintable_values_are_made_safe() -> None:
    question = asked(
        ("fromnum", "7" * 100_000), ("tonum", "8" * 100_000), ("label", "\x00\ud800" + "я" * 9000)
    )

    assert len(question.caller.raw) <= 100
    assert len(question.did) <= 20
    assert question.label == "��" + "я" * 62


# ---------------------------------------------------------------- the answer

CONTRACT = [
    ("auto", "", TO_205, b'{"choice": 1, "extension": "205"}'),
    ("auto", "", TO_NOBODY, b'{"choice": 0, "extension": null}'),
    ("auto", "", BY_DEFAULT, b'{"choice": 1, "extension": "100"}'),
    ("auto", "205", TO_205, b'{"choice": 1, "extension": "205"}'),
    ("auto", "206", TO_205, b'{"choice": 0, "extension": "205"}'),
    ("auto", "0205", TO_205, b'{"choice": 0, "extension": "205"}'),
    ("auto", "main", TO_205, b'{"choice": 1, "extension": "205"}'),
    ("auto", "205", TO_NOBODY, b'{"choice": 0, "extension": null}'),
    ("number", "", TO_205, b'{"choice": "205"}'),
    ("number", "206", TO_205, b'{"choice": "205"}'),
    ("number", "", TO_NOBODY, b'{"choice": 0}'),
    ("text", "", TO_205, b"205"),
    ("text", "", BY_DEFAULT, b"100"),
    ("text", "", TO_NOBODY, b""),
]


@pytest.mark.parametrize(("form", "label", "decision", "body"), CONTRACT)
def test_the_answer_has_the_form_of_the_contract(
    form: Literal["auto", "number", "text"], label: str, decision: RouteDecision, body: bytes
) -> None:
    reply = SipuniTelephony(form, RULES).render_answer(asked(("label", label)), decision)

    assert reply.status == 200
    assert reply.body == body
    assert reply.content_type.startswith("text/plain" if form == "text" else "application/json")


@given(st.text(st.characters(), max_size=30), st.text(max_size=10))
def test_whatever_was_typed_as_an_extension_leaves_the_json_whole(
    extension: str, label: str
) -> None:
    decision = RouteDecision(Rule.DEFAULT, fallback=Target(extension))

    reply = SipuniTelephony("auto", RULES).render_answer(asked(("label", label)), decision)

    assert json.loads(reply.body)["extension"] == extension


@given(st.lists(st.tuples(st.sampled_from(["fromnum", "tonum", "label", "time"]), st.text())))
def test_nothing_a_cabinet_sends_makes_the_reading_raise(query: list[tuple[str, str]]) -> None:
    question = asked(*query)

    assert len(question.pbx_time_text) <= 40
    assert question.arrived_at is None or question.arrived_at.utcoffset() == timedelta(0)


# ---------------------------------------------------------------- the events


@pytest.mark.parametrize("name", sorted(p.stem for p in FIXTURES.glob("event*.json")))
def test_an_event_is_kept_as_it_came(name: str) -> None:
    request = sent(name)

    (event,) = SipuniTelephony("auto", RULES).parse_events(request, ASKED)

    assert event.provider == "sipuni"
    assert event.received_at == ASKED
    assert event.fields == request.query


def test_query_and_form_of_an_event_are_one() -> None:
    request = RawRequest((("event", "1"),), FORM, b"call_id=1.2&event=2")

    (event,) = SipuniTelephony("auto", RULES).parse_events(request, ASKED)

    assert event.fields == (("event", "1"), ("call_id", "1.2"), ("event", "2"))


def test_an_event_is_cut_to_a_sane_size() -> None:
    request = RawRequest((("x" * 999, "y" * 9999 + "\ud800"),) * 500)

    (event,) = SipuniTelephony("auto", RULES).parse_events(request, ASKED)

    assert len(event.fields) == 100
    assert event.fields[0] == ("x" * 64, "y" * 2048)


def test_the_acknowledgement_is_what_sipuni_waits_for() -> None:
    reply = SipuniTelephony("auto", RULES).render_ack()

    assert (reply.status, reply.body) == (200, b'{"success": true}')
