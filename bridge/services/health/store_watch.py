"""Watch the files of the data folder: alarms when they change, and writes that are tried again.

Callers are answered without any of these files but the directory. So whatever is wrong with one is
reported, and tried again, while calls are answered.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bridge.errors import StoreError
from bridge.ports.alarms import Alarm
from bridge.ports.events import EventPublisher
from bridge.ports.raised_alarm import RaisedAlarm
from bridge.ports.stores.files import StoredFile

_log = logging.getLogger(__name__)


class StoreWatch:
    """Examines *files* and publishes `store_down` and `store_damaged`, each with the file's name.

    *damaged_copies* returns the names of the damaged files that were set aside, by the name of the
    file that each was: as long as one is kept its alarm stays. *restore* is called whenever the
    ledger can be written, with whether it lost something since the last call.
    """

    def __init__(
        self,
        files: Sequence[StoredFile],
        *,
        ledger: StoredFile,
        events: EventPublisher,
        damaged_copies: Callable[[], Mapping[str, Sequence[str]]],
        restore: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._files = files
        self._ledger = ledger
        self._events = events
        self._damaged_copies = damaged_copies
        self._restore = restore
        self._ledger_lost = False
        self._down: dict[str, RaisedAlarm] = {}
        #: By file, the alarm's message and the copies that it was about.
        self._damaged: dict[str, tuple[str, Sequence[str]]] = {}

    async def check(self) -> None:
        """Examine every file once, and publish what changed."""
        for file in (self._ledger, *self._files):
            error = await file.examine()
            losses = file.take_losses()
            if file is self._ledger:
                self._ledger_lost = self._ledger_lost or bool(losses)
                error = error or await self._restore_ledger()
            self._report_down(file.name, error)
            self._report_losses(file.name, losses)
        self._report_copies()

    async def _restore_ledger(self) -> StoreError | None:
        """Write what memory has; the alarm stays until that is on the disk."""
        try:
            await self._restore(self._ledger_lost)
        except StoreError as error:
            return error  # tried again at the next check
        self._ledger_lost = False
        return None

    def _report_down(self, name: str, error: StoreError | None) -> None:
        alarm = self._down.setdefault(name, RaisedAlarm(self._events, "store_down", name))
        if error is not None:
            if alarm.raise_or_update(f"{name} cannot be used: {error.reason}"):
                _log.error("store_down", extra={"path": error.path, "reason": error.reason})
        elif alarm.clear(f"{name} is well again"):
            _log.info("store_back", extra={"path": name})

    def _report_losses(self, name: str, losses: Sequence[str]) -> None:
        if losses:
            message = f"{name} {'; then it '.join(losses)}"
            self._damaged[name] = (message, self._damaged_copies().get(name, ()))
            self._events.publish(Alarm("store_damaged", message, name))

    def _report_copies(self) -> None:
        copies_by_name = self._damaged_copies()
        for name, copies in copies_by_name.items():
            reported = self._damaged.get(name)
            if reported is None or list(reported[1]) != list(copies):
                message = _copies_message(name, copies) if reported is None else reported[0]
                self._damaged[name] = (message, copies)
                self._events.publish(Alarm("store_damaged", message, name))
        for name in [name for name, (_, copies) in self._damaged.items() if copies]:
            if name not in copies_by_name:
                del self._damaged[name]
                message = f"nothing damaged of {name} is kept any more"
                self._events.publish(Alarm("store_damaged", message, name, clear=True))


def _copies_message(name: str, copies: Sequence[str]) -> str:
    missing = [copy for copy in copies if ".missing" in copy]
    what = "was missing once" if len(missing) == len(copies) else "was damaged"
    return f"{name} {what}, see {', '.join(copies)}; delete that when this is settled"
