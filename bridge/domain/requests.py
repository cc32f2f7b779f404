"""What a document written in UT asks for: from which telephone to which number.

A manager orders a call from inside UT by writing an outgoing phone call document
(`writeback.CallRequest`); whom it names and what it leaves out is decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bridge.domain.directory import Manager
from bridge.domain.emergency import is_emergency
from bridge.domain.orders import OrderTrouble, read_dialled, without_scheme
from bridge.domain.phone import CallerKind, PhoneNumber, PhoneRules
from bridge.domain.writeback import CallRequest

#: A document older than this is not rung for any more: its manager has gone on to other things.
REQUEST_PATIENCE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """From which telephone to ring which number, as typed; or the *trouble* that forbids it."""

    extension: str
    number: str
    trouble: OrderTrouble | None = None
    #: Whose telephone it is, as the user is called in 1C.
    name: str = ""


def plan_request(
    request: CallRequest,
    user: Manager | None,
    phones: Sequence[PhoneNumber],
    rules: PhoneRules,
) -> RequestedCall:
    """Choose telephone and number: the user's extension, and the number that the document names.

    Where it names none that can be read, the first of *phones*, those of its contact, is taken.
    """
    number = request.reach
    emergency = is_emergency(without_scheme(number))
    if (
        phones
        and not emergency
        and read_dialled(number, rules).kind in (CallerKind.WITHHELD, CallerKind.NONSENSE)
    ):
        number = f"+{phones[0]}"
    if user is None:
        return RequestedCall("", number, OrderTrouble.NO_USER)
    if not user.reachable:
        return RequestedCall("", number, OrderTrouble.NO_TELEPHONE, user.name)
    return RequestedCall(user.extension or "", number, name=user.name)
