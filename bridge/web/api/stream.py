"""Server-sent events: what happens in the service, as lines that a page reads."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial

from bridge.domain.delivery.texts import Language
from bridge.ports.alarms import Alarm
from bridge.ports.events import (
    CallChanged,
    CallRecorded,
    DirectoryChanged,
    EntryChanged,
    Event,
    MissedCallChanged,
    OneCAvailability,
)
from bridge.web.api.views.base import View
from bridge.web.api.views.calls import CallView, MissedCallView
from bridge.web.api.views.state import (
    AlarmView,
    DirectoryChangeView,
    OneCAvailabilityView,
    OutboxEntryView,
)
from bridge.web.web_services import WebServices

#: Names of events on the wire.
EVENT_KINDS: dict[str, type[Event]] = {
    "call": CallRecorded,
    "call_changed": CallChanged,
    "debt": MissedCallChanged,
    "entry": EntryChanged,
    "directory": DirectoryChanged,
    "onec": OneCAvailability,
    "alarm": Alarm,
}

_HEARTBEAT = ": still here\n\n"


async def event_lines(
    services: WebServices, kinds: Sequence[str], after: str
) -> AsyncGenerator[str, None]:
    """Return the events of *kinds* (all when empty) from behind the id *after* on, as lines.

    They end when the service stops; a heartbeat breaks every long silence.
    """
    event_kinds = [EVENT_KINDS[kind] for kind in kinds] or list(EVENT_KINDS.values())
    async with services.event_feed.subscribe(event_kinds, after) as listener:
        # Sends the headers through proxies, and shows a page that it is connected.
        yield "retry: 2000\n\n"
        while True:
            try:
                # Not wait_for: it makes a task of each wait, and the page gets the event a turn
                # later.
                async with asyncio.timeout(services.heartbeat_s):
                    numbered = await anext(listener)
            except TimeoutError:
                yield _HEARTBEAT
                continue
            except StopAsyncIteration:
                return
            # One text for all listeners; an id names one event in one run of the process.
            yield services.event_texts.get_or_write(
                numbered[0], partial(format_event, *numbered, services.lang)
            )


def format_event(event_id: str, event: Event | None, lang: Language) -> str:
    """Return one event as text; on a gap, None, the page reloads."""
    if event is None:
        return f"id: {event_id}\nevent: gap\ndata: {{}}\n\n"
    kind, text = _write_event(event, lang)
    return f"id: {event_id}\nevent: {kind}\ndata: {text}\n\n"


def _write_event(event: Event, lang: Language) -> tuple[str, str]:
    # JSON of pydantic holds no line breaks, so one data line is enough.
    return _NAMES[type(event)], _view(event, lang).model_dump_json()


_NAMES = {kind: name for name, kind in EVENT_KINDS.items()}


def _view(event: Event, lang: Language) -> View:
    view: View
    match event:
        case CallRecorded(call) | CallChanged(call):
            view = CallView.of(call, lang)
        case MissedCallChanged(missed_call):
            view = MissedCallView.of(missed_call)
        case EntryChanged(entry):
            view = OutboxEntryView.of(entry, lang)
        case DirectoryChanged(report):
            view = DirectoryChangeView.build(report)
        case OneCAvailability():
            view = OneCAvailabilityView.of(event)
        case Alarm():
            view = AlarmView.of(event)
    return view
