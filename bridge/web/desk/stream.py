"""The desk's stream: cards as they change, the list of missed calls, and a heartbeat.

Event names on the wire: `board` (all cards that are shown, after a break longer than what is kept),
`card`, `missed`, `beat`. Every one carries the id from which to go on.
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
    calls: DeskCalls,
    extension: str,
    after: str,
    *,
    write_card: WriteCard,
    missed_calls: Callable[[], Sequence[MissedCall]],
    write_missed_calls: WriteMissed,
    heartbeat_s: float,
    time_text: Callable[[], str],
) -> AsyncGenerator[str, None]:
    """Yield the lines of *extension*'s stream from behind the id *after*, until the stop.

    *write_missed_calls* writes the list of *missed_calls*, which is sent when it has changed.
    """
    sent_missed_calls: Sequence[MissedCall] | None = None
    with calls.listen(extension) as listener:
        yield f"retry: {_RETRY_MS}\n\n"
        while not calls.closed:
            updates = calls.updates_since(extension, after)
            cards = [await write_card(update) for update in updates.updates]
            if updates.is_complete:
                yield _event("board", updates.last_id, {"cards": cards})
            else:
                # Each with the id of its own change: a break between two of them loses neither.
                for update, card in zip(updates.updates, cards, strict=True):
                    yield _event("card", calls.update_id(update), {"card": card})
            after = updates.last_id
            now_missed = missed_calls()
            if now_missed != sent_missed_calls:
                sent_missed_calls = now_missed
                yield _event("missed", after, {"missed": write_missed_calls(now_missed)})
            # Shows a page that just came that it is up to date, and the time here.
            yield _event("beat", after, {"now": time_text()})
            # A thousand desks that came back together must not get their heartbeats together.
            while not await listener.wait(heartbeat_s * random.uniform(0.7, 1.0)):  # noqa: S311 - no secret
                yield _event("beat", after, {"now": time_text()})


def _event(kind: str, event_id: str, fields: dict[str, str | Sequence[str]]) -> str:
    # JSON holds no line breaks, so one data line is enough.
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return f"id: {event_id}\nevent: {kind}\ndata: {text}\n\n"
