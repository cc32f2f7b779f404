"""The query string of a routing question, in every spelling a carrier or a node may choose.

Parameter names and meaning: the vendor's page of the scheme node, help.sipuni.com 128-132-89.
"""

import re
from datetime import datetime
from urllib.parse import quote, quote_plus
from zoneinfo import ZoneInfo

from bridge.lab.sipuni.protocol.events import DID_SUFFIX
from bridge.lab.sipuni.switches import (
    CabinetSwitches,
    CallerSpelling,
    TimeSpelling,
    arbitrary_sort_key,
)


def carrier_number(number: str, spelling: CallerSpelling) -> str:
    """Return *number* in this carrier's spelling, before any URL encoding."""
    national = re.sub(r"\D", "", number)[-10:]
    spelled = {
        CallerSpelling.SEVEN: f"7{national}",
        CallerSpelling.PLUS_SEVEN: f"+7{national}",
        CallerSpelling.PLUS_UNENCODED: f"+7{national}",
        CallerSpelling.EIGHT: f"8{national}",
        CallerSpelling.LOCAL_NINE: national[-9:],
        CallerSpelling.SPACED_PLUS: f"+7 {national[:3]} {national[3:6]} {national[6:]}",
        CallerSpelling.SPACED_PERCENT: f"+7 {national[:3]} {national[3:6]} {national[6:]}",
        CallerSpelling.ANONYMOUS: "anonymous",
        CallerSpelling.EMPTY: "",
        CallerSpelling.MISSING: "",
        CallerSpelling.REPEATED: f"7{national}",
    }
    return spelled.get(spelling, number)


def event_number(number: str, spelling: CallerSpelling) -> str:
    """Return *number* as `src_num` of an event: digits, or the word for a hidden caller."""
    return re.sub(r"[+\s()-]", "", carrier_number(number, spelling))


def question_query(
    *,
    caller: str,
    did: str,
    dtmf: str,
    label: str,
    arrived: float,
    zone: ZoneInfo,
    switches: CabinetSwitches,
) -> str:
    """Compose the query string of one routing question, ready for the wire.

    *arrived* is when the call reached the exchange (Unix seconds), the same at every node.
    """
    if switches.bare_question:
        return ""
    pairs = [
        *(f"fromnum={value}" for value in _encoded_callers(caller, switches.caller)),
        f"tonum={quote(did + (DID_SUFFIX if switches.tonum_suffix else ''), safe='')}",
        f"dtmf={quote(dtmf, safe='')}",
        f"label={quote(label, safe='')}",
        *(f"time={quote(value, safe='')}" for value in _spelled_time(arrived, zone, switches.time)),
    ]
    if switches.shuffle_params:
        pairs.sort(key=lambda pair: arbitrary_sort_key(f"{arrived}{pair}"))
    return "&".join(pairs)


def _encoded_callers(number: str, spelling: CallerSpelling) -> tuple[str, ...]:
    plain = carrier_number(number, spelling)
    match spelling:
        case CallerSpelling.MISSING:
            return ()
        case CallerSpelling.PLUS_UNENCODED:
            return (quote(plain, safe="+"),)
        case CallerSpelling.SPACED_PLUS:
            return (quote_plus(plain),)
        case CallerSpelling.REPEATED:
            return quote(plain), quote(carrier_number(number, CallerSpelling.EIGHT))
        case _:
            return (quote(plain, safe=""),)


def _spelled_time(arrived: float, zone: ZoneInfo, spelling: TimeSpelling) -> tuple[str, ...]:
    match spelling:
        case TimeSpelling.SECONDS:
            return (str(int(arrived)),)
        case TimeSpelling.MILLISECONDS:
            return (str(int(arrived * 1000)),)
        case TimeSpelling.TEXT:
            return (datetime.fromtimestamp(arrived, tz=zone).strftime("%Y-%m-%d %H:%M:%S"),)
        case TimeSpelling.MISSING:
            return ()
