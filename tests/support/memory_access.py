"""The audit list, personal links and 1C's word on a password, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from bridge.domain.directory import Ref
from bridge.domain.retention import oldest_kept
from bridge.errors import StoreError
from bridge.ports import AuditAct, AuditRecord, SignIn


@dataclass
class AuditInMemory:
    """Keeps the audit list and the generations of personal links; *full_disk* keeps nothing."""

    kept: list[AuditRecord] = field(default_factory=list)
    generations: dict[Ref, int] = field(default_factory=dict)
    full_disk: bool = False

    async def note(self, record: AuditRecord) -> None:
        if self.full_disk:
            raise StoreError("audit.db", "disk full")
        self.kept.append(record)

    async def records(
        self, *, limit: int = 100, before: int | None = None, act: AuditAct | None = None
    ) -> Sequence[tuple[int, AuditRecord]]:
        numbered = reversed(list(enumerate(self.kept, 1)))
        found = [
            (number, record)
            for number, record in numbered
            if (before is None or number < before) and (act is None or record.act is act)
        ]
        return found[:limit]

    async def forget(self, days: Sequence[date]) -> int:
        before, kept = oldest_kept(days, 365), self.kept
        self.kept = [record for record in kept if before is None or record.at >= before]
        return len(kept) - len(self.kept)

    def generation(self, manager: Ref) -> int:
        return self.generations.get(manager, 0)

    async def revoke(self, manager: Ref) -> int:
        self.generations[manager] = self.generation(manager) + 1
        return self.generations[manager]


@dataclass
class SignInInMemory:
    """Knows names with their passwords; *words* is what it says instead, if anything."""

    known: dict[str, str] = field(default_factory=dict)
    instead: SignIn | Exception | None = None
    asked: list[str] = field(default_factory=list)

    async def check(self, name: str, password: str) -> SignIn:
        self.asked.append(name)
        if isinstance(self.instead, Exception):
            raise self.instead
        right = self.known.get(name) == password
        return self.instead or (SignIn.ACCEPTED if right else SignIn.REFUSED)
