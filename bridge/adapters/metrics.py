"""Prometheus metrics of one service, in a registry of their own."""

import math
from collections import Counter as Counts
from collections.abc import Mapping
from datetime import timedelta
from typing import get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from bridge.adapters.latency import LatencyLog
from bridge.domain.delivery.entry import EntryState
from bridge.domain.routing.decision import Rule
from bridge.ports.alarms import Alarm, AlarmName
from bridge.ports.events import CallRecorded, Event, OneCAvailability
from bridge.ports.stores.outbox import OutboxCounts

#: Seconds: from an answer of the index alone to the deadline of 700 ms and beyond.
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.7, 1.5)


class Metrics:
    """Counts what hooks receive and what is published; cheap enough for each call."""

    def __init__(self) -> None:
        self.latency = LatencyLog()
        self._registry = CollectorRegistry()
        self._routes = Counter(
            "bridge_route_requests",
            "Routing questions answered, by what decided.",
            ("provider", "rule"),
            registry=self._registry,
        )
        self._failures = Counter(
            "bridge_route_failures",
            "Routing questions answered by the fallback because answering broke.",
            ("provider",),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "bridge_route_seconds",
            "Time from a routing question to its answer, the durable record included.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._pbx_events = Counter(
            "bridge_events", "PBX events stored.", ("provider",), registry=self._registry
        )
        self._calls = Counter("bridge_calls", "Calls recorded.", registry=self._registry)
        self._entries = Gauge(
            "bridge_outbox_entries", "Outbox entries by state.", ("state",), registry=self._registry
        )
        self._age = Gauge(
            "bridge_directory_age_seconds",
            "Time since the directory was last proven equal to 1C; NaN before the first sync.",
            registry=self._registry,
        )
        self._numbers = Gauge(
            "bridge_directory_numbers", "Phone numbers in the index.", registry=self._registry
        )
        self._onec_up = Gauge(
            "bridge_onec_up",
            "1 when 1C answers, 0 when it does not, NaN before anything was heard of it.",
            registry=self._registry,
        )
        self._onec_up.set(math.nan)
        self._alarms = Gauge(
            "bridge_alarms", "1 while an alarm is up.", ("name",), registry=self._registry
        )
        for name in get_args(AlarmName):
            self._alarms.labels(name)
        self._contacts: Counts[str] = Counts()
        self._active_alarms: set[tuple[AlarmName, str]] = set()
        # labels() costs more than inc(): children are looked up once.
        self._route_children: dict[tuple[str, Rule], Counter] = {}
        self._event_children: dict[str, Counter] = {}

    @property
    def content_type(self) -> str:
        """Return the content type of the exposition."""
        return CONTENT_TYPE_LATEST

    def routed(self, provider: str, rule: Rule, seconds: float) -> None:
        """Count one answered question."""
        self._contacts[provider] += 1
        child = self._route_children.get((provider, rule))
        if child is None:
            child = self._routes.labels(provider, rule.value)
            self._route_children[provider, rule] = child
        child.inc()
        self._seconds.observe(seconds)
        self.latency.observe(seconds)

    def route_failed(self, provider: str) -> None:
        """Count a question that only the fallback could answer."""
        self._failures.labels(provider).inc()

    def event_stored(self, provider: str) -> None:
        """Count one stored PBX event."""
        self._contacts[provider] += 1
        child = self._event_children.get(provider)
        if child is None:
            child = self._event_children[provider] = self._pbx_events.labels(provider)
        child.inc()

    def contacts(self) -> Mapping[str, int]:
        """Return how many questions and events each PBX sent since the start."""
        return self._contacts

    def publish(self, event: Event) -> None:
        """Count an event of the service."""
        if isinstance(event, CallRecorded):
            self._calls.inc()
        elif isinstance(event, OneCAvailability):
            self._onec_up.set(1 if event.available else 0)
        elif isinstance(event, Alarm):
            (self._active_alarms.discard if event.clear else self._active_alarms.add)(
                (event.name, event.subject)
            )
            up = any(name == event.name for name, _ in self._active_alarms)
            self._alarms.labels(event.name).set(1 if up else 0)

    def expose(self, counts: OutboxCounts | None, age: timedelta | None, numbers: int) -> bytes:
        """Return the exposition; the arguments are the stores' state now, None where unreadable."""
        for state in EntryState:
            count = math.nan if counts is None else getattr(counts, state.name.lower())
            self._entries.labels(state.value).set(count)
        self._age.set(math.nan if age is None else age.total_seconds())
        self._numbers.set(numbers)
        return generate_latest(self._registry)
