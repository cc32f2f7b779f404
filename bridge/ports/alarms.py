"""Alarms: what an administrator should know now, by a name that scripts and rules rely on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

#: Names never change: alert rules and scripts use them.
AlarmName = Literal[
    "onec_down",  # 1C does not answer
    "onec_refuses",  # 1C answers, and refuses our user: password, right, entity set not published
    "index_stale",  # the directory was not proven equal to 1C for too long
    "sync_refused",  # the guard refused a listing that shrank
    "extensions_lost",  # the guard refused rows that lost what routing needs
    "outbox_dead",  # entries that 1C refused for good
    "store_slow",  # the disk does not keep up with the calls
    "store_down",  # calls or events cannot be recorded
    "disk_low",  # the disk is nearly full
    "pbx_silent",  # a PBX sends nothing any more, in working hours
    "pbx_refuses",  # the PBX refuses our orders or requests: key, rights
    "clock_off",  # the wall clock contradicts the time that has passed
    "sync_failed",  # a sync run failed, not because of 1C or the guard
    "index_broken",  # the index cannot be read: all callers go to the default
    "store_damaged",  # a damaged or replaced file; the subject is its name
    "pbx_events_lost",  # the connection by which a PBX sends events is down
    "pbx_events_unread",  # events that could not be read; they are kept raw
    "hooks_guessed",  # wrong hook secrets, one after another
]


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something an administrator should know now; *clear* takes an earlier one back.

    Alarms of one *name* and different *subject* (a file, a PBX, an entity set) exist beside one
    another. *message* is what happened; what to do follows from the name.
    """

    name: AlarmName
    message: str
    subject: str = ""
    clear: bool = False


@dataclass(frozen=True, slots=True)
class ActiveAlarm:
    """An alarm that was not cleared, and the moment it began."""

    name: AlarmName
    message: str
    since: datetime
    subject: str = ""
