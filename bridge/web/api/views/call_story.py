"""What the API shows of a call's life: how it went, what the PBX said, what people added."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from bridge.domain.calls.call import CallNote, PhoneCall
from bridge.domain.calls.events import CallEvent, EventKind, Outcome
from bridge.domain.calls.orders import CallOrder, OrderState
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.outcome import format_outcome
from bridge.domain.delivery.texts import Language
from bridge.web.api.views.calls import CallView, MissedCallView, TargetView, View, total_seconds
from bridge.web.api.views.state import OutboxEntryView


class CallStateView(View):
    """How a call went."""

    disposition: Disposition
    words: str = Field(description="the same in words")
    outcome: Outcome | None
    call_ref: str = Field(description="the PBX's id of the call")
    rung: list[str]
    talked: list[str]
    answered_by: str
    answered_at: datetime | None
    ended_at: datetime | None
    wait_s: float | None
    talk_s: float | None
    recording: str
    scheme: str
    lost_in_transfer: bool = Field(
        description="answered, sent on, and nobody took him: to be called back"
    )

    @classmethod
    def of(cls, call: PhoneCall, lang: Language) -> Self:
        """Show the life of *call*."""
        life = call.state
        return cls(
            disposition=life.disposition,
            words=format_outcome(call, lang),
            outcome=life.outcome,
            call_ref=life.call_ref,
            rung=list(life.rung_extensions),
            talked=list(life.talked_extensions),
            answered_by=life.answered_by,
            answered_at=life.answered_at,
            ended_at=life.ended_at,
            wait_s=total_seconds(life.wait_time),
            talk_s=total_seconds(life.talk_time),
            recording=life.recording,
            scheme=life.scheme,
            lost_in_transfer=life.is_lost_in_transfer,
        )


class CallEventView(View):
    """One thing the PBX said of a call."""

    kind: EventKind
    code: str = Field(description="the PBX's own code")
    at: datetime
    extension: str
    outcome: Outcome | None

    @classmethod
    def of(cls, event: CallEvent) -> Self:
        """Show *event*."""
        return cls(
            kind=event.kind,
            code=event.code,
            at=event.at,
            extension=event.extension,
            outcome=event.outcome,
        )


class CallNoteView(View):
    """What an operator wrote."""

    at: datetime
    by: str
    text: str

    @classmethod
    def of(cls, note: CallNote) -> Self:
        """Show *note*."""
        return cls(at=note.at, by=note.by, text=note.text)


class CallOrderView(View):
    """The order that a call began with."""

    state: OrderState
    extension: str
    by: str
    words: str
    requested_at: datetime

    @classmethod
    def of(cls, order: CallOrder) -> Self:
        """Show *order*."""
        return cls(
            state=order.state,
            extension=order.extension,
            by=order.ordered_by,
            words=order.reason,
            requested_at=order.requested_at,
        )


class CallStoryView(View):
    """One call with everything known of it: question, decision, events, what 1C got."""

    call: CallView
    asked: bool = Field(description="whether the PBX asked where to send it")
    placed_by: str
    life: CallStateView
    people: list[TargetView] = Field(description="whose telephones rang, talked or dialled")
    events: list[CallEventView]
    order: CallOrderView | None
    notes: list[CallNoteView]
    entry: OutboxEntryView | None = Field(description="what 1C got; null where it is owed nothing")

    @classmethod
    def of(cls, call: PhoneCall, entry: OutboxEntryView | None, lang: Language) -> Self:
        """Show *call* and its outbox entry."""
        return cls(
            call=CallView.of(call, lang),
            asked=call.has_question,
            placed_by=call.placed_by,
            life=CallStateView.of(call, lang),
            people=[TargetView.of(target) for target in call.known_targets],
            events=[CallEventView.of(event) for event in call.applied_events],
            order=None if call.order is None else CallOrderView.of(call.order),
            notes=[CallNoteView.of(note) for note in call.notes],
            entry=entry,
        )


class MissedCallsView(View):
    """The clients who wait to be called back, the longest waiting first."""

    debts: list[MissedCallView]


class NewNote(BaseModel):
    """An operator's words about a call; they go into its document in 1C."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    text: str = Field(min_length=1, max_length=2000)
    by: str = Field(default="", max_length=100)
