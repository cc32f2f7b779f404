"""The call services as bootstrap builds them, over the ledger of a test."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from bridge.adapters.pbx.sipuni.questions import SipuniTelephony
from bridge.domain.directory.entities import ExtensionOwner, Manager, Ref
from bridge.domain.phone.phone import PhoneRules
from bridge.domain.routing.decision import RouteDecision, RouteQuestion
from bridge.ports.events import EventPublisher
from bridge.ports.stores.ledger import Ledger
from bridge.services.calls.active_calls import ActiveCalls
from bridge.services.calls.call_back_owners import CallBackOwners
from bridge.services.calls.call_store import QUESTION_WAIT, CallStore
from bridge.services.calls.missed_calls import MissedCallRules, MissedCalls
from bridge.services.calls.tracking import CallTracker
from bridge.services.calls.unread_events import UnreadEvents
from tests.support import builders as b
from tests.support.clocks import seconds_of


def build_call_services(
    ledger: Ledger,
    clock: Callable[[], datetime],
    events: EventPublisher,
    *,
    decide: Callable[[RouteQuestion], RouteDecision] = lambda _: b.decision(),
    owner_of: Callable[[str], ExtensionOwner] = lambda _: ExtensionOwner(None),
    managers: Callable[[], Mapping[Ref, Manager]] = dict,
    missed_call_rules: MissedCallRules | None = None,
    journal_internal: bool = False,
    question_wait: timedelta = QUESTION_WAIT,
    monotonic: Callable[[], float] | None = None,
    deliver_soon: Callable[[], None] = lambda: None,
    apply_soon: Callable[[], None] = lambda: None,
) -> tuple[CallStore, CallTracker]:
    """Build them; nothing is loaded yet."""
    dialect = SipuniTelephony("auto", PhoneRules())
    open_calls = ActiveCalls(monotonic or seconds_of(clock))
    rules = missed_call_rules or MissedCallRules(lang="ru", zone=UTC)
    missed_calls = MissedCalls(
        ledger=ledger,
        active_calls=open_calls,
        owner_of=owner_of,
        owners=CallBackOwners(decide=decide, managers=managers, lang=rules.lang, clock=clock),
        rules=rules,
        clock=clock,
    )
    call_store = CallStore(
        ledger=ledger,
        active_calls=open_calls,
        missed_calls=missed_calls,
        owner_of=owner_of,
        events=events,
        clock=clock,
        deliver_soon=deliver_soon,
        question_wait=question_wait,
    )
    return call_store, CallTracker(
        call_store=call_store,
        ledger=ledger,
        missed_calls=missed_calls,
        read_event=dialect.read_event,
        decide=decide,
        clock=clock,
        apply_soon=apply_soon,
        journal_internal=journal_internal,
        unread_events=UnreadEvents(ledger=ledger, events=events),
        reparse=dialect.reparse_event,
    )
