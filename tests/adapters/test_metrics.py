"""The figures: named as operations know them, in a registry of their own."""

from datetime import timedelta

from prometheus_client import REGISTRY

from bridge.adapters.metrics import Metrics
from bridge.domain.routing.decision import Rule
from bridge.ports.alarms import Alarm
from bridge.ports.events import CallRecorded, DirectoryChanged, OneCAvailability
from bridge.ports.stores.outbox import OutboxCounts
from tests.support.builders import call


def figures(metrics: Metrics, age: timedelta | None = None) -> dict[str, str]:
    text = metrics.expose(OutboxCounts(due=3, dead=1), age, 42).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)


def test_an_answered_question_is_counted_by_what_decided_it() -> None:
    metrics = Metrics()

    metrics.routed("sipuni", Rule.DEFAULT, 0.002)
    metrics.routed("sipuni", Rule.DEFAULT, 0.2)
    metrics.routed("sipuni", Rule.NOBODY, 0.002)
    metrics.route_failed("sipuni")

    shown = figures(metrics)
    assert shown['bridge_route_requests_total{provider="sipuni",rule="default"}'] == "2.0"
    assert shown['bridge_route_requests_total{provider="sipuni",rule="nobody"}'] == "1.0"
    assert shown['bridge_route_failures_total{provider="sipuni"}'] == "1.0"
    assert shown["bridge_route_seconds_count"] == "3.0"
    assert shown['bridge_route_seconds_bucket{le="0.0025"}'] == "2.0"


def test_the_stores_figures_are_those_of_the_moment() -> None:
    shown = figures(Metrics(), timedelta(seconds=90))

    assert shown['bridge_outbox_entries{state="due"}'] == "3.0"
    assert shown['bridge_outbox_entries{state="dead"}'] == "1.0"
    assert shown['bridge_outbox_entries{state="settled"}'] == "0.0"
    assert shown["bridge_directory_age_seconds"] == "90.0"
    assert shown["bridge_directory_numbers"] == "42.0"


def test_before_the_first_sync_the_age_is_no_number() -> None:
    assert figures(Metrics())["bridge_directory_age_seconds"] == "NaN"


def test_what_is_published_is_counted() -> None:
    metrics = Metrics()

    metrics.publish(CallRecorded(call()))
    metrics.publish(OneCAvailability(False, "gone"))
    metrics.publish(Alarm("store_slow", "slow"))
    metrics.publish(DirectoryChanged(None))
    metrics.event_stored("sipuni")

    shown = figures(metrics)
    assert shown["bridge_calls_total"] == "1.0"
    assert shown["bridge_onec_up"] == "0.0"
    assert shown['bridge_alarms{name="store_slow"}'] == "1.0"
    assert shown['bridge_alarms{name="onec_refuses"}'] == "0.0"
    assert shown['bridge_events_total{provider="sipuni"}'] == "1.0"


def test_an_alarm_that_is_cleared_goes_down() -> None:
    metrics = Metrics()
    metrics.publish(Alarm("store_slow", "slow"))

    metrics.publish(Alarm("store_slow", "fine", clear=True))

    assert figures(metrics)['bridge_alarms{name="store_slow"}'] == "0.0"


def test_nothing_is_asked_of_1c_before_its_first_answer() -> None:
    assert figures(Metrics())["bridge_onec_up"] == "NaN"


def test_two_services_do_not_share_figures() -> None:
    Metrics().routed("sipuni", Rule.DID, 0.1)

    assert "bridge_calls_total" in figures(Metrics())
    assert not [m for m in REGISTRY.collect() if m.name.startswith("bridge")]
