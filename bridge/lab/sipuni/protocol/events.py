"""The single events of Sipuni's push, as a cabinet puts them on the wire.

Nothing here awaits, and nothing here reads a clock: the same arguments give the same bytes. Field
names and their meaning come from the vendor's pages (doc.sipuni.com 626-636-640); their quirks
from published captures.
"""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from bridge.lab.sipuni.switches import CabinetSwitches, arbitrary_sort_key

# A DID was captured with such a tail on inbound legs; the digits name the line in the cabinet.
DID_SUFFIX = "_id123456"

Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CallHeader:
    """What the PBX itself keeps of one call.

    Attributes:
        call_id: `<unix seconds>.<counter>`, the same for all legs.
        started: Unix seconds.
        source: an outside number, or an extension when `source_inner`.
        destination: the DID of an incoming call, the outside number of an ordered one; an
            extension when `destination_inner`.
        destination_plus: `pbxdstnum` gets a leading plus, as captured for `call_number`.
        callback_id: 32 hex digits of the order that began the call, or empty.
    """

    call_id: str
    started: int
    source: str
    destination: str
    cabinet: str
    tree_name: str
    tree_number: str
    record_link: str
    source_inner: bool = False
    destination_inner: bool = False
    destination_plus: bool = False
    callback_id: str = ""


@dataclass(frozen=True, slots=True)
class ScriptedEvent:
    """One event to push at virtual second *at*."""

    at: int
    params: Params

    @property
    def code(self) -> str:
        """Return the value of `event`."""
        return self.param("event")

    def param(self, name: str) -> str:
        """Return the parameter called *name*, or an empty string."""
        return dict(self.params).get(name, "")

    @property
    def extension(self) -> str:
        """Return the extension the leg leads to; empty for an outside leg."""
        return self.param("short_dst_num") if self.param("dst_type") == "2" else ""

    def with_params(self, **values: str) -> "ScriptedEvent":
        """Copy the event with some parameters replaced or added."""
        return replace(self, params=tuple((dict(self.params) | values).items()))


def did_leg(header: CallHeader) -> ScriptedEvent:
    """Compose event 1 of an incoming call on its DID: no telephone rings yet."""
    return outside_leg(header, "1", header.started)


def outside_leg(header: CallHeader, code: str, at: int) -> ScriptedEvent:
    """Compose event 1 (dialled) or 3 (answers) of the leg to the DID or the outside number."""
    return _event(header, code, at, _towards_did(header))


def extension_leg(header: CallHeader, code: str, at: int, extension: str) -> ScriptedEvent:
    """Compose event 1 (rings) or 3 (answers) of the leg to *extension*."""
    inner = (("is_inner_call", "1"),) if code == "1" else ()
    return _event(header, code, at, (*_towards_extension(header, extension), *inner))


def hangup_of_leg(
    header: CallHeader,
    at: int,
    extension: str,
    status: str,
    answered_at: int,
    *,
    transfers: bool = False,
) -> ScriptedEvent:
    """Compose event 4: the leg of *extension* is over, the call goes on."""
    transferred_from = (("transfer_from", extension),) if transfers else ()
    towards = _towards_extension(header, extension)
    ending = _ending(header, status, answered_at, extension)
    return _event(header, "4", at, (*towards, *ending, *transferred_from))


def final_event(
    header: CallHeader,
    at: int,
    status: str,
    answered_at: int,
    last_called: str,
    *,
    transfer_from: str = "",
) -> ScriptedEvent:
    """Compose event 2: the call is over.

    The recording link is there even without an answer, as captured.
    """
    transferred_from = (("transfer_from", transfer_from),) if transfer_from else ()
    towards = _towards_did(header)
    return _event(
        header,
        "2",
        at,
        (*towards, *_ending(header, status, answered_at, last_called), *transferred_from),
    )


def _event(header: CallHeader, code: str, at: int, fields: Params) -> ScriptedEvent:
    # The channel differs between the events of one call, as captured: it names a leg, not a call.
    channel = f"SIP/{header.cabinet}100003-{arbitrary_sort_key(header.call_id + code) & 0xFFFF:08x}"
    frame: Params = (
        ("event", code),
        ("call_id", header.call_id),
        ("timestamp", str(at)),
        ("treeName", header.tree_name),
        ("treeNumber", header.tree_number),
        ("user_id", header.cabinet),
        ("channel", channel),
    )
    ordered_by = (("callbackId", header.callback_id),) if header.callback_id else ()
    return ScriptedEvent(at=at, params=(*frame, *_source(header), *fields, *ordered_by))


def _source(header: CallHeader) -> Params:
    # An inner party is the cabinet number and the extension written together: 012345205.
    full = f"{header.cabinet}{header.source}" if header.source_inner else header.source
    return (
        ("src_num", full),
        ("src_type", "2" if header.source_inner else "1"),
        ("short_src_num", header.source),
    )


def _towards_did(header: CallHeader) -> Params:
    if header.destination_inner:
        return _towards_extension(header, header.destination)
    return (
        ("dst_num", header.destination),
        ("dst_type", "1"),
        ("short_dst_num", header.destination),
        ("pbxdstnum", f"+{header.destination}" if header.destination_plus else header.destination),
    )


def _towards_extension(header: CallHeader, extension: str) -> Params:
    return (
        ("dst_num", f"{header.cabinet}{extension}"),
        ("dst_type", "2"),
        ("short_dst_num", extension),
        ("pbxdstnum", f"100{extension[-3:]}"),  # a 6-digit SIP line on inner legs
    )


def _ending(header: CallHeader, status: str, answered_at: int, last_called: str) -> Params:
    return (
        ("status", status),
        ("call_start_timestamp", str(header.started)),
        ("call_answer_timestamp", str(answered_at)),
        ("call_record_link", header.record_link),
        ("last_called", last_called),
    )


def apply_switches_to_event(event: ScriptedEvent, switches: CabinetSwitches) -> ScriptedEvent:
    """Apply to one *event* the switches that change its parameters."""
    changes: dict[str, str] = {}
    inbound = event.param("src_type") == "1" and event.param("dst_type") == "1"
    if switches.did_suffix and inbound and not event.param("callbackId"):
        changes["dst_num"] = event.param("dst_num") + DID_SUFFIX
        changes["short_dst_num"] = event.param("short_dst_num") + DID_SUFFIX
    if switches.broken_answer_ts and event.code == "2":
        changes["call_answer_timestamp"] = str(int(event.param("call_start_timestamp")) - 1)
    if switches.renamed_scheme:
        changes["treeName"] = switches.renamed_scheme
    changed = event.with_params(**changes)
    if switches.shuffle_params:
        # The seed leaves out the time, so that a duplicate stays otherwise identical.
        seed = changed.param("call_id") + changed.code
        shuffled = sorted(changed.params, key=lambda pair: arbitrary_sort_key(f"{seed}{pair[0]}"))
        changed = replace(changed, params=tuple(shuffled))
    return changed


def encode_event(params: Params) -> str:
    """URL-encode *params* as UTF-8, for a query or for a form."""
    return urlencode(params)
