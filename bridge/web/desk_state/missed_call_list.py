"""Missed calls as desks show them: open ones by extension, closed ones by their calls."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.entities import Manager, Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.events import Event, MissedCallChanged
from bridge.web.desk_state.desk_calls import DeskCalls

#: Closed missed calls kept: their calls' cards show it.
_MAX_CLOSED = 1000


class MissedCallList:
    """Clients waiting to be called back; *managers* gives the extension after an escalation."""

    def __init__(
        self, desk_calls: DeskCalls, managers: Callable[[], Mapping[Ref, Manager]]
    ) -> None:
        self._desk_calls = desk_calls
        self._managers = managers
        self._open: dict[str, MissedCall] = {}
        self._closed: OrderedDict[str, MissedCall] = OrderedDict()

    def publish(self, event: Event) -> None:
        """Apply *event*, if it is about a missed call, and notify the desks that show it."""
        if not isinstance(event, MissedCallChanged):
            return
        missed_call = event.missed_call
        before = self._open.pop(missed_call.key, None)
        self._closed.pop(missed_call.key, None)
        if missed_call.is_open:
            self._open[missed_call.key] = missed_call
        else:
            self._closed[missed_call.key] = missed_call
            while len(self._closed) > _MAX_CLOSED:
                self._closed.popitem(last=False)
        concerned = self._extensions(missed_call) | (self._extensions(before) if before else set())
        for extension in concerned:
            self._desk_calls.notify(extension)
        for number in missed_call.numbers:
            self._desk_calls.refresh_number(number)

    def load(self, missed_calls: Iterable[MissedCall]) -> None:
        """Load the open missed calls of before a restart."""
        self._open |= {missed_call.key: missed_call for missed_call in missed_calls}

    def of_extension(self, extension: str) -> Sequence[MissedCall]:
        """Return the missed calls of an extension, the longest waiting first."""
        mine = [
            missed_call
            for missed_call in self._open.values()
            if extension in self._extensions(missed_call)
        ]
        return sorted(mine, key=lambda missed_call: missed_call.opened_at)

    def of_client(self, client: str, number: PhoneNumber | None = None) -> MissedCall | None:
        """Return the missed call of a client (`PhoneCall.client_key`), of any manager.

        A *number* stays the client's when 1C learns or forgets whose it is.
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
        """Return the closed missed call that the call of *key* belongs to; none of before a start.

        Of several the last.
        """
        return next(
            (
                missed_call
                for missed_call in reversed(self._closed.values())
                if key in missed_call.call_keys
            ),
            None,
        )

    def _extensions(self, missed_call: MissedCall) -> set[str]:
        found = set() if missed_call.owner is None else {missed_call.owner.extension}
        if missed_call.escalated_to is not None:
            second = self._managers().get(missed_call.escalated_to)
            if second is not None and second.extension:
                found.add(second.extension)
        return found
