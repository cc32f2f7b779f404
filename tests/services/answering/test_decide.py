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


class Office:
    """RouteDecider over a directory that may break."""

    def __init__(self, memory: NumberMemory | None = None) -> None:
        self.directory = MemoryDirectory()
        self.directory.cards = {b.NUMBER: b.card(b.contact(), partners=[b.partner()])}
        self.events = RecordedEvents()
        self.deciding = RouteDecider(
            directory=self.directory,
            number_memory=lambda _: memory or NumberMemory(),
            events=self.events,
            rules=RoutingRules("100", {"74852550102": "200"}),
            phones=PhoneRules(),
            clock=lambda: b.NOON,
        )


def test_a_broken_index_sends_the_caller_to_the_default() -> None:
    office = Office()
    office.directory.read_error = "disk I/O error"

    decision = office.deciding.decide(b.question(did=""))

    assert (decision.rule, decision.extension) == (Rule.DEFAULT, "100")
    assert Finding.INDEX_BROKEN in [step.finding for step in decision.evidence]


def test_a_broken_index_is_told_once_and_taken_back_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    office = Office()
    for words in ("disk I/O error", "disk I/O error", "malformed", "", ""):
        office.directory.read_error = words
        office.deciding.decide(b.question())

    assert [(a.name, a.clear) for a in office.events.of(Alarm)] == [
        ("index_broken", False),
        ("index_broken", True),
    ]
    assert [record.message for record in caplog.records] == ["index_broken", "index_back"]


def test_a_withheld_caller_does_not_make_a_broken_index_whole() -> None:
    office = Office()
    office.directory.read_error = "disk I/O error"
    office.deciding.decide(b.question())

    office.deciding.decide(b.question(caller="anonymous"))
    office.deciding.decide(b.question())

    assert [alarm.clear for alarm in office.events.of(Alarm)] == [False]


def test_explaining_reads_numbers_as_the_pbx_would_send_them() -> None:
    question, decision = Office().deciding.explain("8 (903) 555-01-23", "+7 4852 55-01-02")

    assert (question.caller.number, question.did) == (b.NUMBER, "74852550102")
    assert decision.extension == "205"


def test_what_an_operator_said_is_used() -> None:
    office = Office(NumberMemory(chosen_owner=b.contact("Сидоров").ref))
    others = [b.manager(), b.manager("Олег Ким", "207")]
    office.directory.people = b.rows(*others)
    office.directory.cards = {
        b.NUMBER: b.card(
            b.contact(),
            b.contact("Сидоров", partner="ЗАО Клён"),
            partners=[b.partner(), b.partner("ЗАО Клён", manager="Олег Ким")],
        )
    }

    assert office.deciding.decide(b.question()).extension == "207"


def test_the_fallback_needs_nothing_but_the_settings() -> None:
    office = Office()
    office.directory.read_error = "gone"

    decision = office.deciding.fallback(b.question(), "the sky fell")

    assert decision.extension == "200"
    assert any(step.detail == "the sky fell" for step in decision.evidence)
    assert not office.events.published
