"""A client of the running service for the command line: the ledger has one writer.

Only what another process may not do is requested here; `route` and `outbox` read the files.
"""

from typing import Any, Final

import httpx

from bridge.adapters.http_limits import BoundedSyncTransport, ReadLimits
from bridge.domain.calls.orders import OrderState
from bridge.errors import OrderRefused, OrderRepeated, ServiceUnreachable
from bridge.ports.orders import PlacedCall

#: The PBX may take half a minute to answer the service.
_TIMEOUT_S: Final = 60.0

#: Far more than the description of a placed call needs.
_LIMITS: Final = ReadLimits(1024 * 1024, 2 * _TIMEOUT_S)

_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - read, not bound
_REFUSED: Final = frozenset({404, 422})
_REPEATED: Final = 409
_NOT_ADMITTED: Final = frozenset({401, 403})
_OTHER_FOLDER: Final = "has it the same BRIDGE_DATA_DIR and BRIDGE_ADMIN_PASSWORD as this command?"


def reachable_host(host: str) -> str:
    """Return the host by which this machine reaches a service that listens on *host*."""
    reachable = _LOOPBACK.get(host, host)
    return f"[{reachable}]" if ":" in reachable else reachable


class ServiceClient:
    """`onec-bridge serve` at *host* and *port*; *proof* is a password or a signed token."""

    def __init__(
        self,
        host: str,
        port: int,
        proof: str,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._address = f"http://{reachable_host(host)}:{port}"
        self._headers = {b"Authorization": b"Bearer " + proof.encode()} if proof else {}
        inner = transport or httpx.HTTPTransport(trust_env=False)
        self._transport = BoundedSyncTransport(inner, _LIMITS)

    def place_call(self, extension: str, number: str) -> PlacedCall:
        """Place a call, and return what became of it.

        Raises:
            OrderRefused: the service or the PBX refused; the message is theirs.
            ServiceUnreachable: it does not run, or did not answer.
        """
        order = {"extension": extension, "number": number}
        try:
            with httpx.Client(
                transport=self._transport,
                headers=self._headers,
                timeout=_TIMEOUT_S,
                trust_env=False,
            ) as http:
                response = http.post(f"{self._address}/api/v1/calls", json=order)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            reason = "it does not run; start it: onec-bridge serve"
            raise ServiceUnreachable(self._address, reason) from error
        except httpx.HTTPError as error:
            reason = f"no answer ({type(error).__name__}); the call may have been placed"
            raise ServiceUnreachable(self._address, reason) from error
        placed = _object(response)
        if response.is_success and placed.get("state") in set(OrderState):
            return PlacedCall(
                str(placed.get("key", "")),
                OrderState(placed["state"]),
                str(placed.get("words") or ""),
            )
        message = str(placed.get("error") or f"HTTP {response.status_code}")
        if response.status_code == _REPEATED:
            raise OrderRepeated(message)
        if response.status_code in _REFUSED:
            raise OrderRefused(message)
        if response.status_code in _NOT_ADMITTED:
            message = f"{message or 'not admitted'}; {_OTHER_FOLDER}"
        raise ServiceUnreachable(self._address, message)


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        decoded = response.json()
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}
