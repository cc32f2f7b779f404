"""Alarms: what a person should know now, by a name that scripts and alert rules rely on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

#: The names of `contract.md` §9, then those that the bridge has beside them.
AlarmName = Literal[
    "onec_down",  # 1C does not answer
    "onec_refuses",  # 1C answers, and turns us down: password, right, set not published
    "index_stale",  # the directory was not proven equal to 1C for too long
    "sync_refused",  # the guard refused a listing that shrank
    "extensions_lost",  # the guard refused rows that lost what routing needs
    "outbox_dead",  # entries that 1C refused for good
    "store_slow",  # the disk does not keep up with the calls
    "store_down",  # calls or events cannot be recorded
    "disk_low",  # the disk is nearly full
    "pbx_silent",  # a PBX that spoke does not any more, in working hours
    "pbx_refuses",  # the PBX turns our orders or questions down: key, rights
    "clock_off",  # the wall clock contradicts the time that has passed
    "sync_failed",  # a sync run died, which is neither 1C's doing nor the guard's
    "index_broken",  # the index cannot be read: everybody goes to the default
    "store_damaged",  # a damaged or replaced file; the subject is its name
    "pbx_events_lost",  # the line by which a PBX sends events is down
    "pbx_events_unread",  # events that could not be read; they are kept raw
    "hooks_guessed",  # wrong hook secrets, one after another
]


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person should know now; *clear* takes an earlier one back.

    Alarms of one *name* and different *subject* (a file, a PBX, an entity set) stand beside one
    another. *words* say what happened; what to do is told by the name.
    """

    name: AlarmName
    message: str
    subject: str = ""
    clear: bool = False


@dataclass(frozen=True, slots=True)
class ActiveAlarm:
    """An alarm that nobody took back, and the moment it began."""

    name: AlarmName
    message: str
    since: datetime
    subject: str = ""
