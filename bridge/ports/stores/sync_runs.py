"""The last sync runs: what each did, or why it changed nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.errors import Loss
from bridge.ports.stores.directory import SyncReport


@dataclass(frozen=True, slots=True)
class Shrink:
    """What the guard refused: 1C lists *listed* of the *held* rows of *entity_set*.

    Where rows lost what calls are routed by, *losses* are what and how much.
    """

    entity_set: str
    held: int
    listed: int
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncRun:
    """One run: its *report*, or the sentence *error* where nothing was changed."""

    started_at: datetime
    seconds: float
    report: SyncReport | None = None
    error: str = ""
    refused: Shrink | None = None


class SyncRunList(Protocol):
    """The last runs, by whatever started them."""

    async def runs(self, limit: int = 100, since: datetime | None = None) -> Sequence[SyncRun]:
        """Return runs, newest first. Raises StoreError."""
        ...
