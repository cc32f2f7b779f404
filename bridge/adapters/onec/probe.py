"""Checks a publication for `onec-bridge check`; writes nothing.

Whether the bridge may write cannot be checked without writing; but whether the web server lets the
longest address of a write through can be checked by reading that address.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.decoding import lenient_json_decoder
from bridge.adapters.onec.protocol.metadata import Metadata, missing_columns
from bridge.adapters.onec.protocol.wall_clock import instant
from bridge.adapters.onec.reading.extensions import find_extension_sources
from bridge.adapters.onec.reading.sets import EntitySetReader
from bridge.adapters.onec.schema import PartnerRow, PhoneCallRow, ReminderRow, RowPage
from bridge.adapters.onec.writing.record_keys import reminder_key
from bridge.domain.directory.entities import EMPTY_REF, EntityKind
from bridge.errors import OneCError, OneCFilteredByWebServer, OneCNotPublished, OneCObjectMissing
from bridge.ports.onec import ProbeFinding

#: A larger difference between the server's clock and ours makes reminders early or late.
_MAX_SKEW: Final = timedelta(minutes=1)

_CALLS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[PhoneCallRow]))
_PARTNERS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[PartnerRow]))
_REMINDERS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[ReminderRow]))
_RECORD: Final = lenient_json_decoder(msgspec.json.Decoder(ReminderRow))


class _SetName(msgspec.Struct):
    name: str = ""
    url: str = ""


_ROOT: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[_SetName]))


class ODataProbe:
    """Checks one publication; *extension_attribute* is the title of the users' attribute."""

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

    async def run(self) -> tuple[ProbeFinding, ...]:
        """Return all findings; when 1C cannot be reached that is the only one."""
        try:
            names, served_at = await self._read_service_root()
        except OneCError as error:
            return (_failed("reach", error),)
        return (
            ProbeFinding("reach", "ok", {"sets": str(len(names))}),
            _published(names),
            await self._checked("fields", self._fields),
            await self._checked("attribute", self._extension_attribute),
            self._compare_clocks(served_at),
            await self._checked("zone", lambda: self._newest_call(served_at)),
            await self._checked("partners", self._partners),
            await self._checked("reminders", self._reminders),
            await self._checked("addresses", self._addresses),
        )

    async def _read_service_root(self) -> tuple[frozenset[str], datetime | None]:
        """Return the published sets and the web server's time, by the service document.

        It proves the address and the user too.
        """
        page = await self._client.read("", {"$format": "json"}, _ROOT)
        async with self._client.stream("", {"$format": "json"}) as (headers, _):
            served_at = _http_date(headers.get("Date", ""))
        return frozenset(row.name or row.url for row in page.value), served_at

    async def _checked(
        self, name: str, check: Callable[[], Awaitable[ProbeFinding]]
    ) -> ProbeFinding:
        try:
            return await check()
        except OneCError as error:
            return _failed(name, error)

    async def _fields(self) -> ProbeFinding:
        fields = await self._metadata.refresh()
        if fields is None:
            return ProbeFinding("fields", "warn", {"unread": "$metadata"})
        required, optional = [], []
        for entity_set, columns in schema.USED_COLUMNS.items():
            if entity_set in fields:
                for column in missing_columns(entity_set, columns, fields):
                    path = f"{entity_set}.{column.path}"
                    if column.required:
                        required.append(path)
                    elif column.in_every_release:
                        optional.append(path)
        level = _level_of(required, optional)
        return ProbeFinding("fields", level, _filled(missing=required, optional=optional))

    async def _extension_attribute(self) -> ProbeFinding:
        sources = await find_extension_sources(self._sets, self._attribute)
        if sources.attribute_ref is None:
            return ProbeFinding("attribute", "fail", {"title": self._attribute})
        fields = {"title": self._attribute, "property": str(sources.attribute_ref)}
        if sources.register_values is not None:
            fields["users"] = str(len(sources.register_values))
        if sources.list_values is None:
            return ProbeFinding("attribute", "warn", {**fields, "unread": schema.PROPERTY_VALUES})
        return ProbeFinding("attribute", "ok", fields)

    def _compare_clocks(self, served_at: datetime | None) -> ProbeFinding:
        """Compare the web server's clock with ours; 1C's own cannot be read."""
        now = self._clock()
        if served_at is None:
            return ProbeFinding("clock", "warn", {"unread": "Date"})
        skew = abs(served_at - now)
        seconds = str(round(skew.total_seconds()))
        return ProbeFinding("clock", "warn" if skew > _MAX_SKEW else "ok", {"skew_s": seconds})

    async def _newest_call(self, served_at: datetime | None) -> ProbeFinding:
        """Compare the newest call's date, 1C's wall time, with now in the zone of the settings.

        A call in the future means a zone too far west, or a person dating ahead; a call in the past
        proves nothing, which the field `proves` shows.
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
            return ProbeFinding("zone", "ok", {**fields, "proves": "nothing: no calls yet"})
        newest = page.value[0].at
        ahead = instant(newest, self._zone, now) - now
        fields |= {"newest_call": newest}
        if ahead > _MAX_SKEW:
            return ProbeFinding(
                "zone", "warn", {**fields, "ahead_s": str(round(ahead.total_seconds()))}
            )
        return ProbeFinding(
            "zone", "ok", {**fields, "proves": "only that no call is of the future"}
        )

    async def _partners(self) -> ProbeFinding:
        kind = EntityKind.PARTNER
        page = await self._sets.read_page(
            schema.ENTITY_SETS[kind], schema.COLUMNS[kind], _PARTNERS, options={"top": "1"}
        )
        if not page.value:
            return ProbeFinding("partners", "warn", {"rows": "0"})
        return ProbeFinding("partners", "ok", {"name": page.value[0].name or ""})

    async def _reminders(self) -> ProbeFinding:
        await self._sets.read_page(
            schema.REMINDERS, schema.REMINDER_COLUMNS, _REMINDERS, options={"top": "1"}
        )
        return ProbeFinding("reminders", "ok")

    async def _addresses(self) -> ProbeFinding:
        """Read a reminder that does not exist, by the longest address a write needs."""
        longest = reminder_key(EMPTY_REF, schema.EMPTY_DATE, EMPTY_REF).path
        length = {"length": str(len(longest))}
        try:
            await self._client.read(longest, {"$format": "json"}, _RECORD)
        except OneCObjectMissing:
            pass
        except OneCFilteredByWebServer as error:
            return ProbeFinding("addresses", "warn", {**length, "error": str(error)})
        except OneCNotPublished:
            # If the set can be read, this was the web server's page in place of 1C's own 404.
            await self._reminders()
        return ProbeFinding("addresses", "ok", length)


def _published(names: frozenset[str]) -> ProbeFinding:
    missing = [name for name in schema.USED_COLUMNS if name not in names]
    optional = [name for name in missing if name in schema.OPTIONAL_SETS]
    required = [name for name in missing if name not in schema.OPTIONAL_SETS]
    level = _level_of(required, optional)
    return ProbeFinding("published", level, _filled(missing=required, optional=optional))


def _level_of(required: list[str], optional: list[str]) -> Literal["ok", "warn", "fail"]:
    """Return how bad it is that *required* and *optional* names are missing."""
    return "fail" if required else "warn" if optional else "ok"


def _filled(**lists: list[str]) -> dict[str, str]:
    return {name: ", ".join(found) for name, found in lists.items() if found}


def _failed(name: str, error: OneCError) -> ProbeFinding:
    return ProbeFinding(name, "fail", {"error": str(error), "kind": type(error).__name__})


def _http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None
