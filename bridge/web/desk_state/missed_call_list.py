"""The debts as desks show them: open ones by the telephones that owe, paid ones by their calls."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.entities import Manager, Ref
from bridge.domain.phone.fields import PhoneNumber
from bridge.ports.events import Event, MissedCallChanged
from bridge.web.desk_state.desk_calls import DeskCalls

#: Paid debts remembered: the cards of their calls tell so while the desks show them.
_MOST_PAID = 1000


class MissedCallList:
    """Which clients wait to be called back; *managers* tells the telephone of a second person."""

    def __init__(self, board: DeskCalls, managers: Callable[[], Mapping[Ref, Manager]]) -> None:
        self._board = board
        self._managers = managers
        self._open: dict[str, MissedCall] = {}
        self._paid: OrderedDict[str, MissedCall] = OrderedDict()

    def publish(self, event: Event) -> None:
        """Take note of *event*, if it is about a debt, and wake the desks that show it."""
        if not isinstance(event, MissedCallChanged):
            return
        debt = event.missed_call
        before = self._open.pop(debt.key, None)
        self._paid.pop(debt.key, None)
        if debt.is_open:
            self._open[debt.key] = debt
        else:
            self._paid[debt.key] = debt
            while len(self._paid) > _MOST_PAID:
                self._paid.popitem(last=False)
        concerned = self._telephones(debt) | (self._telephones(before) if before else set())
        for extension in concerned:
            self._board.notify(extension)
        for number in debt.numbers:
            self._board.refresh_number(number)

    def load(self, debts: Iterable[MissedCall]) -> None:
        """Take up the open debts of before a restart."""
        self._open |= {debt.key: debt for debt in debts}

    def of_extension(self, extension: str) -> Sequence[MissedCall]:
        """Give the debts of a telephone, the longest waiting first."""
        mine = [debt for debt in self._open.values() if extension in self._telephones(debt)]
        return sorted(mine, key=lambda debt: debt.opened_at)

    def of_client(self, client: str, number: PhoneNumber | None = None) -> MissedCall | None:
        """Give the debt to a client (`PhoneCall.client`), whoever has to call him back.

        A *number* stays his when 1C learns or forgets whose it is.
        """
        return next(
            (
                d
                for d in self._open.values()
                if client and (d.client == client or number in d.numbers)
            ),
            None,
        )

    def closed_for_call(self, key: str) -> MissedCall | None:
        """Give the debt that the call of *key* left, if it is closed since; not of before a start.

        Of several the last.
        """
        return next((debt for debt in reversed(self._paid.values()) if key in debt.call_keys), None)

    def _telephones(self, debt: MissedCall) -> set[str]:
        found = set() if debt.owner is None else {debt.owner.extension}
        if debt.escalated_to is not None:
            second = self._managers().get(debt.escalated_to)
            if second is not None and second.extension:
                found.add(second.extension)
        return found
