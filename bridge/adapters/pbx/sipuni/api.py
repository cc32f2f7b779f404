"""Sipuni's cabinet over its API: calls ordered once, and the statistics of finished ones.

Requests are signed forms; an answer is read by its content, as it is labelled text/html
(facts/telephony-apis.md §1.5).
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

#: Clients in use wait 15-50 s; an order that waits longer is not going to be heard of.
_ORDER_TIMEOUT_S: Final = 30.0
_EXPORT_TIMEOUT_S: Final = 60.0
_CONNECT_TIMEOUT_S: Final = 10.0

#: An answer to an order has a hundred bytes; a day of statistics some megabytes.
_ORDER_LIMITS: Final = ReadLimits(64 * 1024, _ORDER_TIMEOUT_S)
_EXPORT_LIMITS: Final = ReadLimits(32 * 1024 * 1024, 2 * _EXPORT_TIMEOUT_S)

_ORDERS_APART_S: Final = 0.5
_EXPORTS_APART_S: Final = 1.0

_MAX_WORDS: Final = 200
_MAX_REF: Final = 64
_OK: Final = 200
_TURNED_AWAY: Final = range(300, 500)
_TOO_MANY: Final = 429
_BROKEN: Final = 500
_NO: Final = (False, 0, "0", "false")
#: Words that refuse nothing.
_CONSENT: Final = frozenset({"ok", "ок", "success", "успешно", "accepted", "принято"})
_REFS: Final = ("id", "callId", "callbackId")
_BLANKS: Final = re.compile(r"\s+")

#: Errors after which no byte of the order can have left.
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
    """Which cabinet, and what opens it; *zone* is that of its statistics."""

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
        self._orders = RateLimit(_ORDERS_APART_S)
        self._exports = RateLimit(_EXPORTS_APART_S)
        self._http = httpx.AsyncClient(
            transport=BoundedTransport(transport or _wire(), _ORDER_LIMITS),
            headers={"User-Agent": "onec-bridge", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def originate(self, order: CallOrder) -> OrderReply:
        """Have the extension rung, then the number, showing the company's number to both."""
        if order.number is None:
            return OrderReply(OrderState.REFUSED, reason="there is no number; nothing was sent")
        fields = {
            "antiaon": "0",
            "phone": format_digits(order.number),
            "reverse": "0",
            "sipnumber": order.extension,
        }
        await self._orders.wait_turn()
        try:
            answer = await self._send(_CALL, fields, _ORDER_TIMEOUT_S, _ORDER_LIMITS)
        except _NOT_SENT as error:
            words = f"the PBX cannot be reached ({_name(error)}); the order was not sent"
            return OrderReply(OrderState.REFUSED, reason=words)
        except httpx.HTTPError as error:
            words = f"no answer from the PBX ({_name(error)}); it may ring all the same"
            return OrderReply(OrderState.UNKNOWN, reason=words)
        return self._read_reply(answer)

    async def history(self, since: datetime, until: datetime) -> Sequence[CallEvent]:
        """Give the calls that began between two moments, as the cabinet's statistics tell them."""
        zone = self._account.zone
        await self._exports.wait_turn()
        try:
            fields = export_query(since, until, zone)
            answer = await self._send(_EXPORT, fields, _EXPORT_TIMEOUT_S, _EXPORT_LIMITS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PbxUnavailable(_EXPORT, f"no answer ({_name(error)})") from error
        try:
            told = read_export(answer.content, zone, self._rules)
        except ValueError as error:
            raise self._refusal(answer) from error
        # Times may come without seconds: a call belongs to the minute it began in.
        first = since - timedelta(seconds=since.second, microseconds=since.microsecond)
        return [e for e in told if e.started_at is not None and first <= e.started_at <= until]

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
        """Read what became of an order; what cannot be read may have rung."""
        status, told = answer.status_code, _told(answer)
        success, words = told.get("success"), self._complaint(told)
        ref = next((told[name] for name in _REFS if told.get(name)), "")
        # What names a call was accepted, whatever words stand beside it; but for an error's.
        named = bool(ref) and not told.get("error")
        refused = words and words.casefold() not in _CONSENT and not ref and status < _BROKEN
        if success in _NO or (refused and not success):
            return OrderReply(OrderState.REFUSED, reason=words or "refused without a word")
        if status == _OK and (success or named):
            return OrderReply(OrderState.ACCEPTED, ref=str(ref)[:_MAX_REF])
        words = f"HTTP {status}: {self._spoken(answer)}"
        if status in _TURNED_AWAY:
            return OrderReply(OrderState.REFUSED, reason=f"{words} (BRIDGE_SIPUNI_URL?)")
        return OrderReply(OrderState.UNKNOWN, reason=f"{words}; it may ring all the same")

    def _refusal(self, answer: httpx.Response) -> PbxRefused | PbxUnavailable:
        """Make an error of what is no table: a sentence refuses, a page or a 5xx says nothing."""
        words = self._complaint(_told(answer)) or self._spoken(answer)
        status = answer.status_code
        page = not answer.content.strip() or answer.content.lstrip().startswith(b"<")
        if status == _TOO_MANY or status >= _BROKEN or (page and status == _OK):
            return PbxUnavailable(_EXPORT, f"HTTP {status}: {words or 'an empty answer'}")
        return PbxRefused(_EXPORT, f"HTTP {status}: {words or 'an empty answer'}")

    def _complaint(self, told: Mapping[str, Any]) -> str:
        """Give the words of a refusal; which of its names a cabinet uses differs."""
        return self._words(told.get("message") or told.get("msg") or told.get("error"))

    def _spoken(self, answer: httpx.Response) -> str:
        """Give the beginning of an answer, for people."""
        return self._words(answer.content[:4096].decode("utf-8-sig", "replace"))

    def _words(self, said: object) -> str:
        """Make of what the PBX said a short line without our secret in it."""
        if not isinstance(said, str):
            return "" if said is None else self._words(json.dumps(said, ensure_ascii=False))
        told = _BLANKS.sub(" ", said.replace(self._account.key, "***")).strip()
        return "".join(sign for sign in told if sign.isprintable())[:_MAX_WORDS]


def _wire() -> httpx.AsyncHTTPTransport:
    # A connection that the PBX has let go meanwhile would leave an order in doubt.
    return httpx.AsyncHTTPTransport(
        trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
    )


def _told(answer: httpx.Response) -> Mapping[str, Any]:
    """Read an answer's JSON object; a bare 1 is an old way of saying success."""
    try:
        said = json.loads(answer.content.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return {}
    if said in (1, "1"):
        return {"success": True}
    return said if isinstance(said, dict) else {}


def _name(error: Exception) -> str:
    """Name an error without its words: they may hold the address, and who knows what is in it."""
    return type(error).__name__
