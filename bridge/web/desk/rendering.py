"""Writes the desk's parts as HTML, each once for all who see it alike."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from bridge.domain.calls import PhoneCall
from bridge.domain.desk import Standing, standing
from bridge.domain.missed import MissedDebt
from bridge.domain.phone import PhoneNumber
from bridge.web.access import show_number
from bridge.web.desk.board import Posted
from bridge.web.desk.cards import Known, Sight, show_card
from bridge.web.desk.search import MOST_FOUND, SHORTEST, Hit
from bridge.web.pages import Pages
from bridge.web.surface import WebServices

_Key = TypeVar("_Key", bound=Hashable)
_Made = TypeVar("_Made")

#: Earlier calls that a card shows.
_PAST = 5

#: Cards and what is known beside them, kept until so many newer ones were written.
_KEPT = 512

#: The list says how long clients have waited, in minutes.
_SHARED_FOR = timedelta(seconds=5)


class Rendering:
    """Cards, lists and pages in the viewer's language."""

    def __init__(self, services: WebServices, pages: Pages) -> None:
        self._services = services
        self._desk = services.desk
        self._book = services.desk.book
        self._pages = pages
        self._known: OrderedDict[tuple[str, int], asyncio.Task[Known]] = OrderedDict()
        self._cards: OrderedDict[tuple[str, int, Sight, Standing], asyncio.Task[str]]
        self._cards = OrderedDict()
        self._missed: OrderedDict[tuple[Sight, tuple[MissedDebt, ...]], tuple[datetime, str]]
        self._missed = OrderedDict()

    async def card(self, posted: Posted, sight: Sight) -> str:
        """Write a call's card; desks of one telephone that see alike share the text."""
        call = posted.call
        stands = standing(call, sight.extension, self._services.clock())
        key = (call.key, posted.change, sight, stands)
        return await _once(self._cards, key, lambda: self._write_card(posted, sight))

    def missed(self, debts: Sequence[MissedDebt], sight: Sight) -> str:
        """Write the list of who waits to be called back; desks that see alike share the text."""
        key, now = (sight, tuple(debts)), self._services.clock()
        at, text = self._missed.get(key, (None, ""))
        if at is None or not timedelta(0) <= now - at < _SHARED_FOR:
            text = self.page("desk_missed.html", sight, debts=debts)
            self._missed[key] = now, text
            while len(self._missed) > _KEPT:
                self._missed.popitem(last=False)
        return text

    def found(self, typed: str, hits: Sequence[Hit], sight: Sight) -> str:
        """Write what a search for *typed* has found."""
        return self.page(
            "desk_found.html",
            sight,
            hits=hits,
            typed=typed,
            more=len(hits) >= MOST_FOUND,
            short=len(typed.strip()) < SHORTEST,
        )

    def page(self, template: str, sight: Sight, **fields: object) -> str:
        """Write any part or page in the viewer's language."""
        shared = {
            "now": self._services.clock(),
            "sight": sight,
            "can_call": self._services.originating is not None,
            "show_number": lambda number: show_number(number, whole=self._whole(number, sight)),
            "is_hidden": lambda number: not self._whole(number, sight),
        }
        return self._pages.write(sight.lang, template, shared | fields)

    def _whole(self, number: PhoneNumber, sight: Sight) -> bool:
        directory = self._services.directory
        if not sight.viewer.masked or number in sight.revealed:
            return True
        return sight.viewer.sees_number(directory.look_up(number), directory.managers())

    async def _write_card(self, posted: Posted, sight: Sight) -> str:
        key = (posted.call.key, posted.change)
        known = await _once(self._known, key, lambda: self._ask(posted.call))
        card = show_card(
            posted,
            known,
            sight,
            speech=self._pages.speeches[sight.lang],
            now=self._services.clock(),
            managers=self._services.directory.managers(),
            open_in_onec=self._desk.open_in_onec,
        )
        return self.page("desk_card.html", sight, card=card)

    async def _ask(self, call: PhoneCall) -> Known:
        number = call.caller.number
        if number is None:
            return Known()
        ledger = self._services.ledger
        calls = await ledger.calls(limit=_PAST + 1, number=number)
        past = [other for other in calls if other.key != call.key]
        return Known(
            past[:_PAST],
            self._book.of_client(call.client, number),
            self._book.paid_for(call.key),
            ledger.memory(number).choice,
        )


async def _once(
    kept: OrderedDict[_Key, asyncio.Task[_Made]],
    key: _Key,
    make: Callable[[], Coroutine[object, object, _Made]],
) -> _Made:
    """Make what *key* names once, however many ask for it at a time; a failure is not kept."""
    task = kept.get(key)
    if task is None:
        task = kept[key] = asyncio.create_task(make())
        while len(kept) > _KEPT:
            kept.popitem(last=False)
    try:
        # A desk that leaves must not take the text from the others.
        return await asyncio.shield(task)
    except Exception:
        kept.pop(key, None)
        raise
