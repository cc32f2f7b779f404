"""Writes the desk's parts as HTML, each once for all who see it alike."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.reporting.desk import DeskStatus, find_desk_status
from bridge.web.access import format_visible_number
from bridge.web.desk.cards import CallContext, DeskAudience, build_card
from bridge.web.desk.search import MAX_HITS, MIN_SEARCH_LENGTH, SearchHit
from bridge.web.desk_state.desk_calls import CallUpdate
from bridge.web.shared.pages import PageRenderer
from bridge.web.web_services import WebServices

_Key = TypeVar("_Key", bound=Hashable)
_Made = TypeVar("_Made")

#: Earlier calls that a card shows.
_MAX_EARLIER_CALLS = 5

#: Cards and what is known beside them, kept until so many newer ones were written.
_MAX_CACHED = 512

#: The list shows how long clients have waited, in minutes.
_MISSED_CALLS_CACHED_FOR = timedelta(seconds=5)


class DeskRenderer:
    """Cards, lists and pages in the viewer's language."""

    def __init__(self, services: WebServices, pages: PageRenderer) -> None:
        self._services = services
        self._desk = services.desk_state
        self._missed_calls = services.desk_state.missed_calls
        self._pages = pages
        self._contexts: OrderedDict[tuple[str, int], asyncio.Task[CallContext]] = OrderedDict()
        self._cards: OrderedDict[tuple[str, int, DeskAudience, DeskStatus], asyncio.Task[str]]
        self._cards = OrderedDict()
        self._missed: OrderedDict[tuple[DeskAudience, tuple[MissedCall, ...]], tuple[datetime, str]]
        self._missed = OrderedDict()

    async def render_card(self, update: CallUpdate, audience: DeskAudience) -> str:
        """Return a call's card; desks of one telephone that see alike share the text."""
        call = update.call
        status = find_desk_status(call, audience.extension, self._services.clock())
        key = (call.key, update.sequence, audience, status)
        return await _cached(self._cards, key, lambda: self._write_card(update, audience))

    def render_missed_calls(
        self, missed_calls: Sequence[MissedCall], audience: DeskAudience
    ) -> str:
        """Return the list of who waits to be called back; desks that see alike share the text."""
        key, now = (audience, tuple(missed_calls)), self._services.clock()
        at, text = self._missed.get(key, (None, ""))
        if at is None or not timedelta(0) <= now - at < _MISSED_CALLS_CACHED_FOR:
            text = self.render_part("desk_missed.html", audience, missed_calls=missed_calls)
            self._missed[key] = now, text
            while len(self._missed) > _MAX_CACHED:
                self._missed.popitem(last=False)
        return text

    def render_hits(self, typed: str, hits: Sequence[SearchHit], audience: DeskAudience) -> str:
        """Return what a search for *typed* has found."""
        return self.render_part(
            "desk_found.html",
            audience,
            hits=hits,
            typed=typed,
            more=len(hits) >= MAX_HITS,
            short=len(typed.strip()) < MIN_SEARCH_LENGTH,
        )

    def render_part(self, template: str, audience: DeskAudience, **fields: object) -> str:
        """Return any part or page in the viewer's language."""
        shared = {
            "now": self._services.clock(),
            "audience": audience,
            "can_call": self._services.call_ordering is not None,
            "show_number": lambda number: format_visible_number(
                number, in_full=self._sees_number(number, audience)
            ),
            "is_hidden": lambda number: not self._sees_number(number, audience),
        }
        return self._pages.render_text(audience.lang, template, shared | fields)

    def _sees_number(self, number: PhoneNumber, audience: DeskAudience) -> bool:
        directory = self._services.directory
        if not audience.viewer.masks_numbers or number in audience.revealed_numbers:
            return True
        return audience.viewer.may_see_number(directory.look_up(number), directory.managers())

    async def _write_card(self, update: CallUpdate, audience: DeskAudience) -> str:
        key = (update.call.key, update.sequence)
        context = await _cached(self._contexts, key, lambda: self._read_context(update.call))
        card = build_card(
            update,
            context,
            audience,
            localizer=self._pages.localizers[audience.lang],
            now=self._services.clock(),
            managers=self._services.directory.managers(),
            open_in_onec=self._desk.onec_link,
        )
        return self.render_part("desk_card.html", audience, card=card)

    async def _read_context(self, call: PhoneCall) -> CallContext:
        number = call.caller.number
        if number is None:
            return CallContext()
        ledger = self._services.ledger
        calls = await ledger.calls(limit=_MAX_EARLIER_CALLS + 1, number=number)
        past = [other for other in calls if other.key != call.key]
        return CallContext(
            past[:_MAX_EARLIER_CALLS],
            self._missed_calls.of_client(call.client_key, number),
            self._missed_calls.closed_for_call(call.key),
            ledger.number_memory(number).chosen_owner,
        )


async def _cached(
    cache: OrderedDict[_Key, asyncio.Task[_Made]],
    key: _Key,
    make: Callable[[], Coroutine[object, object, _Made]],
) -> _Made:
    """Return what *key* names, made once however many ask at a time; a failure is not cached."""
    task = cache.get(key)
    if task is None:
        task = cache[key] = asyncio.create_task(make())
        while len(cache) > _MAX_CACHED:
            cache.popitem(last=False)
    try:
        # A desk that leaves must not take the text from the others.
        return await asyncio.shield(task)
    except Exception:
        cache.pop(key, None)
        raise
