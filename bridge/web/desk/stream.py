"""The desk's stream: cards as they change, the list of debts, and a beat that a page can hear.

Event names on the wire: `board` (all cards that stand, after a break that the board does not
remember), `card`, `missed`, `beat`. Every one carries the id from which to go on.
"""

import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from bridge.domain.delivery.missed_calls import MissedCall
from bridge.web.desk_state.desk_calls import CallUpdate, DeskCalls

#: How soon a browser tries again by itself.
_RETRY_MS = 1000

WriteCard = Callable[[CallUpdate], Awaitable[str]]
WriteMissed = Callable[[Sequence[MissedCall]], str]


async def desk_lines(
    board: DeskCalls,
    extension: str,
    after: str,
    *,
    write_card: WriteCard,
    missed_calls: Callable[[], Sequence[MissedCall]],
    write_missed_calls: WriteMissed,
    heartbeat_s: float,
    time_text: Callable[[], str],
) -> AsyncGenerator[str, None]:
    """Give the lines of *extension*'s stream, from behind the id *after*, until the house stops.

    *write_missed* writes the list of *missed_calls*; it is sent when they are others than before.
    """
    told_debts: Sequence[MissedCall] | None = None
    with board.listen(extension) as listener:
        yield f"retry: {_RETRY_MS}\n\n"
        while not board.closed:
            news = board.updates_since(extension, after)
            cards = [await write_card(update) for update in news.updates]
            if news.is_complete:
                yield _event("board", news.last_id, {"cards": cards})
            else:
                # Each with the id of its own change: a break between two of them loses neither.
                for update, card in zip(news.updates, cards, strict=True):
                    yield _event("card", board.update_id(update), {"card": card})
            after = news.last_id
            owed = missed_calls()
            if owed != told_debts:
                told_debts = owed
                yield _event("missed", after, {"missed": write_missed_calls(owed)})
            # A page that just came learns that it is level, and what time it is here.
            yield _event("beat", after, {"now": time_text()})
            # A thousand desks that came back together must not beat together for ever.
            while not await listener.wait(heartbeat_s * random.uniform(0.7, 1.0)):  # noqa: S311 - no secret
                yield _event("beat", after, {"now": time_text()})


def _event(kind: str, event_id: str, told: dict[str, str | Sequence[str]]) -> str:
    # JSON holds no line breaks, so one data line is enough.
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return f"id: {event_id}\nevent: {kind}\ndata: {text}\n\n"
