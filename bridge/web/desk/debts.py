"""The open debts as desks show them, by the telephones that have to call back."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bridge.domain.directory import Manager
from bridge.domain.missed import MissedDebt
from bridge.ports import DebtChanged, Event
from bridge.web.desk.board import Board


class DebtBook:
    """Which clients wait to be called back; *managers* tells the telephone of a second person."""

    def __init__(self, board: Board, managers: Callable[[], Mapping[int, Manager]]) -> None:
        self._board = board
        self._managers = managers
        self._open: dict[str, MissedDebt] = {}

    def publish(self, event: Event) -> None:
        """Take note of *event*, if it is about a debt, and wake the desks that show it."""
        if not isinstance(event, DebtChanged):
            return
        debt = event.debt
        before = self._open.pop(debt.key, None)
        if debt.is_open:
            self._open[debt.key] = debt
        concerned = self._telephones(debt) | (self._telephones(before) if before else set())
        for extension in concerned:
            self._board.nudge(extension)
        for number in debt.numbers:
            self._board.touch(number)

    def recall(self, debts: Iterable[MissedDebt]) -> None:
        """Take up the open debts of before a restart."""
        self._open |= {debt.key: debt for debt in debts}

    def of(self, extension: str) -> Sequence[MissedDebt]:
        """Give the debts of a telephone, the longest waiting first."""
        mine = [debt for debt in self._open.values() if extension in self._telephones(debt)]
        return sorted(mine, key=lambda debt: debt.opened_at)

    def of_client(self, client: str) -> MissedDebt | None:
        """Give the debt to a client (`PhoneCall.client`), whoever has to call him back."""
        return next((d for d in self._open.values() if client and d.client == client), None)

    def _telephones(self, debt: MissedDebt) -> set[str]:
        found = set() if debt.owner is None else {debt.owner.extension}
        if debt.escalated_to is not None:
            second = (m for m in self._managers().values() if m.ref == debt.escalated_to)
            found |= {manager.extension for manager in second if manager.extension}
        return found
