"""What the API shows of a caller: how the number was read, whose it is, where the call would go.

Numbers stand here in full: only the administrator sees them.
"""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from bridge.domain.delivery.texts import Language
from bridge.domain.directory.caller_card import CallerCard
from bridge.domain.phone.callers import CallerKind
from bridge.domain.phone.formatting import format_phone
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import NumberMemory, RouteDecision, RouteQuestion
from bridge.web.api.views.base import Source, View, format_e164
from bridge.web.api.views.calls import CandidateView, DecisionView


class QuestionView(View):
    """How a caller and a line were read."""

    caller_raw: Annotated[str, Source(lambda question: question.caller.raw)]
    caller_kind: Annotated[CallerKind, Source(lambda question: question.caller.kind)]
    number: Annotated[str | None, Source(lambda question: format_e164(question.caller.number))]
    extension: Annotated[str | None, Source(lambda question: question.caller.extension)]
    did: str


class ExplanationView(View):
    """What the PBX would be answered, and why; the same as `onec-bridge route --json`."""

    extension: str | None = Field(description="what the PBX would be answered; null: nobody")
    question: QuestionView
    decision: DecisionView

    @classmethod
    def build(cls, question: RouteQuestion, decision: RouteDecision, lang: Language) -> Self:
        """Show *decision* on *question*."""
        return cls(
            extension=decision.extension,
            question=QuestionView.of(question),
            decision=DecisionView.of(decision, lang),
        )


class CallerCardView(View):
    """All that is known of a number, and where its call would go now."""

    number: str
    formatted: str
    known: bool
    candidates: list[CandidateView]
    choice: str | None = Field(description="whose number it is, on an operator's word")
    last_extension: str | None = Field(description="who talked to it last")
    decision: DecisionView

    @classmethod
    def build(
        cls,
        number: PhoneNumber,
        card: CallerCard | None,
        memory: NumberMemory,
        decision: RouteDecision,
        lang: Language,
    ) -> Self:
        """Show the *card* of *number*."""
        return cls(
            number=f"+{number}",
            formatted=format_phone(number),
            known=card is not None,
            candidates=[] if card is None else [CandidateView.of(c) for c in card.candidates],
            choice=memory.chosen_owner,
            last_extension=memory.last_extension,
            decision=DecisionView.of(decision, lang),
        )


class NewOwnerChoice(BaseModel):
    """An operator's word on whose number it is: the reference of one of its owners."""

    model_config = ConfigDict(extra="forbid")

    owner: str = Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
