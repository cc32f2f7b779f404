"""What the API shows of a call's story: its state, the PBX's events, notes."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bridge.domain.calls.events import EventKind, Outcome
from bridge.domain.calls.orders import OrderState
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.outcome import format_outcome
from bridge.web.api.views.base import SentenceSource, Source, View, total_seconds
from bridge.web.api.views.calls import CallView, MissedCallView, TargetView
from bridge.web.api.views.state import OutboxEntryView


class CallStateView(View):
    """How a call went."""

    disposition: Annotated[Disposition, Source(lambda call: call.state.disposition)]
    words: Annotated[str, SentenceSource(format_outcome)] = Field(description="the same in words")
    outcome: Annotated[Outcome | None, Source(lambda call: call.state.outcome)]
    call_ref: Annotated[str, Source(lambda call: call.state.call_ref)] = Field(
        description="the PBX's id of the call"
    )
    rung: Annotated[list[str], Source(lambda call: call.state.rung_extensions)]
    talked: Annotated[list[str], Source(lambda call: call.state.talked_extensions)]
    answered_by: Annotated[str, Source(lambda call: call.state.answered_by)]
    answered_at: Annotated[datetime | None, Source(lambda call: call.state.answered_at)]
    ended_at: Annotated[datetime | None, Source(lambda call: call.state.ended_at)]
    wait_s: Annotated[float | None, Source(lambda call: total_seconds(call.state.wait_time))]
    talk_s: Annotated[float | None, Source(lambda call: total_seconds(call.state.talk_time))]
    recording: Annotated[str, Source(lambda call: call.state.recording)]
    scheme: Annotated[str, Source(lambda call: call.state.scheme)]
    lost_in_transfer: Annotated[bool, Source(lambda call: call.state.is_lost_in_transfer)] = Field(
        description="answered, sent on, and nobody took the call: to be called back"
    )


class CallEventView(View):
    """One event of the PBX about a call."""

    kind: EventKind
    code: str = Field(description="the PBX's own code")
    at: datetime
    extension: str
    outcome: Outcome | None


class CallNoteView(View):
    """What an operator wrote."""

    at: datetime
    by: str
    text: str


class CallOrderView(View):
    """The order that a call began with."""

    state: OrderState
    extension: str
    by: Annotated[str, Source(lambda order: order.ordered_by)]
    words: Annotated[str, Source(lambda order: order.reason)]
    requested_at: datetime


class CallStoryView(View):
    """One call with everything known of it: question, decision, events, what 1C got."""

    call: Annotated[CallView, Source(lambda call: call)]
    asked: Annotated[bool, Source(lambda call: call.has_question)] = Field(
        description="whether the PBX asked where to send it"
    )
    placed_by: str
    life: Annotated[CallStateView, Source(lambda call: call)]
    people: Annotated[list[TargetView], Source(lambda call: call.known_targets)] = Field(
        description="whose telephones rang, talked or dialled"
    )
    events: Annotated[list[CallEventView], Source(lambda call: call.applied_events)]
    order: CallOrderView | None
    notes: list[CallNoteView]
    entry: OutboxEntryView | None = Field(description="what 1C got; null where nothing is written")


class MissedCallsView(View):
    """The clients who wait to be called back, the longest waiting first."""

    debts: list[MissedCallView]


class NewNote(BaseModel):
    """An operator's words about a call; they go into its document in 1C."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    text: str = Field(min_length=1, max_length=2000)
    by: str = Field(default="", max_length=100)
