"""A small 1C in memory that loses replies, commits late and refuses; and crashes in between.

`ModelOneC` is an `OneCJournal`: a state machine drives the outbox against it, whatever loop
delivers.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from bridge.domain.delivery.document_drafts import (
    PhoneCallChange,
    PhoneCallDraft,
    ReminderDraft,
    WrittenPhoneCall,
    WrittenReminder,
)
from bridge.domain.directory.entities import Ref
from bridge.errors import (
    OneCAlreadyExists,
    OneCOutcomeUnknown,
    OneCRejected,
    OneCUnavailable,
)
from bridge.ports.onec import FoundDocument
from tests.support.builders import ref


class RequestOutcome(Enum):
    """How 1C treats the next request."""

    ANSWERED = auto()
    UNREACHABLE = auto()  # nothing reached it
    REPLY_LOST = auto()  # committed; the reply was lost
    COMMITTED_LATE = auto()  # the reply was lost; commits `ModelOneC.lateness` after the request
    NEVER_COMMITTED = auto()  # the reply was lost; never commits
    REFUSED = auto()


class Crash(BaseException):
    """The service was killed here. A BaseException, as nothing may outlive it."""


@dataclass(slots=True)
class CrashTimer:
    """Kills the service after so many steps; None never."""

    steps: int | None = None

    def step(self) -> None:
        if self.steps is None:
            return
        if self.steps == 0:
            raise Crash
        self.steps -= 1


@dataclass(slots=True)
class FakeOneC:
    """1C in memory. *accepts_proposed_refs*: it takes the reference that a draft proposes."""

    clock: Callable[[], datetime]
    accepts_proposed_refs: bool = False
    commit_delay: timedelta = timedelta(0)
    #: Called as each request leaves: the test's clock may go on.
    before_request: Callable[[], None] = lambda: None
    crash_timer: CrashTimer = field(default_factory=CrashTimer)
    outcomes: deque[RequestOutcome] = field(default_factory=deque)
    documents: dict[Ref, tuple[str, FoundDocument]] = field(default_factory=dict)
    subjects: set[Ref] = field(default_factory=set)
    reminders: list[ReminderDraft] = field(default_factory=list)
    #: When a reminder is due that its user postponed, by its key.
    postponed: dict[tuple[Ref, datetime, Ref], datetime] = field(default_factory=dict)
    texts: dict[Ref, WrittenPhoneCall] = field(default_factory=dict)
    considered: dict[Ref, bool] = field(default_factory=dict)
    _late: list[tuple[datetime, Callable[[], object]]] = field(default_factory=list)
    _made: int = 0

    # ---- what a test asks and does
    def documents_of(self, key: str) -> list[FoundDocument]:
        """Return the documents of a call without a deletion mark, the oldest first."""
        return [d for marker, d in self.documents.values() if marker == key and not d.deletion_mark]

    def commit_late_writes(self) -> None:
        """Commit what was late and is due now."""
        due = [write for at, write in self._late if at <= self.clock()]
        self._late = [(at, write) for at, write in self._late if at > self.clock()]
        for write in due:
            write()

    def dismiss_reminders(self, user: Ref) -> None:
        """Have a manager press "Прекратить" on all own reminders."""
        self.reminders = [kept for kept in self.reminders if kept.user != user]

    def set_outcomes(self, outcomes: Iterable[RequestOutcome]) -> None:
        self.outcomes = deque(outcomes)

    # ---- OneCJournal
    async def find_phone_calls(self, draft: PhoneCallDraft) -> Sequence[FoundDocument]:
        self._read()
        return [d for marker, d in self.documents.values() if marker == draft.key]

    async def create_phone_call(self, draft: PhoneCallDraft) -> Ref:
        self._made += 1
        own = draft.proposed_ref if self.accepts_proposed_refs else ref(f"document {self._made}")

        def write() -> bool:
            if own in self.documents:
                return False
            number = f"00-{len(self.documents) + 1:08d}"
            found = FoundDocument(ref=own, number=number, at=draft.at, deletion_mark=False)
            self.documents[own] = (draft.key, found)
            self.texts[own] = WrittenPhoneCall(
                own,
                draft.subject,
                draft.description,
                draft.comment,
                draft.responsible,
                deletion_mark=False,
            )
            return True

        self._write(write)
        return own

    async def set_deletion_mark(self, document: Ref) -> None:
        def write() -> bool:
            key, found = self.documents[document]
            self.documents[document] = (key, replace(found, deletion_mark=True))
            return True

        self._write(write)

    async def create_subject(self, document: Ref) -> None:
        def write() -> bool:
            known = document in self.subjects
            self.subjects.add(document)
            return not known

        self._write(write)

    async def create_reminder(self, draft: ReminderDraft) -> None:
        def write() -> bool:
            known = self._reminder(draft) is not None
            if not known:
                self.reminders.append(draft)
            return not known

        self._write(write)

    async def has_reminder(self, draft: ReminderDraft) -> bool:
        self._read()
        return self._reminder(draft) is not None

    async def has_subject(self, document: Ref) -> bool:
        self._read()
        return document in self.subjects

    async def read_phone_call(self, document: Ref) -> WrittenPhoneCall | None:
        self._read()
        return self.texts.get(document)

    async def change_phone_call(self, document: Ref, change: PhoneCallChange) -> None:
        def write() -> bool:
            present = self.texts[document]
            self.texts[document] = replace(
                present,
                subject=change.subject or present.subject,
                description=change.description or present.description,
                responsible=change.responsible or present.responsible,
            )
            return True

        self._write(write)

    async def set_considered(self, document: Ref, *, considered: bool) -> None:
        def write() -> bool:
            self.considered[document] = considered
            return True

        self._write(write)

    async def read_reminder(self, draft: ReminderDraft) -> WrittenReminder | None:
        self._read()
        there = self._reminder(draft)
        if there is None:
            return None
        return WrittenReminder(self.postponed.get(_key(there), there.at), there.text)

    async def change_reminder(self, draft: ReminderDraft) -> bool:
        found = self._reminder(draft) is not None

        def write() -> bool:
            there = self._reminder(draft)
            if there is not None:
                self.reminders[self.reminders.index(there)] = draft
            return True

        self._write(write)
        return found

    async def delete_reminder(self, draft: ReminderDraft) -> bool:
        found = self._reminder(draft) is not None

        def write() -> bool:
            there = self._reminder(draft)
            if there is not None:
                self.reminders.remove(there)
            return True

        self._write(write)
        return found

    def _reminder(self, draft: ReminderDraft) -> ReminderDraft | None:
        return next((kept for kept in self.reminders if _key(kept) == _key(draft)), None)

    async def aclose(self) -> None:
        pass

    # ---- how a request fares
    def _next_outcome(self) -> RequestOutcome:
        self.before_request()
        self.commit_late_writes()
        self.crash_timer.step()
        return self.outcomes.popleft() if self.outcomes else RequestOutcome.ANSWERED

    def _read(self) -> None:
        if self._next_outcome() is not RequestOutcome.ANSWERED:
            raise OneCUnavailable("model", "no answer")

    def _write(self, write: Callable[[], bool]) -> None:
        outcome = self._next_outcome()
        if outcome is RequestOutcome.UNREACHABLE:
            raise OneCUnavailable("model", "connection refused")
        if outcome is RequestOutcome.REFUSED:
            raise OneCRejected("model", "Период закрыт", status=500, code="-1")
        if outcome is RequestOutcome.NEVER_COMMITTED:
            raise OneCOutcomeUnknown("model", "no reply")
        if outcome is RequestOutcome.COMMITTED_LATE:
            self._late.append((self.clock() + self.commit_delay, write))
            self.crash_timer.step()
            raise OneCOutcomeUnknown("model", "no reply")
        fresh = write()
        self.crash_timer.step()
        if outcome is RequestOutcome.REPLY_LOST:
            raise OneCOutcomeUnknown("model", "the reply was lost")
        if not fresh:
            raise OneCAlreadyExists("model", "it is there already", status=400, code="15")


def _key(draft: ReminderDraft) -> tuple[Ref, datetime, Ref]:
    return draft.user, draft.at, draft.document
