"""Watch the files of the data folder: alarms on the edge, and what memory has goes to a disk again.

Callers need none of these files but the directory. So whatever is wrong with one is said, and tried
again, while calls are answered.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bridge.errors import StoreError
from bridge.ports.alarms import Alarm
from bridge.ports.events import EventPublisher
from bridge.ports.stores.files import StoredFile

_log = logging.getLogger(__name__)


class StoreWatch:
    """Examines *files* and publishes `store_down` and `store_damaged`, each with the file's name.

    *aside* gives the names of the damaged files that are kept, by the file that each was: as long
    as one is kept its alarm stands. *restore* is called whenever the ledger can be written, with
    whether it lost something since.
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
        self._aside = damaged_copies
        self._restore = restore
        self._lost = False
        self._down: dict[str, str] = {}
        #: By file, what is said of it and the kept files that this was about.
        self._damaged: dict[str, tuple[str, Sequence[str]]] = {}

    async def check(self) -> None:
        """Examine every file once, and say what changed."""
        for file in (self._ledger, *self._files):
            trouble = await file.examine()
            losses = file.take_losses()
            if file is self._ledger:
                self._lost = self._lost or bool(losses)
                trouble = trouble or await self._write_back()
            self._say(file.name, trouble)
            self._say_lost(file.name, losses)
        self._say_kept()

    async def _write_back(self) -> StoreError | None:
        """Write what memory has; the alarm stands until that is on the disk."""
        try:
            await self._restore(self._lost)
        except StoreError as error:
            return error  # tried again at the next look
        self._lost = False
        return None

    def _say(self, name: str, trouble: StoreError | None) -> None:
        before = self._down.get(name)
        if trouble is not None and trouble.reason != before:
            self._down[name] = trouble.reason
            _log.error("store_down", extra={"path": trouble.path, "reason": trouble.reason})
            words = f"{name} cannot be used: {trouble.reason}"
            self._events.publish(Alarm("store_down", words, name))
        elif trouble is None and before is not None:
            del self._down[name]
            _log.info("store_back", extra={"path": name})
            self._events.publish(Alarm("store_down", f"{name} is well again", name, clear=True))

    def _say_lost(self, name: str, losses: Sequence[str]) -> None:
        if losses:
            words = f"{name} {'; then it '.join(losses)}"
            self._damaged[name] = (words, self._aside().get(name, ()))
            self._events.publish(Alarm("store_damaged", words, name))

    def _say_kept(self) -> None:
        kept = self._aside()
        for name, places in kept.items():
            said = self._damaged.get(name)
            if said is None or list(said[1]) != list(places):
                words = _kept_words(name, places) if said is None else said[0]
                self._damaged[name] = (words, places)
                self._events.publish(Alarm("store_damaged", words, name))
        for name in [name for name, (_, places) in self._damaged.items() if places]:
            if name not in kept:
                del self._damaged[name]
                words = f"nothing damaged of {name} is kept any more"
                self._events.publish(Alarm("store_damaged", words, name, clear=True))


def _kept_words(name: str, places: Sequence[str]) -> str:
    missing = [place for place in places if ".missing" in place]
    what = "was missing once" if len(missing) == len(places) else "was damaged"
    return f"{name} {what}, see {', '.join(places)}; delete that when this is settled"
