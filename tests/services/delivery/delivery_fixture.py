"""1C that answers as a test wants, and a delivery over it."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.document_drafts import (
    PhoneCallChange,
    PhoneCallDraft,
    ReminderDraft,
    WrittenPhoneCall,
    WrittenReminder,
)
from bridge.domain.delivery.documents import build_reminder_draft, build_ringing_reminders
from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    EntryState,
)
from bridge.domain.directory.entities import Ref
from bridge.domain.routing.decision import Target
from bridge.ports.alarms import Alarm
from bridge.ports.events import OneCAvailability
from bridge.ports.onec import FoundDocument
from bridge.services.delivery.deliver import Delivery
from tests.support import builders as b
from tests.support.clocks import seconds_of
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents
from tests.support.fakes.onec import FakeOneC

pytestmark = pytest.mark.anyio


RULES = DeliveryRules(quiet_period=timedelta(seconds=60))


@dataclass(slots=True)
class Hang:
    """Requests about one call that hang until it is over."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class RefusingOneC(FakeOneC):
    """1C that treats some requests in its own way: *rules* see the method and the call's key."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.requests: list[str] = []
        self.judges: list[Callable[[str, str], Exception | None]] = []
        self.hang_of: dict[str, Hang] = {}
        #: Called when 1C has done what a method asked, before the answer is here.
        self.after: dict[str, Callable[[], None]] = {}
        self._keys: dict[Ref, str] = {}

    def hangs(self, call: PhoneCall) -> "Hang":
        return self.hang_of.setdefault(call.key, Hang())

    def answers(self, error: Exception, *, to: Iterable[str], of: PhoneCall | None = None) -> None:
        """Answer *error* to the methods *to*, about the call *of* or any."""
        methods = tuple(to)

        def judge(method: str, key: str) -> Exception | None:
            return error if method in methods and (of is None or of.key == key) else None

        self.judges.append(judge)

    def is_well(self) -> None:
        self.judges.clear()

    async def find_phone_calls(self, draft: PhoneCallDraft) -> list[FoundDocument]:
        await self._judge("find", draft.key)
        found = list(await super().find_phone_calls(draft))
        self.after.get("find", lambda: None)()
        return found

    async def create_phone_call(self, draft: PhoneCallDraft) -> Ref:
        await self._judge("document", draft.key)
        made = await super().create_phone_call(draft)
        self._keys[made] = draft.key
        self.after.get("document", lambda: None)()
        return made

    async def set_deletion_mark(self, document: Ref) -> None:
        await self._judge("mark", self._keys.get(document, ""))
        await super().set_deletion_mark(document)

    async def create_subject(self, document: Ref) -> None:
        await self._judge("subject", self._keys.get(document, ""))
        await super().create_subject(document)

    async def create_reminder(self, draft: ReminderDraft) -> None:
        await self._judge("reminder", self._keys.get(draft.document, ""))
        await super().create_reminder(draft)

    async def has_subject(self, document: Ref) -> bool:
        await self._judge("has subject", self._keys.get(document, ""))
        return await super().has_subject(document)

    async def has_reminder(self, draft: ReminderDraft) -> bool:
        await self._judge("has reminder", self._keys.get(draft.document, ""))
        return await super().has_reminder(draft)

    async def read_phone_call(self, document: Ref) -> WrittenPhoneCall | None:
        await self._judge("read", self._keys.get(document, ""))
        return await super().read_phone_call(document)

    async def change_phone_call(self, document: Ref, change: PhoneCallChange) -> None:
        await self._judge("change", self._keys.get(document, ""))
        await super().change_phone_call(document, change)

    async def set_considered(self, document: Ref, *, considered: bool) -> None:
        await self._judge("consider", self._keys.get(document, ""))
        await super().set_considered(document, considered=considered)

    async def read_reminder(self, draft: ReminderDraft) -> WrittenReminder | None:
        await self._judge("read reminder", self._keys.get(draft.document, ""))
        return await super().read_reminder(draft)

    async def change_reminder(self, draft: ReminderDraft) -> bool:
        await self._judge("change reminder", self._keys.get(draft.document, ""))
        return await super().change_reminder(draft)

    async def delete_reminder(self, draft: ReminderDraft) -> bool:
        await self._judge("withdraw", self._keys.get(draft.document, ""))
        return await super().delete_reminder(draft)

    async def _judge(self, method: str, key: str) -> None:
        self.requests.append(method)
        if hang := self.hang_of.get(key):
            hang.reached.set()
            await hang.over.wait()
        for judge in self.judges:
            if error := judge(method, key):
                raise error


class DeliverySetup:
    """Delivery over a ledger in memory and a model of 1C, with a clock that a test moves."""

    def __init__(self) -> None:
        self.now = b.NOON
        self.onec = RefusingOneC(lambda: self.now)
        self.ledger = MemoryLedger(lambda: self.now)
        self.events = RecordedEvents()
        self.delivery = self.start()

    def start(self, poll_interval: timedelta = timedelta(seconds=1)) -> Delivery:
        """Start the bridge, anew after a crash."""
        self.delivery = Delivery(
            ledger=self.ledger,
            journal=self.onec,
            events=self.events,
            clock=lambda: self.now,
            monotonic=seconds_of(lambda: self.now),
            lang="ru",
            zone=UTC,
            rules=RULES,
            poll_interval=poll_interval,
        )
        return self.delivery

    def add_calls(self, count: int = 1, *, manager: bool = True) -> list[PhoneCall]:
        target = Target("205", b.manager().ref if manager else None)
        calls = []
        for number in range(len(self.ledger.calls_by_key), len(self.ledger.calls_by_key) + count):
            asked = b.question(asked_time=str(number))
            calls.append(b.call(asked, b.decision(target=target)))
            self.ledger.add_entry(calls[-1], self.now)
        return calls

    async def advance(self, **time: float) -> None:
        """Let time pass, delivering as the scheduler does: at the end of it."""
        self.now += timedelta(**time)
        self.onec.commit_late_writes()
        await self.delivery.drain()

    async def deliver_all(self) -> None:
        for _ in range(12):
            await self.advance(minutes=2)

    def state(self, call: PhoneCall) -> tuple[EntryState, DeliveryStage]:
        entry = self.ledger.entries_by_key[call.key]
        return entry.state, entry.stage

    def is_whole(self, call: PhoneCall) -> bool:
        """Whether 1C has one document of *call*, its subject and the reminder it deserves."""
        documents = [found.ref for found in self.onec.documents_of(call.key)]
        if len(documents) != 1:
            return False
        expected = [
            build_reminder_draft(call, ringing.user, ringing.text, documents[0])
            for ringing in build_ringing_reminders(call, "ru")
        ]
        kept = [r for r in self.onec.reminders if self.onec.documents[r.document][0] == call.key]
        return documents[0] in self.onec.subjects and kept == expected

    def availability(self) -> list[bool]:
        return [outcome.available for outcome in self.events.of(OneCAvailability)]

    def alarms(self) -> list[tuple[str, bool]]:
        return [(alarm.name, alarm.clear) for alarm in self.events.of(Alarm)]
