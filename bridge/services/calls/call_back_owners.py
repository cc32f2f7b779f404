"""Responsible: to whom a missed client belongs now, as 1C names it at this moment.

Who was responsible when the client was missed says nothing: he may have left, or have given the
partner away, and would never see the reminder.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.caller_names import caller_name
from bridge.domain.delivery.missed_calls import MissedCall, find_present_owner
from bridge.domain.delivery.texts import Language
from bridge.domain.directory.entities import Manager, Ref
from bridge.domain.routing.decision import Finding, RouteDecision, RouteQuestion
from bridge.ports.clock import Clock

_UNSURE = (Finding.INDEX_BROKEN, Finding.INDEX_EMPTY)


class CallBackOwners:
    """Names who has to call a client back; *decide* asks the directory as a ringing call does."""

    def __init__(
        self,
        *,
        decide: Callable[[RouteQuestion], RouteDecision],
        managers: Callable[[], Mapping[Ref, Manager]],
        lang: Language,
        clock: Clock,
    ) -> None:
        self._decide = decide
        self._managers = managers
        self._lang: Language = lang
        self._clock = clock

    def can_see_reminders(self, user: Ref) -> bool:
        """Return whether *user* still works in 1C, so that a reminder of his is seen.

        Where no users are known at all, nothing can be said against him.
        """
        managers = self._managers()
        if not managers:
            return True
        found = managers.get(user)
        return found is not None and not (found.invalid or found.deletion_mark or found.service)

    def with_call(self, debt: MissedCall, call: PhoneCall) -> MissedCall:
        """Return *debt*, which *call* has just joined, with whom and whose 1C names for it."""
        return replace(
            debt,
            client=call.client_key,
            name=caller_name(call, self._lang),
            owner=find_present_owner(call, debt.owner, call.decision, self.can_see_reminders),
        )

    def reassigned(self, debt: MissedCall, last: PhoneCall) -> MissedCall:
        """Return *debt*, of which *last* is the latest call, as 1C names its parties now.

        Unchanged where the directory cannot be asked: what it does not say proves nothing.
        """
        question = RouteQuestion(last.provider, last.caller, last.did, self._clock())
        decision = self._decide(question)
        if any(step.finding in _UNSURE for step in decision.evidence):
            return debt
        if debt.escalated_to is not None and not self.can_see_reminders(debt.escalated_to):
            debt = replace(debt, escalated_to=None)
        owner = find_present_owner(last, debt.owner, decision, self.can_see_reminders)
        today = replace(last, decision=decision)
        named = caller_name(today, self._lang) if today.client_key != debt.client else debt.name
        return replace(debt, client=today.client_key, name=named, owner=owner)
