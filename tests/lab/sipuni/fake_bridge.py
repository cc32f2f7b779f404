"""A bridge that routes every call to 205 and records what the simulated cabinet sends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import httpx


def accept() -> httpx.Response:
    return httpx.Response(200, json={"success": True})


@dataclass
class RecordingBridge:
    """Records questions and events, and acknowledges events as configured."""

    acknowledge: Callable[[], httpx.Response] = accept
    received: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.received.append(request)
        if _is_question(request):
            return httpx.Response(200, json={"choice": 1, "extension": "205"})
        return self.acknowledge()

    @property
    def requests(self) -> list[httpx.Request]:
        """Return the requests that pushed an event."""
        return [one for one in self.received if not _is_question(one)]

    @property
    def events(self) -> list[dict[str, str]]:
        """Return the fields of each event, from its form or its query."""
        return [_fields(one) for one in self.requests]

    @property
    def codes(self) -> list[str]:
        return [event.get("event", "") for event in self.events]

    @property
    def methods(self) -> set[str]:
        return {one.method for one in self.requests}

    @property
    def seen(self) -> list[str]:
        """Return `question` or `event <code>` for each request, in the order they came."""
        return [
            "question" if _is_question(one) else f"event {_fields(one).get('event')}"
            for one in self.received
        ]


def _is_question(request: httpx.Request) -> bool:
    return request.url.path.endswith("/route")


def _fields(request: httpx.Request) -> dict[str, str]:
    sent = request.content.decode() or request.url.query.decode()
    return dict(parse_qsl(sent, keep_blank_values=True))
