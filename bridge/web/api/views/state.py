"""What the API shows of the house's state: debts to 1C, sync runs, freshness."""

from datetime import datetime
from typing import Self

from pydantic import Field

from bridge.domain.calls.call import PhoneCall
from bridge.domain.clock import age_by_wall
from bridge.domain.delivery.entry import (
    DeliveryStage,
    EntryState,
    OutboxEntry,
)
from bridge.domain.delivery.texts import Language
from bridge.domain.directory.entities import EntityKind
from bridge.domain.routing.decision import DataAge
from bridge.ports.alarms import ActiveAlarm, Alarm, AlarmName
from bridge.ports.events import OneCAvailability
from bridge.ports.stores.directory import EntitySync, SyncReport
from bridge.ports.stores.outbox import OutboxCounts
from bridge.web.api.views.calls import CallSummaryView, View
from bridge.web.shared.alarm_texts import ALARM_TEXTS
from bridge.web.shared.language import translations


class OutboxEntryView(View):
    """One call owed to 1C, and where it stands; `last_error` in 1C's own words."""

    key: str
    state: EntryState
    stage: DeliveryStage
    attempts: int
    created_at: datetime
    due_at: datetime
    settled_at: datetime | None
    document: str | None = Field(description="reference of the document in 1C")
    last_error: str
    call: CallSummaryView | None = None

    @classmethod
    def of(cls, entry: OutboxEntry, call: PhoneCall | None, lang: Language) -> Self:
        """Show *entry*, with its *call* where that is at hand."""
        return cls(
            key=entry.key,
            state=entry.state,
            stage=entry.stage,
            attempts=entry.attempts,
            created_at=entry.created_at,
            due_at=entry.due_at,
            settled_at=entry.delivered_at,
            document=entry.document,
            last_error=entry.last_error,
            call=None if call is None else CallSummaryView.of(call, lang),
        )


class OutboxCountsView(View):
    """How much is owed to 1C."""

    due: int
    sending: int
    dead: int
    settled: int
    oldest_due: datetime | None

    @classmethod
    def of(cls, counts: OutboxCounts) -> Self:
        """Show *counts*."""
        return cls(
            due=counts.due,
            sending=counts.sending,
            dead=counts.dead,
            settled=counts.delivered,
            oldest_due=counts.oldest_due,
        )


class OutboxView(View):
    """What is owed to 1C, newest first."""

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

    @classmethod
    def of(cls, entity: EntitySync) -> Self:
        """Show *entity*."""
        return cls(
            kind=entity.kind,
            listed=entity.listed,
            held=entity.held,
            fetched=entity.fetched,
            buried=entity.buried,
            unread_phones=entity.unread_phones,
            seconds=entity.seconds,
            requests=entity.requests,
            bytes=entity.bytes,
            proven_at=entity.proven_at,
            error=entity.error,
        )


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

    @classmethod
    def of(cls, report: SyncReport) -> Self:
        """Show *report*."""
        return cls(
            started_at=report.started_at,
            seconds=report.seconds,
            full=report.full,
            changed=report.changed,
            numbers=report.numbers,
            proven_at=report.proven_at,
            entities=[EntitySyncView.of(entity) for entity in report.entities],
            shared_extensions={k: list(names) for k, names in report.shared_extensions.items()},
            extension_property=report.extension_property,
            managers_without_extension=report.managers_without_extension,
            unread_examples=list(report.unread_examples),
            facts=dict(report.facts),
            nobody_reachable=report.nobody_reachable,
        )


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
    def of(
        cls,
        age: DataAge,
        now: datetime,
        numbers: int,
        mood: OneCAvailability | None,
        report: SyncReport | None,
    ) -> Self:
        """Show the freshness at *now*; *report* is that of the last run."""
        proven, old = age.proven_at, age_by_wall(age.proven_at, now)
        return cls(
            proven_at=proven,
            age_seconds=None if old is None else old.total_seconds(),
            stale=age.is_stale,
            numbers=numbers,
            onec_up=None if mood is None else mood.available,
            onec_words="" if mood is None else mood.message,
            entities=[] if report is None else [EntitySyncView.of(e) for e in report.entities],
        )


class DirectoryChangeView(View):
    """The bridge took up a new directory."""

    numbers: int | None
    proven_at: datetime | None

    @classmethod
    def of(cls, report: SyncReport | None) -> Self:
        """Show what *report* says of it."""
        if report is None:
            return cls(numbers=None, proven_at=None)
        return cls(numbers=report.numbers, proven_at=report.proven_at)


class OneCAvailabilityView(View):
    """1C went away or came back."""

    up: bool
    words: str

    @classmethod
    def of(cls, mood: OneCAvailability) -> Self:
        """Show *mood*."""
        return cls(up=mood.available, words=mood.message)


class AlarmView(View):
    """Something a person should see; `clear` takes it back."""

    name: str
    words: str
    clear: bool

    @classmethod
    def of(cls, alarm: Alarm) -> Self:
        """Show *alarm*."""
        return cls(name=alarm.name, words=alarm.message, clear=alarm.clear)


class StandingAlarmView(View):
    """An alarm that stands: what was seen, since when, and what to do."""

    name: AlarmName
    subject: str
    title: str
    words: str
    advice: str
    since: datetime

    @classmethod
    def of(cls, alarm: ActiveAlarm, lang: Language) -> Self:
        """Show *alarm* in *lang*."""
        text, catalogue = ALARM_TEXTS[alarm.name], translations(lang)
        return cls(
            name=alarm.name,
            subject=alarm.subject,
            title=catalogue.gettext(text.title),
            words=alarm.message,
            advice=catalogue.gettext(text.advice),
            since=alarm.since,
        )
