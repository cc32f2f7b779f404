"""What desks show now: calls and missed calls, kept up to date by the service's events."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Ref
from bridge.ports.events import Event
from bridge.web.desk_state.desk_calls import DeskCalls
from bridge.web.desk_state.missed_call_list import MissedCallList

#: Gives the address that opens an owner of a number in 1C; None where there is no web client.
OneCLink = Callable[[CandidateKind, Ref], str | None]


def no_onec_link(kind: CandidateKind, ref: Ref) -> None:
    """Return no link: BRIDGE_ONEC_WEB_URL is not set."""
    del kind, ref


@dataclass(frozen=True, slots=True)
class DeskState:
    """What desks show, and how they link to 1C."""

    calls: DeskCalls
    missed_calls: MissedCallList
    onec_link: OneCLink = no_onec_link

    def publish(self, event: Event) -> None:
        """Apply *event* to what desks show."""
        self.calls.publish(event)
        self.missed_calls.publish(event)

    def load(self, calls: Iterable[PhoneCall], missed_calls: Iterable[MissedCall]) -> None:
        """Load what was before a restart: calls, the oldest first, and open missed calls."""
        self.missed_calls.load(missed_calls)
        self.calls.load(calls)
