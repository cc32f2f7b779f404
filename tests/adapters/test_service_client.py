"""The command line's client of the running service: its answers, refusals and absence."""

import json

import httpx
import pytest

from bridge.adapters.service_client import ServiceClient
from bridge.domain.calls.orders import OrderState
from bridge.errors import BridgeError, OrderRefused, OrderRepeated, ServiceUnreachable

DONE = {"key": "k1", "state": "accepted", "extension": "205", "number": "+79035550123", "words": ""}


def service(status: int, body: object, seen: list[httpx.Request] | None = None) -> ServiceClient:
    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return httpx.Response(status, content=json.dumps(body))

    anywhere = "0.0.0.0"  # noqa: S104 - what a container is given; nothing binds here
    return ServiceClient(anywhere, 8000, "hunter2", transport=httpx.MockTransport(answer))


def test_a_call_is_asked_for_with_its_proof() -> None:
    seen: list[httpx.Request] = []

    placed = service(201, DONE, seen).place_call("205", "8 903 555-01-23")

    assert (placed.state, placed.key) == (OrderState.ACCEPTED, "k1")
    (request,) = seen
    assert str(request.url) == "http://127.0.0.1:8000/api/v1/calls"
    assert json.loads(request.content) == {"extension": "205", "number": "8 903 555-01-23"}
    assert request.headers["Authorization"] == "Bearer hunter2"


def test_an_order_in_doubt_is_reported_as_such() -> None:
    placed = service(202, DONE | {"state": "unknown", "words": "no answer"}).place_call("205", "1")

    assert (placed.state, placed.words) == (OrderState.UNKNOWN, "no answer")


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (409, "no money", OrderRepeated),
        (422, "is not a number", OrderRefused),
        (401, "Unauthorized", ServiceUnreachable),
        (500, "Something broke inside", ServiceUnreachable),
        (503, "disk full", ServiceUnreachable),
    ],
)
def test_a_refusal_has_its_own_reason(status: int, error: str, kind: type[BridgeError]) -> None:
    with pytest.raises(kind, match=error):
        service(status, {"error": error}).place_call("205", "1")


def test_what_is_not_our_service_is_not_believed() -> None:
    with pytest.raises(ServiceUnreachable, match="HTTP 200"):
        service(200, ["hello"]).place_call("205", "1")


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (httpx.ConnectError("refused"), "onec-bridge serve"),
        (httpx.ReadTimeout("waited"), "may have been placed"),
    ],
)
def test_an_absent_service_is_reported_with_what_to_do(failure: Exception, text: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    away = ServiceClient("::1", 8000, "", transport=httpx.MockTransport(fail))

    with pytest.raises(ServiceUnreachable, match=text) as raised:
        away.place_call("205", "1")

    assert "http://[::1]:8000" in str(raised.value)
