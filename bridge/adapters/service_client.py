"""The running service as the command line asks it: by its own API, since the ledger has one writer.

Only what may not be done beside it goes this way; `route` and `outbox` read the same files.
"""

from typing import Any, Final

import httpx

from bridge.adapters.http_limits import BoundedSyncTransport, ReadLimits
from bridge.domain.calls.orders import OrderState
from bridge.errors import OrderRefused, OrderRepeated, ServiceUnreachable
from bridge.ports.orders import PlacedCall

#: The PBX may take half a minute to answer the service.
_TIMEOUT_S: Final = 60.0

#: What a placed call is told in, far above.
_LIMITS: Final = ReadLimits(1024 * 1024, 2 * _TIMEOUT_S)

_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - read, not bound
_REFUSED: Final = frozenset({404, 422})
_REPEATED: Final = 409
_NOT_ADMITTED: Final = frozenset({401, 403})
_OTHER_FOLDER: Final = "has it the same BRIDGE_DATA_DIR and BRIDGE_ADMIN_PASSWORD as this command?"


def reachable_host(host: str) -> str:
    """Return the name under which this machine reaches a service that listens on *host*."""
    reached = _LOOPBACK.get(host, host)
    return f"[{reached}]" if ":" in reached else reached


class ServiceClient:
    """`onec-bridge serve` at *host* and *port*, opened by *proof*: a password or a signed word."""

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
        wire = transport or httpx.HTTPTransport(trust_env=False)
        self._transport = BoundedSyncTransport(wire, _LIMITS)

    def place_call(self, extension: str, number: str) -> PlacedCall:
        """Have a call placed, and say what became of it.

        Raises:
            OrderRefused: the service or the PBX refused in its own words.
            ServiceAway: it does not run, or did not answer.
        """
        wish = {"extension": extension, "number": number}
        try:
            with httpx.Client(
                transport=self._transport,
                headers=self._headers,
                timeout=_TIMEOUT_S,
                trust_env=False,
            ) as http:
                answer = http.post(f"{self._address}/api/v1/calls", json=wish)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            away = "it does not run; start it: onec-bridge serve"
            raise ServiceUnreachable(self._address, away) from error
        except httpx.HTTPError as error:
            lost = f"no answer ({type(error).__name__}); the call may have been placed"
            raise ServiceUnreachable(self._address, lost) from error
        said = _object(answer)
        if answer.is_success and said.get("state") in set(OrderState):
            return PlacedCall(
                str(said.get("key", "")), OrderState(said["state"]), str(said.get("words") or "")
            )
        words = str(said.get("error") or f"HTTP {answer.status_code}")
        if answer.status_code == _REPEATED:
            raise OrderRepeated(words)
        if answer.status_code in _REFUSED:
            raise OrderRefused(words)
        if answer.status_code in _NOT_ADMITTED:
            words = f"{words or 'not admitted'}; {_OTHER_FOLDER}"
        raise ServiceUnreachable(self._address, words)


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
