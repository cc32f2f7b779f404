"""The calls that may still be spoken of, in memory: found by the PBX's id and by party.

The ringing path and the events meet here, within one turn of the loop, so that a question and the
first event of its call never make two calls of one, whichever comes first.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TypeVar

from bridge.domain.calls.call import PhoneCall
from bridge.domain.phone.callers import Caller
from bridge.ports.clock import Monotonic

#: No PBX speaks of a call longer after it came; what does is looked up in the ledger.
ACTIVE_FOR = timedelta(hours=12)

_Party = tuple[str, object]
_K = TypeVar("_K")


@dataclass(slots=True)
class _Open:
    call: PhoneCall
    #: Set once the call is on disk; None when it is already.
    recorded: asyncio.Event | None = None
    #: When it was first known of, and last heard of, in seconds of a clock that only grows.
    since: float = 0.0
    heard: float = 0.0


class ActiveCalls:
    """The calls of the last hours, oldest first."""

    def __init__(self, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._calls: dict[str, _Open] = {}
        self._parties: dict[_Party, dict[str, None]] = {}
        self._clients: dict[str, dict[str, None]] = {}
        self._refs: dict[tuple[str, str], str] = {}

    def __iter__(self) -> Iterator[PhoneCall]:
        """Go through all of them."""
        return iter([held.call for held in self._calls.values()])

    def put(self, call: PhoneCall, *, on_disk: bool = True) -> None:
        """Hold *call* as it stands now; *on_disk* False while it is being recorded."""
        held, now = self._calls.get(call.key), self._monotonic()
        if held is None:
            self._forget_old(now)
            recorded = None if on_disk else asyncio.Event()
            self._calls[call.key] = _Open(call, recorded, now, now)
            self._parties.setdefault(_party(call.caller), {})[call.key] = None
        else:
            _take_out(self._clients, held.call.client_key, call.key)
            if _party(held.call.caller) != _party(call.caller):
                _take_out(self._parties, _party(held.call.caller), call.key)
                self._parties.setdefault(_party(call.caller), {})[call.key] = None
            if held.call.applied_events != call.applied_events:
                held.heard = now
            held.call = call
            if on_disk and held.recorded is not None:
                held.recorded.set()
                held.recorded = None
        if call.client_key:
            self._clients.setdefault(call.client_key, {})[call.key] = None
        if call.state.call_ref:
            self._refs[call.provider, call.state.call_ref] = call.key

    def reload(self, stale: Iterable[str], calls: Iterable[PhoneCall], now: datetime) -> None:
        """Put *calls*, as they stand on disk, in the place of *stale*; *now* by the wall clock.

        Those that were not held before are as old as the wall clock says, which is all there is.
        """
        known = dict(self._calls)
        for key in stale:
            self.remove(key)
        seconds = self._monotonic()
        for call in calls:
            self.put(call)
            held, before = self._calls[call.key], known.get(call.key)
            if before is None:
                last = max([call.received_at, *(event.at for event in call.applied_events)])
                held.since = seconds - max(0.0, (now - call.received_at).total_seconds())
                held.heard = seconds - max(0.0, (now - last).total_seconds())
            else:
                held.since, held.heard = before.since, before.heard

    def silent_for(self, key: str) -> timedelta:
        """Give the time that has passed since the call of *key* was last heard of."""
        return timedelta(seconds=self._monotonic() - self._calls[key].heard)

    def get(self, key: str) -> PhoneCall | None:
        """Give the call of *key*."""
        held = self._calls.get(key)
        return None if held is None else held.call

    def by_ref(self, provider: str, ref: str) -> PhoneCall | None:
        """Give the call that the PBX knows by *ref*."""
        key = self._refs.get((provider, ref))
        return None if key is None else self.get(key)

    def of_caller(self, caller: Caller) -> list[PhoneCall]:
        """Give the calls with *caller*, oldest first."""
        keys = self._parties.get(_party(caller), {})
        return [self._calls[key].call for key in keys]

    def since(self, moment: datetime, caller: Caller | None = None) -> list[PhoneCall]:
        """Return the calls received since *moment*, newest first; with *caller* only his."""
        keys = self._calls if caller is None else self._parties.get(_party(caller), {})
        newest = (self._calls[key].call for key in reversed(keys))
        return list(takewhile(lambda call: call.received_at >= moment, newest))

    def of_client(self, client: str) -> list[PhoneCall]:
        """Give the calls with the client known as `PhoneCall.client`, oldest first."""
        return [self._calls[key].call for key in self._clients.get(client, {})]

    def is_recorded(self, key: str) -> bool:
        """Whether the call of *key* is on disk, as far as is known here."""
        held = self._calls.get(key)
        return held is None or held.recorded is None

    async def wait_recorded(self, key: str) -> None:
        """Wait until the call of *key* is recorded."""
        held = self._calls.get(key)
        if held is not None and held.recorded is not None:
            await held.recorded.wait()

    def remove(self, key: str) -> None:
        """Forget a call that could not be recorded."""
        held = self._calls.pop(key, None)
        if held is None:
            return
        if held.recorded is not None:
            held.recorded.set()
        _take_out(self._parties, _party(held.call.caller), key)
        _take_out(self._clients, held.call.client_key, key)
        self._refs.pop((held.call.provider, held.call.state.call_ref), None)

    def recorded_keys(self) -> list[str]:
        """Give the keys of all that is on disk."""
        return [key for key, held in self._calls.items() if held.recorded is None]

    def _forget_old(self, now: float) -> None:
        while self._calls:
            key, held = next(iter(self._calls.items()))
            if timedelta(seconds=now - held.since) <= ACTIVE_FOR or held.recorded is not None:
                return
            self.remove(key)


def _take_out(index: dict[_K, dict[str, None]], name: _K, key: str) -> None:
    keys = index.get(name)
    if keys is not None:
        keys.pop(key, None)
        if not keys:
            del index[name]


def _party(caller: Caller) -> _Party:
    """Give what two spellings of one caller share.

    The few digits of an extension and of a short outside number are one: the line tells them apart.
    """
    if caller.short_number:
        return "short", caller.short_number
    return caller.kind, caller.number or ""
