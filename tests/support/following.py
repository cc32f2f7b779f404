"""The following of calls as bootstrap builds it, over whatever ledger a test has."""

from collections.abc import Callable
from datetime import UTC, datetime

from bridge.adapters.sipuni import Sipuni
from bridge.domain.decision import RouteDecision, RouteQuestion
from bridge.domain.directory import ExtensionOwner
from bridge.domain.phone import PhoneRules
from bridge.ports import Events, Ledger
from bridge.services.debts import DebtRules, Debts
from bridge.services.follow import Following, FollowRules
from bridge.services.open_calls import OpenCalls
from tests.support import builders as b


def following(
    ledger: Ledger,
    clock: Callable[[], datetime],
    events: Events,
    *,
    decide: Callable[[RouteQuestion], RouteDecision] = lambda _: b.decision(),
    owner_of: Callable[[str], ExtensionOwner] = lambda _: ExtensionOwner(None),
    debts: DebtRules | None = None,
    rules: FollowRules | None = None,
    kick: Callable[[], None] = lambda: None,
    later: Callable[[], None] = lambda: None,
) -> Following:
    """Build it; nothing is remembered yet."""
    open_calls = OpenCalls()
    return Following(
        ledger=ledger,
        open_calls=open_calls,
        debts=Debts(
            ledger=ledger,
            open_calls=open_calls,
            owner_of=owner_of,
            rules=debts or DebtRules(lang="ru", zone=UTC),
            clock=clock,
        ),
        read_event=Sipuni("auto", PhoneRules()).read_event,
        decide=decide,
        owner_of=owner_of,
        events=events,
        clock=clock,
        kick=kick,
        later=later,
        rules=rules,
    )
