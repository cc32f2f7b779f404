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
from bridge.adapters.onec.protocol.client import ODataClient, lenient_json_decoder
from bridge.adapters.onec.protocol.metadata import Metadata, missing_columns
from bridge.adapters.onec.reading.extensions import find_extension_sources
from bridge.adapters.onec.reading.sets import EntitySetReader
from bridge.adapters.onec.schema import PartnerRow, PhoneCallRow, ReminderRow, RowPage
from bridge.adapters.onec.writing.drafts import instant
from bridge.adapters.onec.writing.record_keys import reminder_key
from bridge.domain.directory.entities import EMPTY_REF, EntityKind
from bridge.errors import OneCError, OneCFilteredByWebServer, OneCNotPublished, OneCObjectMissing

FindingLevel = Literal["ok", "warn", "fail"]
FindingName = Literal[
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

_CALLS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[PhoneCallRow]))
_PARTNERS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[PartnerRow]))
_REMINDERS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[ReminderRow]))
_RECORD: Final = lenient_json_decoder(msgspec.json.Decoder(ReminderRow))


@dataclass(frozen=True, slots=True)
class PublicationFinding:
    """One thing looked at. *fields* hold what was seen; `error` among them is a whole sentence."""

    name: FindingName
    level: FindingLevel
    fields: Mapping[str, str] = field(default_factory=dict)


class _SetName(msgspec.Struct):
    name: str = ""
    url: str = ""


_ROOT: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[_SetName]))


class ODataProbe:
    """Looks at one publication; *attribute* is the title of the users' extension attribute."""

    def __init__(
        self,
        client: ODataClient,
        *,
        zone: ZoneInfo,
        extension_attribute: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._zone = zone
        self._attribute = extension_attribute
        self._clock = clock
        self._metadata = Metadata(client)
        self._sets = EntitySetReader(client, self._metadata)

    async def run(self) -> tuple[PublicationFinding, ...]:
        """Look at everything; when 1C cannot be reached that is the only finding."""
        try:
            names, served_at = await self._reach()
        except OneCError as error:
            return (_failed("reach", error),)
        return (
            PublicationFinding("reach", "ok", {"sets": str(len(names))}),
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

    async def _guarded(
        self, name: FindingName, look: Callable[[], Awaitable[PublicationFinding]]
    ) -> PublicationFinding:
        try:
            return await look()
        except OneCError as error:
            return _failed(name, error)

    async def _fields(self) -> PublicationFinding:
        fields = await self._metadata.refresh()
        if fields is None:
            return PublicationFinding("fields", "warn", {"unread": "$metadata"})
        absent, wished = [], []
        for entity_set, columns in schema.USED_COLUMNS.items():
            if entity_set in fields:
                for column in missing_columns(entity_set, columns, fields):
                    place = f"{entity_set}.{column.path}"
                    if column.required:
                        absent.append(place)
                    elif column.in_every_release:
                        wished.append(place)
        level: FindingLevel = "fail" if absent else "warn" if wished else "ok"
        return PublicationFinding("fields", level, _filled(missing=absent, optional=wished))

    async def _extension_attribute(self) -> PublicationFinding:
        sources = await find_extension_sources(self._sets, self._attribute)
        if sources.attribute_ref is None:
            return PublicationFinding("attribute", "fail", {"title": self._attribute})
        fields = {"title": self._attribute, "property": str(sources.attribute_ref)}
        if sources.register_values is not None:
            fields["users"] = str(len(sources.register_values))
        if sources.list_values is None:
            return PublicationFinding(
                "attribute", "warn", {**fields, "unread": schema.PROPERTY_VALUES}
            )
        return PublicationFinding("attribute", "ok", fields)

    def _clocks(self, served_at: datetime | None) -> PublicationFinding:
        """Compare the web server's clock with ours; 1C's own cannot be asked."""
        now = self._clock()
        if served_at is None:
            return PublicationFinding("clock", "warn", {"unread": "Date"})
        skew = abs(served_at - now)
        seconds = str(round(skew.total_seconds()))
        return PublicationFinding("clock", "warn" if skew > _SKEW else "ok", {"skew_s": seconds})

    async def _newest_call(self, served_at: datetime | None) -> PublicationFinding:
        """Compare the newest call's date, 1C's wall time, with now in the zone we were told.

        A call of the future means a zone too far west, or a person dating ahead; a call of the
        past proves nothing, which is said by `proves`.
        """
        now = served_at or self._clock()
        page = await self._sets.read_page(
            schema.PHONE_CALLS,
            schema.PHONE_CALL_COLUMNS,
            _CALLS,
            options={"orderby": f"{schema.PHONE_CALL_DATE} desc", "top": "1"},
        )
        wall = now.astimezone(self._zone).replace(tzinfo=None, microsecond=0).isoformat()
        fields = {"zone": self._zone.key, "now": wall}
        if not page.value or not page.value[0].at:
            return PublicationFinding("zone", "ok", {**fields, "proves": "nothing: no calls yet"})
        newest = page.value[0].at
        ahead = instant(newest, self._zone, now) - now
        fields |= {"newest_call": newest}
        if ahead > _SKEW:
            return PublicationFinding(
                "zone", "warn", {**fields, "ahead_s": str(round(ahead.total_seconds()))}
            )
        return PublicationFinding(
            "zone", "ok", {**fields, "proves": "only that no call is of the future"}
        )

    async def _partners(self) -> PublicationFinding:
        kind = EntityKind.PARTNER
        page = await self._sets.read_page(
            schema.ENTITY_SETS[kind], schema.COLUMNS[kind], _PARTNERS, options={"top": "1"}
        )
        if not page.value:
            return PublicationFinding("partners", "warn", {"rows": "0"})
        return PublicationFinding("partners", "ok", {"name": page.value[0].name or ""})

    async def _reminders(self) -> PublicationFinding:
        await self._sets.read_page(
            schema.REMINDERS, schema.REMINDER_COLUMNS, _REMINDERS, options={"top": "1"}
        )
        return PublicationFinding("reminders", "ok")

    async def _addresses(self) -> PublicationFinding:
        """Ask for nobody's reminder by its key, by which others are changed and withdrawn."""
        nobody = reminder_key(EMPTY_REF, schema.EMPTY_DATE, EMPTY_REF).path
        length = {"length": str(len(nobody))}
        try:
            await self._client.read(nobody, {"$format": "json"}, _RECORD)
        except OneCObjectMissing:
            pass
        except OneCFilteredByWebServer as error:
            return PublicationFinding("addresses", "warn", {**length, "error": str(error)})
        except OneCNotPublished:
            # The set can be read, so it is the web server's page before 1C's own 404.
            await self._reminders()
        return PublicationFinding("addresses", "ok", length)


def _published(names: frozenset[str]) -> PublicationFinding:
    absent = [name for name in schema.USED_COLUMNS if name not in names]
    spare = [name for name in absent if name in schema.OPTIONAL_SETS]
    needed = [name for name in absent if name not in schema.OPTIONAL_SETS]
    level: FindingLevel = "fail" if needed else "warn" if spare else "ok"
    return PublicationFinding("published", level, _filled(missing=needed, optional=spare))


def _filled(**lists: list[str]) -> dict[str, str]:
    return {name: ", ".join(found) for name, found in lists.items() if found}


def _failed(name: FindingName, error: OneCError) -> PublicationFinding:
    return PublicationFinding(name, "fail", {"error": str(error), "kind": type(error).__name__})


def _http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None
