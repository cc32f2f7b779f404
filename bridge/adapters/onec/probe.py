"""Looks at a publication for `onec-bridge check`: plain findings, nothing written, nothing guessed.

Whether the bridge may write cannot be asked without writing, so nothing here tells; but whether
the web server would let the longest address of a write through can be asked by reading it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.drafts import instant
from bridge.adapters.onec.extensions import find_extension_sources
from bridge.adapters.onec.metadata import Metadata, missing
from bridge.adapters.onec.odata import ODataClient, json_reader
from bridge.adapters.onec.places import reminder_place
from bridge.adapters.onec.schema import Page, PartnerRow, PhoneCallRow, ReminderRow
from bridge.adapters.onec.sets import SetReader
from bridge.domain.directory import EMPTY_REF, EntityKind
from bridge.errors import OneCError, OneCGone, OneCNotLetThrough, OneCNotPublished

Level = Literal["ok", "warn", "fail"]
Name = Literal[
    "reach",
    "published",
    "fields",
    "attribute",
    "clock",
    "zone",
    "partners",
    "reminders",
    "addresses",
]

#: More than this between the server's clock and ours makes reminders early or late.
_SKEW: Final = timedelta(minutes=1)

_CALLS: Final = json_reader(msgspec.json.Decoder(Page[PhoneCallRow]))
_PARTNERS: Final = json_reader(msgspec.json.Decoder(Page[PartnerRow]))
_REMINDERS: Final = json_reader(msgspec.json.Decoder(Page[ReminderRow]))
_RECORD: Final = json_reader(msgspec.json.Decoder(ReminderRow))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. *fields* hold what was seen; `error` among them is a whole sentence."""

    name: Name
    level: Level
    fields: Mapping[str, str] = field(default_factory=dict)


class _SetName(msgspec.Struct):
    name: str = ""
    url: str = ""


_ROOT: Final = json_reader(msgspec.json.Decoder(Page[_SetName]))


class OneCProbe:
    """Looks at one publication; *attribute* is the title of the users' extension attribute."""

    def __init__(
        self,
        client: ODataClient,
        *,
        zone: ZoneInfo,
        attribute: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._zone = zone
        self._attribute = attribute
        self._clock = clock
        self._metadata = Metadata(client)
        self._sets = SetReader(client, self._metadata)

    async def run(self) -> tuple[Finding, ...]:
        """Look at everything; when 1C cannot be reached that is the only finding."""
        try:
            names, served_at = await self._reach()
        except OneCError as error:
            return (_failed("reach", error),)
        return (
            Finding("reach", "ok", {"sets": str(len(names))}),
            _published(names),
            await self._guarded("fields", self._fields),
            await self._guarded("attribute", self._extension_attribute),
            self._clocks(served_at),
            await self._guarded("zone", lambda: self._newest_call(served_at)),
            await self._guarded("partners", self._partners),
            await self._guarded("reminders", self._reminders),
            await self._guarded("addresses", self._addresses),
        )

    async def _reach(self) -> tuple[frozenset[str], datetime | None]:
        """Ask for the service document: one request tells address, user and composition."""
        page = await self._client.read("", {"$format": "json"}, _ROOT)
        async with self._client.stream("", {"$format": "json"}) as (headers, _):
            served_at = _http_date(headers.get("Date", ""))
        return frozenset(row.name or row.url for row in page.value), served_at

    async def _guarded(self, name: Name, look: Callable[[], Awaitable[Finding]]) -> Finding:
        try:
            return await look()
        except OneCError as error:
            return _failed(name, error)

    async def _fields(self) -> Finding:
        fields = await self._metadata.refresh()
        if fields is None:
            return Finding("fields", "warn", {"unread": "$metadata"})
        absent, wished = [], []
        for entity_set, columns in schema.NEEDED.items():
            if entity_set in fields:
                for column in missing(entity_set, columns, fields):
                    place = f"{entity_set}.{column.path}"
                    if column.required:
                        absent.append(place)
                    elif column.everywhere:
                        wished.append(place)
        level: Level = "fail" if absent else "warn" if wished else "ok"
        return Finding("fields", level, _filled(missing=absent, optional=wished))

    async def _extension_attribute(self) -> Finding:
        sources = await find_extension_sources(self._sets, self._attribute)
        if sources.property is None:
            return Finding("attribute", "fail", {"title": self._attribute})
        fields = {"title": self._attribute, "property": str(sources.property)}
        if sources.register is not None:
            fields["users"] = str(len(sources.register))
        if sources.listed is None:
            return Finding("attribute", "warn", {**fields, "unread": schema.PROPERTY_VALUES})
        return Finding("attribute", "ok", fields)

    def _clocks(self, served_at: datetime | None) -> Finding:
        """Compare the web server's clock with ours; 1C's own cannot be asked."""
        now = self._clock()
        if served_at is None:
            return Finding("clock", "warn", {"unread": "Date"})
        skew = abs(served_at - now)
        seconds = str(round(skew.total_seconds()))
        return Finding("clock", "warn" if skew > _SKEW else "ok", {"skew_s": seconds})

    async def _newest_call(self, served_at: datetime | None) -> Finding:
        """Compare the newest call's date, 1C's wall time, with now in the zone we were told.

        A call of the future means a zone too far west, or a person dating ahead; a call of the
        past proves nothing, which is said by `proves`.
        """
        now = served_at or self._clock()
        page = await self._sets.page(
            schema.PHONE_CALLS,
            schema.PHONE_CALL_COLUMNS,
            _CALLS,
            options={"orderby": f"{schema.PHONE_CALL_DATE} desc", "top": "1"},
        )
        wall = now.astimezone(self._zone).replace(tzinfo=None, microsecond=0).isoformat()
        fields = {"zone": self._zone.key, "now": wall}
        if not page.value or not page.value[0].at:
            return Finding("zone", "ok", {**fields, "proves": "nothing: no calls yet"})
        newest = page.value[0].at
        ahead = instant(newest, self._zone, now) - now
        fields |= {"newest_call": newest}
        if ahead > _SKEW:
            return Finding("zone", "warn", {**fields, "ahead_s": str(round(ahead.total_seconds()))})
        return Finding("zone", "ok", {**fields, "proves": "only that no call is of the future"})

    async def _partners(self) -> Finding:
        kind = EntityKind.PARTNER
        page = await self._sets.page(
            schema.SETS[kind], schema.COLUMNS[kind], _PARTNERS, options={"top": "1"}
        )
        if not page.value:
            return Finding("partners", "warn", {"rows": "0"})
        return Finding("partners", "ok", {"name": page.value[0].name or ""})

    async def _reminders(self) -> Finding:
        await self._sets.page(
            schema.REMINDERS, schema.REMINDER_COLUMNS, _REMINDERS, options={"top": "1"}
        )
        return Finding("reminders", "ok")

    async def _addresses(self) -> Finding:
        """Ask for nobody's reminder by its key, by which others are changed and withdrawn."""
        nobody = reminder_place(EMPTY_REF, schema.EMPTY_DATE, EMPTY_REF).path
        length = {"length": str(len(nobody))}
        try:
            await self._client.read(nobody, {"$format": "json"}, _RECORD)
        except OneCGone:
            pass
        except OneCNotLetThrough as error:
            return Finding("addresses", "warn", {**length, "error": str(error)})
        except OneCNotPublished:
            # The set can be read, so it is the web server's page before 1C's own 404.
            await self._reminders()
        return Finding("addresses", "ok", length)


def _published(names: frozenset[str]) -> Finding:
    absent = [name for name in schema.NEEDED if name not in names]
    spare = [name for name in absent if name in schema.SPARE_SETS]
    needed = [name for name in absent if name not in schema.SPARE_SETS]
    level: Level = "fail" if needed else "warn" if spare else "ok"
    return Finding("published", level, _filled(missing=needed, optional=spare))


def _filled(**lists: list[str]) -> dict[str, str]:
    return {name: ", ".join(found) for name, found in lists.items() if found}


def _failed(name: Name, error: OneCError) -> Finding:
    return Finding(name, "fail", {"error": str(error), "kind": type(error).__name__})


def _http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None
