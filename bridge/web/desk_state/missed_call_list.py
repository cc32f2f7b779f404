"""The debts as desks show them: open ones by the telephones that owe, paid ones by their calls."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.entities import Manager, Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.events import Event, MissedCallChanged
from bridge.web.desk_state.desk_calls import DeskCalls

#: Paid debts remembered: the cards of their calls tell so while the desks show them.
_MOST_PAID = 1000


class MissedCallList:
    """Which clients wait to be called back; *managers* tells the telephone of a second person."""

    def __init__(self, board: DeskCalls, managers: Callable[[], Mapping[Ref, Manager]]) -> None:
        self._desk_calls = board
        self._managers = managers
        self._open: dict[str, MissedCall] = {}
        self._paid: OrderedDict[str, MissedCall] = OrderedDict()

    def publish(self, event: Event) -> None:
        """Take note of *event*, if it is about a debt, and wake the desks that show it."""
        if not isinstance(event, MissedCallChanged):
            return
        missed_call = event.missed_call
        before = self._open.pop(missed_call.key, None)
        self._paid.pop(missed_call.key, None)
        if missed_call.is_open:
            self._open[missed_call.key] = missed_call
        else:
            self._paid[missed_call.key] = missed_call
            while len(self._paid) > _MOST_PAID:
                self._paid.popitem(last=False)
        concerned = self._telephones(missed_call) | (self._telephones(before) if before else set())
        for extension in concerned:
            self._desk_calls.notify(extension)
        for number in missed_call.numbers:
            self._desk_calls.refresh_number(number)

    def load(self, missed_calls: Iterable[MissedCall]) -> None:
        """Take up the open debts of before a restart."""
        self._open |= {missed_call.key: missed_call for missed_call in missed_calls}

    def of_extension(self, extension: str) -> Sequence[MissedCall]:
        """Give the debts of a telephone, the longest waiting first."""
        mine = [
            missed_call
            for missed_call in self._open.values()
            if extension in self._telephones(missed_call)
        ]
        return sorted(mine, key=lambda missed_call: missed_call.opened_at)

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
        return next(
            (
                missed_call
                for missed_call in reversed(self._paid.values())
                if key in missed_call.call_keys
            ),
            None,
        )

    def _telephones(self, missed_call: MissedCall) -> set[str]:
        found = set() if missed_call.owner is None else {missed_call.owner.extension}
        if missed_call.escalated_to is not None:
            second = self._managers().get(missed_call.escalated_to)
            if second is not None and second.extension:
                found.add(second.extension)
        return found
