"""A large request sent in parts: by references that fit into one address, or by ranges of rows.

A few parts are under way at a time, and one that is too large for 1C is sent again in halves.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from bridge.adapters.onec.protocol.errors import RequestTooLarge
from bridge.adapters.onec.protocol.query import (
    Query,
    encode_query,
    guid_literal,
    max_filter_bytes,
)
from bridge.domain.directory.entities import EMPTY_REF, Ref

_OR: Final = " or "

#: 1C sorts references by the presentations of their objects, with ties; the order is the same
#: each time, and there is none better. Source: docs/facts/onec-odata.md, 'Order'.
_ORDER: Final = "Ref_Key"

#: Bytes left free: a server may count the question mark, or use an encoding of its own.
_SPARE_BYTES: Final = 32

#: Seconds that a request takes beside its rows, and seconds for a thousand rows.
#: Source: docs/facts/onec-odata.md, 'Speeds'.
_REQUEST_S: Final = 0.25
_THOUSAND_ROWS_S: Final = 0.75


@dataclass(frozen=True, slots=True)
class RefBatch:
    """Objects by reference."""

    refs: tuple[Ref, ...]

    def query_options(self) -> dict[str, str]:
        """Return the query options, without their `$`."""
        return {"filter": _condition(self.refs)}

    def halves(self) -> "tuple[RefBatch, ...]":
        """Return both halves; nothing when it cannot be split."""
        middle = len(self.refs) // 2
        return (RefBatch(self.refs[:middle]), RefBatch(self.refs[middle:])) if middle else ()


@dataclass(frozen=True, slots=True)
class RowRange:
    """Rows by their position in an order that is nearly stable."""

    skip: int
    top: int

    def query_options(self) -> dict[str, str]:
        """Return the query options, without their `$`."""
        return {"orderby": _ORDER, "skip": str(self.skip), "top": str(self.top)}

    def halves(self) -> "tuple[RowRange, ...]":
        """Return both halves; nothing when it cannot be split."""
        middle = self.top // 2
        if not middle:
            return ()
        return RowRange(self.skip, middle), RowRange(self.skip + middle, self.top - middle)


RequestPart = RefBatch | RowRange

Answer = TypeVar("Answer")


class PartsReader:
    """Requests parts, at most *concurrency* at a time; learns how large a range of rows may be."""

    def __init__(self, concurrency: int, page_size: int) -> None:
        self.page_size = page_size
        self._concurrency = concurrency

    async def answers(
        self,
        parts: Iterable[RequestPart],
        request: Callable[[RequestPart], Coroutine[Any, Any, Answer]],
    ) -> AsyncGenerator[Answer, None]:
        """Yield the answers to all *parts* in the order in which they arrive.

        Raises:
            RequestTooLarge: a part that cannot be halved is too large for 1C.
        """
        waiting = deque(parts)
        running: dict[asyncio.Task[Answer], RequestPart] = {}
        try:
            self._start(waiting, running, request)
            while running:
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                ready: list[Answer] = []
                for task in done:
                    try:
                        ready.append(task.result())
                    except RequestTooLarge:
                        halves = self._halves_of(running[task])
                        if not halves:
                            raise
                        waiting.extendleft(reversed(halves))
                    del running[task]
                self._start(waiting, running, request)
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
        request: Callable[[RequestPart], Coroutine[Any, Any, Answer]],
    ) -> None:
        while waiting and len(running) < self._concurrency:
            part = waiting.popleft()
            if isinstance(part, RowRange) and part.top > self.page_size:
                waiting.extendleft(reversed(part.halves()))
            else:
                running[asyncio.create_task(request(part))] = part

    def _halves_of(self, part: RequestPart) -> Sequence[RequestPart]:
        if isinstance(part, RowRange):
            self.page_size = min(self.page_size, max(1, part.top // 2))
        return part.halves()


def split_rows(rows: int, top: int) -> list[RowRange]:
    """Return the pages of *top* rows that cover *rows* rows."""
    return [RowRange(skip, min(top, rows - skip)) for skip in range(0, rows, top)]


def split_refs(refs: Sequence[Ref], query: Query) -> list[RefBatch]:
    """Return *refs* in as few requests as the length of an address allows beside *query*."""
    count = refs_per_request(query)
    return [RefBatch(tuple(refs[at : at + count])) for at in range(0, len(refs), count)]


def refs_per_request(query: Query) -> int:
    """Return how many references one request may name beside *query*."""
    one = _encoded_length(_condition((EMPTY_REF,)))
    link = _encoded_length(_OR)
    return max(1, (max_filter_bytes(query) - _SPARE_BYTES + link) // (one + link))


def is_cheaper_by_refs(needed: int, listed: int, per_request: int, page: int) -> bool:
    """Return whether *needed* of *listed* objects are cheaper by reference than by whole pages."""
    by_refs = -(-needed // per_request) * _REQUEST_S + needed / 1000 * _THOUSAND_ROWS_S
    by_pages = -(-listed // page) * _REQUEST_S + listed / 1000 * _THOUSAND_ROWS_S
    return by_refs <= by_pages


def _condition(refs: Sequence[Ref]) -> str:
    return _OR.join(f"Ref_Key eq {guid_literal(ref)}" for ref in refs)


def _encoded_length(text: str) -> int:
    return len(encode_query({"": text})) - 1
