"""What a document written in UT requests: from which telephone to ring which number.

A manager orders a call from inside UT by writing an outgoing phone call document
(`CallRequest`); whom it names and what it leaves out is decided here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bridge.domain.calls.orders import OrderProblem, read_dialled_number, without_scheme
from bridge.domain.delivery.document_drafts import CallRequest
from bridge.domain.directory.entities import Manager
from bridge.domain.phone.callers import CallerKind
from bridge.domain.phone.emergency import is_emergency_number
from bridge.domain.phone.phone import PhoneNumber, PhoneRules

#: A document older than this is not rung for any more: its manager no longer expects it.
MAX_REQUEST_AGE = timedelta(minutes=15)

#: 1C's clock may be so much ahead of ours; what is dated later waits until its time has come.
MAX_REQUEST_AHEAD = timedelta(minutes=2)

#: Words that negate a mark after them in the same clause.
_NEGATION = re.compile(
    r"(?<!\w)(?:не|ни|нельзя|незачем|нет|без|no|not|never|cannot|\w+n['’]t)(?!\w)"
    r"(?!\s+(?:забы|забудь|позабы|упусти|forget))"
)
_CLAUSE = re.compile(r"[.,;:!?\n\r()«»\"]|\s[-–—]\s")


def asks_for_call(subject: str, mark: str) -> bool:
    """Return whether *mark* stands in *subject* as whole words, and is nowhere negated.

    An unwanted call is worse than one that has to be requested again.
    """
    phrase = _plain(mark)
    if not phrase:
        return False
    found = False
    whole = re.compile(rf"(?<![\w-]){re.escape(phrase)}(?!\w)")
    text = _plain(subject)
    for place in whole.finditer(text):
        before = _CLAUSE.split(text[: place.start()])[-1]
        if _NEGATION.search(before):
            return False
        found = True
    return found


def _plain(text: str) -> str:
    """Return *text* as it is compared: letter case, ё and the width of blanks do not count."""
    return " ".join(text.casefold().replace("ё", "е").split())


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """From which telephone to ring which number, as typed; or the *problem* that forbids it."""

    extension: str
    number: str
    problem: OrderProblem | None = None
    #: Whose telephone it is, as the user is called in 1C.
    name: str = ""


def resolve_request(
    request: CallRequest,
    user: Manager | None,
    phones: Sequence[PhoneNumber],
    rules: PhoneRules,
) -> RequestedCall:
    """Choose telephone and number: the user's extension, and the number that the document names.

    Where it names none that can be read, the first of *phones*, those of its contact, is taken.
    """
    number = request.how_to_reach
    emergency = is_emergency_number(without_scheme(number))
    if (
        phones
        and not emergency
        and read_dialled_number(number, rules).kind in (CallerKind.WITHHELD, CallerKind.NONSENSE)
    ):
        number = f"+{phones[0]}"
    if user is None:
        return RequestedCall("", number, OrderProblem.NO_USER)
    if not user.is_reachable:
        return RequestedCall("", number, OrderProblem.NO_TELEPHONE, user.name)
    return RequestedCall(user.extension or "", number, name=user.name)
