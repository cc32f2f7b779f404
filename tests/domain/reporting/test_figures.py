"""Calls counted on people's clock, and data quality issues priced in calls."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.reporting.data_quality import IssueCosts, count_unread_calls
from bridge.domain.reporting.figures import CallFact, count_calls, quantile
from bridge.domain.routing.decision import EvidenceStep, Finding, RouteDecision, Rule, Target
from tests.support.builders import call, candidate, contact, decision, partner, question, ref

DAY = date(2026, 3, 4)
MSK = ZoneInfo("Europe/Moscow")


def fact(
    hour: int,
    disposition: Disposition = Disposition.ANSWERED,
    *,
    wait: int | None = None,
    direction: Direction = Direction.INBOUND,
    day: int = 4,
) -> CallFact:
    at = datetime(2026, 3, day, hour, tzinfo=UTC)
    waited = None if wait is None else timedelta(seconds=wait)
    return CallFact(at, direction, disposition, Rule.CONTACT_MANAGER, waited)


def test_hours_and_days_are_those_of_the_zone() -> None:
    figures = count_calls([fact(22, day=3), fact(20)], DAY, DAY, MSK)

    assert figures.total == 2
    assert figures.hours[1][Disposition.ANSWERED] == 1  # 22:00 UTC of the day before
    assert figures.hours[23][Disposition.ANSWERED] == 1


def test_a_day_without_calls_is_there_and_has_no_share() -> None:
    figures = count_calls([fact(9)], DAY - timedelta(days=1), DAY, UTC)

    assert [day.answered_share for day in figures.days.values()] == [None, 1.0]


def test_only_incoming_calls_whose_end_is_known_make_the_share() -> None:
    facts = [
        fact(9),
        fact(9, Disposition.MISSED),
        fact(9, Disposition.UNKNOWN),
        fact(9, Disposition.NOT_REACHED, direction=Direction.OUTBOUND),
        fact(9, direction=Direction.INTERNAL),
    ]

    figures = count_calls(facts, DAY, DAY, UTC)

    assert figures.days[DAY].answered_share == 0.5
    assert figures.total == 4  # calls between colleagues are nobody's client's


def test_waits_are_shown_in_classes_and_by_their_median() -> None:
    figures = count_calls([fact(9, wait=w) for w in (3, 5, 6, 61)], DAY, DAY, UTC)

    assert list(figures.waits) == [2, 1, 0, 0, 0, 1]
    assert figures.median_wait == timedelta(seconds=6)
    assert figures.p90_wait == timedelta(seconds=61)


def test_nothing_has_no_quantile() -> None:
    assert quantile([], 0.5) is None


# ---------------------------------------------------------------- data quality issues


def decided(
    *steps: EvidenceStep, rule: Rule = Rule.DEFAULT, unmanaged: bool = False
) -> RouteDecision:
    owner = candidate(contact(), [partner(manager=None if unmanaged else "Анна Петрова")])
    return replace(decision(owner, target=Target("100"), rule=rule), evidence=steps)


def test_a_partner_without_a_manager_costs_the_calls_that_reached_nobody_of_his() -> None:
    step = EvidenceStep(Finding.NO_MANAGER, "ООО Ромашка")
    costs = IssueCosts()
    costs.add_call(call(decided=decided(step, unmanaged=True)))
    costs.add_call(call(decided=decided(step, unmanaged=True, rule=Rule.CONTACT_MANAGER)))

    assert costs.call_count == 2
    assert dict(costs.by_partner) == {ref("ООО Ромашка"): 1}


def test_a_manager_without_an_extension_costs_by_name() -> None:
    costs = IssueCosts()
    costs.add_call(
        call(decided=decided(EvidenceStep(Finding.MANAGER_NO_EXTENSION, "ООО", "Вера Немая")))
    )

    assert dict(costs.by_manager) == {"Вера Немая": 1}


def test_a_shared_number_is_listed_with_its_owners() -> None:
    costs = IssueCosts()
    for n in range(2):
        shared = decided(EvidenceStep(Finding.SEVERAL_MANAGERS), rule=Rule.CONTACT_MANAGER)
        costs.add_call(call(question(asked_time=str(n)), shared))

    (issue,) = costs.shared_numbers(10).issues

    assert (issue.owner_name, issue.detail, issue.call_count) == ("79035550123", "Иванов Пётр", 2)


def test_other_calls_than_clients_cost_nothing() -> None:
    costs = IssueCosts()
    made = call(decided=decided(EvidenceStep(Finding.NUMBER_UNKNOWN)))
    costs.add_call(replace(made, is_test_request=True))
    costs.add_call(replace(made, direction=Direction.OUTBOUND))

    assert costs.call_count == 0
    assert not costs.by_unknown_number


def test_an_unread_field_is_behind_the_unknown_callers_whose_digits_it_has() -> None:
    costs = IssueCosts()
    for n in range(3):
        asked = question(asked_time=str(n))
        costs.add_call(call(asked, decided(EvidenceStep(Finding.NUMBER_UNKNOWN))))
    tails = costs.unknown_last_digits()

    assert count_unread_calls("моб. 903/5550123 Пётр", tails) == 3
    assert count_unread_calls("555-01-2", tails) == 0
    assert count_unread_calls("", tails) == 0
