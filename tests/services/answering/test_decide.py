"""A decision needs only the local index; a broken one sends callers to the default."""

import logging

import pytest

from bridge.domain.phone.phone import PhoneRules
from bridge.domain.routing.decision import Finding, NumberMemory, RoutingRules, Rule
from bridge.ports.alarms import Alarm
from bridge.services.answering.decide import RouteDecider
from tests.support import builders as b
from tests.support.fakes.directory import MemoryDirectory
from tests.support.fakes.ledger import RecordedEvents


class DecisionSetup:
    """RouteDecider over a directory that may break."""

    def __init__(self, memory: NumberMemory | None = None) -> None:
        self.directory = MemoryDirectory()
        self.directory.cards = {b.NUMBER: b.card(b.contact(), partners=[b.partner()])}
        self.events = RecordedEvents()
        self.decider = RouteDecider(
            directory=self.directory,
            number_memory=lambda _: memory or NumberMemory(),
            events=self.events,
            rules=RoutingRules("100", {"74852550102": "200"}),
            phones=PhoneRules(),
            clock=lambda: b.NOON,
        )


def test_a_broken_index_sends_the_caller_to_the_default() -> None:
    env = DecisionSetup()
    env.directory.read_error = "disk I/O error"

    decision = env.decider.decide(b.question(did=""))

    assert (decision.rule, decision.extension) == (Rule.DEFAULT, "100")
    assert Finding.INDEX_BROKEN in [step.finding for step in decision.evidence]


def test_the_alarm_about_a_broken_index_is_raised_once_and_cleared_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    env = DecisionSetup()
    for failure in ("disk I/O error", "disk I/O error", "malformed", "", ""):
        env.directory.read_error = failure
        env.decider.decide(b.question())

    assert [(a.name, a.clear) for a in env.events.of(Alarm)] == [
        ("index_broken", False),
        ("index_broken", True),
    ]
    assert [record.message for record in caplog.records] == ["index_broken", "index_back"]


def test_a_withheld_caller_does_not_make_a_broken_index_whole() -> None:
    env = DecisionSetup()
    env.directory.read_error = "disk I/O error"
    env.decider.decide(b.question())

    env.decider.decide(b.question(caller="anonymous"))
    env.decider.decide(b.question())

    assert [alarm.clear for alarm in env.events.of(Alarm)] == [False]


def test_explaining_reads_numbers_as_the_pbx_would_send_them() -> None:
    question, decision = DecisionSetup().decider.explain("8 (903) 555-01-23", "+7 4852 55-01-02")

    assert (question.caller.number, question.did) == (b.NUMBER, "74852550102")
    assert decision.extension == "205"


def test_an_operators_choice_is_used() -> None:
    env = DecisionSetup(NumberMemory(chosen_owner=b.contact("Сидоров").ref))
    others = [b.manager(), b.manager("Олег Ким", "207")]
    env.directory.people = b.rows(*others)
    env.directory.cards = {
        b.NUMBER: b.card(
            b.contact(),
            b.contact("Сидоров", partner="ЗАО Клён"),
            partners=[b.partner(), b.partner("ЗАО Клён", manager="Олег Ким")],
        )
    }

    assert env.decider.decide(b.question()).extension == "207"


def test_the_fallback_needs_nothing_but_the_settings() -> None:
    env = DecisionSetup()
    env.directory.read_error = "gone"

    decision = env.decider.fallback(b.question(), "the sky fell")

    assert decision.extension == "200"
    assert any(step.detail == "the sky fell" for step in decision.evidence)
    assert not env.events.published
