"""The audit list, personal links and 1C's answer to a password, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from bridge.domain.delivery.retention import oldest_kept
from bridge.domain.directory.entities import Ref
from bridge.errors import StoreError
from bridge.ports.access import SignInAnswer
from bridge.ports.audit import AuditAct, AuditRecord


@dataclass
class MemoryAudit:
    """`Audit` and `PersonalLinks`; with *full_disk* nothing is kept."""

    appended: list[AuditRecord] = field(default_factory=list)
    generations: dict[Ref, int] = field(default_factory=dict)
    full_disk: bool = False

    async def append(self, record: AuditRecord) -> None:
        if self.full_disk:
            raise StoreError("audit.db", "disk full")
        self.appended.append(record)

    async def records(
        self, *, limit: int = 100, before: int | None = None, act: AuditAct | None = None
    ) -> Sequence[tuple[int, AuditRecord]]:
        numbered = reversed(list(enumerate(self.appended, 1)))
        found = [
            (number, record)
            for number, record in numbered
            if (before is None or number < before) and (act is None or record.act is act)
        ]
        return found[:limit]

    async def delete_old(self, days: Sequence[date]) -> int:
        before, kept = oldest_kept(days, 365), self.appended
        self.appended = [record for record in kept if before is None or record.at >= before]
        return len(kept) - len(self.appended)

    def generation(self, manager: Ref) -> int:
        return self.generations.get(manager, 0)

    async def revoke(self, manager: Ref) -> int:
        self.generations[manager] = self.generation(manager) + 1
        return self.generations[manager]


@dataclass
class FakeOneCSignIn:
    """Knows names with their passwords; *answer_instead* is its answer to all, where it is set."""

    passwords: dict[str, str] = field(default_factory=dict)
    answer_instead: SignInAnswer | Exception | None = None
    asked: list[str] = field(default_factory=list)

    async def check_credentials(self, name: str, password: str) -> SignInAnswer:
        self.asked.append(name)
        if isinstance(self.answer_instead, Exception):
            raise self.answer_instead
        right = self.passwords.get(name) == password
        return self.answer_instead or (SignInAnswer.ACCEPTED if right else SignInAnswer.REFUSED)
