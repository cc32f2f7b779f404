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
    """One call as the exchange itself knows it.

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
        """Give the value of `event`."""
        return self.param("event")

    def param(self, name: str) -> str:
        """Give the parameter called *name*, or an empty string."""
        return dict(self.params).get(name, "")

    @property
    def extension(self) -> str:
        """Give the extension the leg leads to; empty for an outside leg."""
        return self.param("short_dst_num") if self.param("dst_type") == "2" else ""

    def with_params(self, **values: str) -> "ScriptedEvent":
        """Copy the event with some parameters replaced or added."""
        return replace(self, params=tuple((dict(self.params) | values).items()))


def did_leg(line: CallHeader) -> ScriptedEvent:
    """Compose event 1 of an incoming call on its DID: nobody is rung yet."""
    return outside_leg(line, "1", line.started)


def outside_leg(line: CallHeader, code: str, at: int) -> ScriptedEvent:
    """Compose event 1 (dialled) or 3 (answers) of the leg to the DID or the outside number."""
    return _event(line, code, at, _towards_did(line))


def extension_leg(line: CallHeader, code: str, at: int, extension: str) -> ScriptedEvent:
    """Compose event 1 (rings) or 3 (answers) of the leg to *extension*."""
    inner = (("is_inner_call", "1"),) if code == "1" else ()
    return _event(line, code, at, (*_towards_extension(line, extension), *inner))


def hangup_of_leg(
    line: CallHeader,
    at: int,
    extension: str,
    status: str,
    answered_at: int,
    *,
    transfers: bool = False,
) -> ScriptedEvent:
    """Compose event 4: the leg of *extension* is over, the call goes on."""
    gave_away = (("transfer_from", extension),) if transfers else ()
    towards = _towards_extension(line, extension)
    ending = _ending(line, status, answered_at, extension)
    return _event(line, "4", at, (*towards, *ending, *gave_away))


def final_event(
    line: CallHeader,
    at: int,
    status: str,
    answered_at: int,
    last_called: str,
    *,
    transfer_from: str = "",
) -> ScriptedEvent:
    """Compose event 2: the call is over.

    The recording link is there even when nobody answered, as captured.
    """
    came_from = (("transfer_from", transfer_from),) if transfer_from else ()
    towards = _towards_did(line)
    return _event(
        line, "2", at, (*towards, *_ending(line, status, answered_at, last_called), *came_from)
    )


def _event(line: CallHeader, code: str, at: int, fields: Params) -> ScriptedEvent:
    # The channel differs between the events of one call, as captured: it names a leg, not a call.
    channel = f"SIP/{line.cabinet}100003-{arbitrary_sort_key(line.call_id + code) & 0xFFFF:08x}"
    frame: Params = (
        ("event", code),
        ("call_id", line.call_id),
        ("timestamp", str(at)),
        ("treeName", line.tree_name),
        ("treeNumber", line.tree_number),
        ("user_id", line.cabinet),
        ("channel", channel),
    )
    ordered_by = (("callbackId", line.callback_id),) if line.callback_id else ()
    return ScriptedEvent(at=at, params=(*frame, *_source(line), *fields, *ordered_by))


def _source(line: CallHeader) -> Params:
    # An inner party is the cabinet number and the extension written together: 012345205.
    full = f"{line.cabinet}{line.source}" if line.source_inner else line.source
    return (
        ("src_num", full),
        ("src_type", "2" if line.source_inner else "1"),
        ("short_src_num", line.source),
    )


def _towards_did(line: CallHeader) -> Params:
    if line.destination_inner:
        return _towards_extension(line, line.destination)
    return (
        ("dst_num", line.destination),
        ("dst_type", "1"),
        ("short_dst_num", line.destination),
        ("pbxdstnum", f"+{line.destination}" if line.destination_plus else line.destination),
    )


def _towards_extension(line: CallHeader, extension: str) -> Params:
    return (
        ("dst_num", f"{line.cabinet}{extension}"),
        ("dst_type", "2"),
        ("short_dst_num", extension),
        ("pbxdstnum", f"100{extension[-3:]}"),  # a 6-digit SIP line on inner legs
    )


def _ending(line: CallHeader, status: str, answered_at: int, last_called: str) -> Params:
    return (
        ("status", status),
        ("call_start_timestamp", str(line.started)),
        ("call_answer_timestamp", str(answered_at)),
        ("call_record_link", line.record_link),
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
    bent = event.with_params(**changes)
    if switches.shuffle_params:
        # The seed leaves out the time, so that a duplicate stays otherwise identical.
        seed = bent.param("call_id") + bent.code
        shuffled = sorted(bent.params, key=lambda pair: arbitrary_sort_key(f"{seed}{pair[0]}"))
        bent = replace(bent, params=tuple(shuffled))
    return bent


def encode_event(params: Params) -> str:
    """URL-encode *params* as UTF-8, for a query or for a form."""
    return urlencode(params)
