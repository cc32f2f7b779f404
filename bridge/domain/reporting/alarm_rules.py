"""Which alarms stand for what can be seen of the service at one moment.

Alarms raised by an event (a record refused by the disk, a wrong secret) are published where it
happens; these follow from a state, so they are derived from it, over and over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Literal

from bridge.domain.calls.work_hours import WorkHours

DerivedAlarmName = Literal["onec_down", "index_stale", "outbox_dead", "disk_low", "pbx_silent"]
AlarmKey = tuple[DerivedAlarmName, str]

_MIB = 1024 * 1024
#: Space for calls of weeks; a first sync writes a second directory beside the first.
_MIN_FREE_BYTES = 256 * _MIB
#: An alarm about disk space ends at this multiple of the limit, not at one byte above it.
_RECOVERY_FACTOR = 1.25

#: Hours in which silence means something where none are set.
OFFICE_HOURS = WorkHours({day: ((time(9), time(18)),) for day in range(5)})

#: Fewer contacts, or days with contacts, do not show what silence is usual.
_LEAST_CONTACTS, _LEAST_DAYS = 10, 3
_SHORTEST_SILENCE = timedelta(hours=2)
#: Silence that only one pause in fifty reaches, times this.
_SILENCE_FACTOR = 3
_USUAL = 0.98


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """The disk of the data folder, in bytes: what is *free*, and what our files have *used*."""

    free: int
    used: int


@dataclass(frozen=True, slots=True)
class PbxContact:
    """When a PBX was last in contact, and how much working time may pass without; None: unknown."""

    last: datetime
    limit: timedelta | None


@dataclass(frozen=True, slots=True)
class Health:
    """What was seen. *onec_down* and *index_stale* are why, empty where all is well."""

    now: datetime
    onec_down: str = ""
    index_stale: str = ""
    dead_entries: int = 0
    disk: DiskUsage | None = None
    pbxs: Mapping[str, PbxContact] = field(default_factory=dict)


def active_alarms(
    health: Health, before: Mapping[AlarmKey, str], hours: WorkHours, zone: tzinfo
) -> dict[AlarmKey, str]:
    """Return the active alarms with their messages; *before*: those of the last time."""
    found: dict[AlarmKey, str] = {}
    if health.onec_down:
        found["onec_down", ""] = health.onec_down
    if health.index_stale:
        found["index_stale", ""] = health.index_stale
    if health.dead_entries:
        found["outbox_dead", ""] = f"entries that 1C refused for good: {health.dead_entries}"
    if health.disk is not None and _is_low(health.disk, was_low=("disk_low", "") in before):
        found["disk_low", ""] = (
            f"free on the disk of the data folder: {health.disk.free // _MIB} MiB"
        )
    for pbx, contact in health.pbxs.items():
        silent = hours.worked_between(contact.last, health.now, zone)
        if contact.limit is not None and silent > contact.limit:
            found["pbx_silent", pbx] = (
                f"nothing came from {pbx} since {contact.last:%Y-%m-%d %H:%M} UTC"
            )
    return found


def usual_silence(contacts: Sequence[datetime], hours: WorkHours, zone: tzinfo) -> timedelta | None:
    """Return how much working time may pass between contacts before it is unusual.

    *contacts* are the moments of one or two weeks. None where they are too few.
    """
    moments = sorted(contacts)
    if (
        len(moments) < _LEAST_CONTACTS
        or len({m.astimezone(zone).date() for m in moments}) < _LEAST_DAYS
    ):
        return None
    pauses = sorted(
        hours.worked_between(one, next_one, zone) for one, next_one in pairwise(moments)
    )
    usual = pauses[min(int(len(pauses) * _USUAL), len(pauses) - 1)]
    return max(_SHORTEST_SILENCE, _SILENCE_FACTOR * usual)


def _is_low(disk: DiskUsage, *, was_low: bool) -> bool:
    needed = max(_MIN_FREE_BYTES, 2 * disk.used)
    return disk.free < needed * (_RECOVERY_FACTOR if was_low else 1)
