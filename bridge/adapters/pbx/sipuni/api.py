"""A Sipuni cabinet over its API: calls ordered once, and the statistics of finished calls.

Requests are signed forms; an answer is read by its content, since it is labelled text/html.
Source: docs/facts/sipuni.md, 'API'.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import httpx

from bridge.adapters.http_limits import LIMITS_EXTENSION, BoundedTransport, ReadLimits
from bridge.adapters.pbx.sipuni.history import export_query, read_export, signature
from bridge.adapters.pbx.sipuni.rate_limit import RateLimit
from bridge.domain.calls.events import CallEvent
from bridge.domain.calls.orders import CallOrder, OrderReply, OrderState
from bridge.domain.phone.formatting import format_digits
from bridge.domain.phone.phone import PhoneRules
from bridge.errors import PbxRefused, PbxUnavailable

_CALL: Final = "callback/call_number"
_EXPORT: Final = "statistic/export"

#: Other clients wait 15-50 s; an order that takes longer gets no answer.
_ORDER_TIMEOUT_S: Final = 30.0
_EXPORT_TIMEOUT_S: Final = 60.0
_CONNECT_TIMEOUT_S: Final = 10.0

#: An answer to an order has a hundred bytes; a day of statistics some megabytes.
_ORDER_LIMITS: Final = ReadLimits(64 * 1024, _ORDER_TIMEOUT_S)
_EXPORT_LIMITS: Final = ReadLimits(32 * 1024 * 1024, 2 * _EXPORT_TIMEOUT_S)

_ORDERS_APART_S: Final = 0.5
_EXPORTS_APART_S: Final = 1.0

_MAX_REASON: Final = 200
_MAX_REF: Final = 64
_OK: Final = 200
_REFUSED_STATUSES: Final = range(300, 500)
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500
_FALSE_VALUES: Final = (False, 0, "0", "false")
#: Messages that refuse nothing, folded.
_CONSENTING_MESSAGES: Final = frozenset({"ok", "ок", "success", "успешно", "accepted", "принято"})
_REF_FIELDS: Final = ("id", "callId", "callbackId")
_BLANKS: Final = re.compile(r"\s+")

#: Errors after which no byte of the order can have been sent.
_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


@dataclass(frozen=True, slots=True)
class SipuniAccount:
    """A cabinet and its key; *zone* is that of its statistics."""

    url: str
    user: str
    key: str = field(repr=False)
    zone: tzinfo = UTC


class SipuniApi:
    """`PbxControl` over a Sipuni cabinet. Nothing is ever sent a second time by itself."""

    def __init__(
        self,
        account: SipuniAccount,
        rules: PhoneRules,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._account = account
        self._rules = rules
        self._order_rate = RateLimit(_ORDERS_APART_S)
        self._export_rate = RateLimit(_EXPORTS_APART_S)
        self._http = httpx.AsyncClient(
            transport=BoundedTransport(transport or _transport(), _ORDER_LIMITS),
            headers={"User-Agent": "onec-bridge", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def originate(self, order: CallOrder) -> OrderReply:
        """Order a call: the extension rings, then the number; both see the company's number."""
        if order.number is None:
            return OrderReply(OrderState.REFUSED, reason="there is no number; nothing was sent")
        fields = {
            "antiaon": "0",
            "phone": format_digits(order.number),
            "reverse": "0",
            "sipnumber": order.extension,
        }
        await self._order_rate.wait_turn()
        try:
            answer = await self._send(_CALL, fields, _ORDER_TIMEOUT_S, _ORDER_LIMITS)
        except _NOT_SENT as error:
            reason = f"the PBX cannot be reached ({_name(error)}); the order was not sent"
            return OrderReply(OrderState.REFUSED, reason=reason)
        except httpx.HTTPError as error:
            reason = f"no answer from the PBX ({_name(error)}); it may ring all the same"
            return OrderReply(OrderState.UNKNOWN, reason=reason)
        return self._read_reply(answer)

    async def history(self, since: datetime, until: datetime) -> Sequence[CallEvent]:
        """Return the calls that began between two moments, by the cabinet's statistics."""
        zone = self._account.zone
        await self._export_rate.wait_turn()
        try:
            fields = export_query(since, until, zone)
            answer = await self._send(_EXPORT, fields, _EXPORT_TIMEOUT_S, _EXPORT_LIMITS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PbxUnavailable(_EXPORT, f"no answer ({_name(error)})") from error
        try:
            calls = read_export(answer.content, zone, self._rules)
        except ValueError as error:
            raise self._refusal(answer) from error
        # Times may come without seconds: a call belongs to the minute it began in.
        first = since - timedelta(seconds=since.second, microseconds=since.microsecond)
        return [e for e in calls if e.started_at is not None and first <= e.started_at <= until]

    async def _send(
        self, path: str, fields: Mapping[str, str], timeout_s: float, limits: ReadLimits
    ) -> httpx.Response:
        account = self._account
        signed = {
            **fields,
            "user": account.user,
            "hash": signature(fields, account.user, account.key),
        }
        return await self._http.post(
            f"{account.url}/{path}",
            data=signed,
            timeout=httpx.Timeout(timeout_s, connect=_CONNECT_TIMEOUT_S),
            extensions={LIMITS_EXTENSION: limits},
        )

    def _read_reply(self, answer: httpx.Response) -> OrderReply:
        """Return what became of an order; an answer that cannot be read leaves it unknown."""
        status, content = answer.status_code, _json_object(answer)
        success, reason = content.get("success"), self._reason_in(content)
        ref = next((content[name] for name in _REF_FIELDS if content.get(name)), "")
        # An answer that names a call accepts it, whatever message it has, unless it names an error.
        named = bool(ref) and not content.get("error")
        refused = (
            reason
            and reason.casefold() not in _CONSENTING_MESSAGES
            and not ref
            and status < _SERVER_ERROR
        )
        if success in _FALSE_VALUES or (refused and not success):
            return OrderReply(OrderState.REFUSED, reason=reason or "refused without a word")
        if status == _OK and (success or named):
            return OrderReply(OrderState.ACCEPTED, ref=str(ref)[:_MAX_REF])
        reason = f"HTTP {status}: {self._beginning_of(answer)}"
        if status in _REFUSED_STATUSES:
            return OrderReply(OrderState.REFUSED, reason=f"{reason} (BRIDGE_SIPUNI_URL?)")
        return OrderReply(OrderState.UNKNOWN, reason=f"{reason}; it may ring all the same")

    def _refusal(self, answer: httpx.Response) -> PbxRefused | PbxUnavailable:
        """Return the error of an answer without a table: a message refuses, a page does not."""
        reason = self._reason_in(_json_object(answer)) or self._beginning_of(answer)
        status = answer.status_code
        page = not answer.content.strip() or answer.content.lstrip().startswith(b"<")
        if status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR or (page and status == _OK):
            return PbxUnavailable(_EXPORT, f"HTTP {status}: {reason or 'an empty answer'}")
        return PbxRefused(_EXPORT, f"HTTP {status}: {reason or 'an empty answer'}")

    def _reason_in(self, content: Mapping[str, Any]) -> str:
        """Return the message of a refusal; cabinets differ in the name of its field."""
        reason = content.get("message") or content.get("msg") or content.get("error")
        return self._one_line(reason)

    def _beginning_of(self, answer: httpx.Response) -> str:
        """Return the beginning of an answer, for people."""
        return self._one_line(answer.content[:4096].decode("utf-8-sig", "replace"))

    def _one_line(self, value: object) -> str:
        """Return a short line of what the PBX sent, without our key in it."""
        if not isinstance(value, str):
            return "" if value is None else self._one_line(json.dumps(value, ensure_ascii=False))
        line = _BLANKS.sub(" ", value.replace(self._account.key, "***")).strip()
        return "".join(char for char in line if char.isprintable())[:_MAX_REASON]


def _transport() -> httpx.AsyncHTTPTransport:
    # A kept connection that the PBX has closed meanwhile would leave an order in doubt.
    return httpx.AsyncHTTPTransport(
        trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
    )


def _json_object(answer: httpx.Response) -> Mapping[str, Any]:
    """Return an answer's JSON object; a bare 1 is an old form of success."""
    try:
        content = json.loads(answer.content.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return {}
    if content in (1, "1"):
        return {"success": True}
    return content if isinstance(content, dict) else {}


def _name(error: Exception) -> str:
    """Return an error's class without its message, which may hold the address and secrets in it."""
    return type(error).__name__
