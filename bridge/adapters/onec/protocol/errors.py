"""What 1C's answers mean when they are not what we asked for: one table for all of them.

Three voices answer at 1C's address. Only a body with `odata.error` (or `m:error`) proves that 1C
itself spoke; a `#exception` comes from its session layer, before anything ran; the rest are pages
of web servers, proxies and the platform (facts/onec-odata.md §5). For a write the question is
whether it may have been done, so every row of the table has two verdicts.
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
    """1C broke over this answer; a smaller question may be answered."""


class UnknownField(OneCNotPublished):
    """1C does not know a field we named; *detail* holds its words, the name among them."""


class NoRights(OneCUnauthorized):
    """1C itself refused: it knows the user, who has no right to what was asked."""


class RefusalMeaning(Enum):
    """What an answer means to us."""

    UNAVAILABLE = auto()
    TOO_LARGE = auto()
    OUTCOME_UNKNOWN = auto()
    BLOCKED = auto()
    UNAUTHORIZED = auto()
    NOT_PUBLISHED = auto()
    NOT_LET_THROUGH = auto()
    UNKNOWN_FIELD = auto()
    REJECTED = auto()
    ALREADY_EXISTS = auto()
    GONE = auto()
    NONSENSE = auto()


@dataclass(frozen=True, slots=True)
class _Rule:
    """One row: an answer like this means *read* to a read, *write* to a write.

    Empty *statuses*, *codes* and *words* match anything; *words* are folded. *sign_in*: only a page
    that asks for a password.
    """

    voice: ResponseKind | None
    read: RefusalMeaning
    write: RefusalMeaning
    statuses: frozenset[int] | range = frozenset()
    codes: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    say: str = "{words}"
    sign_in: bool = False

    def matches(self, said: ParsedResponse) -> bool:
        """Tell whether *said* is such an answer."""
        return (
            self.voice in {None, said.kind}
            and (not self.statuses or said.status in self.statuses)
            and (not self.codes or said.code in self.codes)
            and (not self.sign_in or said.has_password_field)
            and (not self.words or _holds(f"{said.message} {said.page_text}", self.words))
        )


def _on(*statuses: int) -> frozenset[int]:
    return frozenset(statuses)


_V = RefusalMeaning
_O, _S, _P = ResponseKind.ODATA, ResponseKind.SESSION, ResponseKind.PAGE
_SAYS_LITTLE = "the server answered {status}: {words}"
_NOT_TAKEN = "1C does not take our question: {words}"
_WRONG_ADDRESS = (
    "the web server has nothing at this address ({status}: {words}); either BRIDGE_ONEC_URL is "
    "wrong, or the entity set is not published and the web server hides 1C's own words"
)
_SIGN_IN_PAGE = (
    "a page to sign in at instead of 1C's data ({status}: {words}); BRIDGE_ONEC_URL must be the "
    "address of a publication that takes a name and a password with each request"
)
#: Windows says it in English whatever its language.
_INVALID_URL: Final = ("invalid url",)
_TOO_LONG_ADDRESS = (
    "the web server takes no address as long as this ({status}: {words}); there, "
    r"UrlSegmentMaxLength in HKLM\System\CurrentControlSet\Services\HTTP\Parameters allows more"
)

#: First match wins.
_TABLE: Final = (
    # ---- 1C spoke
    _Rule(_O, _V.ALREADY_EXISTS, _V.ALREADY_EXISTS, codes=frozenset({"15"})),
    _Rule(_O, _V.UNAUTHORIZED, _V.UNAUTHORIZED, codes=frozenset({"20"})),
    _Rule(_O, _V.UNAUTHORIZED, _V.UNAUTHORIZED, words=schema.RIGHTS_PHRASES),
    _Rule(_O, _V.UNAUTHORIZED, _V.UNAUTHORIZED, _on(401, 403)),
    _Rule(_O, _V.NOT_PUBLISHED, _V.NOT_PUBLISHED, codes=frozenset({"8"})),
    _Rule(_O, _V.GONE, _V.GONE, _on(404), frozenset({"9"})),
    _Rule(_O, _V.UNKNOWN_FIELD, _V.REJECTED, _on(400), frozenset({"6"})),
    _Rule(_O, _V.TOO_LARGE, _V.UNAVAILABLE, words=schema.MEMORY_PHRASES),
    _Rule(_O, _V.UNAVAILABLE, _V.UNAVAILABLE, _on(500), words=schema.LOCK_PHRASES),
    _Rule(_O, _V.UNAVAILABLE, _V.UNAVAILABLE, _on(500, 503), words=schema.LICENCE_PHRASES),
    _Rule(_O, _V.UNAVAILABLE, _V.REJECTED, _on(500)),
    _Rule(_O, _V.UNAVAILABLE, _V.OUTCOME_UNKNOWN, _on(502, 503, 504)),
    _Rule(_O, _V.NONSENSE, _V.REJECTED, range(400, 600), say=_NOT_TAKEN),
    # ---- its session layer spoke: nothing ran
    _Rule(_S, _V.BLOCKED, _V.BLOCKED, _on(403)),
    _Rule(_S, _V.UNAUTHORIZED, _V.UNAUTHORIZED, _on(401)),
    _Rule(_S, _V.NOT_PUBLISHED, _V.NOT_PUBLISHED, _on(404)),
    _Rule(_S, _V.UNAVAILABLE, _V.UNAVAILABLE, _on(406)),
    _Rule(_S, _V.UNAVAILABLE, _V.UNAVAILABLE, words=schema.LICENCE_PHRASES),
    _Rule(_S, _V.UNAVAILABLE, _V.OUTCOME_UNKNOWN),
    # ---- somebody before it spoke, or a page of 1C's own: it names the cause whatever its status
    _Rule(_P, _V.BLOCKED, _V.BLOCKED, words=schema.BLOCK_PHRASES),
    _Rule(_P, _V.UNAUTHORIZED, _V.UNAUTHORIZED, words=schema.PAGE_RIGHTS_PHRASES, say=_SAYS_LITTLE),
    _Rule(_P, _V.UNAVAILABLE, _V.UNAVAILABLE, words=schema.LICENCE_PHRASES, say=_SAYS_LITTLE),
    _Rule(_P, _V.UNAVAILABLE, _V.UNAVAILABLE, words=schema.EXCLUSIVE_PHRASES, say=_SAYS_LITTLE),
    _Rule(_P, _V.UNAUTHORIZED, _V.UNAUTHORIZED, sign_in=True, say=_SIGN_IN_PAGE),
    _Rule(_P, _V.UNAUTHORIZED, _V.UNAUTHORIZED, _on(401, 403), say=_SAYS_LITTLE),
    _Rule(_P, _V.NOT_PUBLISHED, _V.NOT_PUBLISHED, _on(404), say=_WRONG_ADDRESS),
    _Rule(
        _P, _V.NONSENSE, _V.REJECTED, _on(405),
        say="this server does not take such requests (405); 1C's standalone server refuses PATCH",
    ),
    _Rule(_P, _V.UNAVAILABLE, _V.UNAVAILABLE, _on(406, 429), say=_SAYS_LITTLE),
    _Rule(_P, _V.TOO_LARGE, _V.REJECTED, _on(413, 414, 431), say=_SAYS_LITTLE),
    # Its driver refuses a long piece of path, so nothing reached 1C (facts/onec-odata.md §1.2).
    _Rule(
        _P, _V.NOT_LET_THROUGH, _V.NOT_LET_THROUGH, _on(400), words=_INVALID_URL,
        say=_TOO_LONG_ADDRESS,
    ),
    _Rule(_P, _V.TOO_LARGE, _V.OUTCOME_UNKNOWN, _on(500), say=_SAYS_LITTLE),
    _Rule(_P, _V.UNAVAILABLE, _V.OUTCOME_UNKNOWN, range(500, 600), say=_SAYS_LITTLE),
    _Rule(
        _P, _V.NONSENSE, _V.UNAVAILABLE, range(300, 400),
        say="the server sends us elsewhere ({status} {words}); is BRIDGE_ONEC_URL right?",
    ),
    _Rule(_P, _V.NONSENSE, _V.OUTCOME_UNKNOWN, say="a page that is not 1C's ({status}): {words}"),
    # ---- 1C's form, but no answer we know
    _Rule(None, _V.NONSENSE, _V.OUTCOME_UNKNOWN, say=_SAYS_LITTLE),
)  # fmt: skip

#: The same for answers that never came: whether the request may have reached 1C. A test keeps
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


def classify(said: ParsedResponse, *, write: bool) -> RefusalMeaning:
    """Look *said* up in the table."""
    rule = _rule(said)
    return rule.write if write else rule.read


def error_of_response(said: ParsedResponse, where: str, *, write: bool) -> OneCError:
    """Make the error that *said* means; *where* is the entity set."""
    rule = _rule(said)
    verdict = rule.write if write else rule.read
    words = said.message or "no words"
    detail = rule.say.format(words=words, status=said.status)
    if verdict in _CODED:
        return _CODED[verdict](where, detail, said.status, said.code)
    match verdict:
        case RefusalMeaning.OUTCOME_UNKNOWN:
            return OneCOutcomeUnknown(where, f"{detail}; the write may have been done")
        case RefusalMeaning.BLOCKED:
            return OneCSessionsBlocked(where, said.administrator_message or words)
    knows_him = verdict is RefusalMeaning.UNAUTHORIZED and said.kind is ResponseKind.ODATA
    return (NoRights if knows_him else _PLAIN[verdict])(where, detail)


#: Refusals that tell 1C's status and code too.
_CODED: Final[dict[RefusalMeaning, type[OneCRejected]]] = {
    RefusalMeaning.REJECTED: OneCRejected,
    RefusalMeaning.ALREADY_EXISTS: OneCAlreadyExists,
    RefusalMeaning.GONE: OneCObjectMissing,
}

_PLAIN: Final[dict[RefusalMeaning, type[OneCError]]] = {
    RefusalMeaning.UNAVAILABLE: OneCUnavailable,
    RefusalMeaning.TOO_LARGE: RequestTooLarge,
    RefusalMeaning.UNAUTHORIZED: OneCUnauthorized,
    RefusalMeaning.NOT_PUBLISHED: OneCNotPublished,
    RefusalMeaning.NOT_LET_THROUGH: OneCFilteredByWebServer,
    RefusalMeaning.UNKNOWN_FIELD: UnknownField,
    RefusalMeaning.NONSENSE: OneCInvalidResponse,
}


def error_of_transport(error: httpx.RequestError, where: str, *, write: bool) -> OneCError:
    """Make the error that a lost request or reply means."""
    words = f"{_spaced(type(error).__name__)}: {error}".rstrip(": ")
    if not write:
        kind = RequestTooLarge if isinstance(error, ResponseTooLarge) else OneCUnavailable
        return kind(where, words)
    if MAY_HAVE_ARRIVED.get(type(error), True):
        return OneCOutcomeUnknown(where, f"{words}; the write may have been done")
    return OneCUnavailable(where, words)


def _holds(text: str, words: tuple[str, ...]) -> bool:
    folded = text.casefold()
    return any(word in folded for word in words)


def _rule(said: ParsedResponse) -> _Rule:
    return next(rule for rule in _TABLE if rule.matches(said))


def _spaced(name: str) -> str:
    """Write `ConnectTimeout` as people do: "connect timeout"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
