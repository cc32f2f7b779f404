"""The fields of one Sipuni event under one name each, however a cabinet or a script spells them.

The vendor's spelling wins over any other; of a repeated field the first that is not empty counts.
Source: docs/facts/sipuni.md, 'Events'.
"""

import re
from collections.abc import Iterable
from typing import Final

#: Each field by the vendor's name, with the names other programs send it by.
_OTHER_NAMES: Final = {
    "event": ("eventtype", "eventcode", "eventid", "eventname"),
    "call_id": ("callid", "calluid", "calluuid", "callref", "uniqueid", "linkedid", "uid"),
    "timestamp": ("ts", "time", "eventtime", "eventtimestamp", "datetime"),
    "src_num": (
        "src",
        "srcnumber",
        "srcphone",
        "source",
        "sourcenumber",
        "from",
        "fromnum",
        "fromnumber",
        "caller",
        "callerid",
        "callernum",
        "callernumber",
        "callerphone",
    ),
    "dst_num": (
        "dst",
        "dstnumber",
        "dstphone",
        "destination",
        "destinationnumber",
        "to",
        "tonum",
        "tonumber",
        "called",
        "calledid",
        "callednum",
        "callednumber",
        "calledphone",
        "did",
    ),
    "src_type": ("sourcetype", "fromtype", "callertype"),
    "dst_type": ("destinationtype", "totype", "calledtype"),
    "short_src_num": ("shortsrc", "srcshort", "srcshortnum", "srcextension", "srcext", "fromext"),
    "short_dst_num": (
        "shortdst",
        "dstshort",
        "dstshortnum",
        "dstextension",
        "dstext",
        "toext",
        "extension",
        "ext",
    ),
    "pbxdstnum": ("pbxdst", "pbxdstnumber"),
    "user_id": ("user", "cabinet", "cabinetid"),
    "is_inner_call": ("innercall", "inner", "internal", "isinternal"),
    "channel": ("chan", "leg"),
    "status": ("callstatus", "dialstatus", "disposition", "result"),
    "call_start_timestamp": (
        "callstart",
        "callstarttime",
        "start",
        "starttime",
        "startedat",
        "starttimestamp",
    ),
    "call_answer_timestamp": (
        "callanswer",
        "callanswertime",
        "answer",
        "answertime",
        "answeredat",
        "answertimestamp",
    ),
    "call_record_link": (
        "callrecord",
        "callrecordurl",
        "record",
        "recordlink",
        "recordurl",
        "recording",
        "recordinglink",
        "recordingurl",
    ),
    "last_called": ("lastcall", "lastcallednum", "lastdialed"),
    "transfer_from": ("transferfrom", "transferredfrom"),
    "callbackId": ("callback", "orderid"),
    "treeName": ("scheme", "schemename"),
    "treeNumber": ("schemenumber", "schemeid"),
}

_A_NAME: Final = re.compile(r"[\w .\[\]-]{1,40}")
_NOT_ALPHANUMERIC: Final = re.compile(r"[\W_]+")
_LINE_SUFFIX: Final = re.compile(r"_id[0-9]+$")
_SIP_LINE_DIGITS: Final = 6
#: So many digits in a row stand in a phone or an id, never in a ping.
_CALL_DIGITS: Final = 9


def _plain(name: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", name).casefold()


_NAMES: Final = {_plain(name): name for name in _OTHER_NAMES} | {
    other: name for name, others in _OTHER_NAMES.items() for other in others
}
_OWN_NAMES: Final = frozenset(_OTHER_NAMES)

#: Fields that name neither a call nor its parties: a ping may have them.
_PING_FIELDS: Final = frozenset(
    {"event", "user_id", "treeName", "treeNumber", "timestamp", "status", "src_type", "dst_type"}
    | {"is_inner_call"}
)


def vendor_field_name(name: str) -> str:
    """Return the vendor's name of the field that is spelled *name*, "" where there is none."""
    if name in _OWN_NAMES:
        return name
    if not _A_NAME.fullmatch(name):
        return ""
    return _NAMES.get(_plain(name), "")


class EventFields:
    """The fields of one event by the vendor's names."""

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        own: dict[str, str] = {}
        others: dict[str, str] = {}
        self._unvendor_name: list[str] = []
        for name, value in fields:
            text = value.strip()
            if not text:
                continue
            vendor_name = vendor_field_name(name)
            if not vendor_name:
                self._unvendor_name += (name, text)
            else:
                (own if name == vendor_name else others).setdefault(vendor_name, text)
        self._found = others | own

    def __getitem__(self, name: str) -> str:
        """Return the value of the field that the vendor calls *name*, "" where it is empty."""
        return self._found.get(name, "")

    @property
    def mentions_call(self) -> bool:
        """Return whether any field may be a call's; a test of the address has none of these."""
        if self._found.keys() - _PING_FIELDS:
            return True
        return any(
            len(digits) >= _CALL_DIGITS
            for text in self._unvendor_name
            for digits in _digit_runs(text)
        )

    def outside_number(self, side: str) -> str:
        """Return an outside party's number in the PBX's best spelling, without its line suffix.

        `pbxdstnum` is the cleanest destination, but on inner legs it is a SIP line of six digits.
        """
        if side == "dst":
            clean = _LINE_SUFFIX.sub("", self["pbxdstnum"])
            if len(clean.lstrip("+")) > _SIP_LINE_DIGITS:
                return clean
        return self.party_number(side) or self.short_number(side)

    def party_number(self, side: str) -> str:
        """Return a side's number as it was sent, without its line suffix."""
        return _LINE_SUFFIX.sub("", self[f"{side}_num"])

    def short_number(self, side: str) -> str:
        """Return a side's short number: the extension of an inner party, else the number again."""
        return _LINE_SUFFIX.sub("", self[f"short_{side}_num"])


def _digit_runs(text: str) -> list[str]:
    return re.findall(r"[0-9]+", text)
