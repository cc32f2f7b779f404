"""The application with desks on a port of loopback, and the browser's windows on it."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from playwright.async_api import Browser, BrowserContext

from bridge.domain.calls.call import PhoneCall, call_from_question
from bridge.domain.calls.events import Outcome
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.entities import Manager, Partner, PhoneOwner, Ref
from bridge.domain.routing.decision import RouteDecision, Rule, Target
from bridge.lab.servers import LoopbackServer
from bridge.ports.events import CallChanged, CallRecorded, MissedCallChanged
from bridge.web.desk_state.desk_calls import DeskCalls
from bridge.web.desk_state.missed_call_list import MissedCallList
from bridge.web.desk_state.state import DeskState
from tests.support.builders import (
    NUMBER,
    card,
    contact,
    manager,
    partner,
    question,
    rows,
)
from tests.support.fakes.order_button import FakeOriginator
from tests.web.services_in_memory import DirectoryInMemory
from tests.web.web_fixture import ADMIN, WebFixture

ANNA, BORIS = manager("Анна Петрова", "205"), manager("Борис Орлов", "207")
ROMASHKA = partner(phones=("+7 (495) 123-45-67",))
LUTIK = partner(
    "ИП Лютик", manager="Борис Орлов", code="00-00000009", phones=("+7 (903) 555-01-23",)
)
IVANOV = contact()


class SearchableDirectory(DirectoryInMemory):
    """Searches the names it knows."""

    objects: Sequence[PhoneOwner | Manager] = (IVANOV, ROMASHKA, LUTIK, ANNA, BORIS)

    def find_by_name(self, text: str, limit: int = 20) -> Sequence[PhoneOwner | Manager]:
        needle = text.casefold()
        return [one for one in self.objects if needle in one.name.casefold()][:limit]

    def partner(self, ref: Ref) -> Partner | None:
        return next((p for p in (ROMASHKA, LUTIK) if p.ref == ref), None)


def link_of(kind: object, ref: Ref) -> str:
    return f"https://1c.example.ru/ut11/#e1cib/{kind}/{ref}"


@dataclass
class DeskFixture(WebFixture):
    """The application of the browser tests, on the real clock and with all that a desk needs."""

    directory: DirectoryInMemory = field(default_factory=SearchableDirectory)
    process_number: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.directory.staff.update(rows(ANNA, BORIS))
        self.directory.cards[NUMBER] = card(IVANOV, LUTIK, partners=[ROMASHKA, LUTIK])
        self.orders = FakeOriginator(self.clock)
        self.call_ordering = self.orders
        self.missed_calls: dict[str, MissedCall] = {}
        self.restart()

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def restart(self) -> None:
        """Begin another process: what was only remembered is gone, what was recorded is not."""
        self.process_number += 1
        board = DeskCalls(f"life{self.process_number}", self.clock)
        self.desk_state = DeskState(board, MissedCallList(board, self.directory.managers), link_of)
        self.desk_state.load(self.ledger.stored.values(), self.missed_calls.values())

    def show(self, call: PhoneCall) -> None:
        """Record *call* as it is now, and publish it to the desks."""
        known = call.key in self.ledger.stored
        self.ledger.stored[call.key] = call
        self.desk_state.publish(CallChanged(call) if known else CallRecorded(call))

    # ------------------------------------------------------------ what happens
    def ring(self, caller: str = "+79035550123", at: Manager = ANNA) -> PhoneCall:
        """Let *caller* ring at somebody's telephone."""
        now = self.clock()
        asked = question(caller, asked_time=str(now.timestamp()), arrived_at=now, received_at=now)
        known = self.directory.look_up(asked.caller.number) if asked.caller.number else None
        owners = () if known is None else known.candidates
        target = Target(at.extension or "", at.ref, at.name)
        begun = call_from_question(
            asked, RouteDecision(Rule.CONTACT_MANAGER, (target,), None, owners)
        )
        begun = replace(
            begun,
            known_targets=tuple(Target(m.extension or "", m.ref, m.name) for m in (ANNA, BORIS)),
        )
        self.show(begun)
        return begun

    def ring_group(self, *, caller: str = "+79035550123") -> PhoneCall:
        """Let *caller* ring at everybody's telephone."""
        return self.change(self.ring(caller), rung_extensions=("205", "207"))

    def change(self, call: PhoneCall, **process_number: Any) -> PhoneCall:
        """Let *call* go on."""
        changed = replace(call, state=replace(call.state, **process_number))
        self.show(changed)
        return changed

    def pick_up(self, call: PhoneCall, extension: str = "205") -> PhoneCall:
        return self.change(
            call,
            disposition=Disposition.TALKING,
            talked_extensions=(*call.state.talked_extensions, extension),
            answered_at=self.clock(),
        )

    def hang_up(self, call: PhoneCall, talk_s: float = 35) -> PhoneCall:
        return self.change(
            call,
            disposition=Disposition.ANSWERED,
            outcome=Outcome.ANSWERED,
            ended_at=self.clock(),
            talk_time=timedelta(seconds=talk_s),
        )

    def give_up(self, call: PhoneCall) -> PhoneCall:
        return self.change(call, disposition=Disposition.MISSED, ended_at=self.clock())

    def miss_call(self, call: PhoneCall, calls: int = 2) -> MissedCall:
        """Let *call* be a missed call of Anna's."""
        number = call.caller.number
        assert number is not None
        missed_call = MissedCall(
            key=call.key,
            client=call.client_key,
            name="Иванов Пётр (ООО Ромашка)",
            numbers=(number,),
            call_keys=(call.key,) * calls,
            reminder_call=call.key,
            owner=Target("205", ANNA.ref, ANNA.name),
            opened_at=self.clock() - timedelta(minutes=7),
            last_missed_at=self.clock(),
        )
        return self._publish(missed_call)

    def close_missed_call(self, missed_call: MissedCall) -> MissedCall:
        """Let somebody have talked to the client."""
        return self._publish(replace(missed_call, closed_at=self.clock()))

    def _publish(self, missed_call: MissedCall) -> MissedCall:
        self.missed_calls[missed_call.key] = missed_call
        self.desk_state.publish(MissedCallChanged(missed_call))
        return missed_call


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class DeskServer:
    """The application's port; it can go away and come back."""

    web: DeskFixture
    served: LoopbackServer = field(init=False)

    def __post_init__(self) -> None:
        self.served = LoopbackServer(self._server)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.served.port}"

    def desk(self, extension: str = "205") -> str:
        return f"{self.url}/desk?extension={extension}"

    async def open(self) -> None:
        await self.served.start()

    async def close(self) -> None:
        self.web.desk_state.calls.close()
        self.web.event_feed.close()
        await self.served.stop()

    def _server(self) -> uvicorn.Server:
        config = uvicorn.Config(
            self.web.app(), log_config=None, access_log=False, lifespan="off", proxy_headers=False
        )
        return _Server(config)


@asynccontextmanager
async def serve_desk(web: DeskFixture) -> AsyncIterator[DeskServer]:
    """Serve *web* until the block ends."""
    server = DeskServer(web)
    await server.open()
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def open_window(
    browser: Browser, *, known: bool = True, **options: Any
) -> AsyncIterator[BrowserContext]:
    """Open a browser window; *known*: it is the administrator's, without a sign-in.

    An error of a script, or a request to another host, fails the test.
    """
    context = await browser.new_context(
        extra_http_headers={"Authorization": f"Bearer {ADMIN}"} if known else {},
        locale="ru-RU",
        **options,
    )
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("request", lambda r: wrong.append(r.url) if "127.0.0.1" not in r.url else None)
    try:
        yield context
    finally:
        await context.close()
    assert not wrong
