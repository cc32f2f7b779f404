"""What the API shows of the service's state: the outbox, sync runs, freshness."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from bridge.domain.clock import age_by_wall
from bridge.domain.delivery.entry import DeliveryStage, EntryState
from bridge.domain.directory.entities import EntityKind
from bridge.domain.routing.decision import DataAge
from bridge.ports.alarms import AlarmName
from bridge.ports.events import OneCAvailability
from bridge.ports.stores.directory import SyncReport
from bridge.web.api.views.base import SentenceSource, Source, View
from bridge.web.api.views.calls import CallSummaryView
from bridge.web.shared.alarm_texts import ALARM_TEXTS
from bridge.web.shared.language import translations


class OutboxEntryView(View):
    """One outbox entry: a call to be written to 1C; `last_error` is 1C's own text."""

    key: str
    state: EntryState
    stage: DeliveryStage
    attempts: int
    created_at: datetime
    due_at: datetime
    settled_at: Annotated[datetime | None, Source(lambda entry: entry.delivered_at)]
    document: str | None = Field(description="reference of the document in 1C")
    last_error: str
    call: CallSummaryView | None = None


class OutboxCountsView(View):
    """How many outbox entries there are by state."""

    due: int
    sending: int
    dead: int
    settled: Annotated[int, Source(lambda counts: counts.delivered)]
    oldest_due: datetime | None


class OutboxView(View):
    """Outbox entries, newest first."""

    counts: OutboxCountsView
    entries: list[OutboxEntryView]


class EntitySyncView(View):
    """How one entity set fared in the last run."""

    kind: EntityKind
    listed: int = Field(description="rows in 1C")
    held: int = Field(description="rows here")
    fetched: int
    buried: int
    unread_phones: int = Field(description="phone fields from which no number was read")
    seconds: float
    requests: int
    bytes: int
    proven_at: datetime | None = Field(
        description="when its rows were last proven equal to 1C's; null if that never was"
    )
    error: str = Field(description="why it could not be compared in the last run")


class SyncReportView(View):
    """The last sync run that proved the directory."""

    started_at: datetime
    seconds: float
    full: bool
    changed: bool
    numbers: int
    proven_at: datetime | None
    entities: list[EntitySyncView]
    shared_extensions: dict[str, list[str]]
    extension_property: str | None
    managers_without_extension: int
    unread_examples: list[str]
    facts: dict[str, int] = Field(description="what calls are routed by, counted")
    nobody_reachable: bool = Field(description="nobody has an extension, and nobody accepted that")


class FreshnessView(View):
    """When the directory was last proven equal to 1C, and what 1C is like now."""

    proven_at: datetime | None
    age_seconds: float | None
    stale: bool
    numbers: int
    onec_up: bool | None = Field(description="None before anything was heard of 1C")
    onec_words: str
    entities: list[EntitySyncView] = Field(description="the same for each entity set of 1C")

    @classmethod
    def build(
        cls,
        age: DataAge,
        now: datetime,
        numbers: int,
        availability: OneCAvailability | None,
        report: SyncReport | None,
    ) -> Self:
        """Show the freshness at *now*; *report* is that of the last run."""
        proven, old = age.proven_at, age_by_wall(age.proven_at, now)
        return cls(
            proven_at=proven,
            age_seconds=None if old is None else old.total_seconds(),
            stale=age.is_stale,
            numbers=numbers,
            onec_up=None if availability is None else availability.available,
            onec_words="" if availability is None else availability.message,
            entities=[] if report is None else [EntitySyncView.of(e) for e in report.entities],
        )


class DirectoryChangeView(View):
    """The bridge took up a new directory."""

    numbers: int | None
    proven_at: datetime | None

    @classmethod
    def build(cls, report: SyncReport | None) -> Self:
        """Show what *report* says of it."""
        if report is None:
            return cls(numbers=None, proven_at=None)
        return cls(numbers=report.numbers, proven_at=report.proven_at)


class OneCAvailabilityView(View):
    """1C went away or came back."""

    up: Annotated[bool, Source(lambda event: event.available)]
    words: Annotated[str, Source(lambda event: event.message)]


class AlarmView(View):
    """Something a person should see; `clear` takes it back."""

    name: str
    words: Annotated[str, Source(lambda alarm: alarm.message)]
    clear: bool


class StandingAlarmView(View):
    """An alarm that stands: what was seen, since when, and what to do."""

    name: AlarmName
    subject: str
    title: Annotated[
        str,
        SentenceSource(
            lambda alarm, lang: translations(lang).gettext(ALARM_TEXTS[alarm.name].title)
        ),
    ]
    words: Annotated[str, Source(lambda alarm: alarm.message)]
    advice: Annotated[
        str,
        SentenceSource(
            lambda alarm, lang: translations(lang).gettext(ALARM_TEXTS[alarm.name].advice)
        ),
    ]
    since: datetime
