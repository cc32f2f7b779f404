"""The calls of the last hours, in memory: found by the PBX's id and by caller.

Routing questions and events meet here within one turn of the event loop, so that a question and the
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

#: No PBX reports events of a call longer after it came; later ones are looked up in the ledger. A
#: call without an end stays until it has one, or is given up (`services.calls.unfinished`): the
#: machine may have slept meanwhile.
ACTIVE_FOR = timedelta(hours=12)

_Party = tuple[str, object]
_K = TypeVar("_K")


@dataclass(slots=True)
class _ActiveCall:
    call: PhoneCall
    #: Set once the call is on disk; None when it is already.
    recorded: asyncio.Event | None = None
    #: When it was added, and when its last event came, in seconds of a clock that only grows.
    added_at: float = 0.0
    last_event_at: float = 0.0


class ActiveCalls:
    """The calls of the last hours, oldest first, and older ones whose end is not known."""

    def __init__(self, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._calls: dict[str, _ActiveCall] = {}
        self._by_party: dict[_Party, dict[str, None]] = {}
        self._by_client: dict[str, dict[str, None]] = {}
        self._by_ref: dict[tuple[str, str], str] = {}

    def __iter__(self) -> Iterator[PhoneCall]:
        """Iterate over all of them."""
        return iter([active.call for active in self._calls.values()])

    def put(self, call: PhoneCall, *, is_recorded: bool = True) -> None:
        """Add or replace *call*; *is_recorded* is False while it is being recorded."""
        active, now = self._calls.get(call.key), self._monotonic()
        if active is None:
            self._remove_old(now)
            recorded = None if is_recorded else asyncio.Event()
            self._calls[call.key] = _ActiveCall(call, recorded, now, now)
            self._by_party.setdefault(_party(call.caller), {})[call.key] = None
        else:
            _take_out(self._by_client, active.call.client_key, call.key)
            if _party(active.call.caller) != _party(call.caller):
                _take_out(self._by_party, _party(active.call.caller), call.key)
                self._by_party.setdefault(_party(call.caller), {})[call.key] = None
            if active.call.applied_events != call.applied_events:
                active.last_event_at = now
            active.call = call
            if is_recorded and active.recorded is not None:
                active.recorded.set()
                active.recorded = None
        if call.client_key:
            self._by_client.setdefault(call.client_key, {})[call.key] = None
        if call.state.call_ref:
            self._by_ref[call.provider, call.state.call_ref] = call.key

    def reload(self, stale: Iterable[str], calls: Iterable[PhoneCall], now: datetime) -> None:
        """Replace the calls of the keys *stale* by *calls*, as they are on disk.

        Calls that were not here before are as old as by the wall clock *now*: nothing else
        is known.
        """
        before = dict(self._calls)
        for key in stale:
            self.remove(key)
        seconds = self._monotonic()
        for call in calls:
            self.put(call)
            active, earlier = self._calls[call.key], before.get(call.key)
            if earlier is None:
                last = max([call.received_at, *(event.at for event in call.applied_events)])
                active.added_at = seconds - max(0.0, (now - call.received_at).total_seconds())
                active.last_event_at = seconds - max(0.0, (now - last).total_seconds())
            else:
                active.added_at = earlier.added_at
                active.last_event_at = earlier.last_event_at

    def silent_for(self, key: str) -> timedelta:
        """Return the time since the last event of the call of *key*."""
        return timedelta(seconds=self._monotonic() - self._calls[key].last_event_at)

    def get(self, key: str) -> PhoneCall | None:
        """Return the call of *key*."""
        active = self._calls.get(key)
        return None if active is None else active.call

    def by_ref(self, provider: str, ref: str) -> PhoneCall | None:
        """Return the call whose id at the PBX is *ref*."""
        key = self._by_ref.get((provider, ref))
        return None if key is None else self.get(key)

    def of_caller(self, caller: Caller) -> list[PhoneCall]:
        """Return the calls with *caller*, oldest first."""
        keys = self._by_party.get(_party(caller), {})
        return [self._calls[key].call for key in keys]

    def since(self, moment: datetime, caller: Caller | None = None) -> list[PhoneCall]:
        """Return the calls received since *moment*, with *caller* where given, newest first."""
        keys = self._calls if caller is None else self._by_party.get(_party(caller), {})
        newest = (self._calls[key].call for key in reversed(keys))
        return list(takewhile(lambda call: call.received_at >= moment, newest))

    def of_client(self, client_key: str) -> list[PhoneCall]:
        """Return the calls with the client of `PhoneCall.client_key`, oldest first."""
        return [self._calls[key].call for key in self._by_client.get(client_key, {})]

    def is_recorded(self, key: str) -> bool:
        """Return whether the call of *key* is on disk, as far as is known here."""
        active = self._calls.get(key)
        return active is None or active.recorded is None

    async def wait_recorded(self, key: str) -> None:
        """Wait until the call of *key* is recorded."""
        active = self._calls.get(key)
        if active is not None and active.recorded is not None:
            await active.recorded.wait()

    def remove(self, key: str) -> None:
        """Remove a call that could not be recorded, or that is too old."""
        active = self._calls.pop(key, None)
        if active is None:
            return
        if active.recorded is not None:
            active.recorded.set()
        _take_out(self._by_party, _party(active.call.caller), key)
        _take_out(self._by_client, active.call.client_key, key)
        self._by_ref.pop((active.call.provider, active.call.state.call_ref), None)

    def recorded_keys(self) -> list[str]:
        """Return the keys of all calls that are on disk."""
        return [key for key, active in self._calls.items() if active.recorded is None]

    def _remove_old(self, now: float) -> None:
        """Remove the calls of long ago; one whose end is still to be found out stays."""
        actives = self._calls.values()
        old = takewhile(lambda active: _age(active, now) > ACTIVE_FOR, actives)
        leaving = [a.call.key for a in old if a.recorded is None and not a.call.awaits_end]
        for key in leaving:
            self.remove(key)


def _age(active: _ActiveCall, now: float) -> timedelta:
    return timedelta(seconds=now - active.added_at)


def _take_out(index: dict[_K, dict[str, None]], name: _K, key: str) -> None:
    keys = index.get(name)
    if keys is not None:
        keys.pop(key, None)
        if not keys:
            del index[name]


def _party(caller: Caller) -> _Party:
    """Return what two spellings of one caller have in common.

    An extension and a short outside number of the same digits are one here: the line decides.
    """
    if caller.short_number:
        return "short", caller.short_number
    return caller.kind, caller.number or ""
