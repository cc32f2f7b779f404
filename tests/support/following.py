"""The following of calls as bootstrap builds it, over whatever ledger a test has."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bridge.adapters.sipuni import Sipuni
from bridge.domain.decision import RouteDecision, RouteQuestion
from bridge.domain.directory import ExtensionOwner
from bridge.domain.phone import PhoneRules
from bridge.ports import Events, Ledger
from bridge.services.call_book import GRACE, CallBook
from bridge.services.debts import DebtRules, Debts
from bridge.services.follow import Following
from bridge.services.open_calls import OpenCalls
from tests.support import builders as b
from tests.support.clocks import seconds_of


def following(
    ledger: Ledger,
    clock: Callable[[], datetime],
    events: Events,
    *,
    decide: Callable[[RouteQuestion], RouteDecision] = lambda _: b.decision(),
    owner_of: Callable[[str], ExtensionOwner] = lambda _: ExtensionOwner(None),
    debts: DebtRules | None = None,
    internal: bool = False,
    grace: timedelta = GRACE,
    monotonic: Callable[[], float] | None = None,
    kick: Callable[[], None] = lambda: None,
    later: Callable[[], None] = lambda: None,
) -> tuple[CallBook, Following]:
    """Build them; nothing is remembered yet."""
    open_calls = OpenCalls(monotonic or seconds_of(clock))
    owed = Debts(
        ledger=ledger,
        open_calls=open_calls,
        owner_of=owner_of,
        rules=debts or DebtRules(lang="ru", zone=UTC),
        clock=clock,
    )
    book = CallBook(
        ledger=ledger,
        open_calls=open_calls,
        debts=owed,
        owner_of=owner_of,
        events=events,
        clock=clock,
        kick=kick,
        grace=grace,
    )
    return book, Following(
        book=book,
        ledger=ledger,
        debts=owed,
        read_event=Sipuni("auto", PhoneRules()).read_event,
        decide=decide,
        clock=clock,
        later=later,
        internal=internal,
    )
