"""A large question asked in parts: by keys that fit into one address, or by spans of rows.

A few parts are under way at a time, and one that 1C breaks over is asked again by halves.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from bridge.adapters.onec.protocol.client import Query, encode_query, guid_literal, max_filter_bytes
from bridge.adapters.onec.protocol.errors import RequestTooLarge
from bridge.domain.directory.entities import EMPTY_REF, Ref

_OR: Final = " or "
#: 1C sorts a reference by what the object shows, with ties; it repeats, and there is nothing
#: better (facts/onec-odata.md §2.5).
_ORDER: Final = "Ref_Key"

#: A server may count the question mark, or an encoding of its own: leave it room.
_SPARE: Final = 32

#: What a request costs beside its rows, and what a thousand rows cost (facts/onec-odata.md §7.3).
_REQUEST_S: Final = 0.25
_THOUSAND_ROWS_S: Final = 0.75


@dataclass(frozen=True, slots=True)
class RefBatch:
    """Objects by reference."""

    refs: tuple[Ref, ...]

    def query_options(self) -> dict[str, str]:
        """Give the query options."""
        return {"filter": _condition(self.refs)}

    def halves(self) -> "tuple[RefBatch, ...]":
        """Split; empty when it cannot be split."""
        middle = len(self.refs) // 2
        return (RefBatch(self.refs[:middle]), RefBatch(self.refs[middle:])) if middle else ()


@dataclass(frozen=True, slots=True)
class RowRange:
    """Rows by their place in an order that is nearly stable."""

    skip: int
    top: int

    def query_options(self) -> dict[str, str]:
        """Give the query options."""
        return {"orderby": _ORDER, "skip": str(self.skip), "top": str(self.top)}

    def halves(self) -> "tuple[RowRange, ...]":
        """Split; empty when it cannot be split."""
        middle = self.top // 2
        if not middle:
            return ()
        return RowRange(self.skip, middle), RowRange(self.skip + middle, self.top - middle)


RequestPart = RefBatch | RowRange

Answer = TypeVar("Answer")


class PartsReader:
    """Asks parts, at most *concurrency* at a time, and remembers how large a span may be."""

    def __init__(self, concurrency: int, page_size: int) -> None:
        self.page_size = page_size
        self._concurrency = concurrency

    async def answers(
        self,
        parts: Iterable[RequestPart],
        ask: Callable[[RequestPart], Coroutine[Any, Any, Answer]],
    ) -> AsyncGenerator[Answer, None]:
        """Give the answers to all *parts* in the order in which they arrive.

        Raises:
            TooLarge: 1C breaks over a part that cannot be halved.
        """
        waiting = deque(parts)
        running: dict[asyncio.Task[Answer], RequestPart] = {}
        try:
            self._start(waiting, running, ask)
            while running:
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                ready: list[Answer] = []
                for task in done:
                    try:
                        ready.append(task.result())
                    except RequestTooLarge:
                        halves = self._smaller(running[task])
                        if not halves:
                            raise
                        waiting.extendleft(reversed(halves))
                    del running[task]
                self._start(waiting, running, ask)
                for answer in ready:
                    yield answer
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _start(
        self,
        waiting: deque[RequestPart],
        running: dict[asyncio.Task[Answer], RequestPart],
        ask: Callable[[RequestPart], Coroutine[Any, Any, Answer]],
    ) -> None:
        while waiting and len(running) < self._concurrency:
            part = waiting.popleft()
            if isinstance(part, RowRange) and part.top > self.page_size:
                waiting.extendleft(reversed(part.halves()))
            else:
                running[asyncio.create_task(ask(part))] = part

    def _smaller(self, part: RequestPart) -> Sequence[RequestPart]:
        if isinstance(part, RowRange):
            self.page_size = min(self.page_size, max(1, part.top // 2))
        return part.halves()


def split_rows(rows: int, top: int) -> list[RowRange]:
    """Cut *rows* rows into pages of *top*."""
    return [RowRange(skip, min(top, rows - skip)) for skip in range(0, rows, top)]


def split_refs(refs: Sequence[Ref], query: Query) -> list[RefBatch]:
    """Cut *refs* into as few questions as the length of an address allows beside *query*."""
    count = refs_per_request(query)
    return [RefBatch(tuple(refs[at : at + count])) for at in range(0, len(refs), count)]


def refs_per_request(query: Query) -> int:
    """Count the references one question may name beside *query*."""
    one = _encoded(_condition((EMPTY_REF,)))
    link = _encoded(_OR)
    return max(1, (max_filter_bytes(query) - _SPARE + link) // (one + link))


def is_cheaper_by_refs(wanted: int, listed: int, per_request: int, page: int) -> bool:
    """Tell whether asking for *wanted* of *listed* by key beats reading every page."""
    by_keys = -(-wanted // per_request) * _REQUEST_S + wanted / 1000 * _THOUSAND_ROWS_S
    by_pages = -(-listed // page) * _REQUEST_S + listed / 1000 * _THOUSAND_ROWS_S
    return by_keys <= by_pages


def _condition(refs: Sequence[Ref]) -> str:
    return _OR.join(f"Ref_Key eq {guid_literal(ref)}" for ref in refs)


def _encoded(text: str) -> int:
    return len(encode_query({"": text})) - 1
