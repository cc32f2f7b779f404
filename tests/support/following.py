"""The following of calls as bootstrap builds it, over whatever ledger a test has."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from bridge.adapters.sipuni import Sipuni
from bridge.domain.decision import RouteDecision, RouteQuestion
from bridge.domain.directory import ExtensionOwner, Manager
from bridge.domain.phone import PhoneRules
from bridge.ports import Events, Ledger
from bridge.services.call_book import GRACE, CallBook
from bridge.services.debts import DebtRules, Debts
from bridge.services.follow import Following
from bridge.services.open_calls import OpenCalls
from bridge.services.responsible import Responsible
from bridge.services.unread_events import UnreadEvents
from tests.support import builders as b
from tests.support.clocks import seconds_of


def following(
    ledger: Ledger,
    clock: Callable[[], datetime],
    events: Events,
    *,
    decide: Callable[[RouteQuestion], RouteDecision] = lambda _: b.decision(),
    owner_of: Callable[[str], ExtensionOwner] = lambda _: ExtensionOwner(None),
    managers: Callable[[], Mapping[int, Manager]] = dict,
    debts: DebtRules | None = None,
    internal: bool = False,
    grace: timedelta = GRACE,
    monotonic: Callable[[], float] | None = None,
    kick: Callable[[], None] = lambda: None,
    later: Callable[[], None] = lambda: None,
) -> tuple[CallBook, Following]:
    """Build them; nothing is remembered yet."""
    dialect = Sipuni("auto", PhoneRules())
    open_calls = OpenCalls(monotonic or seconds_of(clock))
    rules = debts or DebtRules(lang="ru", zone=UTC)
    owed = Debts(
        ledger=ledger,
        open_calls=open_calls,
        owner_of=owner_of,
        responsible=Responsible(decide=decide, managers=managers, lang=rules.lang, clock=clock),
        rules=rules,
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
        read_event=dialect.read_event,
        decide=decide,
        clock=clock,
        later=later,
        internal=internal,
        unread=UnreadEvents(ledger=ledger, events=events),
        reparse=dialect.reparse_event,
    )
