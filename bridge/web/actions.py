"""What a viewer may change: retry an outbox entry, drop it, choose whose number it is.

The API and the pages do the same things through here, and each goes into the audit list.
"""

import logging
from datetime import timedelta

from starlette.exceptions import HTTPException

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.formatting import mask_phone
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.audit import AuditAct
from bridge.ports.events import EntryChanged
from bridge.web.access import Viewer
from bridge.web.shared.language import Localizer, translatable
from bridge.web.web_services import WebServices

_log = logging.getLogger(__name__)

_NOT_HIS = translatable(
    "From here you call from your own telephone %(own)s only, not from %(named)s. If your "
    "telephone is another one, ask the administrator to correct your extension in 1C."
)
NO_EXTENSION = translatable(
    "1C has no extension for you, so there is no telephone to call from. Ask the administrator to "
    "enter it in your user card in 1C."
)
_NOT_SET_UP = "Nothing opens the PBX's API: set BRIDGE_SIPUNI_USER and BRIDGE_SIPUNI_KEY."
_LONGEST_NAMED = 20

#: An entry due sooner may be taken up by the delivery while we write: it is left alone.
_SOON = timedelta(seconds=2)


async def find_entry(services: WebServices, key: str) -> OutboxEntry:
    """Return the entry of *key*, or of an unambiguous beginning of it.

    Raises:
        HTTPException: 404.
    """
    found = await services.ledger.entry(key)
    if found is None:
        raise HTTPException(404, translatable("There is no such entry, or several begin so."))
    return found[0]


async def retry_entry(services: WebServices, viewer: Viewer, key: str) -> OutboxEntry:
    """Make a dead or waiting entry due at once, and let the delivery run.

    Raises:
        HTTPException: 404; 409 when it is in 1C already, or on its way this moment.
    """
    entry = await find_entry(services, key)
    if entry.state is EntryState.DELIVERED:
        raise HTTPException(409, translatable("This call is in 1C already."))
    if entry.state is EntryState.SENDING:
        raise HTTPException(409, translatable("This call is being written to 1C right now."))
    if entry.state is EntryState.DEAD or entry.due_at > services.clock() + _SOON:
        after = await services.ledger.retry_entry(entry.key, services.clock())
        if after is None:
            raise HTTPException(404, translatable("The entry was dropped meanwhile."))
        entry = after
        services.events.publish(EntryChanged(entry))
        _log.info("entry_retried", extra={"call": entry.key})
        await record_audit(services, viewer, AuditAct.ENTRY_RETRIED, entry.key)
    services.deliver_soon()
    return entry


async def drop_entry(services: WebServices, viewer: Viewer, key: str) -> None:
    """Delete an outbox entry; the call stays in the journal, and is never written to 1C.

    Raises:
        HTTPException: 404; 409 when it is on its way this moment.
    """
    entry = await find_entry(services, key)
    if entry.state is EntryState.SENDING:
        raise HTTPException(409, translatable("This call is being written to 1C right now."))
    if not await services.ledger.drop_entry(entry.key):
        raise HTTPException(404, translatable("The entry was dropped meanwhile."))
    _log.warning("entry_dropped", extra={"call": entry.key, "state": entry.state.value})
    await record_audit(services, viewer, AuditAct.ENTRY_DROPPED, entry.key)


async def choose_owner(
    services: WebServices, viewer: Viewer, number: PhoneNumber, owner: str
) -> None:
    """Save whose number it is, as the viewer chose.

    Raises:
        HTTPException: 404 when 1C does not know the number; 409 when *owner* is none of its owners.
    """
    card = services.directory.look_up(number)
    if card is None:
        raise HTTPException(404, translatable("1C does not know this number."))
    ref = Ref(owner.lower())
    names = [candidate.name for candidate in card.candidates if candidate.ref == ref]
    if not names:
        raise HTTPException(409, translatable("This is none of the number's owners."))
    await services.ledger.save_choice(number, ref)
    await record_audit(services, viewer, AuditAct.OWNER_CHOSEN, mask_phone(number), names[0])


async def calling_extension(
    services: WebServices, viewer: Viewer, localizer: Localizer, named: str = ""
) -> str:
    """Return from which extension *viewer* calls: a manager's own, the administrator's any.

    *named* is the one that was asked for; empty, where none was.

    Raises:
        HTTPException: 403, with what to do; the audit list has it too.
    """
    named = named.strip()
    if viewer.is_admin:
        return named
    own = viewer.extension or ""
    if own and named in {"", own}:
        return own
    named = named[:_LONGEST_NAMED]
    await record_audit(services, viewer, AuditAct.ORDER_DENIED, named)
    message = (
        localizer.translate(_NOT_HIS, own=own, named=named)
        if own
        else localizer.translate(NO_EXTENSION)
    )
    raise HTTPException(403, message)


async def order_call(
    services: WebServices, viewer: Viewer, extension: str, number: str, *, by: str
) -> PhoneCall:
    """Order a call from *extension* to *number* under the name *by*; the audit list has it.

    Raises:
        HTTPException: 409 where the PBX's API is not set up.
        OrderRefused: nothing was ordered.
    """
    if services.call_ordering is None:
        raise HTTPException(409, _NOT_SET_UP)
    call = await services.call_ordering.order(extension, number, by=by)
    await record_audit(services, viewer, AuditAct.CALL_ORDERED, call.key, call.placed_by)
    return call


async def record_audit(
    services: WebServices, viewer: Viewer, act: AuditAct, subject: str = "", message: str = ""
) -> None:
    """Record in the audit list what *viewer* did; numbers are masked there."""
    await services.audit.append(viewer.audit_record(services.clock(), act, subject, message))
