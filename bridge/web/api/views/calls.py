"""What the API shows of calls, decisions and missed calls.

Numbers are written in full: only the administrator sees them.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.caller_names import caller_name, candidate_name
from bridge.domain.delivery.outcome import format_outcome
from bridge.domain.delivery.texts import format_evidence_step, format_rule
from bridge.domain.phone.callers import CallerKind
from bridge.domain.routing.decision import Finding, Rule
from bridge.web.api.views.base import (
    SentenceSource,
    Source,
    View,
    format_e164,
    total_seconds,
)


class CandidateView(View):
    """One owner of a number; `kind` is contact, partner or counterparty."""

    kind: Annotated[str, Source(lambda candidate: candidate.kind.name.lower())]
    ref: str
    name: str
    title: Annotated[str, Source(candidate_name)] = Field(
        description="the name with the partner in brackets"
    )
    partner: Annotated[
        str | None, Source(lambda candidate: candidate.partner and candidate.partner.partner)
    ]
    partner_name: Annotated[
        str, Source(lambda candidate: candidate.partner.name if candidate.partner else "")
    ]
    customer: bool
    ended: bool
    extension: str | None = Field(description="typed behind the number in 1C; shown only")


class TargetView(View):
    """A target of a call: an extension and its manager."""

    extension: str
    manager: str | None = Field(description="reference of the 1C user behind it")
    name: str


class EvidenceView(View):
    """One line of evidence: a stable word, and the sentence."""

    finding: Finding
    words: Annotated[str, SentenceSource(lambda step, lang: format_evidence_step(lang, step))]


class DecisionView(View):
    """Where a call goes, and why."""

    rule: Rule
    why: Annotated[str, SentenceSource(lambda decision, lang: format_rule(lang, decision.rule))]
    extension: str | None
    targets: list[TargetView]
    fallback: TargetView | None
    candidates: list[CandidateView]
    evidence: list[EvidenceView]
    proven_at: datetime | None = Field(description="how fresh the data were")


class CallSummaryView(View):
    """One call in a list."""

    key: str
    provider: str
    direction: Direction
    arrived_at: datetime
    received_at: datetime
    caller_kind: Annotated[CallerKind, Source(lambda call: call.caller.kind)]
    caller_raw: Annotated[str, Source(lambda call: call.caller.raw)] = Field(
        description="as the PBX sent it"
    )
    number: Annotated[str | None, Source(lambda call: format_e164(call.caller.number))] = Field(
        description="E.164 with the plus"
    )
    caller: Annotated[str, SentenceSource(caller_name)] = Field(description="who it is, in words")
    did: str
    extension: Annotated[str | None, Source(lambda call: call.decision.extension)]
    manager: Annotated[
        str, Source(lambda call: call.decision.target.name if call.decision.target else "")
    ] = Field(description="whose telephone it is")
    rule: Annotated[Rule, Source(lambda call: call.decision.rule)]
    why: Annotated[str, SentenceSource(lambda call, lang: format_rule(lang, call.decision.rule))]
    blank: Annotated[bool, Source(lambda call: call.is_test_request)] = Field(
        description="the cabinet's test request, nobody's call"
    )
    disposition: Annotated[Disposition, Source(lambda call: call.state.disposition)]
    outcome: Annotated[str, SentenceSource(format_outcome)] = Field(
        description="what became of it, in words"
    )
    answered_by: Annotated[str, Source(lambda call: call.state.answered_by)] = Field(
        description="the extension that talked last"
    )
    wait_s: Annotated[float | None, Source(lambda call: total_seconds(call.state.wait_time))]
    talk_s: Annotated[float | None, Source(lambda call: total_seconds(call.state.talk_time))]


class CallView(CallSummaryView):
    """One call with everything that decided it."""

    decision: DecisionView


class CallsView(View):
    """A page of calls, newest first; ask on with `before`."""

    calls: list[CallSummaryView]
    next_before: datetime | None = Field(description="None on the last page")


class MissedCallView(View):
    """A missed call: a client who waits, or waited, to be called back."""

    key: str = Field(description="key of the client's first missed call")
    client: str = Field(description="reference of the partner, or the number")
    name: str
    numbers: Annotated[
        list[str],
        Source(lambda missed_call: [format_e164(number) for number in missed_call.numbers]),
    ]
    calls: Annotated[list[str], Source(lambda missed_call: missed_call.call_keys)] = Field(
        description="keys of the client's missed calls, oldest first"
    )
    owner_extension: Annotated[
        str | None, Source(lambda missed_call: missed_call.owner and missed_call.owner.extension)
    ]
    owner: Annotated[
        str, Source(lambda missed_call: missed_call.owner.name if missed_call.owner else "")
    ]
    opened_at: datetime
    last_at: Annotated[datetime, Source(lambda missed_call: missed_call.last_missed_at)]
    escalate_at: datetime | None
    escalated: Annotated[bool, Source(lambda missed_call: missed_call.escalated_to is not None)]
    closed_at: datetime | None
    closed_by: str = Field(description="the call that paid it; empty where it was dismissed in 1C")
