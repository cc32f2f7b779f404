"""What the API shows of calls: typed models of the domain's nouns, sentences in words.

Numbers stand here in full: only the administrator sees them.
"""

from datetime import datetime, timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.caller_names import caller_name, candidate_name
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.delivery.outcome import format_outcome
from bridge.domain.delivery.texts import Language, format_evidence_step, format_rule
from bridge.domain.directory.caller_card import Candidate
from bridge.domain.phone.callers import CallerKind
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import Finding, RouteDecision, Rule, Target


class View(BaseModel):
    """A frozen model of an answer."""

    model_config = ConfigDict(frozen=True)


class ErrorView(View):
    """Any refusal or failure: one sentence."""

    error: str


class CandidateView(View):
    """One owner of a number; `kind` is contact, partner or counterparty."""

    kind: str
    ref: str
    name: str
    title: str = Field(description="the name with the partner in brackets")
    partner: str | None
    partner_name: str
    customer: bool
    ended: bool
    extension: str | None = Field(description="typed behind the number in 1C; shown only")

    @classmethod
    def of(cls, candidate: Candidate) -> Self:
        """Show *candidate*."""
        partner = candidate.partner
        return cls(
            kind=candidate.kind.name.lower(),
            ref=candidate.ref,
            name=candidate.name,
            title=candidate_name(candidate),
            partner=None if partner is None else partner.partner,
            partner_name="" if partner is None else partner.name,
            customer=candidate.customer,
            ended=candidate.ended,
            extension=candidate.extension,
        )


class TargetView(View):
    """Somebody's telephone."""

    extension: str
    manager: str | None = Field(description="reference of the 1C user behind it")
    name: str

    @classmethod
    def of(cls, target: Target) -> Self:
        """Show *target*."""
        return cls(extension=target.extension, manager=target.manager, name=target.name)


class EvidenceView(View):
    """One line of evidence: a stable word, and the sentence."""

    finding: Finding
    words: str


class DecisionView(View):
    """Where a call goes, and why."""

    rule: Rule
    why: str
    extension: str | None
    targets: list[TargetView]
    fallback: TargetView | None
    candidates: list[CandidateView]
    evidence: list[EvidenceView]
    proven_at: datetime | None = Field(description="how fresh the data were")

    @classmethod
    def of(cls, decision: RouteDecision, lang: Language) -> Self:
        """Show *decision*, its evidence in *lang*."""
        fallback = decision.fallback
        return cls(
            rule=decision.rule,
            why=format_rule(lang, decision.rule),
            extension=decision.extension,
            targets=[TargetView.of(target) for target in decision.targets],
            fallback=None if fallback is None else TargetView.of(fallback),
            candidates=[CandidateView.of(candidate) for candidate in decision.candidates],
            evidence=[
                EvidenceView(finding=step.finding, words=format_evidence_step(lang, step))
                for step in decision.evidence
            ],
            proven_at=decision.proven_at,
        )


class CallSummaryView(View):
    """One call in a list."""

    key: str
    provider: str
    direction: Direction
    arrived_at: datetime
    received_at: datetime
    caller_kind: CallerKind
    caller_raw: str = Field(description="as the PBX sent it")
    number: str | None = Field(description="E.164 with the plus")
    caller: str = Field(description="who it is, in words")
    did: str
    extension: str | None
    manager: str = Field(description="whose telephone it is")
    rule: Rule
    why: str
    blank: bool = Field(description="the cabinet's test request, nobody's call")
    disposition: Disposition
    outcome: str = Field(description="what became of it, in words")
    answered_by: str = Field(description="the extension that talked last")
    wait_s: float | None
    talk_s: float | None

    @classmethod
    def of(cls, call: PhoneCall, lang: Language) -> Self:
        """Show *call*."""
        return cls.model_validate(_summary(call, lang))


class CallView(CallSummaryView):
    """One call with everything that decided it."""

    decision: DecisionView

    @classmethod
    def of(cls, call: PhoneCall, lang: Language) -> Self:
        """Show *call* with its evidence in *lang*."""
        decision = DecisionView.of(call.decision, lang)
        return cls.model_validate(_summary(call, lang) | {"decision": decision})


class CallsView(View):
    """A page of calls, newest first; ask on with `before`."""

    calls: list[CallSummaryView]
    next_before: datetime | None = Field(description="None on the last page")


class MissedCallView(View):
    """A client who was not answered, and whether he still waits to be called back."""

    key: str = Field(description="key of his first missed call")
    client: str = Field(description="reference of his partner, or his number")
    name: str
    numbers: list[str]
    calls: list[str] = Field(description="keys of his missed calls, oldest first")
    owner_extension: str | None
    owner: str
    opened_at: datetime
    last_at: datetime
    escalate_at: datetime | None
    escalated: bool
    closed_at: datetime | None
    closed_by: str = Field(description="the call that paid it; empty where it was dismissed in 1C")

    @classmethod
    def of(cls, debt: MissedCall) -> Self:
        """Show *debt*."""
        owner = debt.owner
        return cls(
            key=debt.key,
            client=debt.client,
            name=debt.name,
            numbers=[f"+{number}" for number in debt.numbers],
            calls=list(debt.call_keys),
            owner_extension=None if owner is None else owner.extension,
            owner="" if owner is None else owner.name,
            opened_at=debt.opened_at,
            last_at=debt.last_missed_at,
            escalate_at=debt.escalate_at,
            escalated=debt.escalated_to is not None,
            closed_at=debt.closed_at,
            closed_by=debt.closed_by,
        )


def format_e164(number: PhoneNumber | None) -> str | None:
    """Write a number as the API does, with the plus."""
    return None if number is None else f"+{number}"


def total_seconds(span: timedelta | None) -> float | None:
    """Give a span as JSON counts it."""
    return None if span is None else span.total_seconds()


def _summary(call: PhoneCall, lang: Language) -> dict[str, object]:
    decision = call.decision
    target = decision.target
    return {
        "key": call.key,
        "provider": call.provider,
        "direction": call.direction,
        "arrived_at": call.arrived_at,
        "received_at": call.received_at,
        "caller_kind": call.caller.kind,
        "caller_raw": call.caller.raw,
        "number": format_e164(call.caller.number),
        "caller": caller_name(call, lang),
        "did": call.did,
        "extension": decision.extension,
        "manager": "" if target is None else target.name,
        "rule": decision.rule,
        "why": format_rule(lang, decision.rule),
        "blank": call.is_test_request,
        "disposition": call.state.disposition,
        "outcome": format_outcome(call, lang),
        "answered_by": call.state.answered_by,
        "wait_s": total_seconds(call.state.wait_time),
        "talk_s": total_seconds(call.state.talk_time),
    }
