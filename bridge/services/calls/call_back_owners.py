"""Who has to call a client back, as 1C names it at this moment.

The manager responsible when the client was missed is not kept: that manager may have left, or have
handed over the partner, and would never see the reminder.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.caller_names import caller_name
from bridge.domain.delivery.missed_calls import MissedCall, find_present_owner
from bridge.domain.delivery.texts import Language
from bridge.domain.directory.entities import Manager, Ref
from bridge.domain.routing.decision import Finding, RouteDecision, RouteQuestion
from bridge.ports.clock import Clock

_DIRECTORY_UNUSABLE: Final = (Finding.INDEX_BROKEN, Finding.INDEX_EMPTY)


class CallBackOwners:
    """Finds the owners of missed calls; *decide* asks the directory as for a ringing call."""

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
        """Return whether *user* still works in 1C, and so sees reminders there.

        Where no users are known at all, *user* counts as working.
        """
        managers = self._managers()
        if not managers:
            return True
        found = managers.get(user)
        return found is not None and not (found.invalid or found.deletion_mark or found.service)

    def with_call(self, missed_call: MissedCall, call: PhoneCall) -> MissedCall:
        """Return *missed_call*, to which *call* was just added, with the client and owner of it."""
        owner = find_present_owner(call, missed_call.owner, call.decision, self.can_see_reminders)
        name = caller_name(call, self._lang)
        return replace(missed_call, client=call.client_key, name=name, owner=owner)

    def reassigned(self, missed_call: MissedCall, last: PhoneCall) -> MissedCall:
        """Return *missed_call*, whose latest call is *last*, with client and owner of today.

        Unchanged where the directory cannot be read: what it does not contain proves nothing then.
        """
        question = RouteQuestion(last.provider, last.caller, last.did, self._clock())
        decision = self._decide(question)
        if any(step.finding in _DIRECTORY_UNUSABLE for step in decision.evidence):
            return missed_call
        escalated_to = missed_call.escalated_to
        if escalated_to is not None and not self.can_see_reminders(escalated_to):
            escalated_to = None
        owner = find_present_owner(last, missed_call.owner, decision, self.can_see_reminders)
        today = replace(last, decision=decision)
        is_same_client = today.client_key == missed_call.client
        return replace(
            missed_call,
            client=today.client_key,
            name=missed_call.name if is_same_client else caller_name(today, self._lang),
            owner=owner,
            escalated_to=escalated_to,
        )
