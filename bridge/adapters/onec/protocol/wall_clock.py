"""Instants and the wall clock of 1C's server: 1C's dates have no zone.

Source: docs/facts/onec-odata.md, 'Values in JSON'.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bridge.adapters.onec.schema import EMPTY_DATE

_ONE_DAY: Final = timedelta(days=1)


def wall_time(at: datetime, zone: ZoneInfo) -> str:
    """Return the aware *at* as 1C's server shows it: whole seconds, a year of four digits."""
    local = at.astimezone(zone).replace(tzinfo=None, microsecond=0)
    return local.isoformat(timespec="seconds")


def instant(wall: str, zone: ZoneInfo, near: datetime) -> datetime:
    """Return 1C's wall time as aware UTC; where the hour is repeated, the one nearer to *near*.

    Raises:
        ValueError: *wall* is no date.
    """
    local = datetime.fromisoformat(wall).replace(tzinfo=zone)
    candidates = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return min(candidates, key=lambda at: abs(at - near))


def instant_or(wall: str | None, zone: ZoneInfo, default: datetime) -> datetime:
    """Return 1C's wall time as aware UTC; *default* where it is empty or no date."""
    if wall in {None, "", EMPTY_DATE}:
        return default
    try:
        return instant(wall or "", zone, default)
    except ValueError:
        return default


def earliest_wall_time(since: datetime, zone: ZoneInfo) -> str:
    """Return the earliest wall time that anything after *since* can have.

    In autumn the clock is put back: what is later may be dated up to an hour earlier.
    """
    put_back = _offset(since, zone) - _offset(since + _ONE_DAY, zone)
    return wall_time(since - max(put_back, timedelta(0)), zone)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)
