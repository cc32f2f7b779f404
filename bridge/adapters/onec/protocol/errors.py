"""What 1C's answers mean when they are not what we asked for: one table for all of them.

Three kinds of responses come from 1C's address. Only a body with `odata.error` (or `m:error`)
proves that 1C itself answered; a `#exception` comes from its session layer, before anything ran;
the rest are pages of web servers, proxies and the platform. For a write the question is whether it
may have been done, so every row of the table has two meanings.
Source: docs/facts/onec-odata.md, 'Errors'.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import httpx

from bridge.adapters.http_limits import ResponseTooLarge, ResponseTooSlow
from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.responses import ParsedResponse, ResponseKind
from bridge.errors import (
    OneCAlreadyExists,
    OneCError,
    OneCFilteredByWebServer,
    OneCInvalidResponse,
    OneCNotPublished,
    OneCObjectMissing,
    OneCOutcomeUnknown,
    OneCRejected,
    OneCSessionsBlocked,
    OneCUnauthorized,
    OneCUnavailable,
)


class RequestTooLarge(OneCUnavailable):
    """1C, or a server before it, failed over this request; a smaller one may succeed."""


class UnknownField(OneCNotPublished):
    """1C does not know a field we named; `detail` holds 1C's message, the name in it."""


class NoRights(OneCUnauthorized):
    """1C itself refused: it accepted the password, and the user has no right to this."""


class RefusalMeaning(Enum):
    """What an answer that is not what was asked for means to us."""

    UNAVAILABLE = auto()
    TOO_LARGE = auto()
    OUTCOME_UNKNOWN = auto()
    SESSIONS_BLOCKED = auto()
    UNAUTHORIZED = auto()
    NOT_PUBLISHED = auto()
    FILTERED_BY_WEB_SERVER = auto()
    UNKNOWN_FIELD = auto()
    REJECTED = auto()
    ALREADY_EXISTS = auto()
    OBJECT_MISSING = auto()
    INVALID_RESPONSE = auto()


@dataclass(frozen=True, slots=True)
class _Rule:
    """One row: a response like this means *read* to a read, *write* to a write.

    Empty *statuses*, *codes* and *phrases* match anything; *phrases* are folded. *sign_in_page*:
    only a page with a password field. *text* is the text of the error.
    """

    kind: ResponseKind | None
    read: RefusalMeaning
    write: RefusalMeaning
    statuses: frozenset[int] | range = frozenset()
    codes: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()
    text: str = "{message}"
    sign_in_page: bool = False

    def matches(self, response: ParsedResponse) -> bool:
        """Return whether *response* is one of this row."""
        return (
            self.kind in {None, response.kind}
            and (not self.statuses or response.status in self.statuses)
            and (not self.codes or response.code in self.codes)
            and (not self.sign_in_page or response.has_password_field)
            and (not self.phrases or _contains(response, self.phrases))
        )


def _on(*statuses: int) -> frozenset[int]:
    return frozenset(statuses)


_M = RefusalMeaning
_O, _S, _P = ResponseKind.ODATA, ResponseKind.SESSION, ResponseKind.PAGE
_QUOTED = "the server answered {status}: {message}"
_REQUEST_REFUSED = "1C does not take our question: {message}"
_WRONG_ADDRESS = (
    "the web server has nothing at this address ({status}: {message}); either BRIDGE_ONEC_URL is "
    "wrong, or the entity set is not published and the web server hides 1C's own words"
)
_SIGN_IN_PAGE = (
    "a page to sign in at instead of 1C's data ({status}: {message}); BRIDGE_ONEC_URL must be the "
    "address of a publication that takes a name and a password with each request"
)
#: Windows writes it in English in every language version.
_INVALID_URL: Final = ("invalid url",)
_TOO_LONG_ADDRESS = (
    "the web server takes no address as long as this ({status}: {message}); there, "
    r"UrlSegmentMaxLength in HKLM\System\CurrentControlSet\Services\HTTP\Parameters allows more"
)

#: First match wins.
_TABLE: Final = (
    # ---- 1C itself answered
    _Rule(_O, _M.ALREADY_EXISTS, _M.ALREADY_EXISTS, codes=frozenset({"15"})),
    _Rule(_O, _M.UNAUTHORIZED, _M.UNAUTHORIZED, codes=frozenset({"20"})),
    _Rule(_O, _M.UNAUTHORIZED, _M.UNAUTHORIZED, phrases=schema.RIGHTS_PHRASES),
    _Rule(_O, _M.UNAUTHORIZED, _M.UNAUTHORIZED, _on(401, 403)),
    _Rule(_O, _M.NOT_PUBLISHED, _M.NOT_PUBLISHED, codes=frozenset({"8"})),
    _Rule(_O, _M.OBJECT_MISSING, _M.OBJECT_MISSING, _on(404), frozenset({"9"})),
    _Rule(_O, _M.UNKNOWN_FIELD, _M.REJECTED, _on(400), frozenset({"6"})),
    _Rule(_O, _M.TOO_LARGE, _M.UNAVAILABLE, phrases=schema.MEMORY_PHRASES),
    _Rule(_O, _M.UNAVAILABLE, _M.UNAVAILABLE, _on(500), phrases=schema.LOCK_PHRASES),
    _Rule(_O, _M.UNAVAILABLE, _M.UNAVAILABLE, _on(500, 503), phrases=schema.LICENCE_PHRASES),
    _Rule(_O, _M.UNAVAILABLE, _M.REJECTED, _on(500)),
    _Rule(_O, _M.UNAVAILABLE, _M.OUTCOME_UNKNOWN, _on(502, 503, 504)),
    _Rule(_O, _M.INVALID_RESPONSE, _M.REJECTED, range(400, 600), text=_REQUEST_REFUSED),
    # ---- its session layer answered: nothing ran
    _Rule(_S, _M.SESSIONS_BLOCKED, _M.SESSIONS_BLOCKED, _on(403)),
    _Rule(_S, _M.UNAUTHORIZED, _M.UNAUTHORIZED, _on(401)),
    _Rule(_S, _M.NOT_PUBLISHED, _M.NOT_PUBLISHED, _on(404)),
    _Rule(_S, _M.UNAVAILABLE, _M.UNAVAILABLE, _on(406)),
    _Rule(_S, _M.UNAVAILABLE, _M.UNAVAILABLE, phrases=schema.LICENCE_PHRASES),
    _Rule(_S, _M.UNAVAILABLE, _M.OUTCOME_UNKNOWN),
    # ---- a server before 1C answered, or a page of 1C's own: it names the cause whatever its
    # status
    _Rule(_P, _M.SESSIONS_BLOCKED, _M.SESSIONS_BLOCKED, phrases=schema.BLOCK_PHRASES),
    _Rule(_P, _M.UNAUTHORIZED, _M.UNAUTHORIZED, phrases=schema.PAGE_RIGHTS_PHRASES, text=_QUOTED),
    _Rule(_P, _M.UNAVAILABLE, _M.UNAVAILABLE, phrases=schema.LICENCE_PHRASES, text=_QUOTED),
    _Rule(_P, _M.UNAVAILABLE, _M.UNAVAILABLE, phrases=schema.EXCLUSIVE_PHRASES, text=_QUOTED),
    _Rule(_P, _M.UNAUTHORIZED, _M.UNAUTHORIZED, sign_in_page=True, text=_SIGN_IN_PAGE),
    _Rule(_P, _M.UNAUTHORIZED, _M.UNAUTHORIZED, _on(401, 403), text=_QUOTED),
    _Rule(_P, _M.NOT_PUBLISHED, _M.NOT_PUBLISHED, _on(404), text=_WRONG_ADDRESS),
    _Rule(
        _P, _M.INVALID_RESPONSE, _M.REJECTED, _on(405),
        text="this server does not take such requests (405); 1C's standalone server refuses PATCH",
    ),
    _Rule(_P, _M.UNAVAILABLE, _M.UNAVAILABLE, _on(406, 429), text=_QUOTED),
    _Rule(_P, _M.TOO_LARGE, _M.REJECTED, _on(413, 414, 431), text=_QUOTED),
    # The driver of IIS refuses a long piece of path, so nothing reached 1C.
    # Source: docs/facts/onec-odata.md, 'Limits of the web server'.
    _Rule(
        _P, _M.FILTERED_BY_WEB_SERVER, _M.FILTERED_BY_WEB_SERVER, _on(400), phrases=_INVALID_URL,
        text=_TOO_LONG_ADDRESS,
    ),
    _Rule(_P, _M.TOO_LARGE, _M.OUTCOME_UNKNOWN, _on(500), text=_QUOTED),
    _Rule(_P, _M.UNAVAILABLE, _M.OUTCOME_UNKNOWN, range(500, 600), text=_QUOTED),
    _Rule(
        _P, _M.INVALID_RESPONSE, _M.UNAVAILABLE, range(300, 400),
        text="the server sends us elsewhere ({status} {message}); is BRIDGE_ONEC_URL right?",
    ),
    _Rule(
        _P, _M.INVALID_RESPONSE, _M.OUTCOME_UNKNOWN,
        text="a page that is not 1C's ({status}): {message}",
    ),
    # ---- of 1C's form, and in no row above
    _Rule(None, _M.INVALID_RESPONSE, _M.OUTCOME_UNKNOWN, text=_QUOTED),
)  # fmt: skip

#: Whether a request may have reached 1C when no answer came, by the error of httpx. A test keeps
#: this complete when httpx grows.
MAY_HAVE_ARRIVED: Final[dict[type[httpx.RequestError], bool]] = {
    httpx.RequestError: True,
    httpx.TransportError: True,
    httpx.TimeoutException: True,
    httpx.ConnectTimeout: False,
    httpx.PoolTimeout: False,
    httpx.ReadTimeout: True,
    httpx.WriteTimeout: True,
    httpx.NetworkError: True,
    httpx.ConnectError: False,
    httpx.ReadError: True,
    httpx.WriteError: True,
    httpx.CloseError: True,
    httpx.ProxyError: False,
    httpx.UnsupportedProtocol: False,
    httpx.ProtocolError: True,
    httpx.LocalProtocolError: True,
    httpx.RemoteProtocolError: True,
    httpx.DecodingError: True,
    httpx.TooManyRedirects: True,
    ResponseTooLarge: True,
    ResponseTooSlow: True,
}


def classify(response: ParsedResponse, *, write: bool) -> RefusalMeaning:
    """Return what *response* means to a read or a *write*."""
    rule = _matching_rule(response)
    return rule.write if write else rule.read


def error_of_response(response: ParsedResponse, entity_set: str, *, write: bool) -> OneCError:
    """Return the error that *response* means."""
    meaning = classify(response, write=write)
    message = response.message or "no words"
    detail = _matching_rule(response).text.format(message=message, status=response.status)
    if meaning in _WITH_CODE:
        return _WITH_CODE[meaning](entity_set, detail, response.status, response.code)
    match meaning:
        case RefusalMeaning.OUTCOME_UNKNOWN:
            return OneCOutcomeUnknown(entity_set, f"{detail}; the write may have been done")
        case RefusalMeaning.SESSIONS_BLOCKED:
            return OneCSessionsBlocked(entity_set, response.administrator_message or message)
    if meaning is RefusalMeaning.UNAUTHORIZED and response.kind is ResponseKind.ODATA:
        return NoRights(entity_set, detail)
    return _WITHOUT_CODE[meaning](entity_set, detail)


#: Refusals whose errors hold 1C's status and code too.
_WITH_CODE: Final[dict[RefusalMeaning, type[OneCRejected]]] = {
    RefusalMeaning.REJECTED: OneCRejected,
    RefusalMeaning.ALREADY_EXISTS: OneCAlreadyExists,
    RefusalMeaning.OBJECT_MISSING: OneCObjectMissing,
}

_WITHOUT_CODE: Final[dict[RefusalMeaning, type[OneCError]]] = {
    RefusalMeaning.UNAVAILABLE: OneCUnavailable,
    RefusalMeaning.TOO_LARGE: RequestTooLarge,
    RefusalMeaning.UNAUTHORIZED: OneCUnauthorized,
    RefusalMeaning.NOT_PUBLISHED: OneCNotPublished,
    RefusalMeaning.FILTERED_BY_WEB_SERVER: OneCFilteredByWebServer,
    RefusalMeaning.UNKNOWN_FIELD: UnknownField,
    RefusalMeaning.INVALID_RESPONSE: OneCInvalidResponse,
}


def error_of_transport(error: httpx.RequestError, entity_set: str, *, write: bool) -> OneCError:
    """Return the error that a lost request or a lost answer means."""
    detail = f"{_spaced(type(error).__name__)}: {error}".rstrip(": ")
    if not write:
        kind = RequestTooLarge if isinstance(error, ResponseTooLarge) else OneCUnavailable
        return kind(entity_set, detail)
    if MAY_HAVE_ARRIVED.get(type(error), True):
        return OneCOutcomeUnknown(entity_set, f"{detail}; the write may have been done")
    return OneCUnavailable(entity_set, detail)


def _contains(response: ParsedResponse, phrases: tuple[str, ...]) -> bool:
    folded = f"{response.message} {response.page_text}".casefold()
    return any(phrase in folded for phrase in phrases)


def _matching_rule(response: ParsedResponse) -> _Rule:
    return next(rule for rule in _TABLE if rule.matches(response))


def _spaced(name: str) -> str:
    """Return `ConnectTimeout` as people write it: "connect timeout"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
