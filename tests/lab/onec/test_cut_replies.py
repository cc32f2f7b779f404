"""A client that leaves before the end of its body changed nothing: a disconnect ends no body."""

from collections.abc import MutableMapping
from typing import Any

import msgspec
import pytest

from bridge.lab.onec.app import create_onec_app
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.infobase.infobase import PHONE_CALLS
from bridge.lab.onec.simulator import OneCLab
from tests.lab.onec.onec_client import JSON

pytestmark = pytest.mark.anyio

Message = MutableMapping[str, Any]
_HALF = b'{"Date": "2026-11-22T10:00:00", '


class Client:
    """Sends *messages* to an application, and keeps what comes back."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        return self._messages.pop(0) if self._messages else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)


def request_of(lab: OneCLab, path: str, method: str = "POST") -> Message:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": JSON.encode(),
        "headers": [(b"authorization", lab.authorization().encode())],
        "scheme": "http",
    }


@pytest.mark.parametrize("body", [b"", _HALF, b"{}"])
async def test_a_document_whose_body_never_ended_is_not_created(body: bytes) -> None:
    lab = OneCLab(compose_infobase(partners=3))
    before = len(lab.phone_calls())
    client = Client({"type": "http.request", "body": body, "more_body": True})

    await create_onec_app(lab)(
        request_of(lab, f"{lab.root}/{PHONE_CALLS}"), client.receive, client.send
    )

    assert len(lab.phone_calls()) == before
    assert client.sent == []
    assert [(entry.set, entry.status) for entry in lab.request_log] == [(PHONE_CALLS, 0)]


async def test_a_control_request_is_executed_whole_or_not_at_all() -> None:
    lab = OneCLab(compose_infobase(partners=3))
    fault = msgspec.json.encode({"kind": "down"})
    client = Client({"type": "http.request", "body": fault, "more_body": True})

    await create_onec_app(lab)(request_of(lab, "/_lab/weather"), client.receive, client.send)

    assert (lab.faults.active, client.sent) == ([], [])
